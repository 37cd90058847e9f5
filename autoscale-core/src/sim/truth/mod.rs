//! The invariants, checked on the world's ground truth, on the log of applied swaps and on the log of sent effects.
//! Nothing here looks at what a driver saw or concluded.

mod damage;
mod effect;
mod end;
mod land;
mod replay;
mod stored;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::data::order::OpId;
use crate::data::policy::Policy;
use crate::data::record::{Cause, Record, RemoveWhy};
use crate::data::view::{Reading, Sample, SignalQuery};
use crate::words::{Fnv128, InstanceId, Timestamp, Token, WriteId};

use super::report::{Checked, Violation};

/// Every invariant that a run checks; I16 is a test of its own.
///
/// R12 is the rule's "one replacement per doomed instance", counted: no more replacements than losses announced or real.
/// F39 is the fault row of hostile names: no raw character of one is in an explanation.
pub const INVARIANTS: [&str; 21] = [
    "I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "I12", "I13", "I14", "I15", "L1",
    "L2", "L3", "L4", "R12", "F39",
];

/// Most broken invariants that are told in full.
const MOST_TOLD: usize = 100;

/// The numbers that a process was told last.
type Samples = BTreeMap<SignalQuery, Reading>;

/// One process, as far as the invariants are about it.
#[derive(Debug, Default)]
struct Actor {
    /// The record of its last swap that it knows to be applied; none after an unclear one.
    authority: Option<Arc<Record>>,
    samples: Arc<Samples>,
    surveyed_at: Option<Timestamp>,
    was_frozen: bool,
    /// When its tick began: nothing leaves it later than the limit of a tick.
    started: Timestamp,
    /// Of another cluster.
    foreign: bool,
    /// Over or dead; its requests may still land.
    ended: bool,
}

/// When an operation was first stored, and the sizes its pool was allowed then.
#[derive(Clone, Copy, Debug)]
struct Began {
    at: Timestamp,
    min: u32,
    max: u32,
}

/// What really happened.
#[derive(Debug)]
pub(super) struct Truth {
    policy: Arc<Policy>,
    repeat: String,
    now: Timestamp,
    pub(super) checked: BTreeMap<&'static str, Checked>,
    pub(super) violations: Vec<Violation>,
    actors: BTreeMap<u32, Actor>,
    /// The record that is stored.
    pub(super) current: Option<Arc<Record>>,
    /// The names of the last writes.
    write_ids: BTreeSet<WriteId>,
    write_order: VecDeque<WriteId>,
    /// When each open operation was first stored.
    began: BTreeMap<OpId, Began>,
    /// Policies that were in force before, the newest last.
    former: Vec<Arc<Policy>>,
    wrong: damage::Wrong,
    /// Launch requests that may still land, by token.
    in_flight: BTreeMap<Token, u32>,
    /// Tokens to which the world gave a definite no.
    refused: BTreeSet<Token>,
    /// Those of which the world said that their instance has ended: no copy buys any more.
    spent: BTreeSet<Token>,
    causes: BTreeMap<Token, Cause>,
    reasons: BTreeMap<InstanceId, RemoveWhy>,
    /// What the sender of a swap had been told when it sent it.
    known: BTreeMap<WriteId, Arc<Samples>>,
    told_cordons: BTreeSet<(String, Timestamp)>,
    /// Since when pods have waited without any launch being asked for, while there was room.
    starving_since: Option<Timestamp>,
    /// Whether there is a node for every pod: not in a list of pods of which some fit nowhere.
    pub(super) seatable: bool,
    digest: Fnv128,
    reports: u64,
    surveys: u64,
    pub(super) scale_ups: u64,
    pub(super) scale_downs: u64,
    pub(super) replacements: u64,
}

impl Truth {
    /// `repeat` is the command that repeats the run.
    pub(super) fn new(policy: Arc<Policy>, repeat: String) -> Self {
        Self {
            policy,
            repeat,
            now: Timestamp::default(),
            checked: INVARIANTS.into_iter().map(|name| (name, Checked::default())).collect(),
            violations: Vec::new(),
            actors: BTreeMap::new(),
            current: None,
            write_ids: BTreeSet::new(),
            write_order: VecDeque::new(),
            began: BTreeMap::new(),
            former: Vec::new(),
            wrong: damage::Wrong::default(),
            in_flight: BTreeMap::new(),
            refused: BTreeSet::new(),
            spent: BTreeSet::new(),
            causes: BTreeMap::new(),
            reasons: BTreeMap::new(),
            known: BTreeMap::new(),
            told_cordons: BTreeSet::new(),
            starving_since: None,
            seatable: true,
            digest: Fnv128::default(),
            reports: 0,
            surveys: 0,
            scale_ups: 0,
            scale_downs: 0,
            replacements: 0,
        }
    }

    /// Counts one check, and tells of it when it is broken.
    pub(super) fn check(
        &mut self,
        invariant: &'static str,
        at: Timestamp,
        holds: bool,
        text: impl FnOnce() -> String,
    ) {
        let count = self.checked.entry(invariant).or_default();
        count.checked += 1;
        if holds {
            return;
        }
        count.broken += 1;
        if self.violations.len() < MOST_TOLD {
            let text = format!("{} | repeat with: {}", text(), self.repeat);
            self.violations.push(Violation { invariant, at, text });
        }
    }

    pub(super) const fn tick_to(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// A process begins.
    pub(super) fn on_start(&mut self, task: u32) {
        self.actors.insert(task, Actor { started: self.now, ..Actor::default() });
    }

    /// A process was stopped for a while.
    pub(super) fn on_freeze(&mut self, task: u32) {
        if let Some(actor) = self.actors.get_mut(&task) {
            actor.was_frozen = true;
        }
    }

    /// A process has ended or died; its requests may still land.
    pub(super) fn on_end(&mut self, task: u32) {
        if let Some(actor) = self.actors.get_mut(&task) {
            actor.authority = None;
            actor.samples = Arc::default();
            actor.ended = true;
        }
        // One that stands still for an hour while thousands come and go is still remembered.
        let mut surplus = self.actors.len().saturating_sub(1_000);
        if surplus > 0 {
            self.actors.retain(|_, actor| {
                let goes = actor.ended && surplus > 0;
                surplus -= usize::from(goes);
                !goes
            });
        }
    }

    /// A process was told these numbers.
    pub(super) fn on_samples(&mut self, task: u32, samples: &[Sample]) {
        if let Some(actor) = self.actors.get_mut(&task) {
            let known = Arc::make_mut(&mut actor.samples);
            for sample in samples {
                known.remove(&sample.query);
            }
            for sample in samples {
                let reading = match (known.get(&sample.query), &sample.reading) {
                    (Some(other), one) if other != one => {
                        Reading::Missing { why: "contradictory".to_owned() }
                    }
                    (_, Reading::Value { value, .. }) if *value < crate::words::Fixed::ZERO => {
                        Reading::Missing { why: "negative".to_owned() }
                    }
                    (_, reading) => reading.clone(),
                };
                known.insert(sample.query.clone(), reading);
            }
        }
    }

    /// When a process last looked at the cluster.
    pub(super) fn surveyed_at(&self, task: u32) -> Option<Timestamp> {
        self.actors.get(&task).and_then(|actor| actor.surveyed_at)
    }

    fn hash(&mut self, bytes: &[u8]) {
        self.digest = std::mem::take(&mut self.digest).with(bytes);
    }

    /// A hash over every byte stored and every effect sent.
    pub(super) fn digest(&self) -> String {
        format!("{:032x}", self.digest.clone().finish())
    }
}

#[cfg(test)]
mod tests;
