//! Notices: taking them in, draining doomed instances, buying their replacements (rule R12).

use super::fold::VOID_AFTER;
use super::place::{self, Placing};
use super::scene::{Body, LIST_LAG, Scene};
use super::work::{Work, rolling_back};
use crate::data::explain::Action;
use crate::data::order::OpId;
use crate::data::policy::{OnRebalance, PoolPolicy};
use crate::data::record::{
    Cause, IncomingNotice, MAX_NOTICES, Notice, NoticeKind, OpKind, Record, RemoveState, RemoveWhy,
    Replacement, Rollback,
};
use crate::logic::owners::displaced_by;
use crate::words::{Elapsed, InstanceId, Span};

/// Stores what has arrived; what is known already changes nothing. Returns how many found no room.
pub(crate) fn take_in(record: &mut Record, incoming: &[IncomingNotice], now: Elapsed) -> usize {
    let mut dropped = 0;
    for notice in incoming {
        let known =
            record.notices.iter().position(|n| n.instance == notice.instance && n.kind == notice.kind);
        match (notice.kind, known) {
            (NoticeKind::Withdrawn, _) => {
                record
                    .notices
                    .retain(|n| n.instance != notice.instance || n.kind != NoticeKind::Interruption);
            }
            (_, Some(_)) => {}
            _ if record.notices.len() >= MAX_NOTICES => dropped += 1,
            (kind, None) => record.notices.push(Notice {
                id: notice.id.clone(),
                instance: notice.instance.clone(),
                kind,
                received: now,
                deadline: (kind == NoticeKind::Interruption).then(|| now.after(notice.time_left)),
                draining: false,
                replacement: Replacement::Wanted,
            }),
        }
    }
    dropped
}

/// Acts on every stored notice.
pub(crate) fn act(work: &mut Work<'_>, replacements_allowed: bool) {
    let mut kept = Vec::new();
    for notice in std::mem::take(&mut work.next.notices) {
        // The notice stays in the record while its own stage runs: the scene counts the doomed by it.
        work.next.notices = kept.clone();
        work.next.notices.push(notice.clone());
        kept.extend(one(work, notice, replacements_allowed));
    }
    work.next.notices = kept;
}

fn one(work: &mut Work<'_>, mut notice: Notice, replacements_allowed: bool) -> Option<Notice> {
    let before = work.next.clone();
    let scene = Scene::new(work.policy, &before, work.view);
    if scene.listing.is_none() || scene.cluster.is_none() {
        return Some(notice);
    }
    let age = work.now.since(notice.received);
    let Some(body) = scene.body(&notice.instance) else {
        // Not listed: foreign, gone, or not visible yet. After 15 minutes it will not come.
        return Some(notice).filter(|_| age < LIST_LAG);
    };
    let pool = body.pool.and_then(|pool| work.policy.pool(pool)).filter(|_| body.is_member())?;
    let gone = body.is_ending();
    let void = notice.deadline.is_some_and(|deadline| work.now >= deadline.after(VOID_AFTER)) && !gone;
    if void {
        work.alarm(format!(
            "the notice for {} is void: it was announced to end and lives on",
            notice.instance
        ));
        return None;
    }
    match notice.kind {
        NoticeKind::Withdrawn => return None,
        NoticeKind::Interruption => {
            if !notice.draining && !gone {
                notice.draining = true;
                drain_doomed(work, &scene, pool, &mut notice, body);
            }
        }
        NoticeKind::Rebalance => match pool.on_rebalance {
            OnRebalance::Ignore => return None,
            OnRebalance::Cordon => {
                if before.op_on(&notice.instance).is_none() && !gone {
                    cordon_only(work, pool, body);
                }
                return None;
            }
            OnRebalance::Replace if gone => return None,
            OnRebalance::Replace => {}
        },
    }
    if notice.replacement == Replacement::Wanted && replacements_allowed {
        replace(work, &scene, pool, &mut notice);
    }
    let settled = notice.replacement != Replacement::Wanted;
    match notice.kind {
        NoticeKind::Rebalance => rebalance(work, &scene, pool, notice, body),
        _ if gone && settled => None,
        _ => Some(notice),
    }
}

