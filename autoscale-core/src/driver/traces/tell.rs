//! Where the driver tells what it does. No guard of a span is ever held across an `await`.

use std::future::Future;

use ::tracing::field::{Empty, display};
use ::tracing::{Instrument, Level, event, span};

use super::{
    ALARM, BUSY, CALL, DECISION, DONE, EFFECT, HALT, HOLD, MAX_TEXT, NO_AUTHORITY, OPERATED, OUTCOME, ROUND,
    STORED, TARGET, TICK, UNSEEN,
};
use crate::data::explain::{Action, Explanation, Verdict};
use crate::data::order::{Answer, Blocker, Cordoned, Effect, Order, Outcome, Refusal};
use crate::data::record::Record;
use crate::data::view::{Reading, Seen, View};
use crate::driver::codes::{self, Call};
use crate::driver::{Ended, OperatorError, Report, Trigger};
use crate::logic::{Operation, Status};
use crate::words::{ClusterId, ContentHash, HolderId, Ver, truncated};

/// An event of a name and a level; its message is its name.
macro_rules! tell {
    ($name:expr, $level:ident, $($fields:tt)*) => {
        event!(name: $name, target: TARGET, Level::$level, message = $name, $($fields)*)
    };
}

/// Text from outside, on one line.
fn line(text: &str) -> String {
    truncated(text, MAX_TEXT)
}

/// A tick in its span, which says at last how it ended.
pub(in crate::driver) fn in_tick<F: Future<Output = Report>>(
    (cluster, policy, holder): (ClusterId, ContentHash, HolderId),
    trigger: &Trigger,
    tick: F,
) -> impl Future<Output = Report> + use<F> {
    let (trigger, notices) = match trigger {
        Trigger::Schedule => ("schedule", 0),
        Trigger::Notices(notices) => ("notices", notices.len()),
    };
    let span = span!(
        target: TARGET,
        Level::INFO,
        TICK,
        cluster = cluster.as_str(),
        policy = %policy,
        holder = holder.as_str(),
        trigger,
        notices,
        ended = Empty,
        rounds = Empty,
        took_ms = Empty,
    );
    let within = span.clone();
    async move {
        let report = tick.instrument(within).await;
        span.record("ended", report.ended.code());
        span.record("rounds", report.rounds.len());
        span.record("took_ms", report.took.as_millis());
        span.in_scope(|| ended(&report));
        report
    }
}

fn ended(report: &Report) {
    for alarm in &report.alarms {
        tell!(ALARM, WARN, text = line(alarm).as_str());
    }
    match &report.ended {
        Ended::Done => {
            tell!(DONE, DEBUG, rounds = report.rounds.len(), took_ms = report.took.as_millis());
        }
        Ended::Busy { holder, until } => tell!(BUSY, INFO, holder = holder.as_str(), until = %until),
        Ended::Halted { why } => tell!(HALT, ERROR, text = line(why).as_str()),
        Ended::NoAuthority { why } => tell!(NO_AUTHORITY, WARN, text = line(why).as_str()),
    }
}

/// A round in its span.
pub(in crate::driver) fn in_round<F: Future>(
    round: usize,
    version: Ver,
    doing: F,
) -> impl Future<Output = F::Output> {
    doing.instrument(span!(target: TARGET, Level::INFO, ROUND, round, version = %version))
}

/// A call in its span, which says at last what became of it.
pub(in crate::driver) fn in_call<F: Future>(
    call: Call,
    sent: F,
    outcome: fn(&F::Output) -> &'static str,
) -> impl Future<Output = F::Output> {
    let Call { port, method, op } = call;
    let op = op.map(display);
    let span = span!(target: TARGET, Level::DEBUG, CALL, port, method, op, outcome = Empty);
    let within = span.clone();
    async move {
        let answer = sent.instrument(within).await;
        span.record("outcome", outcome(&answer));
        answer
    }
}

/// What was not seen, and why pools stay as they are.
pub(in crate::driver) fn decided(view: &View, explanation: &Explanation) {
    unseen("instances", view.instances(), |listing| listing.complete);
    unseen("cluster", view.cluster(), |cluster| cluster.is_complete());
    for sample in view.samples() {
        let (Reading::Missing { why } | Reading::Failed { why }) = &sample.reading else { continue };
        let (pool, signal) = (sample.query.pool.as_str(), sample.query.signal.as_str());
        tell!(UNSEEN, WARN, what = "signal", pool, signal, text = line(why).as_str());
    }
    for report in &explanation.pools {
        let Verdict::Hold(holds) = &report.verdict else { continue };
        for hold in holds {
            let text = || line(&hold.to_string());
            tell!(HOLD, DEBUG, pool = report.pool.as_str(), reason = hold.code(), text = text().as_str());
        }
    }
}

