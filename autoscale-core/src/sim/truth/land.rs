//! What is checked when a request has its effect: I4 to I9.

use crate::data::record::{Cause, RemoveWhy};
use crate::data::view::Ownership;
use crate::memory::World;
use crate::ports::{ErrorKind, Swapped};
use crate::words::{InstanceId, NodeName, PoolName, Span, Timestamp, Ver};

use super::Truth;
use crate::sim::call::{Call, Reply};
use crate::sim::net::Request;

/// For so long a loss may go unseen: a notice that comes late, 2 minutes to the death, 40 s to the node's being NotReady.
const UNSEEN: Span = Span::from_mins(3);

/// What the world was like just before.
#[derive(Debug, Default)]
pub(in crate::sim) struct Before {
    machines: u32,
    node: Option<NodeBefore>,
    /// The number of the instance that a terminate is about to end, if it is alive.
    victim: Option<u32>,
    forbidden: bool,
}

#[derive(Debug)]
struct NodeBefore {
    index: u32,
    stamp: Option<Ver>,
    unschedulable: bool,
}

impl Truth {
    /// Looks at the world just before a request has its effect.
    pub(in crate::sim) fn before(&mut self, world: &World, request: &Request) -> Before {
        self.now = world.now();
        let mut before = Before { machines: world.cloud.next, ..Before::default() };
        let name: Option<&NodeName> = match &request.call {
            Call::Cordon(order) | Call::Uncordon(order) => Some(&order.node),
            Call::Evict(order) => Some(&order.node),
            Call::Forget(order) => Some(&order.node),
            _ => None,
        };
        let found = name.and_then(|name| world.cluster.node_by_name(name));
        before.node = found.and_then(|index| {
            let node = world.cluster.nodes.get(&index)?;
            Some(NodeBefore { index, stamp: node.stamp, unschedulable: node.unschedulable })
        });
        match &request.call {
            Call::Cordon(_) | Call::Evict(_) => {
                before.forbidden = found.is_some_and(|index| !may_touch(world, index));
            }
            Call::Terminate(order) => {
                let index = world.cloud.index_of(&order.instance);
                before.forbidden = index.is_some_and(|index| !may_touch(world, index));
                before.victim = index.filter(|index| {
                    world.cloud.machine(*index).is_some_and(crate::memory::Machine::is_alive)
                });
                if let (Some(index), false) = (before.victim, before.forbidden) {
                    self.no_pod_left(world, request.surveyed_at, index, &order.instance);
                    self.enough_left(world, index, &order.instance);
                }
            }
            _ => {}
        }
        before
    }

    /// Looks at the world just after.
    pub(in crate::sim) fn served(&mut self, world: &World, request: &Request, before: Before, reply: &Reply) {
        let now = self.now;
        match (&request.call, reply) {
            (Call::Swap(_, sealed), Reply::Swap(Ok(Swapped::Applied(_)))) => {
                self.on_applied(world, sealed);
            }
            (Call::Survey(_), Reply::Survey(Ok(_))) => {
                if let Some(actor) = self.actors.get_mut(&request.task) {
                    actor.surveyed_at = Some(now);
                }
            }
            (Call::Launch(order), Reply::Launch(Ok(_))) if world.cloud.next > before.machines => {
                self.launched(world, &order.pool);
                match self.causes.get(&order.token) {
                    Some(Cause::Replace) => {
                        self.replacements += 1;
                        let (bought, lost) = (self.replacements, world.replaceable + self.wrong.forgotten);
                        self.check("R12", now, bought <= lost, || {
                            format!("{bought} replacements for {lost} losses")
                        });
                    }
                    Some(Cause::Scale) | None => self.scale_ups += 1,
                }
            }
            (Call::Terminate(order), _) => {
                self.check("I7", now, !before.forbidden, || format!("terminate reached {}", order.instance));
                if before.victim.is_some()
                    && matches!(
                        self.reasons.get(&order.instance),
                        Some(RemoveWhy::Idle | RemoveWhy::AboveMax)
                    )
                {
                    self.scale_downs += 1;
                }
            }
            (Call::Evict(order), _) => {
                self.check("I7", now, !before.forbidden, || format!("evict reached {}", order.node));
            }
            (Call::Cordon(order) | Call::Uncordon(order), _) => {
                self.check("I7", now, !before.forbidden, || format!("cordon reached {}", order.node));
                self.stamps(world, &before, order.stamp);
            }
            _ => {}
        }
    }

    /// A request has landed for good: no copy of it is under way any more.
    pub(in crate::sim) fn on_landed(&mut self, request: &Request, reply: &Reply) {
        let Call::Launch(order) = &request.call else { return };
        if let Some(flying) = self.in_flight.get_mut(&order.token) {
            *flying = flying.saturating_sub(1);
            if *flying == 0 {
                self.in_flight.remove(&order.token);
            }
        }
        if let Reply::Launch(Err(error)) = reply
            && !matches!(error.kind(), ErrorKind::Unclear | ErrorKind::Unavailable)
        {
            self.refused.insert(order.token.clone());
            if *error.kind() == ErrorKind::TokenSpent {
                self.spent.insert(order.token.clone());
            }
        }
    }