/// The drain of a doomed instance starts at once, beside whatever else is open.
fn drain_doomed(
    work: &mut Work<'_>,
    scene: &Scene<'_>,
    pool: &PoolPolicy,
    notice: &mut Notice,
    body: &Body<'_>,
) {
    let deadline = notice.deadline.unwrap_or(work.now);
    if let Some(op) = work.next.ops.iter_mut().find(|op| op.instance() == Some(&notice.instance)) {
        // It is being removed already, or has not joined yet: the pool was shrinking, or the launch is asked anew.
        notice.replacement = Replacement::Unwanted;
        if let OpKind::Remove(remove) = &mut op.kind
            && !remove.state.is_irrevocable()
        {
            (remove.why, remove.deadline) = (RemoveWhy::Interruption, deadline);
        }
        return;
    }
    let seq = work.take_seq();
    let node = body.node.map(|node| (node.name.clone(), node.uid.clone()));
    let displaced = scene.cluster.zip(body.node).map(|(cluster, node)| displaced_by(cluster, &node.name));
    let (op, target) = (OpId::new(seq, 0), (notice.instance.clone(), node));
    let reason = (RemoveWhy::Interruption, deadline, displaced.unwrap_or_default());
    work.remove(pool, op, Cause::Replace, target, reason, RemoveState::Planned);
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
    if work.marks(&pool.name).failed_joins >= super::scale::MAX_FAILED_JOINS {
        return;
    }
    let counts = scene.counts(&work.next, &pool.name);
    let limit = pool.max.saturating_add(pool.replacement_surge);
    // A launch that is open and not yet counted by the scene is counted by `counts` through the record.
    if counts.total >= limit {
        return;
    }
    let mut placing = Placing::new(scene, &work.next, pool, work.now);
    if let place::Choice::Offering(offering) = placing.next() {
        let seq = work.take_seq();
        let replaces = Some(notice.instance.clone());
        work.launch(pool, OpId::new(seq, 0), Cause::Replace, offering, replaces);
        notice.replacement = Replacement::Bought(seq);
    }
}

/// Rolls one open scale-down of a pool back, if there is one that is not yet irrevocable.
pub(crate) fn recall(work: &mut Work<'_>, pool: &PoolPolicy, why: Rollback) -> bool {
    let open = work.next.ops.iter_mut().find(|op| {
        let revocable = op.remove().is_some_and(|remove| {
            remove.why == RemoveWhy::Idle
                && matches!(remove.state, RemoveState::Planned | RemoveState::Cordoned)
        });
        op.pool == pool.name && op.cause == Cause::Scale && revocable
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

/// When the replacement is no longer open, the node at risk is removed like any other.
fn rebalance(
    work: &mut Work<'_>,
    scene: &Scene<'_>,
    pool: &PoolPolicy,
    notice: Notice,
    body: &Body<'_>,
) -> Option<Notice> {
    let Replacement::Bought(seq) = notice.replacement else {
        return Some(notice)
            .filter(|n| n.replacement == Replacement::Wanted && work.now.since(n.received) < GIVE_UP);
    };
    if work.next.ops.iter().any(|op| op.seq == seq) || work.next.op_on(&notice.instance).is_some() {
        return Some(notice);
    }
    let counts = scene.counts(&work.next, &pool.name);
    let judged = super::pick::judge(work, scene, pool, body, false);
    let (Some(node), true) = (body.node, judged.is_empty() && counts.serving > pool.min) else {
        return Some(notice).filter(|n| work.now.since(n.received) < GIVE_UP);
    };
    let seq = work.take_seq();
    let displaced = scene.cluster.map(|cluster| displaced_by(cluster, &node.name)).unwrap_or_default();
    let target = (notice.instance.clone(), Some((node.name.clone(), node.uid.clone())));
    let reason = (RemoveWhy::Rebalance, work.now.after(pool.drain_timeout), displaced);
    work.remove(pool, OpId::new(seq, 0), Cause::Replace, target, reason, RemoveState::Planned);
    None
}

/// How long a rebalance recommendation is followed.
const GIVE_UP: Span = Span::from_mins(60);
