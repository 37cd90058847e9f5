//! [`Drainer`] for Kubernetes: surveys, stamped cordons, evictions by uid through the eviction API.
//!
//! It reports facts; which node may go is decided in the core. Its permissions are in `rbac/`: nodes (get, list, patch,
//! delete), pods (list), pods/eviction (create), budgets and volume attachments (list), controllers, claims and volumes (get,
//! list).
//!
//! [`Drain`] lists for every survey; [`CachedDrain`], for programs that stay up, follows the cluster by watches and lists only what
//! a step that cannot be taken back may rest on. Its documentation says what that is.
//!
//! What it leaves on a node: two annotations, the mark of the cordon (`autoscale.local/cordon`) and the highest stamp
//! (`autoscale.local/stamp`). What it reads: the label of the pool (`autoscale.local/pool`), `autoscale.local/keep: "true"`,
//! which forbids to remove a node, and the annotations of Cluster Autoscaler and Karpenter that say the same of nodes and
//! pods.
//!
//! # Whose pods may go
//! Pods of ReplicaSets, StatefulSets, DaemonSets, Jobs and ReplicationControllers, as long as these are there. Of any other
//! controller (workflows, pipelines, operators) nobody here knows whether it makes its pods again, or what is lost when it does: such a
//! pod holds its node, unless its kind is among [`DrainConfig::trusted_owners`], or the pod is annotated
//! `cluster-autoscaler.kubernetes.io/safe-to-evict: "true"`. What may not be looked up, or is not there (a controller, a claim, a
//! bound volume), holds the node too, and says so.
//!
//! A volume is where its node affinity says: zones by whatever key a driver has for them, any other key as a label of nodes. Of nodes
//! that carry our mark it is told how many volumes are still attached to them.
//!
//! # How large a cluster may be
//! Pages of one list come one after another, 500 objects each; nodes, pods and budgets side by side. A survey of 5,000 nodes and
//! 150,000 pods is 300 pages of pods, and the driver waits 5 seconds for a survey. Where a page takes 50 to 150 ms, [`Drain`] is
//! therefore for clusters of up to about 15,000 to 50,000 pods: beyond, a survey of everything, which only a scale-down asks for, does
//! not end in time, and nothing is removed. Pods that wait, and up to 100 nodes that are being drained (four at a time), are asked for by
//! themselves, whatever the size. [`CachedDrain`] has no such limit: a survey of everything is a few requests there. A survey
//! takes about 0.9 kB of memory for a pod, and 14 % more while it reads; a cache keeps about 1.4 kB for an object.

mod attached;
mod budget;
mod cache;
mod config;
mod cordon;
mod evict;
mod meta;
mod node;
mod owners;
mod place;
mod pod;
#[cfg(feature = "metrics")]
mod read;
mod requests;
mod rules;
mod survey;
mod volumes;

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::data::order::{CordonOrder, Cordoned, EvictOrder, EvictPass, ForgetOrder};
use autoscale_core::data::view::{ClusterView, Scope};
use autoscale_core::ports::{Clock, Drainer, Error, ErrorKind};
use autoscale_core::words::Deadline;

use crate::Connection;
pub use cache::{CacheConfig, CacheState, CachedDrain};
pub use config::{DrainConfig, OwnerKind};
#[cfg(feature = "metrics")]
pub(crate) use read::Reader;

/// Drains nodes of a Kubernetes cluster.
///
/// Every survey reads lists, page by page: about one request for 500 objects.
#[derive(Clone, Debug)]
pub struct Drain {
    connection: Connection,
    config: DrainConfig,
    clock: Arc<dyn Clock>,
}

impl Drain {
    /// Over a connection; `clock` is the driver's, by which orders say until when they may be sent.
    pub const fn new(connection: Connection, config: DrainConfig, clock: Arc<dyn Clock>) -> Self {
        Self { connection, config, clock }
    }

    /// Nothing is sent after an order's `not_after`.
    fn in_time(&self, not_after: Deadline, attempted: &str) -> Result<(), Error> {
        if self.clock.boot() <= not_after { Ok(()) } else { Err(Error::new(ErrorKind::NotSent, attempted)) }
    }
}

#[async_trait]
impl Drainer for Drain {
    async fn survey(&self, scope: &Scope) -> Result<ClusterView, Error> {
        survey::Survey::new(&self.connection, &self.config).look(scope, &*self.clock, None).await
    }

    async fn cordon(&self, order: &CordonOrder) -> Result<Cordoned, Error> {
        let late = || self.in_time(order.not_after, "cordon a node");
        late()?;
        cordon::cordon((&self.connection, &self.config), order, true, late).await
    }

    async fn uncordon(&self, order: &CordonOrder) -> Result<Cordoned, Error> {
        let late = || self.in_time(order.not_after, "uncordon a node");
        late()?;
        cordon::cordon((&self.connection, &self.config), order, false, late).await
    }

    async fn evict(&self, order: &EvictOrder) -> Result<EvictPass, Error> {
        let late = || self.in_time(order.not_after, "evict pods");
        evict::evict(&self.connection, order, self.config.evictions_at_once, late).await
    }

    async fn forget(&self, order: &ForgetOrder) -> Result<(), Error> {
        self.in_time(order.not_after, "delete a Node object")?;
        cordon::forget(&self.connection, order).await
    }
}
