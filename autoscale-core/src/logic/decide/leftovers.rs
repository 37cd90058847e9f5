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
    let scene = Scene::new(work.policy, &before, work.view);
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
    let free = |node: &Node| !node.control_plane && !known(&node.uid);
    let joined = scene.bodies.iter().filter_map(|body| Some((Some(body), body.node?)));
    let strays = scene.strays.iter().map(|node| (None, *node));
    let mut leftovers = Vec::new();
    for (body, node) in joined.chain(strays).filter(|(_, node)| free(node)) {
        if body.is_some_and(|b| work.next.op_on(b.id).is_some() || b.is_control_plane()) {
            continue;
        }
        let dead = body.is_some_and(|body| body.is_terminated() && body.is_member());
        if dead || (node.cordon.is_some() && !mutant::on(Mutant::LeaveOrphans)) {
            leftovers.push((body, node, !dead));
        }
    }
    leftovers
}
