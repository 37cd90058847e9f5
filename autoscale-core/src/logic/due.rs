//! The effects that a stored record authorises. A function of what is stored, never of the decision.

use crate::data::order::{
    CordonOrder, Effect, EvictOrder, ForgetOrder, LaunchOrder, Order, PodRef, TerminateOrder,
};
use crate::data::policy::Policy;
use crate::data::record::{Launch, LaunchState, Op, OpKind, Record, Remove, RemoveState, RemoveWhy};
use crate::data::view::{Cluster, CordonMark, Instance, Node, Phase, PodClass, Ready, Stage, View};
use crate::logic::movable;
use crate::mutant::{self, Mutant};
use crate::words::{Deadline, InstanceId, NodeName, NodeUid, Ver};

/// Everything to do now, in the order of the operations.
///
/// The caller must hold the authority of `record.ver`: its own swap of exactly this record was applied. Orders carry
/// no `not_after` yet; the driver sets it.
pub fn due(policy: &Policy, record: &Record, view: &View) -> Vec<Effect> {
    let cluster = view.cluster().known().filter(|cluster| cluster.is_complete());
    let seen = Seen { policy, record, view, cluster };
    let orders = record.ops.iter().filter_map(|op| {
        let order = match &op.kind {
            OpKind::Launch(launch) => seen.launch(op, launch),
            OpKind::Remove(remove) => seen.remove(op, remove),
        };
        Some(Effect { op: op.id(), order: order? })
    });
    orders.collect()
}

struct Seen<'a> {
    policy: &'a Policy,
    record: &'a Record,
    view: &'a View,
    cluster: Option<&'a Cluster>,
}

