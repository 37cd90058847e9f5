//! Operations: the launch or the removal of one instance.

use serde::{Deserialize, Serialize};

use super::Mark;
use crate::data::order::{Offering, OpId, Refusal};
use crate::words::{Elapsed, HolderId, InstanceId, NodeName, NodeUid, PoolName, Timestamp, Token, Ver};

/// Why an action was begun.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// To change a pool's size. At most one such action is open.
    Scale,
    /// To replace doomed or dead instances; runs beside a scaling action.
    Replace,
}

/// One operation. Operations with the same `seq` are one action.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Op {
    /// The action.
    pub seq: u64,
    /// Which instance of the action.
    pub slot: u32,
    /// Why the action was begun.
    pub cause: Cause,
    /// The pool it belongs to.
    pub pool: PoolName,
    /// When it was begun.
    pub started: Elapsed,
    /// What it does.
    pub kind: OpKind,
}

/// What an operation does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OpKind {
    /// Buys one instance.
    Launch(Launch),
    /// Ends one instance.
    Remove(Remove),
}

/// One attempt to buy one instance: one token, one offering.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// What is asked for.
    pub offering: Offering,
    /// The name of the attempt.
    pub token: Token,
    /// The version that authorises the send now due; zero when none is.
    pub armed: Ver,
    /// Who was authorised last.
    pub sender: Option<HolderId>,
    /// When, on the record's timeline.
    pub sent_at: Option<Elapsed>,
    /// When, by the provider's clock; both have to be `D` ago before a clean ask.
    pub sent_wall: Option<Timestamp>,
    /// When it was authorised for the first time.
    pub first_sent: Option<Elapsed>,
    /// How many sends may still be under way: authorised since the last time that none was.
    pub asks: u32,
}

/// A launch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Launch {
    /// What is pinned for the whole operation, for the provider to read.
    pub pinned: String,
    /// The present attempt.
    pub attempt: Attempt,
    /// Earlier attempts, each with the definite refusal that allowed the next.
    pub earlier: Vec<(Attempt, Refusal)>,
    /// Where it stands.
    pub state: LaunchState,
}

/// Where a launch stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LaunchState {
    /// Not sent.
    Planned,
    /// Authorised to be sent, and not yet answered for certain.
    Sent,
    /// Unclear twice, or refused while another copy may be under way. Nobody sends until then; afterwards one clean ask
    /// with the same token.
    Cooling {
        /// On the record's timeline.
        until: Elapsed,
        /// The refusal, if there was one.
        refused: Option<Refusal>,
    },
    /// Refused for certain; the next attempt may follow.
    Refused {
        /// Why.
        why: Refusal,
    },
    /// Bought; it has to become a Ready node.
    Launched {
        /// What was bought.
        instance: InstanceId,
        /// Since when complete surveys have seen, without a gap, that it has not joined.
        unjoined: Option<Mark>,
    },
    /// It did not join, and must not be ended either. The pool's launches stop.
    Aside {
        /// What was bought.
        instance: InstanceId,
        /// Why it must not be ended.
        why: KeptAside,
    },
    /// It did not join and is being ended. Irrevocable.
    Terminating {
        /// What was bought.
        instance: InstanceId,
        /// Whether the cloud has accepted.
        accepted: bool,
        /// Since when complete listings have been without it.
        absent: Option<Mark>,
    },
    /// Bought and gone again before it joined, or never bought at all.
    Dead {
        /// In words.
        why: String,
    },
}

/// Why an instance that did not join is not ended.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeptAside {
    /// A node younger than the launch leads to no instance, and may be it. Watched anew once there is no such node.
    Stray {
        /// The node.
        node: NodeName,
    },
    /// The cloud refuses for good to end it.
    Denied {
        /// The missing permission or the protection.
        action: String,
    },
}

/// A removal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Remove {
    /// Whom.
    pub instance: InstanceId,
    /// Its node, if it has one.
    pub node: Option<(NodeName, NodeUid)>,
    /// Why.
    pub why: RemoveWhy,
    /// Until when the node has to be empty.
    pub deadline: Elapsed,
    /// Short hashes of the controllers whose pods it moves; their pending pods are our own doing (rule R16).
    pub displaced: Vec<u32>,
    /// Where it stands.
    pub state: RemoveState,
}

/// Why an instance is removed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RemoveWhy {
    /// The pool is larger than needed.
    Idle,
    /// The pool is above `max`.
    AboveMax,
    /// The cloud will take it.
    Interruption,
    /// The cloud recommends to move, and its replacement has joined.
    Rebalance,
    /// The cloud recommends to move, and the policy says to keep new pods away and wait. Not drained, not ended.
    CordonOnly,
    /// It joined too late or never became Ready.
    NeverReady,
    /// The cloud has already ended it; its Node object is left.
    Dead,
    /// A cordon of ours without an operation: to be taken back.
    Orphan,
}

