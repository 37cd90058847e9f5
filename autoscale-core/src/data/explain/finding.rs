//! What was evaluated, what it saw, and when it would act.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Held, Hold};
use crate::data::order::OpId;
use crate::data::policy::Bound;
use crate::words::{Fixed, InstanceId, NodeName, PoolName, SignalName, Span, Unit};

/// Which way a rule scales.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Direction {
    /// More nodes.
    Up,
    /// Fewer nodes.
    Down,
}

/// A signal as a rule saw it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Observed {
    /// A fresh number.
    Fresh {
        /// In the signal's unit.
        value: Fixed,
        /// How old it is.
        age: Span,
    },
    /// A number too old to act on.
    Stale {
        /// In the signal's unit.
        value: Fixed,
        /// How old it is.
        age: Span,
    },
    /// No number.
    Missing {
        /// In words.
        why: String,
    },
}

/// Whether a rule holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RuleState {
    /// The threshold is not crossed.
    NotCrossed,
    /// It is crossed, not for long enough yet.
    Waiting {
        /// The rule holds after this.
        left: Span,
    },
    /// It has been crossed for long enough.
    Holds,
    /// The signal cannot be judged.
    Unknown,
}

/// One rule, evaluated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RuleReport {
    /// Which way it scales.
    pub direction: Direction,
    /// The signal; `pending_pods` for the rule over pending pods.
    pub signal: SignalName,
    /// The signal's unit.
    pub unit: Unit,
    /// The threshold.
    pub bound: Bound,
    /// For how long it has to be crossed.
    pub lasting: Span,
    /// What it saw.
    pub observed: Observed,
    /// What follows.
    pub state: RuleState,
}

/// One target, evaluated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TargetReport {
    /// The signal.
    pub signal: SignalName,
    /// The signal's unit.
    pub unit: Unit,
    /// The value that it is kept at.
    pub value: Fixed,
    /// What was seen.
    pub observed: Observed,
    /// How many nodes would keep it there; as many as there are while it is within the tolerance.
    pub wished: Option<u32>,
    /// The greatest number wished for within the window: the pool does not shrink below that.
    pub held: Option<u32>,
}

/// A pool's instances and nodes, counted as rule R9 says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// For `max`: everything alive, starting, or possibly bought.
    pub total: u32,
    /// For `min`: listed, Ready, schedulable, joined, and not on its way out.
    pub serving: u32,
    /// Bought or about to be, and not yet a Ready node.
    pub starting: u32,
    /// Named by an open removal or a notice.
    pub leaving: u32,
    /// Pods that wait for a node of this pool.
    pub pending_pods: u32,
}

/// How many instances a pool is to have, those on their way out not counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Wanted {
    /// As it is decided: what there is and is to stay, with what is bought now, without what is removed now.
    pub size: u32,
    /// As rules, targets, headroom and pending pods ask for it, before `min`, `max`, batches, zones, cooldowns, backoffs
    /// and everything else that holds. Pending pods are not sized while something holds every pool: then they do not count.
    /// What DaemonSets take of a new node may not be measured while the pool itself is held.
    pub raw: u32,
}

/// What is decided for a pool.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// Buy.
    Grow {
        /// So many.
        by: u32,
        /// What the rules asked for before any limit.
        wished: u32,
        /// Pods that stay pending because of a limit.
        left_pending: u32,
        /// In words.
        why: String,
    },
    /// Remove.
    Shrink {
        /// So many.
        by: u32,
        /// In words.
        why: String,
    },
    /// Leave it as it is, for these reasons.
    Hold(Vec<Hold>),
}

/// One node, judged as a candidate for removal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeReport {
    /// The instance.
    pub instance: InstanceId,
    /// Its node.
    pub node: Option<NodeName>,
    /// Why it may not go; empty when it may.
    pub held: Vec<Held>,
    /// Whether it was chosen.
    pub chosen: bool,
}

/// One pool of the policy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PoolReport {
    /// Its name.
    pub pool: PoolName,
    /// Its instances and nodes.
    pub counts: Counts,
    /// Its rules.
    pub rules: Vec<RuleReport>,
    /// Its targets.
    pub targets: Vec<TargetReport>,
    /// What is decided.
    pub verdict: Verdict,
    /// How many instances it is to have. It says nothing while the list or the survey was not seen completely.
    #[serde(default)]
    pub wanted: Wanted,
    /// Nodes judged for removal, in the order in which they would go; only while a removal is otherwise due, and the first
    /// 64.
    pub nodes: Vec<NodeReport>,
    /// How many nodes each reason holds back, by [`Held::code`].
    pub refused: BTreeMap<String, u32>,
}

/// One open operation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OpReport {
    /// Which.
    pub op: OpId,
    /// Of which pool.
    pub pool: PoolName,
    /// Where it stands and what comes next, in words.
    pub text: String,
}
