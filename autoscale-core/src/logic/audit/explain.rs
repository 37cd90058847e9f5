//! Why it acted, why it did not, what it waits for and until when: from entries alone.

use std::sync::Arc;

use super::answer::{Answer, NoAnswer, PoolAnswer, Question, Standing, Wait};
use super::node::{self, NodeAnswer};
use crate::data::Ended;
use crate::data::audit::{Decided, Entry, Head};
use crate::data::explain::{Explanation, Hold, PoolReport, RuleState, Verdict};
use crate::data::order::Outcome;
use crate::data::view::Scope;
use crate::words::{PoolName, Span, Timestamp, one_line};

/// An entry and its head.
pub(super) type Kept = Arc<(Head, Entry<'static>)>;

/// Goes through the entries of a log, oldest first, and then answers.
#[derive(Clone, Debug)]
pub struct Explainer {
    question: Question,
    first: Option<Timestamp>,
    newest: Option<Kept>,
    decided: Option<(Kept, Standing)>,
    surveyed: Option<Kept>,
}

impl Explainer {
    /// Nothing seen yet.
    pub const fn new(question: Question) -> Self {
        Self { question, first: None, newest: None, decided: None, surveyed: None }
    }

    /// The next entry.
    pub fn see(&mut self, head: Head, entry: Entry<'static>) {
        self.first = self.first.or(Some(head.at));
        // By the time that was asked for, what a clock that was wrong wrote behind it does not come after it.
        let newest = self.newest.as_ref().map(|kept| kept.0.at);
        if self.question.at.is_some_and(|at| head.at > at || newest.is_some_and(|newest| head.at < newest)) {
            return;
        }
        let acted = |explanation: &Explanation| !explanation.actions.is_empty();
        let kept = Arc::new((head, entry));
        let (head, entry) = &*kept;
        if entry.rounds.iter().any(|round| covers_all(round)) {
            self.surveyed = Some(kept.clone());
        }
        let counts = !self.question.acted || entry.rounds.iter().any(|round| acted(&round.explanation));
        if counts && !entry.rounds.is_empty() {
            let standing = match self.decided.take() {
                Some((last, standing)) if last.0.verdict == head.verdict => {
                    Standing { entries: standing.entries.saturating_add(1), ..standing }
                }
                _ => Standing { since: head.at, entries: 1 },
            };
            self.decided = Some((kept.clone(), standing));
        }
        self.newest = Some(kept);
    }

    /// The answer, from what was seen.
    ///
    /// # Errors
    /// [`NoAnswer`], in words.
    pub fn answer(&self) -> Result<Answer, NoAnswer> {
        let Some(newest) = &self.newest else {
            return Err(self.first.map_or(NoAnswer::Empty, NoAnswer::TooEarly));
        };
        let Some((kept, standing)) = &self.decided else {
            let why = format!("{}: {}", newest.0.time, ended(&newest.1.ended));
            return Err(if self.question.acted {
                NoAnswer::NoAction
            } else {
                NoAnswer::NoDecision(one_line(&why))
            });
        };
        let (head, entry) = &**kept;
        let (Some(round), Some(explanation)) = (entry.rounds.last(), entry.explanation()) else {
            return Err(NoAnswer::Empty);
        };
        let undecided = (!self.question.acted && newest.1.rounds.is_empty())
            .then(|| one_line(&format!("{}: {}", newest.0.time, ended(&newest.1.ended))));
        let mine = |pool: &PoolName| self.question.pool.as_ref().is_none_or(|asked| asked == pool);
        if let Some(pool) = &self.question.pool
            && entry.policy.pool(pool).is_none()
        {
            let there: Vec<&str> = entry.policy.pools().keys().map(PoolName::as_str).collect();
            return Err(NoAnswer::NoPool { at: head.at, pool: pool.clone(), there: there.join(", ") });
        }
        let node = self.question.node.as_deref().map(|name| self.node(name, kept, round)).transpose()?;
        let rounds = || entry.rounds.iter();
        let actions = rounds().flat_map(|round| &round.explanation.actions).map(shown);
        let sent = rounds().flat_map(|round| round.outcomes.iter()).map(outcome);
        Ok(Answer {
            at: explanation.at,
            time: explanation.at.to_string(),
            cluster: entry.policy.cluster().to_string(),
            policy: entry.policy.hash().clone(),
            holder: round.brought.holder.to_string(),
            entry: format!("entry {} of {}", head.n, head.writer),
            ended: (entry.ended != Ended::Done).then(|| one_line(&ended(&entry.ended))),
            undecided,
            standing: standing.clone(),
            actions: actions.collect(),
            // The first round is the one that decided; later ones carry it on.
            pools: deciding(entry, explanation)
                .pools
                .iter()
                .filter(|report| mine(&report.pool))
                .map(pool(deciding(entry, explanation).at))
                .collect(),
            operations: explanation.ops.iter().filter(|op| mine(&op.pool)).map(shown).collect(),
            sent: sent.collect(),
            node,
            alarms: entry.alarms.iter().map(shown).collect(),
            next: entry.wake_in.map(|wake_in| explanation.at.after(wake_in)),
        })
    }

    fn node(&self, name: &str, kept: &Kept, round: &Decided<'_>) -> Result<NodeAnswer, NoAnswer> {
        let there = || one_line(&node::some(&round.view));
        let missing = || NoAnswer::NoNode { at: kept.0.at, node: one_line(name), there: there() };
        let found = node::find(&round.view, name).ok_or_else(missing)?;
        let judged = if covers_all(round) { Some(kept) } else { self.surveyed.as_ref() };
        let judged = judged.and_then(|kept| {
            let round = kept.1.rounds.iter().rev().find(|round| covers_all(round))?;
            let found = node::find(&round.view, name)?;
            Some(node::judge(&kept.1.policy, round, found))
        });
        Ok(node::answer(&kept.1.policy, round, found, judged))
    }
}

/// The explanation that says why something was done, if something was; else the newest.
fn deciding<'e>(entry: &'e Entry<'_>, newest: &'e Explanation) -> &'e Explanation {
    let mut all = entry.rounds.iter().map(|round| &*round.explanation);
    all.rfind(|explanation| !explanation.actions.is_empty()).unwrap_or(newest)
}

