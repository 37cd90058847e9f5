//! What a tick did.

use std::sync::Arc;

use crate::data::Ended;
use crate::data::explain::Explanation;
use crate::data::order::Outcome;
use crate::data::policy::Policy;
use crate::data::record::{IncomingNotice, Record};
use crate::data::view::View;
use crate::logic::Tick;
use crate::words::{Span, Timestamp};

/// What makes a tick run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Trigger {
    /// It is time.
    #[default]
    Schedule,
    /// The cloud announces something.
    Notices(Vec<IncomingNotice>),
}

/// One round of a tick.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Round {
    /// The record the decision was made on.
    pub before: Record,
    /// What was seen.
    pub view: View,
    /// What the tick brought to the decision. With `before`, `view` and the explanation's time, `plan` gives the same
    /// bytes again.
    pub tick: Tick,
    /// What was decided and why.
    pub explanation: Explanation,
    /// The record that was stored, if the decision changed it and the store applied it.
    pub stored: Option<Record>,
    /// What was done, and what is known of it.
    pub outcomes: Vec<Outcome>,
}

/// What a tick did.
#[derive(Clone, Debug)]
#[must_use = "a tick that stored no notices must be repeated"]
#[non_exhaustive]
pub struct Report {
    /// When it began, by the driver's wall clock.
    pub at: Timestamp,
    /// What it decided by.
    pub policy: Arc<Policy>,
    /// How it ended.
    pub ended: Ended,
    /// Its rounds.
    pub rounds: Vec<Round>,
    /// Whether every notice of the trigger is in the record, or needs no entry. If not, deliver them again.
    pub notices_stored: bool,
    /// The next tick is due after this at the latest; `None` leaves it to the policy's interval.
    pub wake_in: Option<Span>,
    /// What somebody should look at.
    pub alarms: Vec<String>,
    /// How long it took, by the driver's boot clock.
    pub took: Span,
    /// The newest record that it loaded or stored; `None` while there is none.
    pub record: Option<Record>,
}

impl Report {
    /// A tick that has only begun.
    pub const fn new(at: Timestamp, policy: Arc<Policy>, ended: Ended) -> Self {
        Self {
            at,
            policy,
            ended,
            rounds: Vec::new(),
            notices_stored: false,
            wake_in: None,
            alarms: Vec::new(),
            took: Span::ZERO,
            record: None,
        }
    }
}
