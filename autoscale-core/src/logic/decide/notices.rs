//! Notices: taking them in, draining doomed instances, buying their replacements (rule R12).

use super::fold::VOID_AFTER;
use super::place::{self, Placing};
use super::room::RecordRoom;
use super::scene::{Body, LIST_LAG, Scene};
use super::work::{Work, rolling_back};
use crate::data::explain::Action;
use crate::data::order::OpId;
use crate::data::policy::{OnRebalance, PoolPolicy};
use crate::data::record::{
    Cause, IncomingNotice, MAX_CLOSED_NOTICES, MAX_NOTICES, Notice, NoticeKind, Op, OpKind, Record,
    RemoveState, RemoveWhy, Replacement, Rollback,
};
use crate::logic::owners::displaced_by;
use crate::mutant::{self, Mutant};
use crate::words::{Elapsed, InstanceId, Span};

/// Stores what has arrived; what is known already changes nothing. Returns how many found no room.
pub(crate) fn take_in(record: &mut Record, incoming: &[IncomingNotice], now: Elapsed) -> usize {
    let mut dropped = 0;
    for notice in incoming {
        let about = |n: &Notice, kind| n.instance == notice.instance && n.kind == kind;
        if notice.kind == NoticeKind::Withdrawn {
            let open = record.notices.iter_mut().filter(|n| about(n, NoticeKind::Interruption));
            open.for_each(|n| n.closed = true);
            continue;
        }
        // An open one about the same thing, or an earlier copy of this very one.
        let known = |n: &Notice| {
            about(n, notice.kind)
                && (!n.closed || n.id == notice.id)
                && !mutant::on(Mutant::NoticesNotRemembered)
        };
        if record.notices.iter().any(known) {
            continue;
        }
        if record.notices.len() >= MAX_NOTICES {
            dropped += 1;
            continue;
        }
        let deadline = (notice.kind == NoticeKind::Interruption).then(|| now.after(notice.time_left));
        record.notices.push(Notice {
            id: notice.id.clone(),
            instance: notice.instance.clone(),
            kind: notice.kind,
            received: now,
            deadline,
            draining: false,
            replacement: Replacement::Wanted,
            closed: false,
        });
    }
    dropped
}

/// Acts on every open notice.
pub(crate) fn act(work: &mut Work<'_>, replacements_allowed: bool) {
    let mut room = RecordRoom::of(&work.next);
    let mut full = false;
    for at in 0..work.next.notices.len() {
        let open = work.next.notices.get(at).filter(|notice| !notice.closed).cloned();
        let Some(mut notice) = open else { continue };
        // Those before it are seen to first; this one is in the record, and comes when they are over. What is over is closed.
        full = full || !room.is_left(&work.next);
        let may = May { begin: !full, replace: !full && replacements_allowed };
        notice.closed = !stays_open(work, &mut notice, may);
        if let Some(known) = work.next.notices.get_mut(at) {
            *known = notice;
        }
    }
    if full {
        work.alarm("the record has no room to act on more notices at a time");
    }
    let now = work.now;
    work.next.notices.retain(|notice| !notice.closed || now.since(notice.received) < REMEMBERED);
    let closed = work.next.notices.iter().filter(|notice| notice.closed).count();
    let mut surplus = closed.saturating_sub(MAX_CLOSED_NOTICES);
    work.next.notices.retain(|notice| {
        let goes = notice.closed && surplus > 0;
        surplus -= usize::from(goes);
        !goes
    });
}

/// For so long a copy of a notice may still arrive: asynchronous invocations are tried again for 6 hours.
const REMEMBERED: Span = Span::from_mins(6 * 60);

/// What may be done about a notice now.
#[derive(Clone, Copy)]
struct May {
    /// Whether an operation may be begun at all.
    begin: bool,
    /// Whether something may be bought.
    replace: bool,
}

