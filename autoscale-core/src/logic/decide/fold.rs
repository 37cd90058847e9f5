//! Facts move operations: an instance appeared, a node became Ready, a node is empty, an instance is gone.

use super::homeless;
use super::scene::{Body, LIST_LAG, Scene, bought};
use super::work::{Work, rolling_back};
use crate::data::order::Refusal;
use crate::data::policy::PoolPolicy;
use crate::data::record::{
    Attempt, Cause, KeptAside, Launch, LaunchState, Mark, NoticeKind, Op, OpKind, Record, Remove,
    RemoveState, RemoveWhy, Rollback,
};
use crate::data::view::{Instance, Node};
use crate::logic::marks::seen;
use crate::logic::movable;
use crate::mutant::{self, Mutant};
use crate::words::{Elapsed, NodeName, Span};

/// What becomes of an operation.
enum Fate {
    Stays(Box<OpKind>),
    /// It is finished; the action counts as done.
    Leaves,
    /// It did not reach its goal; the action does not start a cooldown.
    Fails,
}

/// Moves every open operation as far as the facts go.
pub(crate) fn fold(work: &mut Work<'_>) {
    let before = work.next.clone();
    let scene = Scene::new(work.sight, &before);
    let bought = bought(scene.listing, &before);
    let mut kept = Vec::new();
    let mut done = Vec::new();
    for op in &before.ops {
        let Some(pool) = work.policy.pool(&op.pool) else {
            work.alarm(format!(
                "operation {} is of pool {}, which the policy no longer has",
                op.id(),
                op.pool
            ));
            let listed = op.launch().and_then(|launch| bought.get(&launch.attempt.token).copied());
            kept.extend(homeless::fold(work, &scene, op, listed));
            continue;
        };
        let fate = match &op.kind {
            OpKind::Launch(launch) => {
                let listed = bought.get(&launch.attempt.token).copied();
                fold_launch(work, &scene, pool, (op, launch), listed)
            }
            OpKind::Remove(remove) => fold_remove(work, &scene, pool, op, remove),
        };
        match fate {
            Fate::Stays(kind) => {
                let next = back_in_line(op, *kind);
                kept.extend(overdue(work, pool, next));
            }
            Fate::Leaves => done.push(op.clone()),
            Fate::Fails => {}
        }
    }
    work.next.ops = kept;
    for op in done {
        finish(&mut work.next, &op, work.now);
    }
}

/// An operation that was set aside and goes on again does so beside whatever scaling action has been begun meanwhile.
fn back_in_line(op: &Op, kind: OpKind) -> Op {
    let mut next = Op { kind, ..op.clone() };
    if op.is_set_aside() && !next.is_set_aside() {
        next.cause = Cause::Replace;
    }
    next
}

/// So long after it should have been over an operation has come to a stop.
const OVERDUE: Span = Span::from_mins(30);

/// Says that an operation does not come to its end, and lets others pass an end that does not succeed: a permission that is
/// missing, a finalizer on a Node, must not stop every pool for ever. It goes on being tried. A launch that could never be
/// sent is given up; one that was sent, and may yet buy something, is waited for.
fn overdue(work: &mut Work<'_>, pool: &PoolPolicy, mut op: Op) -> Option<Op> {
    let due = match &op.kind {
        _ if op.is_set_aside() => return Some(op),
        OpKind::Remove(remove) if remove.why == RemoveWhy::CordonOnly => return Some(op),
        OpKind::Remove(remove) => remove.deadline,
        OpKind::Launch(_) => op.started.after(pool.join_timeout.times(2)),
    };
    if work.now < due.after(OVERDUE) {
        return Some(op);
    }
    let since = work.now.since(op.started).rounded();
    work.alarm(format!("operation {} of pool {} has not come to its end in {since}", op.id(), op.pool));
    match &op.kind {
        OpKind::Launch(Launch {
            state: LaunchState::Planned,
            attempt: Attempt { first_sent: None, .. },
            ..
        }) => {
            return None;
        }
        OpKind::Launch(Launch { state: LaunchState::Terminating { .. }, .. }) | OpKind::Remove(_) => {
            op.cause = Cause::Replace;
        }
        OpKind::Launch(_) => {}
    }
    Some(op)
}

