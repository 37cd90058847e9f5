//! What stands against a change: of a pool, and of a node's removal.

use serde::{Deserialize, Serialize};

use super::Direction;
use crate::words::{Fixed, Ratio, SignalName, Span, Unit, Zone};

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
    /// Nodes of this pool are on their way out and cannot be ended, or not yet: no further ones follow them.
    StillEnding {
        /// How many.
        nodes: u32,
    },
    /// The record has no room for another operation.
    RecordFull,
}

impl Hold {
    /// A short name that stays the same from version to version, for logs and metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Waiting { .. } => "waiting",
            Self::AtMax { .. } => "at_max",
            Self::AtMin { .. } => "at_min",
            Self::Cooldown { .. } => "cooldown",
            Self::ActionOpen { .. } => "action_open",
            Self::AlreadyStarting { .. } => "already_starting",
            Self::BoughtElsewhere => "bought_elsewhere",
            Self::Paused { .. } => "paused",
            Self::Unhealthy { .. } => "unhealthy",
            Self::Unseen { .. } => "unseen",
            Self::SignalMissing { .. } => "signal_missing",
            Self::PodsPending { .. } => "pods_pending",
            Self::Stabilising { .. } => "stabilising",
            Self::ZonesFull { .. } => "zones_full",
            Self::WouldGrowAgain { .. } => "would_grow_again",
            Self::NoCandidate => "no_candidate",
            Self::NoOffering { .. } => "no_offering",
            Self::Rebuilt { .. } => "rebuilt",
            Self::LaunchesStopped { .. } => "launches_stopped",
            Self::NeedsSurvey => "needs_survey",
            Self::StillEnding { .. } => "still_ending",
            Self::RecordFull => "record_full",
        }
    }
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
