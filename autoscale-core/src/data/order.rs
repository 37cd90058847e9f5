//! Effects and the orders they send: every parameter pinned, no choice left to whoever carries them out.
//!
//! A `not_after` is not kept when an order is serialised: it means nothing outside the process that made it.

use serde::{Deserialize, Serialize};

use crate::data::policy::Purchase;
use crate::data::view::CordonMark;
use crate::words::{
    ClusterId, Deadline, InstanceId, NodeName, NodeUid, PodUid, PoolName, ShapeName, Token, Ver, Zone,
};

/// What a launch asks for. Capacity errors are remembered for each.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Offering {
    /// Where.
    pub zone: Zone,
    /// How it is bought.
    pub purchase: Purchase,
    /// Which machine type.
    pub shape: ShapeName,
}

impl Offering {
    /// A zone, a way to buy, a machine type.
    pub const fn new(zone: Zone, purchase: Purchase, shape: ShapeName) -> Self {
        Self { zone, purchase, shape }
    }
}

impl std::fmt::Display for Offering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} in {}", self.purchase, self.shape, self.zone)
    }
}

/// Buy one instance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LaunchOrder {
    /// The cluster, for the tag.
    pub cluster: ClusterId,
    /// The pool, for the tag.
    pub pool: PoolName,
    /// What to buy.
    pub offering: Offering,
    /// The name of this attempt: the same token buys the same instance.
    pub token: Token,
    /// What was pinned when the operation began, for the provider to read: a template's version, an image.
    pub pinned: String,
    /// Not sent after this reading of the boot clock (rule R8).
    #[serde(skip)]
    pub not_after: Deadline,
}

impl LaunchOrder {
    /// To buy one instance of a pool under a token, pinned to that; sent at any time.
    pub fn new(
        cluster: ClusterId,
        pool: PoolName,
        offering: Offering,
        token: Token,
        pinned: impl Into<String>,
    ) -> Self {
        Self { cluster, pool, offering, token, pinned: pinned.into(), not_after: Deadline::NEVER }
    }
}

/// End one instance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TerminateOrder {
    /// The cluster its tags must name.
    pub cluster: ClusterId,
    /// Which one.
    pub instance: InstanceId,
    /// Not sent after this reading of the boot clock.
    #[serde(skip)]
    pub not_after: Deadline,
}

impl TerminateOrder {
    /// To end an instance of that cluster; sent at any time.
    pub const fn new(cluster: ClusterId, instance: InstanceId) -> Self {
        Self { cluster, instance, not_after: Deadline::NEVER }
    }
}

/// Keep new pods away from a node, or let them come again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CordonOrder {
    /// The node.
    pub node: NodeName,
    /// The uid it must have.
    pub node_uid: NodeUid,
    /// The authorising version. A node that carries a higher one is left as it is (rule R5).
    pub stamp: Ver,
    /// The mark to leave; an uncordon takes it away.
    pub mark: CordonMark,
    /// Not sent after this reading of the boot clock.
    #[serde(skip)]
    pub not_after: Deadline,
}

impl CordonOrder {
    /// To leave this mark, or to take it away, under this version; sent at any time.
    pub const fn new(node: NodeName, node_uid: NodeUid, stamp: Ver, mark: CordonMark) -> Self {
        Self { node, node_uid, stamp, mark, not_after: Deadline::NEVER }
    }
}

/// One pod to evict.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PodRef {
    /// The uid it must have.
    pub uid: PodUid,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl PodRef {
    /// A pod by uid, namespace and name.
    pub fn new(uid: PodUid, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { uid, namespace: namespace.into(), name: name.into() }
    }
}

/// Ask these pods to leave, once, without waiting.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EvictOrder {
    /// The node they are on.
    pub node: NodeName,
    /// Which pods, in the order to ask them.
    pub pods: Vec<PodRef>,
    /// Not sent after this reading of the boot clock.
    #[serde(skip)]
    pub not_after: Deadline,
}

impl EvictOrder {
    /// To ask these pods of a node; sent at any time.
    pub const fn new(node: NodeName, pods: Vec<PodRef>) -> Self {
        Self { node, pods, not_after: Deadline::NEVER }
    }
}