/// The cooldown counts from the last operation of a scaling action that was finished.
pub(crate) fn finish(record: &mut Record, op: &Op, now: Elapsed) {
    if op.cause == Cause::Scale {
        let marks = record.pools.entry(op.pool.clone()).or_default();
        match op.kind {
            OpKind::Launch(_) => marks.last_up = Some(now),
            OpKind::Remove(_) => marks.last_down = Some(now),
        }
    }
}

fn fold_launch(
    work: &mut Work<'_>,
    scene: &Scene<'_>,
    pool: &PoolPolicy,
    (op, launch): (&Op, &Launch),
    listed: Option<&Instance>,
) -> Fate {
    let state = match &launch.state {
        LaunchState::Planned
        | LaunchState::Sent
        | LaunchState::Cooling { .. }
        | LaunchState::Refused { .. } => match listed {
            Some(i) if i.phase.is_alive() => LaunchState::Launched { instance: i.id.clone(), unjoined: None },
            Some(i) => LaunchState::Dead { why: format!("{} ended before it joined", i.id) },
            None => launch.state.clone(),
        },
        other => other.clone(),
    };
    match state {
        LaunchState::Launched { instance, unjoined } => {
            let body = scene.body(&instance);
            if body.is_some_and(Body::is_ending) {
                work.back_off_offering(pool, &launch.attempt.offering);
                work.alarm(format!("launch {}: {instance} ended before it joined", op.id()));
                return Fate::Fails;
            }
            if mutant::on(Mutant::AbsentIsGone)
                && scene.listing.is_some()
                && body.is_none_or(|body| body.listed.is_none())
            {
                return Fate::Fails;
            }
            let node = body.and_then(|body| body.node);
            if node.is_some_and(|node| node.ready == crate::data::view::Ready::Yes) {
                joined(work, pool, launch);
                return Fate::Leaves;
            }
            watch_join(work, scene, pool, op, launch, (instance, unjoined), node)
        }
        LaunchState::Aside { instance, why } => {
            let body = scene.body(&instance);
            if body.is_some_and(Body::is_ending) {
                return Fate::Fails;
            }
            if body.and_then(|b| b.node).is_some_and(|n| n.ready == crate::data::view::Ready::Yes) {
                joined(work, pool, launch);
                return Fate::Leaves;
            }
            let seen = scene.cluster.is_some() && scene.listing.is_some();
            if seen && matches!(why, KeptAside::Stray { .. }) && may_be(work, scene, op, &instance).is_none()
            {
                // What might have been it leads to another instance by now: watched anew for a whole interval.
                return Fate::Stays(stays(launch, LaunchState::Launched { instance, unjoined: None }));
            }
            work.alarm(format!("launch {}: {instance} is kept aside: {why}", op.id()));
            Fate::Stays(stays(launch, LaunchState::Aside { instance, why }))
        }
        LaunchState::Terminating { instance, accepted, absent } => {
            let body = scene.body(&instance);
            if let Some(node) = body.and_then(|body| body.node) {
                // It joined after we gave up: from here on it is a removal, which looks for pods first (fault F23).
                let node = Some((node.name.clone(), node.uid.clone()));
                let state = RemoveState::Terminating { accepted, absent, waits: false };
                let (why, displaced) = (RemoveWhy::NeverReady, Vec::new());
                return Fate::Stays(removal(Remove {
                    instance,
                    node,
                    why,
                    deadline: work.now,
                    displaced,
                    state,
                }));
            }
            // Before every send another look (rule R6): it may have joined in the meantime, under another name.
            if let Some(why) = may_be(work, scene, op, &instance).filter(|_| !accepted) {
                return Fate::Stays(stays(launch, LaunchState::Aside { instance, why }));
            }
            match gone(work, scene, body, accepted, absent) {
                Gone::Yes => Fate::Fails,
                Gone::No(absent) => {
                    Fate::Stays(stays(launch, LaunchState::Terminating { instance, accepted, absent }))
                }
            }
        }
        LaunchState::Dead { why } => {
            work.back_off_offering(pool, &launch.attempt.offering);
            work.alarm(format!("launch {} failed: {why}", op.id()));
            Fate::Fails
        }
        LaunchState::Cooling { until, refused } => {
            if let Some(Refusal::TokenMismatch) = refused {
                work.alarm(format!(
                    "launch {}: its token was used with other parameters: the launch settings have changed meanwhile; \
                     what it bought is looked for by its tag",
                    op.id()
                ));
            }
            Fate::Stays(stays(launch, LaunchState::Cooling { until, refused }))
        }
        state => Fate::Stays(stays(launch, state)),
    }
}

