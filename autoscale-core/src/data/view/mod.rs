//! The view: everything seen in one round, and what could not be seen.

mod cluster;
mod constraint;
mod instance;
mod node;
mod pod;
mod sample;

use serde::{Deserialize, Serialize};

use crate::words::{NodeName, Timestamp};

pub use cluster::{Budget, ClusterView};
pub use constraint::{
    CORDON_TAINT, Constraints, Operator, Requirement, Spread, Taint, TaintEffect, Toleration,
};
pub use instance::{Instance, Listing, Ownership, Phase};
pub use node::{CordonMark, Node, Ready};
pub use pod::{Eviction, Owner, Pod, PodPhase, Storage};
pub use sample::{Reading, Sample, SignalQuery};

/// Something that was looked for: seen, or not seen and why. There is no empty list for a failure.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Seen<T> {
    /// It answered.
    Known(T),
    /// It did not.
    Unknown {
        /// In words, for the explanation.
        why: String,
    },
}

impl<T> Seen<T> {
    /// The value, if it was seen.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown { .. } => None,
        }
    }
}

/// How much of the cluster a survey has to cover. Nodes and pending pods always belong to it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scope {
    /// All nodes, and the pods that wait for one.
    #[default]
    Pending,
    /// All nodes, the pods that wait for one, and the pods on these nodes.
    Nodes(Vec<NodeName>),
    /// All nodes, all pods, all budgets.
    Everything,
}

impl Scope {
    /// Whether the pods on `node` belong to it.
    pub fn covers(&self, node: &NodeName) -> bool {
        match self {
            Self::Pending => false,
            Self::Nodes(nodes) => nodes.contains(node),
            Self::Everything => true,
        }
    }
}

/// Everything seen in one round.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct View {
    /// The driver's wall clock when everything had answered.
    pub now: Timestamp,
    /// What the cloud runs.
    pub instances: Seen<Listing>,
    /// What the orchestrator schedules on, and what waits.
    pub cluster: Seen<ClusterView>,
    /// One for each query, in the order of the queries.
    pub samples: Vec<Sample>,
}

impl View {
    /// Puts the parts together.
    pub const fn new(
        now: Timestamp,
        instances: Seen<Listing>,
        cluster: Seen<ClusterView>,
        samples: Vec<Sample>,
    ) -> Self {
        Self { now, instances, cluster, samples }
    }
}
