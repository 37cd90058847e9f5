//! A decision in a line, and what stays the same of it while its verdict stands.

use autoscale_core::data::explain::{Action, Explanation, Hold, Verdict};
use autoscale_core::data::record::RemoveWhy;
use serde::Serialize;

/// What a decision is about, for its colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Grow,
    Shrink,
    Replace,
    Hold,
    Trouble,
}

/// What an action is about.
pub(super) const fn kind_of(action: &Action) -> Kind {
    match action {
        Action::Launch { replaces: None, .. } => Kind::Grow,
        Action::Remove { why: RemoveWhy::Idle | RemoveWhy::AboveMax, .. } => Kind::Shrink,
        _ => Kind::Replace,
    }
}

/// What a decision says, without the numbers in it: while this stays the same the verdict stands.
pub(super) fn key(explanation: &Explanation) -> String {
    let mut key = String::new();
    for pool in &explanation.pools {
        match &pool.verdict {
            Verdict::Hold(holds) => holds.iter().for_each(|hold| {
                key += name(hold);
                key.push(',');
            }),
            Verdict::Grow { .. } => key += "grow",
            Verdict::Shrink { .. } => key += "shrink",
            _ => key += "?",
        }
        key.push(';');
    }
    key + &explanation.alarms.len().to_string()
}

/// The name of a reason, as it begins when it is written as data.
fn name(hold: &Hold) -> &'static str {
    match hold {
        Hold::Quiet => "quiet",
        Hold::Waiting { .. } => "waiting",
        Hold::AtMax { .. } => "max",
        Hold::AtMin { .. } => "min",
        Hold::Cooldown { .. } => "cooldown",
        Hold::ActionOpen { .. } => "open",
        Hold::AlreadyStarting { .. } => "starting",
        Hold::BoughtElsewhere => "elsewhere",
        Hold::Paused { .. } => "paused",
        Hold::Unhealthy { .. } => "unhealthy",
        Hold::Unseen { .. } => "unseen",
        Hold::SignalMissing { .. } => "missing",
        Hold::PodsPending { .. } => "pending",
        Hold::Stabilising { .. } => "stabilising",
        Hold::ZonesFull { .. } => "zones",
        Hold::WouldGrowAgain { .. } => "again",
        Hold::NoCandidate => "candidate",
        Hold::NoOffering { .. } => "offering",
        Hold::Rebuilt { .. } => "rebuilt",
        Hold::LaunchesStopped { .. } => "stopped",
        Hold::NeedsSurvey => "survey",
        Hold::RecordFull => "full",
        _ => "other",
    }
}

/// In a line.
pub(super) fn title(explanation: &Explanation) -> String {
    let actions: Vec<_> = explanation.actions.iter().map(ToString::to_string).collect();
    if !actions.is_empty() {
        return actions.join("; ");
    }
    let verdicts: Vec<_> =
        explanation.pools.iter().map(|pool| format!("{}: {}", pool.pool, pool.verdict)).collect();
    verdicts.join("; ")
}