fn stays(launch: &Launch, state: LaunchState) -> Box<OpKind> {
    Box::new(OpKind::Launch(Launch { state, ..launch.clone() }))
}

fn removal(remove: Remove) -> Box<OpKind> {
    Box::new(OpKind::Remove(remove))
}

fn joined(work: &mut Work<'_>, pool: &PoolPolicy, launch: &Launch) {
    let offering = &launch.attempt.offering;
    let marks = work.marks(&pool.name);
    marks.failed_joins = 0;
    marks.offerings.retain(|known| known.offering != *offering);
}

/// Rule R11: an instance is given up only after complete surveys have spanned the whole join timeout.
fn watch_join(
    work: &mut Work<'_>,
    scene: &Scene<'_>,
    pool: &PoolPolicy,
    op: &Op,
    launch: &Launch,
    (instance, unjoined): (crate::words::InstanceId, Option<Mark>),
    node: Option<&Node>,
) -> Fate {
    let (Some(_), Some(_)) = (scene.cluster, scene.listing) else {
        return Fate::Stays(stays(launch, LaunchState::Launched { instance, unjoined }));
    };
    let gap = work.policy.tick().interval.times(3).max(pool.join_timeout.divided(2));
    let mark = seen(unjoined, work.now, gap, pool.join_timeout.divided(4));
    if work.now.since(mark.since) < pool.join_timeout || mutant::on(Mutant::WaitForJoinForever) {
        return Fate::Stays(stays(launch, LaunchState::Launched { instance, unjoined: Some(mark) }));
    }
    work.back_off_offering(pool, &launch.attempt.offering);
    let marks = work.marks(&pool.name);
    marks.failed_joins = marks.failed_joins.saturating_add(1);
    work.alarm(format!(
        "launch {}: {instance} did not become a Ready node within {}",
        op.id(),
        pool.join_timeout
    ));
    if let Some(node) = node {
        // There is a node that was never seen Ready; it may have pods all the same: drain it like any other.
        return Fate::Stays(removal(Remove {
            instance,
            node: Some((node.name.clone(), node.uid.clone())),
            why: RemoveWhy::NeverReady,
            deadline: work.now.after(pool.drain_timeout),
            displaced: Vec::new(),
            state: RemoveState::Planned,
        }));
    }
    let state = match may_be(work, scene, op, &instance) {
        Some(why) => LaunchState::Aside { instance, why },
        None => LaunchState::Terminating { instance, accepted: false, absent: None },
    };
    Fate::Stays(stays(launch, state))
}

/// Whether an unmatched node may be that of a launched instance (rule R11).
///
/// Younger than the first send, not the last: a replay names an instance whose node may be there already. By the
/// provider's clock where it tells it, and never later than by the record's timeline.
fn may_be(
    work: &Work<'_>,
    scene: &Scene<'_>,
    op: &Op,
    instance: &crate::words::InstanceId,
) -> Option<KeptAside> {
    let begun = scene.cluster?.at().before(work.now.since(op.started));
    let launched = scene.body(instance).and_then(|body| body.listed?.launched_at);
    let since = launched.map_or(begun, |launched| launched.min(begun));
    let younger = |node: &&&Node| !node.control_plane && node.created_at >= since;
    let node = scene.strays().iter().find(younger)?;
    Some(KeptAside::Stray { node: node.name.clone() })
}

pub(super) enum Gone {
    Yes,
    No(Option<Mark>),
}