    /// I4 and I5, when an instance was bought.
    fn launched(&mut self, world: &World, pool: &PoolName) {
        let now = self.now;
        let Some((_, newest)) = world.cloud.machines.last_key_value() else { return };
        let parts = newest.token.as_ref().and_then(crate::words::Token::parts);
        let same = |other: &crate::memory::Machine| {
            let other = other.token.as_ref().and_then(crate::words::Token::parts);
            match (&parts, other) {
                (Some(one), Some(other)) => {
                    (&one.inc, one.seq, one.slot) == (&other.inc, other.seq, other.slot)
                }
                _ => false,
            }
        };
        let lost = |machine: &crate::memory::Machine| {
            machine.token.as_ref().is_some_and(|token| self.wrong.orphans.contains(token))
        };
        let twins = world.cloud.alive().filter(|(_, machine)| same(machine) && !lost(machine)).count();
        self.check("I4", now, twins <= 1, || format!("{twins} instances alive of the slot of {parts:?}"));
        let surge = self.policy.pool(pool).map(|pool| pool.replacement_surge);
        let (Some(max), Some(surge)) = (self.max_of(pool), surge) else { return };
        let alive = self.knowable(world, pool);
        self.check("I5", now, alive <= max.saturating_add(surge), || {
            format!("{alive} instances alive in {pool}, max {max}, surge {surge}")
        });
    }

    /// I8: no pod that a drain has to move is on the node of a terminated instance.
    fn no_pod_left(&mut self, world: &World, surveyed: Option<Timestamp>, index: u32, instance: &InstanceId) {
        let Some(node) = world.cluster.nodes.get(&index).filter(|node| node.ready) else { return };
        let now = self.now;
        // A person opened the node after we had looked at it: what came in then, nobody could see. The same goes for a
        // node that was not there yet, of an instance given up for it (rule R11), when its request came late (fault F23).
        let unseen = node.meddled_at.is_some() || surveyed.is_some_and(|at| node.created_at > at);
        let excused = |bound| unseen && bound > surveyed;
        let left = node
            .pods
            .iter()
            .filter_map(|pod| world.cluster.pods.get(pod))
            .find(|pod| pod.is_evictable(now) && !excused(pod.bound_at));
        self.check("I8", now, left.is_none(), || {
            format!("terminate reached {instance} with a pod on it: {left:?}")
        });
    }

    /// I6: a termination takes serving nodes below `min` only if something outside took as many.
    fn enough_left(&mut self, world: &World, index: u32, instance: &InstanceId) {
        let Some(target) = world.cluster.nodes.get(&index) else { return };
        let doomed = |index: u32| world.cloud.machine(index).is_none_or(|machine| machine.doomed.is_some());
        let Some(pool) = target.pool.clone() else { return };
        let Some(min) = self.policy.pool(&pool).map(|pool| pool.min) else { return };
        let began = self
            .current
            .as_ref()
            .and_then(|record| record.op_on(instance))
            .and_then(|op| self.began.get(&op.id()))
            .copied();
        let min = began.map_or(min, |began| began.min.min(min));
        let now = self.now;
        if !target.ready || doomed(index) || self.is_announced(instance) {
            self.check("I6", now, true, String::new);
            return;
        }
        let serving = world
            .cluster
            .nodes
            .iter()
            .filter(|(other, node)| {
                **other != index
                    && node.is_open()
                    && node.pool.as_ref() == Some(&pool)
                    && !doomed(**other)
                    && world.cloud.machine(**other).is_some_and(crate::memory::Machine::is_alive)
            })
            .count() as u32;
        let unseen = began.map_or(now, |began| began.at).before(UNSEEN);
        let outside = world.outside_losses.iter().rev().take_while(|at| **at >= unseen).count() as u32;
        let holds = serving + outside >= min;
        self.check("I6", now, holds, || {
            format!("terminate of {instance} leaves {serving} serving nodes in {pool}, min {min}, {outside} lost otherwise")
        });
    }

    /// I9: a stamp never decreases, and an order with a lower one changes nothing.
    fn stamps(&mut self, world: &World, before: &Before, stamp: Ver) {
        let Some(was) = &before.node else { return };
        let Some(node) = world.cluster.nodes.get(&was.index) else { return };
        let lower = was.stamp.is_some_and(|old| stamp < old);
        let untouched = node.stamp == was.stamp && node.unschedulable == was.unschedulable;
        let holds = node.stamp >= was.stamp && (!lower || untouched);
        let now = self.now;
        self.check("I9", now, holds, || {
            format!("stamp {stamp} turned {:?} into {:?} on {}", was.stamp, node.stamp, node.name)
        });
    }
}

/// Whether an instance and its node are a worker of ours that nothing protects (I7).
fn may_touch(world: &World, index: u32) -> bool {
    let node = world.cluster.nodes.get(&index);
    world.cloud.machine(index).is_some_and(|machine| {
        // Whose tags a person took off a moment ago was ours when the list was read (F31).
        let just = machine.by_hand.is_some_and(|at| world.now().since(at) < Span::from_mins(2));
        (machine.ownership == Ownership::Ours || just) && !machine.protected
    }) && node.is_none_or(|node| !node.control_plane && !node.keep)
}
