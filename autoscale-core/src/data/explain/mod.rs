//! Why: every decision, and every decision not to act, as data first and text second.

mod finding;
mod hold;
mod show;

use serde::{Deserialize, Serialize};

use crate::data::order::{Offering, OpId};
use crate::data::record::RemoveWhy;
use crate::words::{ContentHash, Elapsed, InstanceId, PoolName, Timestamp};

pub use finding::{
    Counts, Direction, NodeReport, Observed, OpReport, PoolReport, RuleReport, RuleState, TargetReport,
    Verdict, Wanted,
};
pub use hold::{Held, Hold};

/// One thing that was decided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Buy an instance.
    Launch {
        /// The operation.
        op: OpId,
        /// For which pool.
        pool: PoolName,
        /// What is asked for first.
        offering: Offering,
        /// Whether it replaces a doomed instance.
        replaces: Option<InstanceId>,
    },
    /// Drain and end an instance.
    Remove {
        /// The operation.
        op: OpId,
        /// Of which pool.
        pool: PoolName,
        /// Whom.
        instance: InstanceId,
        /// Why.
        why: RemoveWhy,
    },
    /// Roll a removal back.
    Recall {
        /// The operation.
        op: OpId,
        /// Of which pool.
        pool: PoolName,
        /// Whom.
        instance: InstanceId,
    },
}

impl Action {
    /// The pool it is about.
    pub const fn pool(&self) -> &PoolName {
        match self {
            Self::Launch { pool, .. } | Self::Remove { pool, .. } | Self::Recall { pool, .. } => pool,
        }
    }
}

/// Everything about one decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The policy it was made under.
    pub policy: ContentHash,
    /// When, by the driver's wall clock.
    pub at: Timestamp,
    /// When, on the record's timeline.
    pub elapsed: Elapsed,
    /// What was decided now.
    pub actions: Vec<Action>,
    /// Each pool of the policy.
    pub pools: Vec<PoolReport>,
    /// Each open operation: where it stands and what it waits for.
    pub ops: Vec<OpReport>,
    /// What somebody should look at.
    pub alarms: Vec<String>,
}