/// Whether an instance that was told to end has ended: listed so, or missing from complete lists for 15 minutes after
/// the cloud has accepted. One absence proves nothing (rule R10).
pub(super) fn gone(
    work: &Work<'_>,
    scene: &Scene<'_>,
    body: Option<&Body<'_>>,
    accepted: bool,
    absent: Option<Mark>,
) -> Gone {
    if body.is_some_and(Body::is_terminated) {
        return Gone::Yes;
    }
    if scene.listing.is_none() {
        return Gone::No(absent);
    }
    if !accepted || body.is_some_and(|body| body.listed.is_some()) {
        return Gone::No(None);
    }
    if mutant::on(Mutant::AbsentIsGone) {
        return Gone::Yes;
    }
    let mark = seen(absent, work.now, LIST_LAG, Span::from_mins(3));
    if work.now.since(mark.since) >= LIST_LAG { Gone::Yes } else { Gone::No(Some(mark)) }
}

fn fold_remove(work: &mut Work<'_>, scene: &Scene<'_>, pool: &PoolPolicy, op: &Op, remove: &Remove) -> Fate {
    let body = scene.body(&remove.instance);
    let state = match &remove.state {
        RemoveState::Gone => RemoveState::Gone,
        _ if body.is_some_and(Body::is_terminated) => RemoveState::Gone,
        // Somebody else ends it: there is no way back, and nothing to do but to wait.
        RemoveState::Planned | RemoveState::Cordoned | RemoveState::RollingBack { .. }
            if body.is_some_and(Body::is_ending) =>
        {
            RemoveState::Terminating { accepted: true, absent: None, waits: false }
        }
        RemoveState::Terminating { accepted: false, .. }
            if mutant::on(Mutant::RollBackAfterTerminating) && remove.node.is_some() =>
        {
            rolling_back(Rollback::Timeout)
        }
        RemoveState::Terminating { accepted, absent, waits } => {
            match gone(work, scene, body, *accepted, *absent) {
                Gone::Yes => RemoveState::Gone,
                Gone::No(absent) => {
                    let left = if *accepted { None } else { late_pods(work, scene, remove) };
                    if let Some((name, left)) = left {
                        work.alarm(format!(
                            "removal {}: {name} was to be ended, but {left} pods came to it and have not left in time; it \
                             stays closed until they have",
                            op.id()
                        ));
                    }
                    let waits = left.is_some() || *waits;
                    RemoveState::Terminating { accepted: *accepted, absent, waits }
                }
            }
        }
        RemoveState::Planned | RemoveState::Cordoned => drain(work, scene, pool, op, remove),
        // Asked again now and then, out of everybody's way: the permission may be there by now.
        RemoveState::Parked { .. } if work.now >= remove.deadline.after(OVERDUE) => {
            let state = RemoveState::Terminating { accepted: false, absent: None, waits: true };
            return Fate::Stays(removal(Remove { state, deadline: work.now, ..remove.clone() }));
        }
        RemoveState::RollingBack { .. } | RemoveState::Parked { .. } => remove.state.clone(),
    };
    if let RemoveState::Parked { why } = &state {
        work.alarm(format!("removal {}: {} cannot be ended: {why}", op.id(), remove.instance));
    }
    let node = scene.cluster.map(|cluster| {
        let (name, uid) = remove.node.as_ref()?;
        cluster.find(name, uid).and_then(|at| cluster.node(at))
    });
    if let (RemoveState::Terminating { .. }, Some(Some(node))) = (&state, node)
        && !node.unschedulable
        && node.ready == crate::data::view::Ready::Yes
    {
        let (id, name) = (op.id(), &node.name);
        work.alarm(format!("removal {id}: {name} was opened while it is being ended; it is cordoned again"));
    }
    match (&state, node) {
        // Gone, and no Node object is left to forget.
        (RemoveState::Gone, Some(None)) => Fate::Leaves,
        (RemoveState::RollingBack { why, .. }, Some(node))
            if node.is_none_or(|n| !is_marked(n, &work.next, op)) =>
        {
            rolled_back(work, pool, remove, why);
            Fate::Fails
        }
        _ => Fate::Stays(removal(Remove { state, ..remove.clone() })),
    }
}

/// How many pods that turned up on a node that is to end are still there when its drain should have been over, and its name.
fn late_pods<'a>(work: &Work<'_>, scene: &Scene<'_>, remove: &'a Remove) -> Option<(&'a NodeName, u32)> {
    let (name, uid) = remove.node.as_ref()?;
    let cluster =
        scene.cluster.filter(|cluster| work.now >= remove.deadline && cluster.scope().covers(name))?;
    let left: u32 = cluster.evictable(cluster.find(name, uid)?).map(|(seat, _)| seat.count).sum();
    (left > 0).then_some((name, left))
}