fn unseen<T>(what: &str, seen: &Seen<T>, complete: impl Fn(&T) -> bool) {
    match seen {
        Seen::Known(value) if complete(value) => {}
        Seen::Known(_) => tell!(UNSEEN, WARN, what, text = "it was incomplete"),
        Seen::Unknown { why } => tell!(UNSEEN, WARN, what, text = line(why).as_str()),
    }
}

/// What was decided, once it is stored.
pub(in crate::driver) fn stored(record: &Record, explanation: &Explanation) {
    tell!(STORED, DEBUG, version = %record.ver, operations = record.ops.len());
    for action in &explanation.actions {
        let (pool, op, instance) = match action {
            Action::Launch { op, pool, replaces, .. } => (pool, op, replaces.as_ref()),
            Action::Remove { op, pool, instance, .. } | Action::Recall { op, pool, instance } => {
                (pool, op, Some(instance))
            }
        };
        let (name, reason) = codes::action(action);
        tell!(
            DECISION,
            INFO,
            pool = pool.as_str(),
            action = name,
            reason,
            op = %op,
            instance = instance.map(|instance| instance.as_str()),
            text = line(&action.to_string()).as_str(),
        );
    }
}

/// An order, before it is sent.
pub(in crate::driver) fn sending(effect: &Effect) {
    let (_, name) = codes::method(&effect.order);
    tell!(EFFECT, INFO, op = %effect.op, effect = name, subject = subject(&effect.order));
}

/// What became of an order.
pub(in crate::driver) fn performed(outcome: &Outcome) {
    let Outcome { effect, answer } = outcome;
    let ((_, name), result) = (codes::method(&effect.order), codes::result(answer));
    let (subject, text) = (subject(&effect.order), text(answer).map(|text| line(&text)));
    let text = text.as_deref();
    match answer {
        Answer::Refused(_)
        | Answer::NotSent { .. }
        | Answer::Unclear { .. }
        | Answer::Cordoned(Cordoned::Superseded | Cordoned::Gone) => {
            tell!(OUTCOME, WARN, op = %effect.op, effect = name, subject, result, text);
        }
        Answer::Launched(_)
        | Answer::Terminating
        | Answer::Cordoned(Cordoned::Done)
        | Answer::Evicted(_)
        | Answer::Forgotten => {
            tell!(OUTCOME, INFO, op = %effect.op, effect = name, subject, result, text);
        }
    }
}

fn subject(order: &Order) -> &str {
    match order {
        Order::Launch(order) => order.token.as_str(),
        Order::Terminate(order) => order.instance.as_str(),
        Order::Cordon(order) | Order::Uncordon(order) => order.node.as_str(),
        Order::Evict(order) => order.node.as_str(),
        Order::Forget(order) => order.node.as_str(),
    }
}

/// What there is to say besides the result.
fn text(answer: &Answer) -> Option<String> {
    match answer {
        Answer::Launched(launched) => Some(launched.instance.to_string()),
        Answer::Evicted(pass) => {
            let first = pass.blocked.first().map(|(_, blocker)| match blocker {
                Blocker::Budget { name: Some(name) } => format!(", budget {name}"),
                Blocker::Other { why } => format!(", {why}"),
                Blocker::Budget { name: None } | Blocker::Throttled => String::new(),
            });
            let (asked, blocked) = (pass.accepted.len(), pass.blocked.len());
            Some(format!("{asked} pods asked, {blocked} refused for now{}", first.unwrap_or_default()))
        }
        Answer::Refused(Refusal::NoCapacity { why } | Refusal::Invalid { why })
        | Answer::Refused(Refusal::Denied { action: why })
        | Answer::NotSent { why }
        | Answer::Unclear { why } => Some(why.clone()),
        Answer::Refused(Refusal::Throttled | Refusal::TokenSpent | Refusal::TokenMismatch)
        | Answer::Terminating
        | Answer::Cordoned(_)
        | Answer::Forgotten => None,
    }
}

/// An operator's wish, and what became of it.
pub(in crate::driver) fn operated(
    cluster: &ClusterId,
    wish: &Operation,
    status: &Result<Status, OperatorError>,
) {
    let (cluster, operation) = (cluster.as_str(), codes::operation(wish));
    let who = match wish {
        Operation::Pause { who, .. } => Some(line(who)),
        Operation::Unlock { .. } | Operation::Resume | Operation::Adopt { .. } => None,
    };
    let who = who.as_deref();
    match status {
        Ok(status) => {
            tell!(OPERATED, INFO, cluster, operation, who, version = %status.record.ver);
        }
        Err(error) => {
            tell!(OPERATED, WARN, cluster, operation, who, text = line(&error.to_string()).as_str());
        }
    }
}
