//! What can be asked of an audit log, and what an answer has.

use serde::Serialize;

use super::node::NodeAnswer;
use crate::words::{ContentHash, PoolName, Timestamp};

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Question {
    /// At which time; the newest entry if not said.
    pub at: Option<Timestamp>,
    /// About which pool; all if not said.
    pub pool: Option<PoolName>,
    /// About which node or instance.
    pub node: Option<String>,
    /// Whether only entries count in which something was decided to be done.
    pub acted: bool,
}

/// Why a question has no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// No entry is old enough.
    #[error("there is no entry at or before that time: the first is of {0}")]
    TooEarly(Timestamp),
    /// No entry at all.
    #[error("there is no entry")]
    Empty,
    /// In no entry anything was decided to be done.
    #[error("nothing was decided to be done")]
    NoAction,
    /// No entry has a decision.
    #[error("no decision was made until then: {0}")]
    NoDecision(String),
    /// The policy had no such pool.
    #[error("the policy of {at} has no pool {pool}: it has {there}")]
    NoPool {
        /// When.
        at: Timestamp,
        /// Which.
        pool: PoolName,
        /// Those it has.
        there: String,
    },
    /// No such node was seen.
    #[error("at {at} no node or instance \"{node}\" was seen, but {there}")]
    NoNode {
        /// When.
        at: Timestamp,
        /// Which.
        node: String,
        /// Some of those that were.
        there: String,
    },
}

/// For how long a verdict has stood.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Standing {
    /// When it was first recorded.
    pub since: Timestamp,
    /// In so many entries.
    pub entries: u64,
}

/// Something that is waited for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Wait {
    /// What, in words.
    pub what: String,
    /// Until when, if nothing changes.
    pub until: Timestamp,
}

/// One pool.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct PoolAnswer {
    /// Its name.
    pub pool: PoolName,
    /// What was decided, and why, in words.
    pub verdict: String,
    /// Its instances and nodes, in words.
    pub counts: String,
    /// Its rules and targets, with what they saw.
    pub rules: Vec<String>,
    /// What is waited for, the soonest first.
    pub waits: Vec<Wait>,
    /// How many nodes each reason holds back, where a removal was otherwise due.
    pub refused: Vec<String>,
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Answer {
    /// When the tick decided.
    pub at: Timestamp,
    /// The same for people.
    pub time: String,
    /// The cluster.
    pub cluster: String,
    /// The hash of the policy.
    pub policy: ContentHash,
    /// Which tick decided.
    pub holder: String,
    /// Whose entry it is, and the how many-th.
    pub entry: String,
    /// How the tick ended, where it was not as usual.
    pub ended: Option<String>,
    /// A later tick that made no decision, and why; the answer is of the newest that did.
    pub undecided: Option<String>,
    /// For how long the verdict had stood.
    pub standing: Standing,
    /// What was decided to be done.
    pub actions: Vec<String>,
    /// Each pool that was asked about.
    pub pools: Vec<PoolAnswer>,
    /// Each open operation: where it stands and what it waits for.
    pub operations: Vec<String>,
    /// What was sent, and what was answered.
    pub sent: Vec<String>,
    /// The node that was asked about.
    pub node: Option<NodeAnswer>,
    /// What somebody should look at.
    pub alarms: Vec<String>,
    /// When the next tick was due at the latest, if it was sooner than usual.
    pub next: Option<Timestamp>,
}
