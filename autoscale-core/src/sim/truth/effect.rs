//! What is checked when an effect is sent: I3, and I13 for processes that were stopped in between.

use crate::data::order::CordonOrder;
use crate::data::record::{LaunchState, Op, OpKind, Record, RemoveState};
use crate::words::{InstanceId, NodeName, NodeUid};

use super::Truth;
use crate::sim::call::{Call, Class};

impl Truth {
    /// A process sends a request. `lands` is false for one that gets lost on its way.
    pub(in crate::sim) fn on_send(&mut self, task: u32, call: &Call, lands: bool) {
        if let Call::Swap(_, sealed) = call
            && let Some(actor) = self.actors.get(&task)
        {
            self.known.insert(sealed.write_id.clone(), actor.samples.clone());
        }
        if call.class() != Class::Effect {
            return;
        }
        self.hash(format!("{call:?}").as_bytes());
        let actor = self.actors.get(&task);
        let (authority, was_frozen) =
            (actor.and_then(|actor| actor.authority.clone()), actor.is_some_and(|actor| actor.was_frozen));
        let started = actor.map(|actor| actor.started);
        let allowed = authority.as_ref().is_some_and(|record| allows(record, call));
        let now = self.now;
        let blind =
            self.unreadable_since().is_some_and(|since| started.is_some_and(|started| started > since));
        self.check("I15", now, !blind, || format!("process {task} acts on a record that cannot be read"));
        let text = || {
            let ver = authority.as_ref().map(|record| record.ver);
            format!("process {task} sent {call:?} by authority of {ver:?}")
        };
        self.check("I3", now, allowed, text);
        if was_frozen {
            self.check("I13", now, allowed, text);
        }
        let (began, limit) = (self.actors.get(&task).map(|actor| actor.started), self.policy.tick().limit);
        let in_time = began.is_none_or(|began| now.since(began) <= limit);
        self.check("I13", now, in_time, || {
            format!("process {task} sent {call:?} although its tick of {began:?} was over")
        });
        if matches!(call, Call::Launch(_)) {
            self.starving_since = None;
        }
        if let Call::Launch(order) = call
            && lands
        {
            *self.in_flight.entry(order.token.clone()).or_default() += 1;
        }
        self.remember_reasons();
    }
}

/// Whether a stored record has this effect in it.
fn allows(record: &Record, call: &Call) -> bool {
    let any = |found: &dyn Fn(&Op) -> bool| record.ops.iter().any(found);
    match call {
        Call::Launch(order) => any(&|op| {
            op.pool == order.pool
                && op.launch().is_some_and(|launch| {
                    launch.attempt.token == order.token
                        && launch.attempt.offering == order.offering
                        && launch.pinned == order.pinned
                        && launch.attempt.armed == record.ver
                        && launch.state == LaunchState::Sent
                })
        }),
        Call::Terminate(order) => any(&|op| terminates(op, &order.instance)),
        Call::Cordon(order) => any(&|op| {
            moves(op, order, record, |state| {
                // A node that somebody opened while it is being ended is closed again (rule R6).
                matches!(
                    state,
                    RemoveState::Planned | RemoveState::Cordoned | RemoveState::Terminating { .. }
                )
            })
        }),
        Call::Uncordon(order) => {
            any(&|op| moves(op, order, record, |state| matches!(state, RemoveState::RollingBack { .. })))
        }
        Call::Evict(order) => any(&|op| {
            on_node(op, |node, _| *node == order.node)
                && op.remove().is_some_and(|remove| {
                    matches!(
                        remove.state,
                        RemoveState::Planned | RemoveState::Cordoned | RemoveState::Terminating { .. }
                    )
                })
        }),
        Call::Forget(order) => any(&|op| {
            on_node(op, |node, uid| *node == order.node && *uid == order.node_uid)
                && op.remove().is_some_and(|remove| remove.state == RemoveState::Gone)
        }),
        Call::List | Call::Survey(_) | Call::Sample(_) | Call::Load | Call::Swap(..) => true,
    }
}

fn terminates(op: &Op, instance: &InstanceId) -> bool {
    match &op.kind {
        OpKind::Launch(launch) => {
            matches!(&launch.state, LaunchState::Terminating { instance: whom, .. } if whom == instance)
        }
        OpKind::Remove(remove) => {
            remove.instance == *instance && matches!(remove.state, RemoveState::Terminating { .. })
        }
    }
}

fn on_node(op: &Op, is: impl Fn(&NodeName, &NodeUid) -> bool) -> bool {
    op.remove().and_then(|remove| remove.node.as_ref()).is_some_and(|(node, uid)| is(node, uid))
}

fn moves(op: &Op, order: &CordonOrder, record: &Record, state: impl Fn(&RemoveState) -> bool) -> bool {
    on_node(op, |node, uid| *node == order.node && *uid == order.node_uid)
        && op.remove().is_some_and(|remove| state(&remove.state))
        && order.stamp == record.ver
        && order.mark.inc == record.inc
        && order.mark.seq == op.seq
}