/// Where a removal stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RemoveState {
    /// Nothing done yet.
    Planned,
    /// New pods are kept away; pods are asked to leave.
    Cordoned,
    /// Empty, and being ended. Irrevocable.
    Terminating {
        /// Whether the cloud has accepted.
        accepted: bool,
        /// Since when complete listings have been without it.
        absent: Option<Mark>,
        /// Whether it no longer stands in the way of other actions: its drain's time is over and pods have turned up that do
        /// not leave, because a person opened the node, and may need other nodes to leave for; or it was parked and is
        /// asked again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        waits: bool,
    },
    /// The instance is gone; its Node object is left.
    Gone,
    /// To be uncordoned.
    RollingBack {
        /// Why.
        why: Rollback,
        /// How many rounds have tried. From the second on it no longer stands in the way (rule R16).
        tries: u32,
    },
    /// The cloud refuses for good. Cordoned, counted for `max`, not for `min`.
    Parked {
        /// The missing permission or the protection.
        why: String,
    },
}

/// Why a removal is rolled back.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rollback {
    /// The node was not empty in time.
    Timeout,
    /// A pod turned up that may not be moved.
    Blocked {
        /// In words.
        why: String,
    },
    /// The capacity is needed again.
    Recalled,
    /// Somebody uncordoned the node.
    Uncordoned,
    /// Serving nodes would fall below `min`.
    BelowMin,
    /// The notice was withdrawn, or its instance lives on.
    Void,
    /// A cordon of ours that belongs to no operation.
    Orphan,
    /// The cordon was superseded by a later one.
    Superseded,
}

impl Op {
    /// Its name.
    pub const fn id(&self) -> OpId {
        OpId::new(self.seq, self.slot)
    }

    /// The instance it is about, once there is one.
    pub const fn instance(&self) -> Option<&InstanceId> {
        match &self.kind {
            OpKind::Remove(remove) => Some(&remove.instance),
            OpKind::Launch(launch) => launch.instance(),
        }
    }

    /// The launch, if it is one.
    pub const fn launch(&self) -> Option<&Launch> {
        match &self.kind {
            OpKind::Launch(launch) => Some(launch),
            OpKind::Remove(_) => None,
        }
    }

    /// The removal, if it is one.
    pub const fn remove(&self) -> Option<&Remove> {
        match &self.kind {
            OpKind::Remove(remove) => Some(remove),
            OpKind::Launch(_) => None,
        }
    }

    /// Whether it no longer stands in the way of other actions: parked, kept aside, a rollback that does not succeed, or an
    /// end that waits for pods.
    pub const fn is_set_aside(&self) -> bool {
        match &self.kind {
            OpKind::Remove(remove) => {
                matches!(
                    remove.state,
                    RemoveState::Parked { .. }
                        | RemoveState::RollingBack { tries: 2.., .. }
                        | RemoveState::Terminating { waits: true, .. }
                )
            }
            OpKind::Launch(launch) => matches!(launch.state, LaunchState::Aside { .. }),
        }
    }
}

impl Attempt {
    /// The first or next attempt of an operation, not sent yet.
    pub const fn new(number: u32, offering: Offering, token: Token) -> Self {
        Self {
            number,
            offering,
            token,
            armed: Ver::ZERO,
            sender: None,
            sent_at: None,
            sent_wall: None,
            first_sent: None,
            asks: 0,
        }
    }
}

impl Launch {
    /// The instance that was bought, once that is certain.
    pub const fn instance(&self) -> Option<&InstanceId> {
        match &self.state {
            LaunchState::Launched { instance, .. }
            | LaunchState::Aside { instance, .. }
            | LaunchState::Terminating { instance, .. } => Some(instance),
            LaunchState::Planned
            | LaunchState::Sent
            | LaunchState::Cooling { .. }
            | LaunchState::Refused { .. }
            | LaunchState::Dead { .. } => None,
        }
    }

    /// Whether it takes room below `max` for an instance of which nothing is known yet (rule R9): it is about to be
    /// bought, may have been, or was refused and the next attempt follows.
    pub const fn takes_room(&self) -> bool {
        matches!(
            self.state,
            LaunchState::Planned
                | LaunchState::Sent
                | LaunchState::Cooling { .. }
                | LaunchState::Refused { .. }
        )
    }
}

impl RemoveState {
    /// Whether there is no way back.
    pub const fn is_irrevocable(&self) -> bool {
        matches!(self, Self::Terminating { .. } | Self::Gone | Self::Parked { .. })
    }
}
