//! Where each open operation stands and what it waits for, in words.

use super::work::Work;
use crate::data::explain::OpReport;
use crate::data::record::{Launch, LaunchState, Op, OpKind, Remove, RemoveState};
use crate::words::Span;

pub(crate) fn operations(work: &Work<'_>) -> Vec<OpReport> {
    let tell = |op: &Op| {
        let text = match &op.kind {
            OpKind::Launch(launch) => launching(work, op, launch),
            OpKind::Remove(remove) => removing(work, remove),
        };
        OpReport { op: op.id(), pool: op.pool.clone(), text }
    };
    work.next.ops.iter().map(tell).collect()
}

fn launching(work: &Work<'_>, op: &Op, launch: &Launch) -> String {
    let (offering, number) = (&launch.attempt.offering, launch.attempt.number);
    let timeout = work.policy.pool(&op.pool).map_or(Span::ZERO, |pool| pool.join_timeout);
    match &launch.state {
        LaunchState::Planned => format!("launch of {offering} (attempt {number}): to be sent"),
        LaunchState::Sent => {
            format!("launch of {offering} (attempt {number}): sent, waits for a definite answer")
        }
        LaunchState::Cooling { until } => {
            let left = until.since(work.now).rounded();
            format!("launch of {offering} (attempt {number}): unclear twice, asked again in {left}")
        }
        LaunchState::Refused { .. } => {
            format!("launch of {offering} (attempt {number}): refused, next attempt follows")
        }
        LaunchState::Launched { instance, unjoined } => {
            let waited = unjoined.map_or(Span::ZERO, |mark| work.now.since(mark.since));
            format!(
                "{instance} ({offering}) launched, has to be a Ready node within {}",
                timeout.minus(waited).rounded()
            )
        }
        LaunchState::Aside { instance, why } => format!("{instance} kept aside: {why}"),
        LaunchState::Terminating { instance, .. } => {
            format!("{instance} did not join and is being terminated")
        }
        LaunchState::Dead { why } => format!("launch failed: {why}"),
    }
}

fn removing(work: &Work<'_>, remove: &Remove) -> String {
    let (instance, left) = (&remove.instance, remove.deadline.since(work.now).rounded());
    match &remove.state {
        RemoveState::Planned => format!("{instance}: to be cordoned and drained within {left}"),
        RemoveState::Cordoned => format!("{instance}: cordoned, draining, {left} left"),
        RemoveState::Terminating { .. } => format!("{instance}: empty, being terminated"),
        RemoveState::Gone => format!("{instance}: gone, its Node object is to be deleted"),
        RemoveState::RollingBack { why, .. } => format!("{instance}: rolling back ({why}), to be uncordoned"),
        RemoveState::Parked { why } => format!("{instance}: cannot be terminated ({why}), left cordoned"),
    }
}
