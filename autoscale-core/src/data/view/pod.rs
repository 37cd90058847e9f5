//! What runs on the nodes, and what waits for one. Facts only: the rules live in `logic`.

use serde::{Deserialize, Serialize};

use super::Constraints;
use crate::words::{Extended, NodeName, PodUid, Resources, Timestamp};

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
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
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
    /// What it asks for beside.
    pub extended: Extended,
    /// What else it asks of its node.
    pub constraints: Constraints,
    /// Its priority; a higher one is scheduled first.
    pub priority: i32,
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
    /// When its deletion ends, by the API server's clock, once it has begun.
    pub deleted_at: Option<Timestamp>,
    /// Since when the scheduler has found no node for it, by the API server's clock.
    pub unschedulable_since: Option<Timestamp>,
    /// Which of the view's budgets select it, as indices into [`ClusterView::budgets`](super::ClusterView::budgets).
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
            extended: Extended::none(),
            constraints: Constraints::default(),
            priority: 0,
            owner: None,
            mirror: false,
            system_critical: false,
            eviction: Eviction::Unsaid,
            storage: Storage::None,
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
