//! What must survive between ticks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::order::Offering;
use crate::words::{Elapsed, InstanceId, SignalName};

/// Since when something has been seen without a break.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mark {
    /// First seen.
    pub since: Elapsed,
    /// Last seen.
    pub last: Elapsed,
}

impl Mark {
    /// First seen now.
    pub const fn at(now: Elapsed) -> Self {
        Self { since: now, last: now }
    }
}

/// Something left alone for a while, for longer each time it fails again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Backoff {
    /// Until when.
    pub until: Elapsed,
    /// How often it has failed in a row.
    pub failures: u32,
}

/// The backoff of one offering.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OfferingBackoff {
    /// Which.
    pub offering: Offering,
    /// Until when.
    pub backoff: Backoff,
}

/// The backoff of one node whose removal failed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeBackoff {
    /// Which.
    pub instance: InstanceId,
    /// Until when.
    pub backoff: Backoff,
}

/// How many nodes a target has asked for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Wish {
    /// Whose target.
    pub signal: SignalName,
    /// When it was last asked for.
    pub at: Elapsed,
    /// How many.
    pub nodes: u32,
}

/// What must survive between ticks, for one pool.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PoolMarks {
    /// Since when each rule has held, by the rule's key. A changed rule has another key and starts anew.
    pub rules: BTreeMap<String, Mark>,
    /// When the last scale-up was finished.
    pub last_up: Option<Elapsed>,
    /// When the last scale-down was finished.
    pub last_down: Option<Elapsed>,
    /// Offerings that had no capacity, sorted.
    pub offerings: Vec<OfferingBackoff>,
    /// Nodes that could not be drained, the latest last; at most 64.
    pub nodes: Vec<NodeBackoff>,
    /// How many launches in a row did not join.
    pub failed_joins: u32,
    /// Whether an operator has declared that instances with only the worker tag are meant to be removed like others.
    #[serde(default)]
    pub adopted: bool,
    /// What targets have asked for within their windows: for each, ever fewer nodes, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wishes: Vec<Wish>,
}
