//! Hands metrics to a Pushgateway beside Prometheus: a function is gone before it could be scraped.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use autoscale_aws::ssm::Secret;
use autoscale_core::words::ClusterId;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};

use crate::bad::Bad;
use crate::settings::Web;

/// All of it. What is not taken by then is told the next time.
const LIMIT: Duration = Duration::from_secs(3);

/// Who pushes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Login<'s> {
    /// Nobody in particular.
    None,
    /// A token, or `user:password`.
    Secret(&'s Secret),
}

/// A Pushgateway.
#[derive(Clone, Debug)]
pub struct Push {
    client: Client,
    url: String,
}

impl Push {
    /// At an address that has been judged; over https it trusts the authorities in `ca` alone.
    ///
    /// # Errors
    /// The certificates are none.
    pub fn new(address: IpAddr, web: &Web, cluster: &ClusterId, ca: Option<&str>) -> Result<Self, Bad> {
        let mut client = Client::builder().redirect(Policy::none()).no_proxy().timeout(LIMIT);
        if let Some(pem) = ca {
            let failed = |_| Bad::of("PROM_CA_PARAM: expected certificates in PEM");
            client = client.tls_certs_only(Certificate::from_pem_bundle(pem.as_bytes()).map_err(failed)?);
        }
        let client = client.build().map_err(|error| Bad::of(format!("PUSHGATEWAY_NODEPORT: {error}")))?;
        let (scheme, place) =
            (if web.insecure { "http" } else { "https" }, SocketAddr::new(address, web.port));
        // One group for the cluster: it does not matter which sandbox of the function was the last to push.
        Ok(Self { client, url: format!("{scheme}://{place}/metrics/job/autoscale/instance/{cluster}") })
    }

    /// Replaces what was pushed before.
    ///
    /// # Errors
    /// Why it was not taken, in words.
    pub async fn push(&self, text: String, login: Login<'_>) -> Result<(), String> {
        let mut request =
            self.client.put(&self.url).header(CONTENT_TYPE, "text/plain; version=0.0.4").body(text);
        if let Login::Secret(secret) = login {
            request = match secret.expose().split_once(':') {
                Some((user, password)) => request.basic_auth(user, Some(password)),
                None => request.bearer_auth(secret.expose()),
            };
        }
        let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(format!("it answered {}", answer.status())) }
    }
}
