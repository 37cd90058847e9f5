//! Signals: what is asked for and what comes back.

use serde::{Deserialize, Serialize};

use crate::words::{Fixed, PoolName, SignalName, Span};

/// A question to a metrics source: one signal of one pool.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SignalQuery {
    /// The pool it is about.
    pub pool: PoolName,
    /// The signal.
    pub signal: SignalName,
}

impl SignalQuery {
    /// One signal of one pool.
    pub const fn new(pool: PoolName, signal: SignalName) -> Self {
        Self { pool, signal }
    }
}

/// What came back.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reading {
    /// A number.
    Value {
        /// In the signal's unit.
        value: Fixed,
        /// How old it is. Whether that is stale is decided by the policy.
        age: Span,
    },
    /// The source answered, and has no such number: an empty result, NaN, contradictory series.
    Missing {
        /// In words.
        why: String,
    },
    /// The source did not answer.
    Failed {
        /// In words.
        why: String,
    },
}

/// The answer to one query.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sample {
    /// What was asked.
    pub query: SignalQuery,
    /// What came back.
    pub reading: Reading,
}

impl Sample {
    /// An answer to one query.
    pub const fn new(query: SignalQuery, reading: Reading) -> Self {
        Self { query, reading }
    }
}
