//! Writing down what became of the effects.

use crate::data::order::{Answer, Cordoned, Order, Outcome, Refusal};
use crate::data::policy::Policy;
use crate::data::record::{
    Attempt, IncomingNotice, KeptAside, Launch, LaunchState, Op, OpKind, Record, Remove, RemoveState,
    Rollback,
};
use crate::logic::Tick;
use crate::logic::decide::{finish, take_in};
use crate::mutant::{self, Mutant};
use crate::words::{Elapsed, Span, Timestamp, Ver};

/// The record after the outcomes of its own effects, one version on.
///
/// Only what the answers say: the next `plan` draws the conclusions.
#[must_use = "store it"]
pub fn settle(policy: &Policy, record: &Record, outcomes: &[Outcome], tick: &Tick, now: Timestamp) -> Record {
    let mut next = written(record, tick, now);
    let elapsed = next.time.elapsed;
    let mut left = Vec::new();
    for outcome in outcomes {
        let Some(at) = next.ops.iter().position(|op| op.id() == outcome.effect.op) else { continue };
        let Some(op) = next.ops.get_mut(at) else { continue };
        let leaves = match &mut op.kind {
            OpKind::Launch(launch) => settle_launch(launch, outcome, elapsed, tick.launch_delay),
            OpKind::Remove(remove) => settle_remove(remove, outcome),
        };
        if leaves {
            left.push(next.ops.remove(at));
        }
    }
    for op in &left {
        if policy.pool(&op.pool).is_some() && !was_rolled_back(op) {
            finish(&mut next, op, elapsed);
        }
    }
    next
}

fn was_rolled_back(op: &Op) -> bool {
    op.remove().is_some_and(|remove| matches!(remove.state, RemoveState::RollingBack { .. }))
}

/// The record with notices appended and nothing else changed: any tick may do this, without the lease (rule R12).
///
/// The record is `None` when there is nothing new to store; the flag says whether every notice found room.
pub fn append_notices(
    record: &Record,
    incoming: &[IncomingNotice],
    tick: &Tick,
    now: Timestamp,
) -> (Option<Record>, bool) {
    let mut next = Record { lease: record.lease.clone(), ..written(record, tick, now) };
    let elapsed = next.time.elapsed;
    let dropped = take_in(&mut next, incoming, elapsed);
    ((next.notices != record.notices).then_some(next), dropped == 0)
}

/// The record without a lease: the tick is over.
pub fn released(mut record: Record) -> Record {
    record.lease = None;
    record
}

/// The same record, one version on.
pub(super) fn written(record: &Record, tick: &Tick, now: Timestamp) -> Record {
    let mut next = record.clone();
    (next.time.last_now, next.time.elapsed) = (now, record.elapsed_at(now));
    (next.ver, next.write_id) = (record.ver.next(), tick.write_id.clone());
    next
}

/// After so long a token that names another launch is given up.
const MISMATCHED: Span = Span::from_mins(60);

