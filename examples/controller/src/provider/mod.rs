//! Where instances come from: one function for each provider, behind a feature of its own where it needs an SDK.

pub mod sim;

use std::sync::Arc;

use autoscale_core::data::policy::Policy;
use autoscale_core::ports::{Clock, NodeProvider};
use autoscale_core::words::Span;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

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
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider")
            .field("nodes", &self.nodes)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// An API server carries out a request that it has taken for at most a minute, its own limit; the rest is for the way there.
const SIM_LAUNCH_DELAY: Span = Span::from_secs(90);

/// Machines that are ConfigMaps of the cluster itself.
pub fn sim(
    client: kube::Client,
    config: sim::SimConfig,
    policy: watch::Receiver<Arc<Policy>>,
    clock: Arc<dyn Clock>,
) -> Provider {
    let cluster = policy.borrow().cluster().clone();
    let kubelets = sim::Kubelets::new(client.clone(), config.clone(), cluster, clock.clone());
    Provider {
        scope: format!("sim/{}", config.namespace),
        launch_delay: SIM_LAUNCH_DELAY,
        beside: Some(Box::pin(kubelets.run())),
        nodes: Arc::new(sim::SimProvider::new(client, config, policy, clock)),
    }
}
