//! Carrying out effects: no choices left, several side by side, an answer for each.

use futures_util::future::join_all;

use super::codes::{self, Call};
use super::observe::within;
use super::{Ports, tell};
use crate::data::order::{Answer, Effect, Order, Outcome, Refusal};
use crate::mutant::{self, Mutant};
use crate::ports::{Error, ErrorKind};
use crate::words::{Deadline, Span};

/// Most calls under way at a time.
const SIDE_BY_SIDE: usize = 10;

/// Sends every effect that can still be sent before `not_after`, each within `limit`.
pub(super) async fn perform(
    ports: &Ports,
    effects: Vec<Effect>,
    not_after: Deadline,
    limit: Span,
) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(effects.len());
    let mut rest = effects.into_iter().peekable();
    while rest.peek().is_some() {
        let batch = rest.by_ref().take(SIDE_BY_SIDE).map(|effect| one(ports, effect, not_after, limit));
        outcomes.extend(join_all(batch).await);
    }
    outcomes
}

async fn one(ports: &Ports, mut effect: Effect, not_after: Deadline, limit: Span) -> Outcome {
    let never = Deadline::from_millis(u64::MAX);
    stamp(&mut effect.order, if mutant::on(Mutant::IgnoreNotAfter) { never } else { not_after });
    let late = ports.clock.boot() >= not_after && !mutant::on(Mutant::IgnoreNotAfter);
    if late {
        let answer = Answer::NotSent { why: "the time of this tick was up".to_owned() };
        return told(Outcome::new(effect, answer));
    }
    tell::sending(&effect);
    let (port, method) = codes::method(&effect.order);
    let call = Call::new(port, method).of(effect.op);
    let sent = within(&*ports.clock, limit, send(ports, &effect.order));
    let answer = tell::in_call(call, sent, codes::answered).await;
    let late = || Answer::Unclear { why: format!("no answer within {limit}") };
    told(Outcome::new(effect, answer.unwrap_or_else(late)))
}

fn told(outcome: Outcome) -> Outcome {
    tell::performed(&outcome);
    outcome
}

fn stamp(order: &mut Order, deadline: Deadline) {
    let not_after = match order {
        Order::Launch(order) => &mut order.not_after,
        Order::Terminate(order) => &mut order.not_after,
        Order::Cordon(order) | Order::Uncordon(order) => &mut order.not_after,
        Order::Evict(order) => &mut order.not_after,
        Order::Forget(order) => &mut order.not_after,
    };
    *not_after = deadline;
}

async fn send(ports: &Ports, order: &Order) -> Answer {
    let answer = match order {
        Order::Launch(order) => ports.nodes.launch(order).await.map(Answer::Launched),
        Order::Terminate(order) => match ports.nodes.terminate(order).await {
            Err(error) if *error.kind() == ErrorKind::NotFound => Ok(Answer::Terminating),
            answer => answer.map(|()| Answer::Terminating),
        },
        Order::Cordon(order) => ports.drainer.cordon(order).await.map(Answer::Cordoned),
        Order::Uncordon(order) => ports.drainer.uncordon(order).await.map(Answer::Cordoned),
        // Everything is on its way out already: there is nobody to ask.
        Order::Evict(order) if order.pods.is_empty() => Ok(Answer::Evicted(Default::default())),
        Order::Evict(order) => ports.drainer.evict(order).await.map(Answer::Evicted),
        Order::Forget(order) => ports.drainer.forget(order).await.map(|()| Answer::Forgotten),
    };
    answer.unwrap_or_else(|error| failed(&error))
}

/// Only what certainly did nothing is a refusal; everything else is unclear.
fn failed(error: &Error) -> Answer {
    let why = error.chain();
    match error.kind() {
        ErrorKind::NoCapacity { .. } => Answer::Refused(Refusal::NoCapacity { why }),
        ErrorKind::Throttled { .. } => Answer::Refused(Refusal::Throttled),
        ErrorKind::Denied { action } => Answer::Refused(Refusal::Denied { action: action.clone() }),
        ErrorKind::Invalid => Answer::Refused(Refusal::Invalid { why }),
        ErrorKind::TokenSpent => Answer::Refused(Refusal::TokenSpent),
        ErrorKind::TokenMismatch => Answer::Refused(Refusal::TokenMismatch),
        ErrorKind::NotSent => Answer::NotSent { why },
        ErrorKind::Unclear | ErrorKind::NotFound | ErrorKind::Unavailable => Answer::Unclear { why },
    }
}
