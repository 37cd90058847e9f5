//! The core's ports on a cluster that has to be found first.

use async_trait::async_trait;
use autoscale_core::data::order::{CordonOrder, Cordoned, EvictOrder, EvictPass, ForgetOrder};
use autoscale_core::data::view::{ClusterView, Reading, Sample, Scope, SignalQuery};
use autoscale_core::ports::{Drainer, Error, ErrorKind, MetricsSource, Result};

use super::Cluster;

/// [`Drainer`] at the master.
#[derive(Clone, Debug)]
pub struct ClusterDrainer(Cluster);

impl ClusterDrainer {
    /// Over a cluster.
    pub const fn new(cluster: Cluster) -> Self {
        Self(cluster)
    }

    /// An order: where there is nobody to give it to, it was not sent.
    async fn reached(&self, attempted: &str) -> Result<std::sync::Arc<dyn Drainer>> {
        let reached = self.0.reached().await;
        let not_sent = |error| Error::new(ErrorKind::NotSent, attempted).with_source(error);
        reached.map(|reached| reached.drainer).map_err(not_sent)
    }
}

#[async_trait]
impl Drainer for ClusterDrainer {
    async fn survey(&self, scope: &Scope) -> Result<ClusterView> {
        let seen = self.0.reached().await?.drainer.survey(scope).await;
        // Every tick begins with a look: that is where a connection that is no good any more shows.
        if seen.as_ref().is_err_and(|error| *error.kind() == ErrorKind::Unavailable) {
            self.0.give_up().await;
        }
        seen
    }

    async fn cordon(&self, order: &CordonOrder) -> Result<Cordoned> {
        self.reached("cordon a node").await?.cordon(order).await
    }

    async fn uncordon(&self, order: &CordonOrder) -> Result<Cordoned> {
        self.reached("uncordon a node").await?.uncordon(order).await
    }

    async fn evict(&self, order: &EvictOrder) -> Result<EvictPass> {
        self.reached("evict pods").await?.evict(order).await
    }

    async fn forget(&self, order: &ForgetOrder) -> Result<()> {
        self.reached("delete a Node object").await?.forget(order).await
    }
}

/// [`MetricsSource`] at the master.
#[derive(Clone, Debug)]
pub struct ClusterMetrics(Cluster);

impl ClusterMetrics {
    /// Over a cluster.
    pub const fn new(cluster: Cluster) -> Self {
        Self(cluster)
    }
}

#[async_trait]
impl MetricsSource for ClusterMetrics {
    async fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample> {
        match self.0.reached().await {
            Ok(reached) => reached.metrics.sample(wanted).await,
            Err(error) => {
                let why = error.chain();
                let failed =
                    |query: &SignalQuery| Sample::new(query.clone(), Reading::Failed { why: why.clone() });
                wanted.iter().map(failed).collect()
            }
        }
    }
}