/// Whether every pod was seen.
fn covers_all(round: &Decided<'_>) -> bool {
    round
        .view
        .cluster()
        .known()
        .is_some_and(|cluster| cluster.is_complete() && *cluster.scope() == Scope::Everything)
}

fn shown(what: impl ToString) -> String {
    one_line(&what.to_string())
}

fn ended(end: &Ended) -> String {
    match end {
        Ended::Done => "done".to_owned(),
        Ended::Busy { holder, until } => format!("busy: {holder} held the lease until {until}"),
        Ended::Halted { why } => format!("halted: {why}"),
        Ended::NoAuthority { why } => format!("nothing was done: {why}"),
    }
}

fn outcome(outcome: &Outcome) -> String {
    let (effect, answer) = (super::show::order(&outcome.effect.order), super::show::answer(&outcome.answer));
    shown(format_args!("operation {}: {effect}: {answer}", outcome.effect.op))
}

fn pool(at: Timestamp) -> impl Fn(&PoolReport) -> PoolAnswer {
    move |report| {
        let PoolReport { pool, counts, rules, targets, verdict, nodes: _, refused, wanted: _ } = report;
        let rule = |state: &RuleState| match state {
            RuleState::Waiting { left } => Some(*left),
            RuleState::NotCrossed | RuleState::Holds | RuleState::Unknown => None,
        };
        let holds = match verdict {
            Verdict::Hold(holds) => holds.as_slice(),
            Verdict::Grow { .. } | Verdict::Shrink { .. } => &[],
        };
        let holds = holds.iter().filter_map(|hold| Some((shown(hold), left(hold)?)));
        let mut waits: Vec<Wait> = holds.map(|(what, left)| Wait { what, until: at.after(left) }).collect();
        for report in rules {
            let until = rule(&report.state).map(|left| at.after(left));
            // A rule that holds a pool is named among its reasons already.
            let known = |until| waits.iter().any(|wait| wait.until == until);
            if let Some(until) = until.filter(|until| !known(*until)) {
                waits.push(Wait { what: shown(report), until });
            }
        }
        waits.sort_by_key(|wait| wait.until);
        PoolAnswer {
            pool: pool.clone(),
            verdict: shown(verdict),
            counts: shown(counts),
            rules: rules.iter().map(shown).chain(targets.iter().map(shown)).collect(),
            waits,
            refused: refused.iter().map(|(code, nodes)| shown(format_args!("{code} {nodes}"))).collect(),
        }
    }
}

/// How long a reason to hold lasts, where that is known.
fn left(hold: &Hold) -> Option<Span> {
    match hold {
        Hold::Waiting { left, .. }
        | Hold::Cooldown { left, .. }
        | Hold::NoOffering { left }
        | Hold::Rebuilt { left } => Some(*left),
        Hold::Paused { left, .. } => *left,
        Hold::Quiet
        | Hold::AtMax { .. }
        | Hold::AtMin { .. }
        | Hold::ActionOpen { .. }
        | Hold::AlreadyStarting { .. }
        | Hold::BoughtElsewhere
        | Hold::Unhealthy { .. }
        | Hold::Unseen { .. }
        | Hold::SignalMissing { .. }
        | Hold::PodsPending { .. }
        | Hold::Stabilising { .. }
        | Hold::ZonesFull { .. }
        | Hold::WouldGrowAgain { .. }
        | Hold::NoCandidate
        | Hold::LaunchesStopped { .. }
        | Hold::NeedsSurvey
        | Hold::StillEnding { .. }
        | Hold::RecordFull => None,
    }
}
