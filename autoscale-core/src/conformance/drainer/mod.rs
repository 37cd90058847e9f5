//! The contract of a [`Drainer`].

mod cordon;
mod evict;
mod forget;
mod survey;

use std::sync::Arc;

use async_trait::async_trait;

use super::check::{LATER, Stop, tests, verdicts};
use super::verdict::Verdicts;
use crate::data::order::{CordonOrder, EvictOrder, PodRef};
use crate::data::view::{CordonMark, Node};
use crate::ports::Drainer;
use crate::words::{Inc, NodeName, NodeUid, PodUid, Ver};

/// The truth about a pod.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum PodTruth {
    /// It runs, and nobody has asked it to leave.
    Running,
    /// It is being deleted.
    Leaving,
    /// There is no pod of that uid.
    Gone,
}

/// One new cluster without workers.
#[async_trait]
pub trait DrainerStage: Send + Sync + 'static {
    /// The drainer under test.
    fn drainer(&self) -> Arc<dyn Drainer>;

    /// Adds a worker that is Ready and schedulable.
    async fn add_node(&self) -> NodeName;

    /// Adds pods of one controller that run on `node`, and take a while to end. `allowed`: under one disruption budget
    /// that lets so many of them go; `None`: under none.
    async fn add_pods(&self, node: &NodeName, count: u32, allowed: Option<u32>) -> Vec<PodRef>;

    /// Adds a pod that no node has room for.
    async fn add_waiting_pod(&self) -> PodUid;

    /// The truth about a node, `None` if there is none of that name.
    async fn node(&self, name: &NodeName) -> Option<Node>;

    /// The truth about a pod.
    async fn pod(&self, uid: &PodUid) -> PodTruth;

    /// How many eviction requests have been sent, counting each copy. `None`: the stage cannot tell.
    async fn evictions_sent(&self) -> Option<u64> {
        None
    }

    /// Part of the next survey cannot be read. `false`: it cannot.
    async fn cut_survey(&self) -> bool {
        false
    }

    /// The next survey is refused as a whole. `false`: it cannot.
    async fn fail_survey(&self) -> bool {
        false
    }
}

tests! { dyn DrainerStage:
    survey::reports_all_nodes = "`survey` reports all nodes, whatever its scope.";
    survey::reports_waiting_pods = "`survey` reports all pods that wait for a node, whatever its scope.";
    survey::reports_the_pods_of_its_nodes = "`survey` reports the pods of the scope: those on its nodes.";
    survey::of_everything_reports_all_pods = "`survey` reports the pods of the scope: all of them.";
    survey::pods_point_to_their_budgets = "The drainer is the only lister of budgets: each pod points to its own.";
    survey::a_whole_survey_is_complete = "`complete` says that everything in the scope was read.";
    survey::an_unread_part_is_not_complete = "A survey with an unread part is not `complete`.";
    survey::a_failed_survey_is_an_error = "A survey that failed is an error; never an empty view.";
    cordon::keeps_pods_away = "`cordon` keeps new pods away.";
    cordon::leaves_its_mark = "`cordon` leaves the order's mark on the node.";
    cordon::uncordon_lets_pods_come = "`uncordon` lets new pods come again.";
    cordon::uncordon_takes_the_mark_away = "`uncordon` takes the mark away.";
    cordon::a_lower_stamp_is_superseded = "A node that carries a higher stamp is left as it is (`Superseded`).";
    cordon::an_uncordon_leaves_its_stamp = "The stamp on a node never decreases.";
    cordon::an_order_may_be_repeated = "Every cordon may be repeated.";
    cordon::another_uid_is_gone = "One conditional write tests the node's uid.";
    cordon::a_missing_node_is_gone = "A node that is not there is `Gone`, not an error.";
    cordon::a_late_cordon_is_not_sent = "No cordon is sent after the order's `not_after`.";
    cordon::a_late_uncordon_is_not_sent = "No uncordon is sent after the order's `not_after`.";
    evict::makes_pods_leave = "`evict` asks pods to leave.";
    evict::spares_another_uid = "`evict` asks by uid.";
    evict::names_the_gone = "A pod that is not there is `gone`.";
    evict::honours_budgets = "`evict` asks through the API that honours budgets.";
    evict::a_refusal_stops_nobody_else = "`evict` asks each pod.";
    evict::asks_once = "`evict` asks each pod once.";
    evict::returns_at_once = "`evict` returns without waiting.";
    evict::a_late_evict_is_not_sent = "No eviction is sent after the order's `not_after`.";
    forget::deletes_the_node_object = "`forget` deletes the Node object.";
    forget::spares_another_uid = "`forget` deletes the Node object only if it has the order's uid.";
    forget::forgotten_already_is_ok = "A Node object that is gone already is `Ok`.";
    forget::a_late_forget_is_not_sent = "No deletion is sent after the order's `not_after`.";
}

/// Puts a drainer to every test; `fresh` makes a new cluster for each.
pub async fn drainer<S: DrainerStage>(fresh: impl AsyncFn() -> S) -> Verdicts {
    let mut found = Vec::with_capacity(TESTS.len());
    for test in TESTS {
        found.push(test.verdict(&fresh().await).await);
    }
    verdicts("Drainer", found)
}

/// The truth about a node that must be there.
async fn truth(stage: &dyn DrainerStage, name: &NodeName) -> Result<Node, Stop> {
    stage.node(name).await.ok_or_else(|| Stop::Failed(format!("there is no node {name}")))
}

/// A new worker, as it is.
async fn worker(stage: &dyn DrainerStage) -> Result<Node, Stop> {
    let name = stage.add_node().await;
    truth(stage, &name).await
}

fn mark() -> CordonMark {
    CordonMark::new(Inc::new("conf").expect("four lower-case letters"), 7)
}

fn cordon_order(node: &Node, stamp: u64) -> CordonOrder {
    CordonOrder {
        node: node.name.clone(),
        node_uid: node.uid.clone(),
        stamp: Ver::new(stamp),
        mark: mark(),
        not_after: LATER,
    }
}

fn evict_order(node: &Node, pods: &[PodRef]) -> EvictOrder {
    EvictOrder { node: node.name.clone(), pods: pods.to_vec(), not_after: LATER }
}

/// A uid that nothing has.
fn other_node_uid() -> NodeUid {
    NodeUid::new("00000000-0000-4000-8000-00000000c0f1").expect("digits, letters and dashes")
}

/// A uid that nothing has.
fn other_pod_uid() -> PodUid {
    PodUid::new("00000000-0000-4000-8000-00000000c0f2").expect("digits, letters and dashes")
}
