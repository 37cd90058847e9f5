mod stage;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::super::drainer::{DrainerStage, PodTruth, TESTS, drainer};
use stage::Stage;

use super::{Once, Row, each_test_bites, shared, world};
use crate::data::order::{Blocker, CordonOrder, Cordoned, EvictOrder, EvictPass, ForgetOrder, PodRef};
use crate::data::policy::Purchase;
use crate::data::view::{ClusterView, Node, Scope};
use crate::memory::{Keep, Shared, Workload, WorkloadId};
use crate::ports::{Drainer, Error, ErrorKind, Result};
use crate::words::{Deadline, NodeName, NodeUid, PodUid, Span, Zone};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    OnlyTheNodesAskedFor,
    NoWaitingPodsForNodes,
    NoPodsForNodes,
    ForgetsTheLastNodesPods,
    NoBudgets,
    NeverComplete,
    FirstPageIsAll,
    FailureIsEmpty,
    MarksOnly,
    NoMark,
    StaysClosed,
    KeepsTheMark,
    UncordonsWhateverTheStamp,
    UncordonForgetsTheStamp,
    EqualStampLoses,
    CordonsWhateverTheUid,
    MissingNodeIsNotFound,
    CordonsLate,
    UncordonsLate,
    OnlySaysSo,
    EvictsByName,
    ForgetsTheGone,
    Forces,
    StopsAtARefusal,
    RetriesInside,
    Waits,
    EvictsLate,
    ForgetsNothing,
    ForgetsWhateverTheUid,
    ForgottenIsNotFound,
    ForgetsLate,
}

use Fault::*;

const ROWS: &[Row<Fault>] = &[
    (OnlyTheNodesAskedFor, "reports_all_nodes"),
    (NoWaitingPodsForNodes, "reports_waiting_pods"),
    (NoPodsForNodes, "reports_the_pods_of_its_nodes"),
    (ForgetsTheLastNodesPods, "of_everything_reports_all_pods"),
    (NoBudgets, "pods_point_to_their_budgets"),
    (NeverComplete, "a_whole_survey_is_complete"),
    (FirstPageIsAll, "an_unread_part_is_not_complete"),
    (FailureIsEmpty, "a_failed_survey_is_an_error"),
    (MarksOnly, "keeps_pods_away"),
    (NoMark, "leaves_its_mark"),
    (StaysClosed, "uncordon_lets_pods_come"),
    (KeepsTheMark, "uncordon_takes_the_mark_away"),
    (UncordonsWhateverTheStamp, "a_lower_stamp_is_superseded"),
    (UncordonForgetsTheStamp, "an_uncordon_leaves_its_stamp"),
    (EqualStampLoses, "an_order_may_be_repeated"),
    (CordonsWhateverTheUid, "another_uid_is_gone"),
    (MissingNodeIsNotFound, "a_missing_node_is_gone"),
    (CordonsLate, "a_late_cordon_is_not_sent"),
    (UncordonsLate, "a_late_uncordon_is_not_sent"),
    (OnlySaysSo, "makes_pods_leave"),
    (EvictsByName, "spares_another_uid"),
    (ForgetsTheGone, "names_the_gone"),
    (Forces, "honours_budgets"),
    (StopsAtARefusal, "a_refusal_stops_nobody_else"),
    (RetriesInside, "asks_once"),
    (Waits, "returns_at_once"),
    (EvictsLate, "a_late_evict_is_not_sent"),
    (ForgetsNothing, "deletes_the_node_object"),
    (ForgetsWhateverTheUid, "spares_another_uid"),
    (ForgottenIsNotFound, "forgotten_already_is_ok"),
    (ForgetsLate, "a_late_forget_is_not_sent"),
];

const LATER: Deadline = Deadline::from_millis(u64::MAX);

/// What tests can make happen between the drainer and the cluster.
#[derive(Debug, Default)]
struct Wire {
    cutting: Once,
    failing: Once,
    evictions: AtomicU64,
}

#[derive(Clone, Debug)]
struct Api {
    fault: Option<Fault>,
    world: Shared,
    inner: Arc<dyn Drainer>,
    wire: Arc<Wire>,
}

