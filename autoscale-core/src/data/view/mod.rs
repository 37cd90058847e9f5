//! The view: everything seen in one round, and what could not be seen.

mod classes;
mod cluster;
mod constraint;
mod instance;
mod join;
mod node;
mod pod;
mod reduce;
mod sample;
mod shared;
mod sites;
mod wire;

use serde::{Deserialize, Serialize};

use crate::words::{NodeName, Timestamp, TokenParts};
use join::Join;
use shared::Shared;

pub use classes::{Cluster, PodClass, PodName, Seat, Stage};
pub use cluster::{Budget, ClusterView};
pub use constraint::{
    CORDON_TAINT, Constraints, Operator, Requirement, Spread, Taint, TaintEffect, Toleration,
};
pub use instance::{Instance, Listing, Ownership, Phase};
pub(crate) use join::{plain_id, provider_paths};
pub(crate) use node::ZONE_LABEL;
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

/// Everything seen in one round, in the form that decisions are made on: sorted, joined, and pods by class.
///
/// The same answers in any order give the same view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct View {
    now: Timestamp,
    instances: Seen<Listing>,
    cluster: Seen<Cluster>,
    samples: Vec<Sample>,
    join: Join,
    /// What the launch token of each instance says, if it is one of ours.
    tokens: Vec<Option<TokenParts>>,
}

impl View {
    /// Puts the parts together: sorts the list, reduces the survey, joins nodes with instances.
    pub fn new(
        now: Timestamp,
        instances: Seen<Listing>,
        cluster: Seen<ClusterView>,
        samples: Vec<Sample>,
    ) -> Self {
        let instances = match instances {
            Seen::Known(listing) => Seen::Known(listing.sorted()),
            Seen::Unknown { why } => Seen::Unknown { why },
        };
        let cluster = match cluster {
            Seen::Known(survey) => Seen::Known(Cluster::of(survey)),
            Seen::Unknown { why } => Seen::Unknown { why },
        };
        let join = Join::of(instances.known(), cluster.known());
        let tokens = instances.known().map(tokens).unwrap_or_default();
        Self { now, instances, cluster, samples, join, tokens }
    }

    /// What the launch token of each instance of ours says that has one, and where the instance stands.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = (usize, &TokenParts)> {
        self.tokens.iter().enumerate().filter_map(|(at, parts)| Some((at, parts.as_ref()?)))
    }

    /// The driver's wall clock when everything had answered.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// What the cloud runs, by id, each once.
    pub const fn instances(&self) -> &Seen<Listing> {
        &self.instances
    }

    /// What the orchestrator schedules on, and what runs and waits there.
    pub const fn cluster(&self) -> &Seen<Cluster> {
        &self.cluster
    }

    /// One for each query, in the order of the queries.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Where the one node stands that leads to the instance at an index, and to no other.
    pub fn node_of(&self, instance: usize) -> Option<usize> {
        self.join.node_of(instance)
    }

    /// Where the instance stands that the node at an index leads to, if no other node does.
    pub fn instance_of(&self, node: usize) -> Option<usize> {
        self.join.instance_of(node)
    }
}

fn tokens(listing: &Listing) -> Vec<Option<TokenParts>> {
    let mut incs = Shared::new();
    let parts = |instance: &Instance| {
        let token = instance.token.as_ref().filter(|_| instance.ownership == Ownership::Ours)?;
        let mut parts = token.parts()?;
        incs.share(&mut parts.inc);
        Some(parts)
    };
    listing.instances.iter().map(parts).collect()
}