impl Seen<'_> {
    fn launch(&self, op: &Op, launch: &Launch) -> Option<Order> {
        match &launch.state {
            LaunchState::Sent if launch.attempt.armed == self.record.ver => {
                Some(Order::Launch(LaunchOrder {
                    cluster: self.policy.cluster().clone(),
                    pool: op.pool.clone(),
                    offering: launch.attempt.offering.clone(),
                    token: launch.attempt.token.clone(),
                    pinned: launch.pinned.clone(),
                    not_after: Deadline::default(),
                }))
            }
            // A node that joined late would have made it a removal: the survey has to have shown that there is none.
            LaunchState::Terminating { instance, accepted, .. } => {
                self.cluster.and_then(|_| self.terminate(instance, *accepted))
            }
            LaunchState::Planned
            | LaunchState::Sent
            | LaunchState::Cooling { .. }
            | LaunchState::Refused { .. }
            | LaunchState::Launched { .. }
            | LaunchState::Aside { .. }
            | LaunchState::Dead { .. } => None,
        }
    }

    fn remove(&self, op: &Op, remove: &Remove) -> Option<Order> {
        let node = self.node(remove);
        // Not in a complete list: late, or no longer ours because somebody took its tags off. Absence proves nothing, and
        // does not authorise to move its pods either (rule R10, I7).
        let listing = self.view.instances().known().filter(|listing| listing.complete);
        let absent = listing.is_some_and(|l| l.find(&remove.instance).is_none());
        if absent && matches!(remove.state, RemoveState::Planned | RemoveState::Cordoned) {
            return None;
        }
        match (&remove.state, node) {
            (RemoveState::Planned, Some((_, node))) => Some(Order::Cordon(self.cordon(op, node))),
            (RemoveState::Cordoned, Some((at, node))) if remove.why != RemoveWhy::CordonOnly => {
                let doomed = remove.why == RemoveWhy::Interruption;
                self.evict(at, node, |class| !doomed || movable::may_be_asked(class))
            }
            // Somebody opened it again, or it joined late: pods would come as fast as they are asked to leave.
            (RemoveState::Terminating { .. }, Some((_, node))) if self.is_open(remove, node) => {
                Some(Order::Cordon(self.cordon(op, node)))
            }
            // Irrevocable does not mean blind: pods that turned up are asked to leave first (rule R6).
            (RemoveState::Terminating { accepted, .. }, Some((at, node))) => {
                let covered = self.cluster.is_some_and(|cluster| cluster.scope().covers(&node.name));
                if !covered && !mutant::on(Mutant::ResendBlindly) {
                    return None;
                }
                let blind = mutant::on(Mutant::ResendBlindly) || mutant::on(Mutant::TerminateBeforeEmpty);
                self.evict(at, node, |_| true)
                    .filter(|_| !blind)
                    .or_else(|| self.terminate(&remove.instance, *accepted))
            }
            (RemoveState::Terminating { accepted, .. }, None) => {
                self.cluster.and_then(|_| self.terminate(&remove.instance, *accepted))
            }
            (RemoveState::Gone, Some((_, node))) => Some(Order::Forget(ForgetOrder {
                node: node.name.clone(),
                node_uid: node.uid.clone(),
                not_after: Deadline::default(),
            })),
            (RemoveState::RollingBack { .. }, Some((_, node))) if node.cordon.is_some() => {
                Some(Order::Uncordon(self.cordon(op, node)))
            }
            _ => None,
        }
    }

    /// The node of a removal, if it is still the same Node object.
    fn node(&self, remove: &Remove) -> Option<(usize, &Node)> {
        let (name, uid): &(NodeName, NodeUid) = remove.node.as_ref()?;
        let at = self.cluster?.find(name, uid)?;
        self.cluster?.node(at).filter(|node| !node.control_plane).map(|node| (at, node))
    }

    /// Whether pods still come to the node of an instance that has not begun to end.
    fn is_open(&self, remove: &Remove, node: &Node) -> bool {
        let ending = self.view.instances().known().is_some_and(|listing| {
            let ending = |i: &Instance| matches!(i.phase, Phase::Terminated | Phase::ShuttingDown);
            listing.find(&remove.instance).and_then(|at| listing.instances.get(at)).is_some_and(ending)
        });
        node.ready == Ready::Yes && !node.unschedulable && !ending && !mutant::on(Mutant::ResendBlindly)
    }

    fn cordon(&self, op: &Op, node: &Node) -> CordonOrder {
        CordonOrder {
            node: node.name.clone(),
            node_uid: node.uid.clone(),
            stamp: if mutant::on(Mutant::NoStamps) { Ver::ZERO } else { self.record.ver },
            mark: CordonMark::new(self.record.inc.clone(), op.seq),
            not_after: Deadline::default(),
        }
    }

    fn evict(&self, at: usize, node: &Node, asked: impl Fn(&PodClass) -> bool) -> Option<Order> {
        let cluster = self.cluster?;
        let leaving =
            cluster.evictable(at).filter(|(_, class)| class.stage != Stage::Leaving && asked(class));
        // System pods last: others may need them to shut down. Before that, those of lower priority first.
        let last = |class: &PodClass| class.namespace == "kube-system" || class.system_critical;
        let mut pods: Vec<_> = leaving
            .flat_map(|(seat, class)| {
                let namespace = class.namespace.as_str();
                let names = cluster.names(seat).iter();
                names.map(move |pod| (last(class), class.priority, &pod.uid, namespace, pod.name.as_str()))
            })
            .collect();
        pods.sort();
        let any = cluster.evictable(at).next().is_some();
        let pods =
            pods.into_iter().map(|(.., uid, namespace, name)| PodRef::new(uid.clone(), namespace, name));
        // Pods that are on their way out need no order, and still forbid to terminate.
        any.then(|| {
            let (node, pods) = (node.name.clone(), pods.collect());
            Order::Evict(EvictOrder { node, pods, not_after: Deadline::default() })
        })
    }

    /// Until the cloud has accepted, and again while a list still shows it as alive.
    fn terminate(&self, instance: &InstanceId, accepted: bool) -> Option<Order> {
        let listing = self.view.instances().known()?;
        let listed = listing.find(instance).and_then(|at| listing.instances.get(at));
        let alive = listed.is_some_and(|i| i.phase.is_alive());
        let ended = listed.is_some_and(|i| matches!(i.phase, Phase::Terminated | Phase::ShuttingDown));
        let send = !ended && (!accepted || alive);
        send.then(|| {
            Order::Terminate(TerminateOrder {
                cluster: self.policy.cluster().clone(),
                instance: instance.clone(),
                not_after: Deadline::default(),
            })
        })
    }
}
