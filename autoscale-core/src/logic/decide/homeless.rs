//! Operations of a pool that the policy no longer has (fault F40): what can be undone is undone, what cannot goes
//! forward, and nothing else is begun.

use super::scene::{Body, Scene};
use super::work::rolling_back;
use crate::data::record::{LaunchState, Op, OpKind, Remove, RemoveState, Rollback};

/// The operation as it stands now; `None` when nothing is left to do.
pub(crate) fn fold(scene: &Scene<'_>, op: &Op) -> Option<Op> {
    let kind = match &op.kind {
        OpKind::Launch(launch) => match launch.state {
            // Nothing was bought; or it was, is listed with our tags, and waits for a pool or for a person.
            LaunchState::Planned
            | LaunchState::Refused { .. }
            | LaunchState::Dead { .. }
            | LaunchState::Launched { .. }
            | LaunchState::Aside { .. } => return None,
            LaunchState::Sent | LaunchState::Cooling { .. } | LaunchState::Terminating { .. } => {
                op.kind.clone()
            }
        },
        OpKind::Remove(remove) => OpKind::Remove(fold_remove(scene, remove)?),
    };
    Some(Op { kind, ..op.clone() })
}

fn fold_remove(scene: &Scene<'_>, remove: &Remove) -> Option<Remove> {
    let ended = scene.body(&remove.instance).is_some_and(Body::is_terminated);
    let state = match &remove.state {
        RemoveState::Planned | RemoveState::Cordoned => rolling_back(Rollback::Orphan),
        RemoveState::Terminating { .. } | RemoveState::Parked { .. } if ended => RemoveState::Gone,
        other => other.clone(),
    };
    let next = Remove { state, ..remove.clone() };
    let Some(cluster) = scene.cluster else { return Some(next) };
    let its = next.node.as_ref().and_then(|(name, uid)| cluster.find(name, uid));
    let node = its.and_then(|at| cluster.node(at));
    let over = match &next.state {
        RemoveState::RollingBack { .. } => node.is_none_or(|node| node.cordon.is_none()),
        RemoveState::Gone => node.is_none(),
        RemoveState::Planned
        | RemoveState::Cordoned
        | RemoveState::Terminating { .. }
        | RemoveState::Parked { .. } => false,
    };
    (!over).then_some(next)
}