/// Whether a node still carries the cordon of this operation.
fn is_marked(node: &Node, record: &Record, op: &Op) -> bool {
    let orphan = op.remove().is_some_and(|remove| remove.why == RemoveWhy::Orphan);
    node.cordon.as_ref().is_some_and(|mark| orphan || (mark.seq == op.seq && mark.inc == record.inc))
}

fn rolled_back(work: &mut Work<'_>, pool: &PoolPolicy, remove: &Remove, why: &Rollback) {
    match why {
        Rollback::Timeout
        | Rollback::Blocked { .. }
        | Rollback::Recalled
        | Rollback::Uncordoned
        | Rollback::Superseded
        | Rollback::BelowMin => work.back_off_node(pool, &remove.instance),
        Rollback::Void | Rollback::Orphan => {}
    }
}

/// How far a drain has come.
fn drain(work: &Work<'_>, scene: &Scene<'_>, pool: &PoolPolicy, op: &Op, remove: &Remove) -> RemoveState {
    let stay = remove.state.clone();
    let Some(cluster) = scene.cluster else { return stay };
    let interruption = remove.why == RemoveWhy::Interruption;
    let Some((name, uid)) = &remove.node else {
        // It never joined: nothing to drain. The cloud takes it, or the notice becomes void.
        return if is_void(work, remove) { rolling_back(Rollback::Void) } else { stay };
    };
    let Some((at, node)) = cluster.find(name, uid).and_then(|at| Some((at, cluster.node(at)?))) else {
        return rolling_back(Rollback::Superseded);
    };
    if interruption && is_void(work, remove) {
        return rolling_back(Rollback::Void);
    }
    if remove.why == RemoveWhy::CordonOnly {
        return if work.now >= remove.deadline { rolling_back(Rollback::Void) } else { stay };
    }
    // A person who uncordons a node leaves our mark on it: both have to be there (fault F30).
    let closed = node.unschedulable && is_marked(node, &work.next, op);
    if remove.state == RemoveState::Cordoned && !closed {
        return rolling_back(Rollback::Uncordoned);
    }
    let surveyed = cluster.scope().covers(name);
    let held = movable::holds(pool, cluster, at);
    let blocker = held.filter(movable::is_lasting).min().filter(|_| surveyed && !interruption);
    if let Some(why) = blocker {
        return rolling_back(Rollback::Blocked { why: why.to_string() });
    }
    let empty =
        mutant::on(Mutant::TerminateBeforeEmpty) || surveyed && cluster.evictable(at).next().is_none();
    // A volume that is still attached when its node ends is kept from the pod's next node for minutes.
    let detached = node.attached.is_none_or(|volumes| volumes == 0) || work.now >= remove.deadline;
    if remove.state == RemoveState::Cordoned && empty && detached && scene.listing.is_some() {
        let serving = scene.counts(&work.next, &pool.name).serving;
        return if interruption
            || serving >= pool.min
            || mutant::on(Mutant::IgnoreMin)
            || node.ready == crate::data::view::Ready::No
        {
            RemoveState::Terminating { accepted: false, absent: None, waits: false }
        } else {
            rolling_back(Rollback::BelowMin)
        };
    }
    if work.now >= remove.deadline && !interruption && !mutant::on(Mutant::DrainForever) {
        return rolling_back(Rollback::Timeout);
    }
    stay
}

/// Rule R12: an instance that lives on 2 minutes after its notice's deadline was not interrupted.
fn is_void(work: &Work<'_>, remove: &Remove) -> bool {
    let notices = &work.next.notices;
    let noticed = notices
        .iter()
        .any(|n| n.instance == remove.instance && n.kind == NoticeKind::Interruption && !n.closed);
    remove.why == RemoveWhy::Interruption && (work.now >= remove.deadline.after(VOID_AFTER) || !noticed)
}

/// How long after its deadline a notice becomes void (rule R12).
pub(crate) const VOID_AFTER: Span = Span::from_mins(2);
