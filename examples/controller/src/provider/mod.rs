//! Where instances come from: one module for each provider, behind a feature of its own where it needs an SDK.

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "azure")]
pub mod azure;
pub mod sim;

use std::path::Path;
use std::sync::Arc;

use autoscale_core::data::policy::Policy;
use autoscale_core::ports::{Clock, Error, NodeProvider};
use autoscale_core::words::{ClusterId, Span};
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::args::{Options, ProviderName};
use crate::bad::Bad;
use crate::notices::Inbox;

/// What a provider is given.
#[derive(Clone)]
#[non_exhaustive]
pub struct Given {
    /// A client of the cluster, which does not repeat requests by itself.
    pub client: kube::Client,
    /// Where the controller's own things are.
    pub namespace: String,
    /// The policy that counts.
    pub policy: watch::Receiver<Arc<Policy>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where notices go.
    pub inbox: Inbox,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// Everything the program has to know of a provider.
#[non_exhaustive]
pub struct Provider {
    /// The port.
    pub nodes: Arc<dyn NodeProvider>,
    /// The account and region it works in; part of the record's fingerprint.
    pub scope: String,
    /// For how long a launch request that was sent may still be carried out (rule R7).
    pub launch_delay: Span,
    /// What has to run beside the ticks, in every replica; it ends when it is dropped.
    pub beside: Option<BoxFuture<'static, ()>>,
    /// What hears of interruptions, where ticks store them; it ends when it is dropped.
    pub notices: Option<BoxFuture<'static, ()>>,
    /// Asks the cloud whether everything is allowed that will be asked for, and changes nothing. Gives what is not.
    pub check: Option<BoxFuture<'static, Vec<Error>>>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider")
            .field("nodes", &self.nodes)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Provider {
    fn new(nodes: Arc<dyn NodeProvider>, scope: impl Into<String>, launch_delay: Span) -> Self {
        Self { nodes, scope: scope.into(), launch_delay, beside: None, notices: None, check: None }
    }
}

/// What the options say of the machines that the provider makes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Machines {
    /// Simulated ones.
    Sim,
    /// Instances of EC2.
    #[cfg(feature = "aws")]
    Aws(Box<aws::AwsSettings>),
    /// Virtual machines of Azure.
    #[cfg(feature = "azure")]
    Azure(Box<azure::AzureSettings>),
}

impl Machines {
    /// Understands the options of a provider. Without a policy, which is bad then, the rest of them is still checked.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn new(name: ProviderName, options: &Options, policy: Option<&Policy>) -> Result<Self, Bad> {
        #[cfg(not(any(feature = "aws", feature = "azure")))]
        let _ = (options, policy);
        match name {
            ProviderName::Sim => Ok(Self::Sim),
            #[cfg(feature = "aws")]
            ProviderName::Aws => aws::AwsSettings::new(&options.aws, policy).map(Box::new).map(Self::Aws),
            #[cfg(feature = "azure")]
            ProviderName::Azure => {
                azure::AzureSettings::new(&options.azure, policy).map(Box::new).map(Self::Azure)
            }
        }
    }

    /// The provider that makes them. Nothing is sent yet.
    ///
    /// # Errors
    /// It cannot be set up.
    pub async fn open(&self, options: &Options, given: &Given) -> Result<Provider, Bad> {
        match self {
            Self::Sim => {
                let mut config = sim::SimConfig::new(&given.namespace);
                (config.boot, config.limits) = (options.sim_boot, options.sim_limit.clone());
                Ok(sim(config, given))
            }
            #[cfg(feature = "aws")]
            Self::Aws(settings) => Ok(settings.open(given).await),
            #[cfg(feature = "azure")]
            Self::Azure(settings) => settings.open(given),
        }
    }
}

/// An API server carries out a request that it has taken for at most a minute, its own limit; the rest is for the way there.
const SIM_LAUNCH_DELAY: Span = Span::from_secs(90);

/// Machines that are ConfigMaps of the cluster itself.
pub fn sim(config: sim::SimConfig, given: &Given) -> Provider {
    let Given { client, policy, clock, .. } = given.clone();
    let cluster = policy.borrow().cluster().clone();
    let kubelets = sim::Kubelets::new(client.clone(), config.clone(), cluster, clock.clone());
    let scope = format!("sim/{}", config.namespace);
    let nodes = Arc::new(sim::SimProvider::new(client, config, policy, clock));
    let mut provider = Provider::new(nodes, scope, SIM_LAUNCH_DELAY);
    provider.beside = Some(Box::pin(kubelets.run()));
    provider
}

/// The cluster of the policy. Of one that is bad, which is told elsewhere, the name does not matter.
#[cfg_attr(not(any(feature = "aws", feature = "azure")), allow(dead_code))]
fn cluster_of(policy: Option<&Policy>) -> Result<ClusterId, Bad> {
    match policy {
        Some(policy) => Ok(policy.cluster().clone()),
        None => ClusterId::new("unknown").map_err(|error| Bad::of(error.to_string())),
    }
}

/// A setting that is needed.
#[cfg_attr(not(any(feature = "aws", feature = "azure")), allow(dead_code))]
fn missing(flag: &str, variable: &str, expected: &str) -> Bad {
    Bad::of(format!("{flag}: missing: expected {expected}, here or in {variable}"))
}

/// The file of an option, which is passed on as it is. No such file is longer than `most` bytes.
#[cfg_attr(not(any(feature = "aws", feature = "azure")), allow(dead_code))]
fn content(flag: &str, path: &Path, most: u64) -> Result<Vec<u8>, Bad> {
    use std::io::Read as _;
    let failed =
        |error: std::io::Error| Bad::of(format!("{flag}: {}: cannot read: {}", path.display(), error.kind()));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(Bad::setting(flag, path.display(), format!("a file of at most {most} bytes")));
    }
    Ok(bytes)
}
