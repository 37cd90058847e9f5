//! Hands metrics to a Pushgateway beside Prometheus: a function is gone before it could be scraped.
//!
//! A function is several processes, one after the other and now and then two at once, and all are one to whoever looks. So each
//! asks what was counted before it, and adds to it. Two that do so at the same moment lose what one of them counted since its last
//! push; nothing is counted twice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use autoscale_aws::ssm::SecretParameter;
use autoscale_core::ports::{Clock, Error};
use autoscale_core::words::ClusterId;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode};

use super::{Telemetry, gateway, text};
use crate::cluster::Cluster;
use crate::settings::{Settings, Web};

/// All of it. What is not taken by then is told the next time.
const LIMIT: Duration = Duration::from_secs(3);
/// What is not looked at in an answer. A cluster's metrics are some ten kilobytes for each pool.
const LARGEST: usize = 8 << 20;

/// A Pushgateway at the master, with Prometheus's authority and login.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    web: Web,
    group: ClusterId,
    cluster: Cluster,
    /// None over http.
    ca: Option<SecretParameter>,
    login: Option<SecretParameter>,
}

impl Push {
    /// As the settings say; `None` if they name none. Nothing is fetched yet.
    ///
    /// # Errors
    /// `Invalid`: a name is none of a parameter.
    pub(crate) fn new(
        settings: &Settings,
        ssm: &aws_sdk_ssm::Client,
        cluster: Cluster,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Self>, Error> {
        let Some(web) = settings.pushgateway.clone() else { return Ok(None) };
        let parameter = |name: &str| SecretParameter::new(ssm.clone(), name, clock.clone());
        let ca = settings.prometheus_ca.as_ref().unwrap_or(&settings.api_ca);
        let ca = if web.insecure { None } else { Some(parameter(ca)?.with_plain()) };
        let login = settings.prometheus_login.as_deref().map(parameter).transpose()?;
        Ok(Some(Self { web, group: settings.cluster.clone(), cluster, ca, login }))
    }

    /// Adds to what was pushed before, by this process or another.
    ///
    /// # Errors
    /// Why it was not taken, in words. It will be with the next push.
    pub(crate) async fn push(&self, telemetry: &Telemetry) -> Result<(), String> {
        match tokio::time::timeout(LIMIT, self.push_at_last(telemetry)).await {
            Ok(done) => done,
            Err(_) => Err(format!("no answer within {} seconds", LIMIT.as_secs())),
        }
    }

    async fn push_at_last(&self, telemetry: &Telemetry) -> Result<(), String> {
        let place = SocketAddr::new(self.cluster.address().await.map_err(failed)?, self.web.port);
        let scheme = if self.web.insecure { "http" } else { "https" };
        let (client, base) = (self.client().await?, format!("{scheme}://{place}"));
        let mut before = self.send(client.get(format!("{base}/api/v1/metrics"))).await?;
        let mut body = Vec::new();
        while let Some(chunk) = before.chunk().await.map_err(without_url)? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return Err(format!("it has more than {LARGEST} bytes"));
            }
        }
        let series = telemetry.continued(&gateway::counted(&body, &self.group)?);
        // One group for the cluster: it does not matter which process of the function was the last to push.
        let url = format!("{base}/metrics/job/{}/instance/{}", gateway::JOB, self.group);
        let request = client.put(url).header(CONTENT_TYPE, "text/plain; version=0.0.4");
        self.send(request.body(text(&series))).await?;
        telemetry.pushed();
        Ok(())
    }

    async fn client(&self) -> Result<Client, String> {
        // Without proxies: the address has been judged.
        let mut client = Client::builder().redirect(Policy::none()).no_proxy();
        if let Some(ca) = &self.ca {
            let pem = ca.get().await.map_err(failed)?;
            let found = Certificate::from_pem_bundle(pem.expose().as_bytes());
            // The cause could show what was tried.
            client = client.tls_certs_only(found.map_err(|_| "PROM_CA_PARAM: expected certificates in PEM")?);
        }
        client.build().map_err(|error| error.to_string())
    }

    /// With the login, if there is one. Gives an answer of success.
    async fn send(&self, mut request: RequestBuilder) -> Result<Response, String> {
        let login = match &self.login {
            Some(login) => Some((login, login.get().await.map_err(failed)?)),
            None => None,
        };
        if let Some((_, secret)) = &login {
            request = match secret.expose().split_once(':') {
                Some((user, password)) => request.basic_auth(user, Some(password)),
                None => request.bearer_auth(secret.expose()),
            };
        }
        let response = request.send().await.map_err(without_url)?;
        if let (StatusCode::UNAUTHORIZED, Some((login, secret))) = (response.status(), login) {
            // It may have been made anew: the next push fetches it.
            login.refused(&secret);
        }
        let status = response.status();
        if status.is_success() { Ok(response) } else { Err(format!("it answered {status}")) }
    }
}

fn failed(error: Error) -> String {
    error.chain()
}

fn without_url(error: reqwest::Error) -> String {
    error.without_url().to_string()
}
