//! The audit log's entries: what a tick saw, decided, refused, sent and was answered, by whom and under which policy.
//!
//! One entry is one line of JSON: a readable [`Head`], a `body` and a `sum`. The body is base64 of deflated JSON: what the tick
//! did, and its rounds, each as a difference ([`delta`]) to the round before, also across entries of one writer. A *full* entry
//! begins from nothing. The `sum` is the SHA-256 of everything before it in the line, and `prev` the sum of the line
//! that the writer wrote before: a chain for each writer. A writer's first line names the newest line it found.
//!
//! [`Writer`] makes lines, [`Reader`] checks and reads them; neither does any I/O. `logic::replay` decides an entry again,
//! `logic::Explainer` tells why.
//!
//! What the chain proves: no byte of a line can change, and no line can go from between two of its writer, without being
//! noticed. Lines cut off at the newest end, or at the oldest where rotation may have done it, leave no trace in what is
//! left: keep the newest sum elsewhere if that matters.

mod chain;
pub mod delta;
mod head;
mod line;
mod reader;
mod verdict;
mod writer;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::data::Ended;
use crate::data::explain::Explanation;
use crate::data::order::Outcome;
use crate::data::policy::Policy;
use crate::data::record::{IncomingNotice, Record};
use crate::data::view::View;
use crate::words::{HolderId, Span, Timestamp, WriteId};

pub use head::{Head, Kind, Sum};
pub use line::{Broken, Line, MAX_BODY, MAX_LINE, TORN};
pub use reader::{Read, Reader};
pub use writer::{FULL_EVERY, Writer};

/// The version of lines that this version writes, and the highest it reads.
pub const VERSION: u32 = 1;

/// What a tick brought to a decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Brought {
    /// The tick: who would hold the lease.
    pub holder: HolderId,
    /// The name of its next write.
    pub write_id: WriteId,
    /// How long a launch request signed before may still be accepted by the cloud.
    pub launch_delay: Span,
    /// Notices that came with the trigger.
    pub notices: Vec<IncomingNotice>,
}

impl Brought {
    /// What a tick brought.
    pub const fn new(
        holder: HolderId,
        write_id: WriteId,
        launch_delay: Span,
        notices: Vec<IncomingNotice>,
    ) -> Self {
        Self { holder, write_id, launch_delay, notices }
    }
}

/// One round of a tick: with the policy, `plan` gives the same explanation and the same next record again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Decided<'a> {
    /// The record the decision was made on.
    pub before: Cow<'a, Record>,
    /// What was seen.
    pub view: Cow<'a, View>,
    /// What the tick brought.
    pub brought: Brought,
    /// What was decided and why.
    pub explanation: Cow<'a, Explanation>,
    /// The record that was stored, if one was.
    pub stored: Option<Cow<'a, Record>>,
    /// What was sent, and what was answered.
    pub outcomes: Cow<'a, [Outcome]>,
}

impl<'a> Decided<'a> {
    /// A round, borrowed from where it was decided.
    pub const fn new(
        before: &'a Record,
        view: &'a View,
        brought: Brought,
        explanation: &'a Explanation,
        stored: Option<&'a Record>,
        outcomes: &'a [Outcome],
    ) -> Self {
        Self {
            before: Cow::Borrowed(before),
            view: Cow::Borrowed(view),
            brought,
            explanation: Cow::Borrowed(explanation),
            stored: match stored {
                Some(stored) => Some(Cow::Borrowed(stored)),
                None => None,
            },
            outcomes: Cow::Borrowed(outcomes),
        }
    }
}

/// One tick.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// When it began, by the driver's wall clock.
    pub at: Timestamp,
    /// What it decided by.
    pub policy: Cow<'a, Policy>,
    /// How it ended.
    pub ended: Ended,
    /// Its rounds.
    pub rounds: Vec<Decided<'a>>,
    /// Whether every notice of its trigger was stored or needs no entry.
    pub notices_stored: bool,
    /// The next tick was due after this at the latest.
    pub wake_in: Option<Span>,
    /// What somebody should look at.
    pub alarms: Vec<String>,
}

impl<'a> Entry<'a> {
    /// A tick that did nothing.
    pub const fn new(at: Timestamp, policy: &'a Policy, ended: Ended) -> Self {
        Self {
            at,
            policy: Cow::Borrowed(policy),
            ended,
            rounds: Vec::new(),
            notices_stored: false,
            wake_in: None,
            alarms: Vec::new(),
        }
    }

    /// The newest explanation, if a decision was made.
    pub fn explanation(&self) -> Option<&Explanation> {
        self.rounds.last().map(|round| &*round.explanation)
    }

    /// The tick that decided, if a decision was made.
    pub fn holder(&self) -> Option<&HolderId> {
        self.rounds.last().map(|round| &round.brought.holder)
    }

    /// Whether it did more than look: something was sent, or operations, notices or a pause changed in the record.
    pub fn is_act(&self) -> bool {
        let stored = |round: &Decided<'_>| {
            round.stored.as_ref().is_some_and(|stored| {
                let before = &round.before;
                (&stored.ops, &stored.notices, &stored.paused)
                    != (&before.ops, &before.notices, &before.paused)
            })
        };
        self.rounds.iter().any(|round| !round.outcomes.is_empty() || stored(round))
    }
}
