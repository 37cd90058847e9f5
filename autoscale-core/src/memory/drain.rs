//! What the API server does for a drainer: survey, cordon, evict, forget.

use std::collections::BTreeMap;

use crate::data::order::{Blocker, CordonOrder, Cordoned, EvictOrder, EvictPass, ForgetOrder};
use crate::data::view::{Budget, ClusterView, Node, Owner, Pod, PodPhase, Ready, Scope, Toleration};
use crate::words::{Span, Timestamp};

use super::cluster::{Cluster, NodeState, PodState, pod_uid};
use super::rng::Rng;
use super::workload::Running;

impl Cluster {
    pub(crate) fn survey(&self, scope: &Scope, now: Timestamp) -> ClusterView {
        let mut view = ClusterView::new(now, scope.clone());
        let mut budgets = Budgets::default();
        for node in self.nodes.values() {
            view.nodes.push(show(node));
            if node.twin {
                view.nodes.extend(twin(node));
            }
            if scope.covers(&node.name) {
                for (number, pod) in node.pods.iter().filter_map(|pod| Some((pod, self.pods.get(pod)?))) {
                    view.pods.push(self.show_pod(*number, pod, &mut budgets));
                }
            }
        }
        for (number, pod) in self.lines.pods.iter().filter_map(|pod| Some((pod, self.pods.get(pod)?))) {
            view.pods.push(self.show_pod(*number, pod, &mut budgets));
        }
        view.budgets = budgets.seen;
        view
    }

    fn show_pod(&self, number: u64, pod: &PodState, budgets: &mut Budgets) -> Pod {
        let running = pod.workload.and_then(|id| Some((id, self.workload(id)?)));
        let (namespace, owner) = match running {
            Some((_, running)) => (running.spec.namespace.as_str(), running.spec.name.as_str()),
            None => ("kube-system", "node-agent"),
        };
        let node = pod.node.and_then(|node| self.nodes.get(&node));
        let kind = match running {
            Some((_, running)) => running.spec.kind.as_deref(),
            None => Some("DaemonSet"),
        };
        let mut shown = Pod::new(pod_uid(number), namespace, format!("{owner}-{number}"), Default::default());
        shown.node = node.map(|node| node.name.clone());
        shown.phase = if pod.started { PodPhase::Running } else { PodPhase::Pending };
        shown.owner = kind.map(|kind| Owner::new(kind, owner));
        shown.deleted_at = pod.deleted_at;
        shown.unschedulable_since = pod.unschedulable_since.filter(|_| pod.node.is_none());
        match running {
            Some((id, running)) => {
                shown.requests = running.spec.requests;
                shown.system_critical = running.spec.system_critical;
                shown.eviction = running.spec.eviction;
                shown.storage = running.spec.storage;
                shown.extended = running.spec.extended.clone();
                shown.constraints = running.spec.constraints.clone();
                shown.priority = running.spec.priority;
                shown.budgets = budgets.of(id, running);
            }
            None => {
                shown.requests = self.daemon;
                shown.constraints.tolerations = vec![Toleration::everything()];
            }
        }
        shown
    }

    /// One conditional write: uid and stamp are tested, and a lower stamp changes nothing.
    pub(crate) fn cordon(&mut self, order: &CordonOrder, away: bool, now: Timestamp) -> Cordoned {
        let Some(index) = self.node_by_name(&order.node) else { return Cordoned::Gone };
        let Some(node) = self.nodes.get_mut(&index) else { return Cordoned::Gone };
        if node.uid != order.node_uid {
            return Cordoned::Gone;
        }
        if node.stamp.is_some_and(|stamp| stamp > order.stamp) {
            return Cordoned::Superseded;
        }
        node.stamp = Some(order.stamp);
        node.unschedulable = away;
        node.marked_since = away.then(|| node.marked_since.unwrap_or(now));
        node.mark = away.then(|| order.mark.clone());
        self.changed.insert(index);
        if !away {
            self.lines.grew(index);
        }
        Cordoned::Done
    }

