//! Launch attempts (rule R7): who may send, when, and what comes after a refusal.

use super::place::{Choice, Placing};
use super::room::RecordRoom;
use super::scene::{LIST_LAG, Scene};
use super::work::Work;
use crate::data::order::{Offering, Refusal};
use crate::data::policy::PoolPolicy;
use crate::data::record::{Attempt, Launch, LaunchState, MAX_STEP, OpKind, Record};
use crate::mutant::{self, Mutant};
use crate::words::{Elapsed, Span, Timestamp, Token, Ver};

/// A token older than this is not replayed: the cloud may have forgotten it (fault F19).
const TOKEN_VALID: Span = Span::from_mins(6 * 60);

/// What an attempt adds to a record, in bytes, with the longest names and refusals.
const ATTEMPT: usize = 700;

/// Most attempts of one operation.
const MAX_ATTEMPTS: u32 = 12;

/// Authorises every send that is due, at the version about to be written.
pub(crate) fn arm(work: &mut Work<'_>, ver: Ver) {
    let before = work.next.clone();
    let scene = Scene::new(work.sight, &before);
    let mut ops = std::mem::take(&mut work.next.ops);
    let quiet = work.next.time.quiet_until > work.now;
    let mut room = None;
    ops.retain_mut(|op| {
        let (Some(pool), OpKind::Launch(launch)) = (work.policy.pool(&op.pool), &mut op.kind) else {
            return true;
        };
        launch.attempt.armed = Ver::ZERO;
        if let LaunchState::Refused { why } = launch.state.clone() {
            let id = (op.seq, op.slot);
            if !room.get_or_insert_with(|| RecordRoom::of(&before)).takes(ATTEMPT) {
                work.alarm(format!("launch {}.{}: the record has no room for another attempt", id.0, id.1));
                return false;
            }
            if !next_attempt(work, (&before, &scene), pool, launch, why, id) {
                return false;
            }
        }
        if !quiet && is_due(work, &scene, launch) {
            send(work, launch, ver);
        }
        true
    });
    work.next.ops = ops;
}

/// Moves a refused operation to its next attempt; false when there is none.
fn next_attempt(
    work: &mut Work<'_>,
    (before, scene): (&Record, &Scene<'_>),
    pool: &PoolPolicy,
    launch: &mut Launch,
    why: Refusal,
    (seq, slot): (u64, u32),
) -> bool {
    let attempt = launch.attempt.clone();
    match &why {
        Refusal::Denied { action } => work.alarm(format!("launch {seq}.{slot} is denied: {action}")),
        Refusal::Invalid { why } => work.alarm(format!("launch {seq}.{slot} is invalid: {why}")),
        Refusal::NoCapacity { .. } | Refusal::Throttled | Refusal::TokenSpent | Refusal::TokenMismatch => {}
    }
    if !matches!(why, Refusal::TokenSpent) {
        work.back_off_offering(pool, &attempt.offering);
    }
    launch.earlier.push((Attempt { sender: None, ..attempt.clone() }, why.clone()));
    if attempt.number >= MAX_ATTEMPTS || matches!(why, Refusal::Denied { .. } | Refusal::Invalid { .. }) {
        return false;
    }
    let refused: Vec<Offering> = match why {
        // The offering itself was not at fault.
        Refusal::TokenSpent => Vec::new(),
        _ => launch.earlier.iter().map(|(attempt, _)| attempt.offering.clone()).collect(),
    };
    let known = Record { pools: work.next.pools.clone(), ..before.clone() };
    let mut placing = Placing::new(scene, &known, pool, work.now).without(refused);
    let Choice::Offering(offering) = placing.next_like(Some(&attempt.offering.shape)) else {
        work.alarm(format!("launch {seq}.{slot}: no offering has capacity"));
        return false;
    };
    let number = attempt.number + 1;
    launch.attempt = Attempt::new(number, offering, Token::of(&work.next.inc, seq, slot, number));
    launch.state = LaunchState::Planned;
    true
}

fn is_due(work: &mut Work<'_>, scene: &Scene<'_>, launch: &mut Launch) -> bool {
    let due = match &launch.state {
        LaunchState::Planned => true,
        // Sent and not answered for certain: one replay of the same token (crash points C2 to C6).
        LaunchState::Sent => true,
        LaunchState::Cooling { until, .. } => {
            let over = cooled(work, launch, *until);
            if over {
                launch.attempt.asks = 0;
            }
            over
        }
        LaunchState::Refused { .. }
        | LaunchState::Launched { .. }
        | LaunchState::Aside { .. }
        | LaunchState::Terminating { .. }
        | LaunchState::Dead { .. } => false,
    };
    let too_old = launch.attempt.first_sent.is_some_and(|first| work.now.since(first) > TOKEN_VALID);
    // Without a list the provider's time is not known; and only a complete one shows that this record is not an older
    // copy, whose open attempts were followed by others long ago (fault F5).
    if scene.listing.is_none() {
        return false;
    }
    if due && too_old {
        // No replay any more. What it bought would be listed by now.
        if work.now.since(launch.attempt.sent_at.unwrap_or(work.now)) > LIST_LAG {
            launch.state =
                LaunchState::Dead { why: "it was never answered, and nothing of it is listed".to_owned() };
        }
        return false;
    }
    due
}

/// Whether no earlier copy can be accepted any more: on the record's timeline, and by the provider's clock unless that
/// has gone backwards, in which case a whole step of the timeline is waited for on top.
fn cooled(work: &Work<'_>, launch: &Launch, until: Elapsed) -> bool {
    let Some(sent) = launch.attempt.sent_wall else { return work.now >= until };
    // The provider's clock alone: the driver's own may be off, and must not cut the delay short (I13).
    let Some(now) = provider_time(work) else { return false };
    if now < sent {
        return work.now >= until.after(MAX_STEP);
    }
    work.now >= until && now.since(sent) >= work.tick.launch_delay
}

/// The time by the provider's clock, as of the last answer.
fn provider_time(work: &Work<'_>) -> Option<Timestamp> {
    work.view.instances().known().map(|listing| listing.at)
}

fn send(work: &Work<'_>, launch: &mut Launch, ver: Ver) {
    let attempt = &mut launch.attempt;
    if mutant::on(Mutant::FreshTokenPerCall) {
        attempt.token = Token::of(&work.next.inc, ver.get(), 0, 1);
    }
    attempt.armed = ver;
    attempt.sender = Some(work.tick.holder.clone());
    attempt.sent_at = Some(work.now);
    attempt.sent_wall = provider_time(work).or(Some(work.wall));
    attempt.first_sent = attempt.first_sent.or(Some(work.now));
    attempt.asks = attempt.asks.saturating_add(1);
    launch.state = LaunchState::Sent;
}