/// Rule R7. Returns whether the operation is over.
fn settle_launch(launch: &mut Launch, outcome: &Outcome, now: Elapsed, delay: Span) -> bool {
    let same = match &outcome.effect.order {
        Order::Launch(order) => order.token == launch.attempt.token && launch.state == LaunchState::Sent,
        Order::Terminate(_) => matches!(launch.state, LaunchState::Terminating { .. }),
        Order::Cordon(_) | Order::Uncordon(_) | Order::Evict(_) | Order::Forget(_) => false,
    };
    if !same {
        return false;
    }
    launch.attempt.armed = Ver::ZERO;
    let sole = launch.attempt.asks <= 1 || mutant::on(Mutant::RefusalAlwaysCertain);
    match (&outcome.answer, &mut launch.state) {
        (Answer::Launched(launched), state) => {
            *state = LaunchState::Launched { instance: launched.instance.clone(), unjoined: None };
        }
        (Answer::Terminating, LaunchState::Terminating { accepted, .. }) => *accepted = true,
        (Answer::Refused(Refusal::Denied { action }), LaunchState::Terminating { instance, .. }) => {
            let why = KeptAside::Denied { action: action.clone() };
            launch.state = LaunchState::Aside { instance: instance.clone(), why };
        }
        (Answer::Refused(Refusal::TokenSpent), LaunchState::Sent) => {
            launch.state = LaunchState::Refused { why: Refusal::TokenSpent };
        }
        (Answer::Refused(Refusal::Throttled) | Answer::NotSent { .. }, LaunchState::Sent) => unsent(launch),
        // Refused before the token was looked up: that says nothing of copies that were sent earlier.
        (Answer::Refused(why @ (Refusal::Denied { .. } | Refusal::Invalid { .. })), LaunchState::Sent)
            if launch.attempt.first_sent != launch.attempt.sent_at =>
        {
            cool(launch, Some(why.clone()), now, delay);
        }
        (Answer::Refused(why), LaunchState::Sent) if sole && *why != Refusal::TokenMismatch => {
            launch.state = LaunchState::Refused { why: why.clone() };
        }
        // The only ask of a token that must have been answered long ago: it belongs to something else (fault F17), and
        // what this operation had bought would be listed.
        (Answer::Refused(Refusal::TokenMismatch), LaunchState::Sent)
            if sole && launch.attempt.first_sent.is_some_and(|first| now.since(first) > MISMATCHED) =>
        {
            launch.state = LaunchState::Dead { why: "its token belongs to another launch".to_owned() };
        }
        // Another copy may still be under way, or has already bought something: nothing is certain yet.
        (Answer::Refused(why), LaunchState::Sent) => cool(launch, Some(why.clone()), now, delay),
        (Answer::Unclear { why }, LaunchState::Sent) if mutant::on(Mutant::NextAttemptAtOnce) => {
            launch.state = LaunchState::Refused { why: Refusal::NoCapacity { why: why.clone() } };
        }
        (Answer::Unclear { .. }, LaunchState::Sent) if !sole => cool(launch, None, now, delay),
        _ => {}
    }
    false
}

/// The request is certain not to have been carried out: it does not count as a copy under way.
fn unsent(launch: &mut Launch) {
    let Attempt { asks, first_sent, sent_at, .. } = &mut launch.attempt;
    *asks = asks.saturating_sub(1);
    if *asks == 0 {
        if first_sent == sent_at {
            *first_sent = None;
        }
        launch.state = LaunchState::Planned;
    }
}

fn cool(launch: &mut Launch, refused: Option<Refusal>, now: Elapsed, delay: Span) {
    let sent = launch.attempt.sent_at.unwrap_or(now);
    launch.state = LaunchState::Cooling { until: sent.after(delay), refused };
}

/// Returns whether the operation is over.
fn settle_remove(remove: &mut Remove, outcome: &Outcome) -> bool {
    match (&outcome.effect.order, &outcome.answer, &mut remove.state) {
        (Order::Cordon(_), Answer::Cordoned(Cordoned::Done), state @ RemoveState::Planned) => {
            *state = RemoveState::Cordoned;
        }
        (
            Order::Cordon(_),
            Answer::Cordoned(Cordoned::Superseded | Cordoned::Gone),
            state @ (RemoveState::Planned | RemoveState::Cordoned),
        ) => {
            *state = RemoveState::RollingBack { why: Rollback::Superseded, tries: 0 };
        }
        (Order::Uncordon(_), Answer::Cordoned(Cordoned::Gone), RemoveState::RollingBack { .. }) => {
            return true;
        }
        // The next survey shows whether the mark is gone; until then every round counts.
        (Order::Uncordon(_), _, RemoveState::RollingBack { tries, .. }) => *tries = tries.saturating_add(1),
        (Order::Terminate(_), Answer::Terminating, RemoveState::Terminating { accepted, .. }) => {
            *accepted = true
        }
        (
            Order::Terminate(_),
            Answer::Refused(Refusal::Denied { action }),
            state @ RemoveState::Terminating { .. },
        ) => {
            *state = RemoveState::Parked { why: action.clone() };
        }
        (Order::Forget(_), Answer::Forgotten, RemoveState::Gone) => return true,
        _ => {}
    }
    false
}
