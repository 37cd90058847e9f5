//! What somebody left behind: cordons of ours without an operation, Node objects of instances that are gone.

use super::scene::{Body, Scene};
use super::work::{Work, rolling_back};
use crate::data::order::OpId;
use crate::data::record::{Cause, RemoveState, RemoveWhy, Rollback};
use crate::data::view::Node;
use crate::mutant::{self, Mutant};
use crate::words::{InstanceId, NodeUid};

/// Most leftovers taken up in one tick.
const MAX_AT_ONCE: usize = 16;

/// Opens an operation for each.
pub(crate) fn take_up(work: &mut Work<'_>) {
    let before = work.next.clone();
    let scene = Scene::new(work.sight, &before);
    if scene.listing.is_none() {
        return;
    }
    for (body, node, orphan) in found(work, &scene).into_iter().take(MAX_AT_ONCE) {
        let (why, state) = if orphan {
            (RemoveWhy::Orphan, rolling_back(Rollback::Orphan))
        } else {
            (RemoveWhy::Dead, RemoveState::Gone)
        };
        let Some(id) =
            body.map(|body| body.id.clone()).or_else(|| InstanceId::new(format!("node:{}", node.name)).ok())
        else {
            continue;
        };
        let named = body.and_then(|body| body.pool).or(node.pool.as_ref());
        let pool =
            named.and_then(|pool| work.policy.pool(pool)).or_else(|| work.policy.pools().values().next());
        let Some(pool) = pool else { continue };
        let seq = work.take_seq();
        let target = (id, Some((node.name.clone(), node.uid.clone())));
        let reason = (why, work.now.after(pool.drain_timeout), Vec::new());
        work.remove(pool, OpId::new(seq, 0), Cause::Replace, target, reason, state);
    }
}

type Leftover<'a, 's> = (Option<&'s Body<'a>>, &'a Node, bool);

fn found<'a, 's>(work: &Work<'_>, scene: &'s Scene<'a>) -> Vec<Leftover<'a, 's>> {
    let known = |uid: &NodeUid| {
        let mut nodes =
            work.next.ops.iter().filter_map(|op| op.remove()).filter_map(|remove| remove.node.as_ref());
        nodes.any(|(_, known)| known == uid)
    };
    let marked = |marked: bool| marked && !mutant::on(Mutant::LeaveOrphans);
    let mut leftovers = Vec::new();
    // Most nodes are no leftovers: the record is searched for the others only.
    for body in scene.bodies().iter().filter(|body| !body.is_control_plane()) {
        let dead = body.is_terminated() && body.is_member();
        let node = body.node.filter(|_| dead || marked(body.is_marked()));
        let node = node.filter(|node| !known(&node.uid) && work.next.op_on(body.id).is_none());
        leftovers.extend(node.map(|node| (Some(body), node, !dead)));
    }
    let strays = scene.strays().iter().filter(|node| !node.control_plane && marked(node.cordon.is_some()));
    leftovers.extend(strays.filter(|node| !known(&node.uid)).map(|node| (None, *node, true)));
    leftovers
}
