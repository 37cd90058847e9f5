//! What the orchestrator schedules on, and what runs and waits there. Facts only: the rules live in `logic`.

use serde::{Deserialize, Serialize};

use super::Scope;
use crate::words::{Inc, NodeName, NodeUid, PodUid, PoolName, Resources, Timestamp, Ver, Zone};

/// Whether a node's kubelet says that it is ready.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ready {
    /// It does.
    Yes,
    /// It says that it is not, or is not heard of.
    No,
}

/// The mark our cordon leaves on a node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CordonMark {
    /// The record it was made under.
    pub inc: Inc,
    /// The action it belongs to.
    pub seq: u64,
}

impl CordonMark {
    /// The mark of an action.
    pub const fn new(inc: Inc, seq: u64) -> Self {
        Self { inc, seq }
    }
}

/// One node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// The uid of this Node object.
    pub uid: NodeUid,
    /// As the kubelet or the cloud controller set it.
    pub provider_id: Option<String>,
    /// Its internal address.
    pub address: Option<String>,
    /// From its label, for counting only.
    pub pool: Option<PoolName>,
    /// From its label.
    pub zone: Option<Zone>,
    /// Whether its kubelet is ready.
    pub ready: Ready,
    /// Whether new pods are kept away, by whomever.
    pub unschedulable: bool,
    /// Our mark, while it is cordoned by us.
    pub cordon: Option<CordonMark>,
    /// The highest stamp that a cordon or uncordon of ours left on it.
    pub stamp: Option<Ver>,
    /// Whether it carries the label or the taint of the control plane.
    pub control_plane: bool,
    /// Whether an annotation forbids to remove it.
    pub keep: bool,
    /// When the Node object was made, by the API server's clock.
    pub created_at: Timestamp,
    /// What it offers to pods.
    pub allocatable: Resources,
}

impl Node {
    /// A ready, schedulable node of which nothing else is known.
    pub const fn new(name: NodeName, uid: NodeUid, created_at: Timestamp, allocatable: Resources) -> Self {
        Self {
            name,
            uid,
            provider_id: None,
            address: None,
            pool: None,
            zone: None,
            ready: Ready::Yes,
            unschedulable: false,
            cordon: None,
            stamp: None,
            control_plane: false,
            keep: false,
            created_at,
            allocatable,
        }
    }
}

/// Where a pod is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PodPhase {
    /// Waits for a node, or starts on one.
    Pending,
    /// Runs.
    Running,
    /// Ended, well or badly; its containers will not run again.
    Finished,
}

/// Who makes a pod again when it is gone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Owner {
    /// `ReplicaSet`, `StatefulSet`, `DaemonSet`, `Job` …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Whether it still exists; `None` when that was not looked up.
    pub exists: Option<bool>,
}

impl Owner {
    /// A controller that exists.
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), name: name.into(), exists: Some(true) }
    }
}

/// What a pod's annotations say about evicting it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Eviction {
    /// Nothing.
    #[default]
    Unsaid,
    /// Cluster Autoscaler's `safe-to-evict: "true"`.
    Safe,
    /// Cluster Autoscaler's `safe-to-evict: "false"` or Karpenter's `do-not-disrupt: "true"`.
    Never,
}

/// Whether a pod keeps data on its node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Storage {
    /// It does not, or an annotation says that every such volume is safe to lose.
    #[default]
    None,
    /// A disk-backed `emptyDir`, a `hostPath` or a node-local volume.
    Local,
}

/// One pod.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Pod {
    /// Its uid.
    pub uid: PodUid,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where it is bound.
    pub node: Option<NodeName>,
    /// Where it is in its life.
    pub phase: PodPhase,
    /// What it asks for, `pods` being 1.
    pub requests: Resources,
    /// Its controller.
    pub owner: Option<Owner>,
    /// Whether it is a static pod, mirrored by the API server.
    pub mirror: bool,
    /// Whether its priority class is one of the system's critical ones.
    pub system_critical: bool,
    /// What its annotations say.
    pub eviction: Eviction,
    /// Whether it keeps data on its node.
    pub storage: Storage,
    /// Whether it tolerates every taint, so that a cordon does not keep it away.
    pub tolerates_everything: bool,
    /// When its deletion ends, by the API server's clock, once it has begun.
    pub deleted_at: Option<Timestamp>,
    /// Since when the scheduler has found no node for it, by the API server's clock.
    pub unschedulable_since: Option<Timestamp>,
    /// Which of the view's budgets select it, as indices into [`ClusterView::budgets`].
    pub budgets: Vec<u32>,
}

impl Pod {
    /// A pod that waits for a node, of which nothing else is known.
    pub fn new(
        uid: PodUid,
        namespace: impl Into<String>,
        name: impl Into<String>,
        requests: Resources,
    ) -> Self {
        Self {
            uid,
            namespace: namespace.into(),
            name: name.into(),
            node: None,
            phase: PodPhase::Pending,
            requests,
            owner: None,
            mirror: false,
            system_critical: false,
            eviction: Eviction::Unsaid,
            storage: Storage::None,
            tolerates_everything: false,
            deleted_at: None,
            unschedulable_since: None,
            budgets: Vec::new(),
        }
    }

    /// Whether it is of a DaemonSet, and so neither moves nor holds a node back.
    pub fn is_daemon(&self) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.kind == "DaemonSet")
    }

    /// `namespace/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// One disruption budget.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Budget {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How many of its pods may be evicted now; less than zero counts as zero.
    pub disruptions_allowed: i64,
}

impl Budget {
    /// A budget.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>, disruptions_allowed: i64) -> Self {
        Self { namespace: namespace.into(), name: name.into(), disruptions_allowed }
    }
}

/// The answer to one survey.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClusterView {
    /// As old as its oldest part, by the API server's clock where it tells it: compared with the times of nodes and pods.
    pub at: Timestamp,
    /// Whether everything in its scope was read.
    pub complete: bool,
    /// What it covers.
    pub scope: Scope,
    /// All nodes, in any order.
    pub nodes: Vec<Node>,
    /// The pods of the scope, in any order; pods that wait for a node always belong to it.
    pub pods: Vec<Pod>,
    /// The budgets that the pods point to.
    pub budgets: Vec<Budget>,
}

impl ClusterView {
    /// A complete survey of nothing yet.
    pub const fn new(at: Timestamp, scope: Scope) -> Self {
        Self { at, complete: true, scope, nodes: Vec::new(), pods: Vec::new(), budgets: Vec::new() }
    }
}