/// Does what a notice asks for; false when nothing is left to do.
fn stays_open(work: &mut Work<'_>, notice: &mut Notice, may: May) -> bool {
    let before = work.next.clone();
    let scene = Scene::new(work.sight, &before);
    if scene.listing.is_none() || scene.cluster.is_none() {
        return true;
    }
    let age = work.now.since(notice.received);
    let Some(body) = scene.body(&notice.instance) else {
        // Not listed: foreign, gone, or not visible yet. After 15 minutes it will not come.
        return age < LIST_LAG;
    };
    let Some(pool) = body.pool.and_then(|pool| work.policy.pool(pool)).filter(|_| body.is_member()) else {
        return false;
    };
    let gone = body.is_ending();
    if gone && !notice.draining && notice.kind == NoticeKind::Interruption {
        // It came too late to be of use: the loss is seen by the rules, like one without a notice.
        return false;
    }
    let about = |n: &&Notice| n.instance == notice.instance && n.replacement != Replacement::Wanted;
    if let Some(other) =
        before.notices.iter().find(about).filter(|_| {
            notice.replacement == Replacement::Wanted && !mutant::on(Mutant::NoticesNotRemembered)
        })
    {
        // One replacement for one instance, however many notices there are about it.
        notice.replacement = other.replacement;
    }
    let void = notice.deadline.is_some_and(|deadline| work.now >= deadline.after(VOID_AFTER)) && !gone;
    if void {
        work.alarm(format!(
            "the notice for {} is void: it was announced to end and lives on",
            notice.instance
        ));
        return false;
    }
    match notice.kind {
        NoticeKind::Withdrawn => return false,
        NoticeKind::Interruption => {
            if !notice.draining && !gone && may.begin {
                notice.draining = drain_doomed(work, &scene, pool, notice, body);
            }
        }
        NoticeKind::Rebalance => match pool.on_rebalance {
            OnRebalance::Ignore => return false,
            _ if !may.begin => return !gone,
            OnRebalance::Cordon => {
                if before.op_on(&notice.instance).is_none() && !gone {
                    cordon_only(work, pool, body);
                }
                return false;
            }
            OnRebalance::Replace if gone => return false,
            OnRebalance::Replace => {}
        },
    }
    if notice.replacement == Replacement::Wanted && may.replace {
        replace(work, &scene, pool, notice);
    }
    let settled = notice.replacement != Replacement::Wanted;
    match notice.kind {
        NoticeKind::Rebalance => rebalance(work, &scene, pool, notice, body),
        _ => !(gone && settled),
    }
}

/// The drain of a doomed instance starts at once, beside whatever else is open. False while it cannot: the instance has not
/// joined yet, or its node is just being opened again.
fn drain_doomed(
    work: &mut Work<'_>,
    scene: &Scene<'_>,
    pool: &PoolPolicy,
    notice: &mut Notice,
    body: &Body<'_>,
) -> bool {
    let deadline = notice.deadline.unwrap_or(work.now);
    if let Some(op) = work.next.ops.iter_mut().find(|op| op.instance() == Some(&notice.instance)) {
        let OpKind::Remove(remove) = &mut op.kind else {
            // Not joined yet: should it end before, the launch is asked anew.
            notice.replacement = Replacement::Unwanted;
            return false;
        };
        if matches!(remove.state, RemoveState::RollingBack { .. }) {
            // It was to stay: it serves until the cloud takes it, and is replaced like any other.
            return false;
        }
        // It is being removed already: the pool was shrinking.
        notice.replacement = Replacement::Unwanted;
        if !remove.state.is_irrevocable() {
            (remove.why, remove.deadline) = (RemoveWhy::Interruption, deadline);
        }
        return true;
    }
    let seq = work.take_seq();
    let node = body.node.map(|node| (node.name.clone(), node.uid.clone()));
    let displaced = scene.cluster.zip(body.node_at).map(|(cluster, node)| displaced_by(cluster, node));
    let (op, target) = (OpId::new(seq, 0), (notice.instance.clone(), node));
    let reason = (RemoveWhy::Interruption, deadline, displaced.unwrap_or_default());
    work.remove(pool, op, Cause::Replace, target, reason, RemoveState::Planned);
    true
}

fn cordon_only(work: &mut Work<'_>, pool: &PoolPolicy, body: &Body<'_>) {
    let Some(node) = body.node else { return };
    let seq = work.take_seq();
    let target = (body.id.clone(), Some((node.name.clone(), node.uid.clone())));
    let reason = (RemoveWhy::CordonOnly, work.now.after(Span::from_mins(60)), Vec::new());
    work.remove(pool, OpId::new(seq, 0), Cause::Replace, target, reason, RemoveState::Planned);
}

