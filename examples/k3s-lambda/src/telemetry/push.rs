//! Hands metrics to a Pushgateway beside Prometheus: a function is gone before it could be scraped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use autoscale_aws::ssm::SecretParameter;
use autoscale_core::ports::{Clock, Error};
use autoscale_core::words::ClusterId;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, StatusCode};

use crate::cluster::Cluster;
use crate::settings::{Settings, Web};

/// All of it. What is not taken by then is told the next time.
const LIMIT: Duration = Duration::from_secs(3);

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

    /// Replaces what was pushed before.
    ///
    /// # Errors
    /// Why it was not taken, in words.
    pub(crate) async fn push(&self, text: String) -> Result<(), String> {
        let failed = |error: Error| error.chain();
        let place = SocketAddr::new(self.cluster.address().await.map_err(failed)?, self.web.port);
        // Without proxies: the address has been judged.
        let mut client = Client::builder().redirect(Policy::none()).no_proxy().timeout(LIMIT);
        if let Some(ca) = &self.ca {
            let pem = ca.get().await.map_err(failed)?;
            let found = Certificate::from_pem_bundle(pem.expose().as_bytes());
            // The cause could show what was tried.
            client = client.tls_certs_only(found.map_err(|_| "PROM_CA_PARAM: expected certificates in PEM")?);
        }
        let client = client.build().map_err(|error| error.to_string())?;
        let scheme = if self.web.insecure { "http" } else { "https" };
        // One group for the cluster: it does not matter which sandbox of the function was the last to push.
        let url = format!("{scheme}://{place}/metrics/job/autoscale/instance/{}", self.group);
        let mut request = client.put(url).header(CONTENT_TYPE, "text/plain; version=0.0.4").body(text);
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
        let status = request.send().await.map_err(|error| error.without_url().to_string())?.status();
        if let (StatusCode::UNAUTHORIZED, Some((login, secret))) = (status, login) {
            // It may have been made anew: the next push fetches it.
            login.refused(&secret);
        }
        if status.is_success() { Ok(()) } else { Err(format!("it answered {status}")) }
    }
}