    /// Asks each pod once. Gives, beside the answer, the pods that leave and when they are gone.
    pub(crate) fn evict(
        &mut self,
        order: &EvictOrder,
        grace: (Span, Span),
        rng: &mut Rng,
        now: Timestamp,
    ) -> (EvictPass, Vec<(u64, Timestamp)>) {
        let (mut pass, mut leaving) = (EvictPass::default(), Vec::new());
        for pod in &order.pods {
            let uid = pod.uid.clone();
            let found = self.pod_by_uid(&uid).and_then(|number| Some((number, self.pods.get(&number)?)));
            let Some((number, state)) = found else {
                pass.gone.push(uid);
                continue;
            };
            if state.node.is_none() {
                self.drop_pending(number, now);
                pass.accepted.push(uid);
                continue;
            }
            if state.deleted_at.is_some() {
                pass.accepted.push(uid);
                continue;
            }
            match state.workload.and_then(|id| self.workload(id)).and_then(|running| blocker(running, state))
            {
                Some(blocker) => pass.blocked.push((uid, blocker)),
                None => {
                    let long =
                        state.workload.and_then(|id| self.workload(id)).map_or(Span::ZERO, |r| r.spec.grace);
                    let end = now.after(rng.span(grace.0, grace.1).plus(long));
                    self.evictions += 1;
                    self.delete_pod(number, end, now);
                    leaving.push((number, end));
                    pass.accepted.push(uid);
                }
            }
        }
        (pass, leaving)
    }

    /// Deletes a Node object that has the order's uid.
    pub(crate) fn forget(&mut self, order: &ForgetOrder, now: Timestamp) -> Option<u32> {
        let index = self.node_by_name(&order.node)?;
        let same = self.nodes.get(&index).is_some_and(|node| node.uid == order.node_uid);
        same.then(|| {
            self.remove_node(index, now);
            index
        })
    }
}

/// Why the eviction API refuses a pod, if it does. A pod that does not run is not kept by budgets.
fn blocker(running: &Running, pod: &PodState) -> Option<Blocker> {
    match running.spec.budgets.as_slice() {
        _ if !pod.started => None,
        [] => None,
        [keep] if running.allowed(*keep) > 0 => None,
        [_] => Some(Blocker::Budget { name: Some(budget_name(running, 0)) }),
        [_, _, ..] => {
            let why = "This pod has more than one PodDisruptionBudget".to_owned();
            Some(Blocker::Other { why })
        }
    }
}

fn budget_name(running: &Running, number: usize) -> String {
    format!("{}-budget-{number}", running.spec.name)
}

fn show(node: &NodeState) -> Node {
    Node {
        name: node.name.clone(),
        uid: node.uid.clone(),
        provider_id: (!node.nameless).then(|| node.provider_id.clone()),
        address: (!node.nameless).then(|| node.address.clone()),
        pool: node.pool.clone(),
        zone: Some(node.zone.clone()),
        ready: if node.ready { Ready::Yes } else { Ready::No },
        unschedulable: node.unschedulable,
        cordon: node.mark.clone(),
        stamp: node.stamp,
        control_plane: node.control_plane,
        keep: node.keep,
        attached: None,
        created_at: node.created_at,
        allocatable: node.allocatable,
        extended: node.extended.clone(),
        labels: node.labels.clone(),
        taints: node.taints.clone(),
    }
}

/// A second Node object that leads to the same instance.
fn twin(node: &NodeState) -> Option<Node> {
    let name = crate::words::NodeName::new(format!("{}-twin", node.name)).ok()?;
    let uid = crate::words::NodeUid::new(format!("{}-twin", node.uid)).ok()?;
    Some(Node { name, uid, cordon: None, stamp: None, ..show(node) })
}

/// The budgets of a survey, each once.
#[derive(Default)]
struct Budgets {
    seen: Vec<Budget>,
    first: BTreeMap<u32, u32>,
}

impl Budgets {
    fn of(&mut self, id: u32, running: &Running) -> Vec<u32> {
        let count = running.spec.budgets.len() as u32;
        if count == 0 {
            return Vec::new();
        }
        let seen = &mut self.seen;
        let first = *self.first.entry(id).or_insert_with(|| {
            let first = seen.len() as u32;
            for (number, keep) in running.spec.budgets.iter().enumerate() {
                let allowed = running.allowed(*keep).max(0);
                seen.push(Budget::new(running.spec.namespace.clone(), budget_name(running, number), allowed));
            }
            first
        });
        (first..first + count).collect()
    }
}
