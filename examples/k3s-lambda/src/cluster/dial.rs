//! Connections to what runs on the master.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autoscale_aws::ssm::SecretParameter;
use autoscale_core::driver::{Answers, JoinedMetrics};
use autoscale_core::ports::{Clock, Drainer, Error, ErrorKind, MetricsSource, Result};
use autoscale_core::words::Span;
use autoscale_kube::Connection;
use autoscale_kube::drain::{Drain, DrainConfig};
use autoscale_kube::metrics::{KubeMetrics, MetricsConfig};
use autoscale_kube::prometheus::{Prometheus, Secret};
use kube::Client;
use kube::config::Config;

use super::{Dial, Reached, authenticated, pem};
use crate::clients::Clients;
use crate::settings::{Settings, Web};

/// To connect.
const CONNECT: Duration = Duration::from_secs(2);
/// No answer is waited for longer.
const SILENCE: Duration = Duration::from_secs(10);
/// One request to Prometheus: a sample has 5 seconds.
const ASKED: Span = Span::from_secs(4);

/// Connects to the Kubernetes API and to Prometheus, with secrets from Parameter Store.
#[derive(Clone, Debug)]
pub struct MasterDial {
    token: SecretParameter,
    ca: SecretParameter,
    prometheus_ca: SecretParameter,
    login: Option<SecretParameter>,
    api_port: u16,
    prometheus: Web,
    pool_label: String,
    series_label: String,
    clock: Arc<dyn Clock>,
}

impl MasterDial {
    /// As the settings say. Nothing is fetched yet.
    ///
    /// # Errors
    /// `Invalid`: a name is none of a parameter.
    pub fn new(settings: &Settings, clients: &Clients, clock: Arc<dyn Clock>) -> Result<Self> {
        let parameter = |name: &str| SecretParameter::new(clients.ssm.clone(), name, clock.clone());
        let ca = parameter(&settings.api_ca)?.with_plain();
        let prometheus_ca = match &settings.prometheus_ca {
            Some(name) => parameter(name)?.with_plain(),
            None => ca.clone(),
        };
        Ok(Self {
            token: parameter(&settings.api_token)?,
            ca,
            prometheus_ca,
            login: settings.prometheus_login.as_deref().map(parameter).transpose()?,
            api_port: settings.api_port,
            prometheus: settings.prometheus.clone(),
            pool_label: settings.pool_label.clone(),
            series_label: settings.series_label.clone(),
            clock,
        })
    }

    /// A client of the API that trusts the cluster's own authority and nobody else.
    async fn client(&self, address: IpAddr) -> Result<Client> {
        let attempted = "set up a client of the Kubernetes API";
        let place = SocketAddr::new(address, self.api_port);
        let invalid = |error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Invalid, attempted).with_source(error.to_string())
        };
        let uri = http::Uri::try_from(format!("https://{place}")).map_err(|error| invalid(&error))?;
        let mut config = Config::new(uri);
        config.root_cert = Some(pem::certificates("K8S_CA_PARAM", self.ca.get().await?.expose())?);
        // A pod that a budget protects is answered with 429; a client that repeats that does not return for a minute.
        config.default_retry = false;
        (config.connect_timeout, config.read_timeout) = (Some(CONNECT), Some(SILENCE));
        config.proxy_url = None;
        let client = Client::try_from(config).map_err(|error| invalid(&error))?;
        Ok(authenticated(client, self.token.clone()))
    }

    async fn prometheus(&self, address: IpAddr) -> Result<Prometheus> {
        let place = SocketAddr::new(address, self.prometheus.port);
        let scheme = if self.prometheus.insecure { "http" } else { "https" };
        let mut builder = Prometheus::builder(format!("{scheme}://{place}"))
            .with_reference_signals()
            .with_pool_label(&self.series_label)
            .with_limit(ASKED);
        if self.prometheus.insecure {
            builder = builder.insecure();
        } else {
            builder = builder.with_ca_pem(self.prometheus_ca.get().await?.expose());
        }
        if let Some(login) = &self.login {
            let login = login.get().await?;
            builder = match login.expose().split_once(':') {
                Some((user, password)) => builder.with_basic(user, Secret::new(password)),
                None => builder.with_bearer(Secret::new(login.expose())),
            };
        }
        let built = builder.build();
        built.map_err(|errors| Error::new(ErrorKind::Invalid, "set up Prometheus").with_source(errors))
    }
}

#[async_trait]
impl Dial for MasterDial {
    async fn dial(&self, address: IpAddr) -> Result<Reached> {
        let connection = Connection::from_client(self.client(address).await?);
        let prometheus = self.prometheus(address).await?;
        let config = DrainConfig::new().with_pool_label(&self.pool_label);
        let drainer: Arc<dyn Drainer> = Arc::new(Drain::new(connection.clone(), config, self.clock.clone()));
        let theirs: Vec<_> = prometheus.signals().map(|(name, _)| name.clone()).collect();
        let config = MetricsConfig::new().with_pool_label(&self.pool_label);
        let rest = KubeMetrics::new(connection, config, self.clock.clone());
        let joined = JoinedMetrics::builder(self.clock.clone())
            .with_source("Prometheus", Arc::new(prometheus), Answers::signals(theirs))
            .with_source("the API server", Arc::new(rest), Answers::rest())
            .build();
        let joined = joined.map_err(|errors| {
            Error::new(ErrorKind::Invalid, "put the sources of signals together")
                .with_source(errors.to_string())
        })?;
        let metrics: Arc<dyn MetricsSource> = Arc::new(joined);
        Ok(Reached::new(drainer, metrics))
    }
}
