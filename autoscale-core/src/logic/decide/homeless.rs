//! Operations of a pool that the policy no longer has (fault F40): what can be undone is undone, what cannot goes
//! forward, and nothing else is begun. None of them stands in the way of the pools that there are.

use super::fold::{Gone, gone};
use super::scene::{Body, LIST_LAG, Scene};
use super::work::{Work, rolling_back};
use crate::data::record::{Cause, Launch, LaunchState, Op, OpKind, Remove, RemoveState, Rollback};
use crate::data::view::Instance;

/// The operation as it stands now; `None` when nothing is left to do. `listed` is what a launch has bought, by its token.
pub(crate) fn fold(work: &Work<'_>, scene: &Scene<'_>, op: &Op, listed: Option<&Instance>) -> Option<Op> {
    let kind = match &op.kind {
        OpKind::Launch(launch) => OpKind::Launch(fold_launch(work, scene, launch, listed)?),
        OpKind::Remove(remove) => OpKind::Remove(fold_remove(work, scene, remove)?),
    };
    Some(Op { kind, cause: Cause::Replace, ..op.clone() })
}

fn fold_launch(
    work: &Work<'_>,
    scene: &Scene<'_>,
    launch: &Launch,
    listed: Option<&Instance>,
) -> Option<Launch> {
    let state = match &launch.state {
        // Nothing was bought; or it was, is listed with our tags, and waits for a pool or for a person.
        LaunchState::Planned
        | LaunchState::Refused { .. }
        | LaunchState::Dead { .. }
        | LaunchState::Launched { .. }
        | LaunchState::Aside { .. } => return None,
        // Nobody sends it again. What it has bought is listed by now, or will be.
        LaunchState::Sent | LaunchState::Cooling { .. } => {
            let sent = launch.attempt.sent_at.unwrap_or(work.now);
            let waited =
                scene.listing.is_some() && work.now.since(sent) > work.tick.launch_delay.plus(LIST_LAG);
            if listed.is_some() || waited {
                return None;
            }
            launch.state.clone()
        }
        LaunchState::Terminating { instance, accepted, absent } => {
            match gone(work, scene, scene.body(instance), *accepted, *absent) {
                Gone::Yes => return None,
                Gone::No(absent) => {
                    LaunchState::Terminating { instance: instance.clone(), accepted: *accepted, absent }
                }
            }
        }
    };
    Some(Launch { state, ..launch.clone() })
}

fn fold_remove(work: &Work<'_>, scene: &Scene<'_>, remove: &Remove) -> Option<Remove> {
    let body = scene.body(&remove.instance);
    let state = match &remove.state {
        RemoveState::Planned | RemoveState::Cordoned => rolling_back(Rollback::Orphan),
        RemoveState::Terminating { accepted, absent, waits } => {
            match gone(work, scene, body, *accepted, *absent) {
                Gone::Yes => RemoveState::Gone,
                Gone::No(absent) => RemoveState::Terminating { accepted: *accepted, absent, waits: *waits },
            }
        }
        RemoveState::Parked { .. } if body.is_some_and(Body::is_terminated) => RemoveState::Gone,
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