impl Api {
    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn node(&self, name: &NodeName) -> Option<Node> {
        let view = self.world.lock().survey(&Scope::Pending);
        view.nodes.into_iter().find(|node| node.name == *name)
    }

    fn uid(&self, name: &NodeName) -> Option<NodeUid> {
        self.node(name).map(|node| node.uid)
    }

    async fn send(&self, order: &EvictOrder) -> Result<EvictPass> {
        self.wire.evictions.fetch_add(order.pods.len() as u64, Ordering::Relaxed);
        self.inner.evict(order).await
    }

    /// What a person or a bug can do to a node whatever its stamp.
    fn tamper(&self, name: &NodeName, change: impl Fn(&mut Node)) {
        let Some(mut node) = self.node(name) else { return };
        change(&mut node);
        let mut world = self.world.lock();
        let Some(state) = world.cluster.nodes.values_mut().find(|state| state.name == *name) else { return };
        (state.unschedulable, state.stamp, state.mark) = (node.unschedulable, node.stamp, node.cordon);
    }

    /// Faults that cordon and uncordon share.
    fn bend(&self, order: &mut CordonOrder) -> Option<Result<Cordoned>> {
        let node = self.node(&order.node);
        match self.fault? {
            EqualStampLoses if node.as_ref()?.stamp == Some(order.stamp) => {
                return Some(Ok(Cordoned::Superseded));
            }
            CordonsWhateverTheUid => order.node_uid = node?.uid,
            MissingNodeIsNotFound if node.is_none() => {
                return Some(Err(Error::new(ErrorKind::NotFound, "cordon")));
            }
            _ => {}
        }
        None
    }
}

#[async_trait]
impl Drainer for Api {
    async fn survey(&self, scope: &Scope) -> Result<ClusterView> {
        if self.wire.failing.take() {
            let empty = ClusterView::new(self.world.lock().now(), scope.clone());
            return if self.is(FailureIsEmpty) {
                Ok(empty)
            } else {
                Err(Error::new(ErrorKind::Unavailable, "survey"))
            };
        }
        let mut view = self.inner.survey(scope).await?;
        if self.wire.cutting.take() {
            view.nodes.pop();
            view.complete = self.is(FirstPageIsAll);
        }
        match (self.fault, scope) {
            (Some(OnlyTheNodesAskedFor), Scope::Nodes(_)) => {
                view.nodes.retain(|node| scope.covers(&node.name))
            }
            (Some(NoWaitingPodsForNodes), Scope::Nodes(_)) => view.pods.retain(|pod| pod.node.is_some()),
            (Some(NoPodsForNodes), Scope::Nodes(_)) => {
                // Those under budgets are another test's.
                view.pods.retain(|pod| pod.node.is_none() || !pod.budgets.is_empty());
            }
            (Some(ForgetsTheLastNodesPods), Scope::Everything) => {
                let last = view.nodes.last().map(|node| node.name.clone());
                view.pods.retain(|pod| pod.node != last);
            }
            (Some(NoBudgets), _) => view.pods.iter_mut().for_each(|pod| pod.budgets.clear()),
            (Some(NeverComplete), _) => view.complete = false,
            _ => {}
        }
        Ok(view)
    }

    async fn cordon(&self, order: &CordonOrder) -> Result<Cordoned> {
        let mut order = order.clone();
        if let Some(answer) = self.bend(&mut order) {
            return answer;
        }
        if self.is(CordonsLate) {
            order.not_after = LATER;
        }
        let answer = self.inner.cordon(&order).await;
        match self.fault {
            Some(MarksOnly) => self.tamper(&order.node, |node| node.unschedulable = false),
            Some(NoMark) => self.tamper(&order.node, |node| node.cordon = None),
            _ => {}
        }
        answer
    }

