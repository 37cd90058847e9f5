//! What was evaluated, what it saw, and when it would act.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::order::OpId;
use crate::data::policy::Bound;
use crate::words::{Fixed, InstanceId, NodeName, PoolName, Ratio, SignalName, Span, Unit, Zone};

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

/// Why a pool does not change now.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Hold {
    /// No rule asks for a change.
    Quiet,
    /// A rule is on its way to ask for one.
    Waiting {
        /// Which way.
        direction: Direction,
        /// Over which signal.
        signal: SignalName,
        /// The soonest.
        left: Span,
    },
    /// It may not grow further.
    AtMax {
        /// The limit.
        max: u32,
    },
    /// It may not shrink further.
    AtMin {
        /// The limit.
        min: u32,
    },
    /// The last action is too recent.
    Cooldown {
        /// Which way.
        direction: Direction,
        /// How long yet.
        left: Span,
    },
    /// Another action is open.
    ActionOpen {
        /// Its number.
        seq: u64,
    },
    /// Launched nodes that have not joined will take the load.
    AlreadyStarting {
        /// How many.
        nodes: u32,
    },
    /// Nodes of other pools, bought or on their way, will hold the pods that wait.
    BoughtElsewhere,
    /// Somebody paused it.
    Paused {
        /// Who.
        who: String,
        /// Why.
        why: String,
        /// How long yet; `None` until resumed.
        left: Option<Span>,
    },
    /// Too much of the cluster is unready.
    Unhealthy {
        /// So many.
        unready: u32,
        /// Of so many.
        nodes: u32,
        /// Tolerated in any case.
        tolerated: u32,
        /// Tolerated share.
        ratio: Ratio,
    },
    /// Something could not be seen.
    Unseen {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
    /// A signal of a down-rule cannot be judged.
    SignalMissing {
        /// Which.
        signal: SignalName,
        /// Why.
        why: String,
    },
    /// Pods wait for a node.
    PodsPending {
        /// How many.
        pods: u32,
    },
    /// A target has asked for so many nodes within its window.
    Stabilising {
        /// How many.
        nodes: u32,
    },
    /// Every zone has as many nodes as it may have.
    ZonesFull {
        /// The limit of each.
        most: u32,
    },
    /// After the removal an up-rule would act.
    WouldGrowAgain {
        /// Over which signal.
        signal: SignalName,
        /// The value it would then have.
        projected: Fixed,
        /// The signal's unit.
        unit: Unit,
    },
    /// No node may go. The nodes' own reasons are beside it.
    NoCandidate,
    /// Every offering is backed off.
    NoOffering {
        /// How long until the first is tried again.
        left: Span,
    },
    /// A record was lost and made anew; nothing is launched or removed for a while.
    Rebuilt {
        /// How long yet.
        left: Span,
    },
    /// Launches of this pool do not join; no more are made until that is looked at, or the pause is over.
    LaunchesStopped {
        /// In words.
        why: String,
    },
    /// The survey did not cover the pods of every node; the next one, which follows at once, does.
    NeedsSurvey,
    /// The record has no room for another operation.
    RecordFull,
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

/// Why a node may not go.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Held {
    /// It is, or may be, part of the control plane.
    ControlPlane,
    /// It is not ours to remove.
    NotOurs,
    /// It is protected, by a termination protection or an annotation.
    Protected,
    /// It was launched a moment ago.
    JustLaunched,
    /// It is being removed already.
    InProgress,
    /// It has not joined as a node, or more than one node claims it.
    NotJoined,
    /// Somebody else cordoned it.
    CordonedByOthers,
    /// The last in its zone while another zone has two more.
    LastInZone {
        /// Its zone.
        zone: Zone,
    },
    /// A removal failed a moment ago.
    Backoff {
        /// How long yet.
        left: Span,
    },
    /// A pod that nobody would make again.
    NoController {
        /// The pod.
        pod: String,
    },
    /// A pod whose controller is gone.
    ControllerGone {
        /// The pod.
        pod: String,
    },
    /// A pod of system-critical priority.
    SystemCritical {
        /// The pod.
        pod: String,
    },
    /// A `kube-system` pod that is not of a DaemonSet.
    SystemPod {
        /// The pod.
        pod: String,
    },
    /// A pod that keeps data on the node.
    LocalStorage {
        /// The pod.
        pod: String,
    },
    /// An annotation forbids it.
    DoNotEvict {
        /// The pod.
        pod: String,
    },
    /// A budget has no disruption left.
    NoDisruptionLeft {
        /// The pod.
        pod: String,
        /// The budget.
        budget: String,
    },
    /// Two budgets on one pod: the eviction API refuses that.
    TwoBudgets {
        /// The pod.
        pod: String,
    },
    /// A pod that a cordon does not keep away.
    ToleratesEverything {
        /// The pod.
        pod: String,
    },
    /// A pod with rules of a kind that this library does not judge.
    Unjudged {
        /// The pod.
        pod: String,
        /// Which rules, in words.
        why: String,
    },
    /// Its pods ask for more than the policy's share of what it offers.
    Busy {
        /// The share of CPU or memory that they ask for, the greater one.
        used: Fixed,
    },
    /// It offers no CPU or no memory: nobody can say how much of it is used.
    NothingAllocatable,
    /// Without it less room would be spare than the policy's headroom.
    Headroom,
    /// A pod that is not sure to find another node, whatever the scheduler does.
    NowhereToGo {
        /// The pod.
        pod: String,
    },
    /// The pods on it were not surveyed.
    NotSurveyed,
}

impl Held {
    /// A short name that stays the same from version to version, for metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ControlPlane => "control_plane",
            Self::NotOurs => "not_ours",
            Self::Protected => "protected",
            Self::JustLaunched => "just_launched",
            Self::InProgress => "in_progress",
            Self::NotJoined => "not_joined",
            Self::CordonedByOthers => "cordoned_by_others",
            Self::LastInZone { .. } => "last_in_zone",
            Self::Backoff { .. } => "backoff",
            Self::NoController { .. } => "no_controller",
            Self::ControllerGone { .. } => "controller_gone",
            Self::SystemCritical { .. } => "system_critical",
            Self::SystemPod { .. } => "system_pod",
            Self::LocalStorage { .. } => "local_storage",
            Self::DoNotEvict { .. } => "do_not_evict",
            Self::NoDisruptionLeft { .. } => "no_disruption_left",
            Self::TwoBudgets { .. } => "two_budgets",
            Self::ToleratesEverything { .. } => "tolerates_everything",
            Self::Unjudged { .. } => "unjudged",
            Self::Busy { .. } => "busy",
            Self::NothingAllocatable => "nothing_allocatable",
            Self::Headroom => "headroom",
            Self::NowhereToGo { .. } => "nowhere_to_go",
            Self::NotSurveyed => "not_surveyed",
        }
    }
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