/// Delete the Node object of an instance that is gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ForgetOrder {
    /// The node.
    pub node: NodeName,
    /// The uid it must have.
    pub node_uid: NodeUid,
    /// Not sent after this reading of the boot clock.
    #[serde(skip)]
    pub not_after: Deadline,
}

impl ForgetOrder {
    /// The Node object of that name, if it has that uid; sent at any time.
    pub const fn new(node: NodeName, node_uid: NodeUid) -> Self {
        Self { node, node_uid, not_after: Deadline::NEVER }
    }
}

/// Why one pod did not leave.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Blocker {
    /// A budget has no disruption left.
    Budget {
        /// Its name, where the answer says it.
        name: Option<String>,
    },
    /// The API server asks to slow down.
    Throttled,
    /// Anything else that may pass.
    Other {
        /// In words.
        why: String,
    },
}

/// What became of one eviction pass.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EvictPass {
    /// Asked and accepted: on their way out.
    pub accepted: Vec<PodUid>,
    /// Not there any more, or another pod under the same name.
    pub gone: Vec<PodUid>,
    /// Refused for now.
    pub blocked: Vec<(PodUid, Blocker)>,
}

/// What became of a cordon or uncordon.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cordoned {
    /// The node is as ordered.
    Done,
    /// The node carries a higher stamp and was left as it is.
    Superseded,
    /// There is no such node, or it has another uid.
    Gone,
}

/// The answer to a launch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Launched {
    /// The instance that the token names.
    pub instance: InstanceId,
}

impl Launched {
    /// The instance that the token names.
    pub const fn new(instance: InstanceId) -> Self {
        Self { instance }
    }
}

/// Which operation an effect belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OpId {
    /// The action.
    pub seq: u64,
    /// The instance of the action.
    pub slot: u32,
}

impl OpId {
    /// An action and a slot.
    pub const fn new(seq: u64, slot: u32) -> Self {
        Self { seq, slot }
    }
}

impl std::fmt::Display for OpId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.seq, self.slot)
    }
}

/// One thing to do to the world, authorised by a stored record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Effect {
    /// For which operation.
    pub op: OpId,
    /// What.
    pub order: Order,
}

/// What an effect does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Order {
    /// Buy one instance.
    Launch(LaunchOrder),
    /// End one instance.
    Terminate(TerminateOrder),
    /// Keep new pods away.
    Cordon(CordonOrder),
    /// Let pods come again.
    Uncordon(CordonOrder),
    /// Ask pods to leave.
    Evict(EvictOrder),
    /// Delete the Node object.
    Forget(ForgetOrder),
}

/// What is known after an effect was tried.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Answer {
    /// The instance was bought, now or before.
    Launched(Launched),
    /// The instance is ended or being ended, or was gone already.
    Terminating,
    /// The node is as ordered, or was not.
    Cordoned(Cordoned),
    /// What became of the pods.
    Evicted(EvictPass),
    /// The Node object is gone.
    Forgotten,
    /// A definite no: nothing was done, and a copy of this request would not do it either.
    Refused(Refusal),
    /// It never left this process.
    NotSent {
        /// In words.
        why: String,
    },
    /// It may have been done, or may yet be.
    Unclear {
        /// In words.
        why: String,
    },
}

/// Why the answer was a definite no.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// The offering has no capacity, or a quota is used up.
    NoCapacity {
        /// In words.
        why: String,
    },
    /// Asked too often; nothing was done.
    Throttled,
    /// A permission is missing, or a protection is on.
    Denied {
        /// The missing action or the protection.
        action: String,
    },
    /// The request itself is wrong.
    Invalid {
        /// In words.
        why: String,
    },
    /// The token was used for an instance that is gone (`IdempotentInstanceTerminated`).
    TokenSpent,
    /// The token was used with other parameters (`IdempotentParameterMismatch`).
    TokenMismatch,
}

/// An effect and what became of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outcome {
    /// What was tried.
    pub effect: Effect,
    /// What is known.
    pub answer: Answer,
}

impl Outcome {
    /// An effect and its answer.
    pub const fn new(effect: Effect, answer: Answer) -> Self {
        Self { effect, answer }
    }
}
