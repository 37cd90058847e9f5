//! What schedules pods on nodes.

use std::fmt::Debug;

use async_trait::async_trait;

use super::Result;
use crate::data::order::{CordonOrder, Cordoned, EvictOrder, EvictPass, ForgetOrder};
use crate::data::view::{ClusterView, Scope};

/// What schedules pods on nodes: Kubernetes. The only lister of nodes, pods, budgets and pending pods.
///
/// # Contract
/// - `survey` reports all nodes and all pods that wait for one, and the pods of the scope; `complete` says so.
/// - `cordon` and `uncordon` are one conditional write that tests the node's uid and its stamp: a node that carries
///   a higher stamp is left as it is (`Superseded`), and the stamp on a node never decreases.
/// - `cordon` leaves the order's mark on the node, `uncordon` takes it away.
/// - `evict` asks each pod once, by uid, through the API that honours budgets, and returns without waiting.
/// - `forget` deletes the Node object only if it has the order's uid; one with another uid is left, and that is `Ok` or
///   `NotFound`.
/// - Nothing is sent after an order's `not_after`.
///
/// # Idempotency
/// Every call may be repeated, late, and by others.
#[async_trait]
pub trait Drainer: Debug + Send + Sync + 'static {
    /// Looks at the cluster.
    ///
    /// # Errors
    /// `Throttled`, `Denied` or `Unavailable`; never an empty view for a failure.
    async fn survey(&self, scope: &Scope) -> Result<ClusterView>;

    /// Keeps new pods away from a node.
    ///
    /// # Errors
    /// `Unclear`, `Throttled`, `Denied`, `NotSent`.
    async fn cordon(&self, order: &CordonOrder) -> Result<Cordoned>;

    /// Lets new pods come to a node again.
    ///
    /// # Errors
    /// As [`cordon`](Self::cordon).
    async fn uncordon(&self, order: &CordonOrder) -> Result<Cordoned>;

    /// Asks pods to leave: what left, what is left, what blocks.
    ///
    /// # Errors
    /// `Unclear`, `Throttled`, `Denied`, `NotSent`, `Unavailable`; what blocks single pods is in the answer.
    async fn evict(&self, order: &EvictOrder) -> Result<EvictPass>;

    /// Deletes a Node object; one that is gone already is `Ok`.
    ///
    /// # Errors
    /// `Unclear`, `Throttled`, `Denied`, `NotSent`.
    async fn forget(&self, order: &ForgetOrder) -> Result<()>;
}
