//! Short names that stay the same from version to version, for logs and metrics.

use crate::data::explain::Action;
use crate::data::order::{Answer, Blocker, Cordoned, OpId, Order, Refusal};
use crate::data::policy::Purchase;
use crate::data::record::{LaunchState, NoticeKind, RemoveState, RemoveWhy};
use crate::logic::Operation;
use crate::ports::{Error, ErrorKind, Swapped};

/// One call to a port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) port: &'static str,
    pub(super) method: &'static str,
    pub(super) op: Option<OpId>,
}

impl Call {
    pub(super) const fn new(port: &'static str, method: &'static str) -> Self {
        Self { port, method, op: None }
    }

    /// The same call, for an operation.
    pub(super) const fn of(self, op: OpId) -> Self {
        Self { op: Some(op), ..self }
    }
}

/// Nothing came within the time limit.
const NO_ANSWER: &str = "no_answer";

/// What became of a question.
pub(super) fn asked<T>(answer: &Option<Result<T, Error>>) -> &'static str {
    match answer {
        Some(Ok(_)) => "ok",
        Some(Err(error)) => error_kind(error.kind()),
        None => NO_ANSWER,
    }
}

/// What became of a question that cannot fail.
pub(super) fn told<T>(answer: &Option<T>) -> &'static str {
    answer.as_ref().map_or(NO_ANSWER, |_| "ok")
}

/// What became of a swap.
pub(super) fn swapped(answer: &Option<Result<Swapped, Error>>) -> &'static str {
    match answer {
        Some(Ok(Swapped::Applied(_))) => "applied",
        Some(Ok(Swapped::Lost(_))) => "lost",
        Some(Ok(Swapped::Unknown { .. })) => "unknown",
        Some(Err(error)) => error_kind(error.kind()),
        None => NO_ANSWER,
    }
}

/// What became of an order.
pub(super) fn answered(answer: &Option<Answer>) -> &'static str {
    answer.as_ref().map_or(NO_ANSWER, result)
}

const fn error_kind(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unclear => "unclear",
        ErrorKind::Throttled { .. } => "throttled",
        ErrorKind::NoCapacity { .. } => "no_capacity",
        ErrorKind::NotFound => "not_found",
        ErrorKind::Denied { .. } => "denied",
        ErrorKind::Invalid => "invalid",
        ErrorKind::TokenSpent => "token_spent",
        ErrorKind::TokenMismatch => "token_mismatch",
        ErrorKind::NotSent => "not_sent",
        ErrorKind::Unavailable => "unavailable",
    }
}

/// What is known after an effect was tried.
pub(super) const fn result(answer: &Answer) -> &'static str {
    match answer {
        Answer::Launched(_)
        | Answer::Terminating
        | Answer::Cordoned(Cordoned::Done)
        | Answer::Evicted(_)
        | Answer::Forgotten => "done",
        Answer::Cordoned(Cordoned::Superseded) => "superseded",
        Answer::Cordoned(Cordoned::Gone) => "gone",
        Answer::Refused(refusal) => match refusal {
            Refusal::NoCapacity { .. } => "no_capacity",
            Refusal::Throttled => "throttled",
            Refusal::Denied { .. } => "denied",
            Refusal::Invalid { .. } => "invalid",
            Refusal::TokenSpent => "token_spent",
            Refusal::TokenMismatch => "token_mismatch",
        },
        Answer::NotSent { .. } => "not_sent",
        Answer::Unclear { .. } => "unclear",
    }
}

/// Which method of which port an order goes to; the method's name is the effect's.
pub(super) const fn method(order: &Order) -> (&'static str, &'static str) {
    match order {
        Order::Launch(_) => ("nodes", "launch"),
        Order::Terminate(_) => ("nodes", "terminate"),
        Order::Cordon(_) => ("drainer", "cordon"),
        Order::Uncordon(_) => ("drainer", "uncordon"),
        Order::Evict(_) => ("drainer", "evict"),
        Order::Forget(_) => ("drainer", "forget"),
    }
}

pub(super) const fn purchase(purchase: Purchase) -> &'static str {
    match purchase {
        Purchase::Spot => "spot",
        Purchase::OnDemand => "on_demand",
    }
}

pub(super) const fn remove_why(why: RemoveWhy) -> &'static str {
    match why {
        RemoveWhy::Idle => "idle",
        RemoveWhy::AboveMax => "above_max",
        RemoveWhy::Interruption => "interruption",
        RemoveWhy::Rebalance => "rebalance",
        RemoveWhy::CordonOnly => "cordon_only",
        RemoveWhy::NeverReady => "never_ready",
        RemoveWhy::Dead => "dead",
        RemoveWhy::Orphan => "orphan",
    }
}

pub(super) const fn launch_state(state: &LaunchState) -> &'static str {
    match state {
        LaunchState::Planned => "planned",
        LaunchState::Sent => "sent",
        LaunchState::Cooling { .. } => "cooling",
        LaunchState::Refused { .. } => "refused",
        LaunchState::Launched { .. } => "launched",
        LaunchState::Aside { .. } => "aside",
        LaunchState::Terminating { .. } => "terminating",
        LaunchState::Dead { .. } => "dead",
    }
}

pub(super) const fn remove_state(state: &RemoveState) -> &'static str {
    match state {
        RemoveState::Planned => "planned",
        RemoveState::Cordoned => "cordoned",
        RemoveState::Terminating { .. } => "terminating",
        RemoveState::Gone => "gone",
        RemoveState::RollingBack { .. } => "rolling_back",
        RemoveState::Parked { .. } => "parked",
    }
}

pub(super) const fn notice(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Interruption => "interruption",
        NoticeKind::Rebalance => "rebalance",
        NoticeKind::Withdrawn => "withdrawn",
    }
}

pub(super) const fn blocker(blocker: &Blocker) -> &'static str {
    match blocker {
        Blocker::Budget { .. } => "budget",
        Blocker::Throttled => "throttled",
        Blocker::Other { .. } => "other",
    }
}

pub(super) const fn operation(wish: &Operation) -> &'static str {
    match wish {
        Operation::Unlock { .. } => "unlock",
        Operation::Pause { .. } => "pause",
        Operation::Resume => "resume",
        Operation::Adopt { .. } => "adopt",
    }
}

/// What was decided, and why.
pub(super) const fn action(action: &Action) -> (&'static str, &'static str) {
    match action {
        Action::Launch { replaces: None, .. } => ("launch", "scale"),
        Action::Launch { replaces: Some(_), .. } => ("launch", "replace"),
        Action::Remove { why, .. } => ("remove", remove_why(*why)),
        Action::Recall { .. } => ("recall", "needed"),
    }
}