/// A replacement: a scale-down that can be recalled, else a launch as soon as there is room.
fn replace(work: &mut Work<'_>, scene: &Scene<'_>, pool: &PoolPolicy, notice: &mut Notice) {
    if recall(work, pool, Rollback::Recalled) {
        notice.replacement = Replacement::Unwanted;
        return;
    }
    if super::grow::launches_stopped(work, pool).is_some() {
        return;
    }
    let counts = scene.counts(&work.next, &pool.name);
    let limit = pool.max.saturating_add(pool.replacement_surge);
    let buying = work.next.ops.iter().filter(|op| op.pool == pool.name && op.cause == Cause::Replace);
    if buying.filter_map(Op::launch).count() as u64 >= u64::from(pool.max_batch) {
        return;
    }
    // A launch that is open and not yet counted by the scene is counted by `counts` through the record.
    if counts.total >= limit {
        return;
    }
    let mut placing = Placing::new(scene, &work.next, pool, work.now);
    let shape = scene.body(&notice.instance).and_then(|body| body.listed?.shape.as_ref());
    let shape = shape.filter(|shape| pool.shape(shape).is_some());
    if let place::Choice::Offering(offering) = placing.next_like(shape) {
        let seq = work.take_seq();
        let replaces = Some(notice.instance.clone());
        work.launch(pool, OpId::new(seq, 0), Cause::Replace, offering, replaces);
        notice.replacement = Replacement::Bought(seq);
    }
}

/// Rolls one open scale-down of a pool back, if there is one that is not yet irrevocable.
pub(crate) fn recall(work: &mut Work<'_>, pool: &PoolPolicy, why: Rollback) -> bool {
    let (ops, notices) = (&mut work.next.ops, &work.next.notices);
    let doomed = |op: &Op| {
        let about = |n: &&Notice| Some(&n.instance) == op.instance();
        notices.iter().filter(about).any(|n| !n.closed && n.kind == NoticeKind::Interruption)
    };
    let open = ops.iter_mut().find(|op| {
        let revocable = op.remove().is_some_and(|remove| {
            remove.why == RemoveWhy::Idle
                && matches!(remove.state, RemoveState::Planned | RemoveState::Cordoned)
        });
        op.pool == pool.name && op.cause == Cause::Scale && revocable && !doomed(op)
    });
    let Some(op) = open else { return false };
    let id = op.id();
    if let OpKind::Remove(remove) = &mut op.kind {
        remove.state = rolling_back(why);
        let instance: InstanceId = remove.instance.clone();
        work.actions.push(Action::Recall { op: id, pool: pool.name.clone(), instance });
    }
    true
}

/// When the replacement has joined, the node at risk is removed like any other.
fn rebalance(
    work: &mut Work<'_>,
    scene: &Scene<'_>,
    pool: &PoolPolicy,
    notice: &Notice,
    body: &Body<'_>,
) -> bool {
    let fresh = work.now.since(notice.received) < GIVE_UP;
    let Replacement::Bought(seq) = notice.replacement else {
        return notice.replacement == Replacement::Wanted && fresh;
    };
    if work.next.ops.iter().any(|op| op.seq == seq) || work.next.op_on(&notice.instance).is_some() {
        return true;
    }
    if !has_joined(work, scene, seq) {
        // It came to nothing, or does not serve just now: the node at risk is not taken away on top of that.
        return fresh;
    }
    let counts = scene.counts(&work.next, &pool.name);
    let judged = super::pick::judge(work, scene, pool, body);
    let (Some(node), true) = (body.node, judged.is_empty() && counts.serving >= pool.min) else {
        return fresh;
    };
    let seq = work.take_seq();
    let displaced = scene.cluster.zip(body.node_at).map(|(cluster, node)| displaced_by(cluster, node));
    let displaced = displaced.unwrap_or_default();
    let target = (notice.instance.clone(), Some((node.name.clone(), node.uid.clone())));
    let reason = (RemoveWhy::Rebalance, work.now.after(pool.drain_timeout), displaced);
    work.remove(pool, OpId::new(seq, 0), Cause::Replace, target, reason, RemoveState::Planned);
    false
}

/// Whether an instance that an action has launched serves.
fn has_joined(work: &Work<'_>, scene: &Scene<'_>, seq: u64) -> bool {
    let is_its = |body: &&Body<'_>| {
        let parts = body.listed.and_then(|instance| instance.token.as_ref()?.parts());
        parts.is_some_and(|parts| parts.inc == work.next.inc && parts.seq == seq)
    };
    scene.bodies().iter().filter(is_its).any(Body::is_serving)
}

/// How long a rebalance recommendation is followed.
const GIVE_UP: Span = Span::from_mins(60);