    async fn uncordon(&self, order: &CordonOrder) -> Result<Cordoned> {
        let mut order = order.clone();
        if let Some(answer) = self.bend(&mut order) {
            return answer;
        }
        match self.fault {
            Some(UncordonsLate) => order.not_after = LATER,
            Some(UncordonsWhateverTheStamp) => {
                let stamp = self.node(&order.node).and_then(|node| node.stamp);
                order.stamp = order.stamp.max(stamp.unwrap_or_default());
            }
            _ => {}
        }
        let answer = self.inner.uncordon(&order).await;
        let done = matches!(answer, Ok(Cordoned::Done));
        match self.fault.filter(|_| done) {
            Some(StaysClosed) => self.tamper(&order.node, |node| node.unschedulable = true),
            Some(KeepsTheMark) => self.tamper(&order.node, |node| node.cordon = Some(order.mark.clone())),
            Some(UncordonForgetsTheStamp) => self.tamper(&order.node, |node| node.stamp = None),
            _ => {}
        }
        answer
    }

    async fn evict(&self, order: &EvictOrder) -> Result<EvictPass> {
        let mut order = order.clone();
        let view = self.world.lock().survey(&Scope::Everything);
        match self.fault {
            Some(EvictsLate) => order.not_after = LATER,
            Some(OnlySaysSo) => {
                let free = |pod: &PodRef| {
                    view.pods.iter().any(|seen| seen.uid == pod.uid && seen.budgets.is_empty())
                };
                // Orders that are late are another test's.
                if order.not_after == LATER && order.pods.iter().all(free) {
                    let accepted = order.pods.iter().map(|pod| pod.uid.clone()).collect();
                    return Ok(EvictPass { accepted, ..EvictPass::default() });
                }
            }
            Some(EvictsByName) => {
                for pod in &mut order.pods {
                    let namesake = view.pods.iter().find(|seen| seen.name == pod.name);
                    pod.uid = namesake.map_or(pod.uid.clone(), |seen| seen.uid.clone());
                }
            }
            Some(StopsAtARefusal) => {
                let (mut pass, mut stopped) = (EvictPass::default(), false);
                for pod in &order.pods {
                    if stopped {
                        let why = "stopped before".to_owned();
                        pass.blocked.push((pod.uid.clone(), Blocker::Other { why }));
                        self.wire.evictions.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    let one = EvictOrder { pods: vec![pod.clone()], ..order.clone() };
                    let EvictPass { accepted, gone, blocked } = self.send(&one).await?;
                    stopped |= !blocked.is_empty();
                    pass.accepted.extend(accepted);
                    pass.gone.extend(gone);
                    pass.blocked.extend(blocked);
                }
                return Ok(pass);
            }
            _ => {}
        }
        let mut pass = self.send(&order).await?;
        match self.fault {
            Some(ForgetsTheGone) => pass.gone.clear(),
            Some(Forces) => {
                let mut world = self.world.lock();
                let (now, end) = (world.now(), world.now().after(Span::from_secs(30)));
                for (uid, _) in &pass.blocked {
                    let number = uid.as_str().trim_start_matches("pod-").parse().unwrap();
                    world.cluster.delete_pod(number, end, now);
                }
            }
            Some(RetriesInside) if !pass.blocked.is_empty() => {
                self.send(&order).await?;
            }
            Some(Waits) => {
                let mut world = self.world.lock();
                let end = world.now().after(Span::from_mins(5));
                world.advance_to(end);
            }
            _ => {}
        }
        Ok(pass)
    }

    async fn forget(&self, order: &ForgetOrder) -> Result<()> {
        let mut order = order.clone();
        match (self.fault, self.uid(&order.node)) {
            (Some(ForgetsNothing), Some(_)) if order.not_after == LATER => return Ok(()),
            (Some(ForgetsWhateverTheUid), Some(uid)) => order.node_uid = uid,
            (Some(ForgottenIsNotFound), None) => return Err(Error::new(ErrorKind::NotFound, "forget")),
            (Some(ForgetsLate), _) => order.not_after = LATER,
            _ => {}
        }
        self.inner.forget(&order).await
    }
}

#[tokio::test]
async fn each_drainer_test_bites() {
    let run = async |fault| {
        let fresh = async || {
            let world = world(0);
            let inner = world.ports().drainer;
            Stage(Api { fault, world, inner, wire: shared() })
        };
        drainer(fresh).await
    };
    each_test_bites(TESTS, ROWS, run).await;
}
