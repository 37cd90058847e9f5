//! Workloads: controllers that make pods, and budgets over them.

use std::collections::{BTreeSet, VecDeque};

use crate::data::view::{Eviction, Storage};
use crate::words::{Resources, Span};

/// A workload's number in its world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WorkloadId(pub(crate) u32);

/// Which pods a disruption budget keeps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Keep {
    /// At least so many are ready.
    MinAvailable(u32),
    /// At most so many are not.
    MaxUnavailable(u32),
}

/// A controller and its pods, as they are to be.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Workload {
    /// The pods' namespace.
    pub namespace: String,
    /// The controller's name.
    pub name: String,
    /// `ReplicaSet`, `StatefulSet` …; `None` makes pods that nobody makes again.
    pub kind: Option<String>,
    /// What each pod asks for; `pods` being 1.
    pub requests: Resources,
    /// How many pods.
    pub replicas: u32,
    /// Budgets over its pods. The eviction API refuses a pod that has two.
    pub budgets: Vec<Keep>,
    /// Whether its pods are of a system-critical priority.
    pub system_critical: bool,
    /// What the pods' annotations say about evicting them.
    pub eviction: Eviction,
    /// Whether the pods keep data on their node.
    pub storage: Storage,
    /// Whether the pods stay whatever taint their node has.
    pub tolerates_everything: bool,
    /// How much longer than others its pods take to end.
    pub grace: Span,
}

impl Workload {
    /// A ReplicaSet in the namespace `default`: so many pods of so many thousandths of a CPU and bytes of memory.
    pub fn new(name: impl Into<String>, replicas: u32, cpu_milli: u64, memory: u64) -> Self {
        Self {
            namespace: "default".to_owned(),
            name: name.into(),
            kind: Some("ReplicaSet".to_owned()),
            requests: Resources::new(cpu_milli, memory, 1),
            replicas,
            budgets: Vec::new(),
            system_critical: false,
            eviction: Eviction::Unsaid,
            storage: Storage::None,
            tolerates_everything: false,
            grace: Span::ZERO,
        }
    }

    /// Adds a disruption budget.
    #[must_use]
    pub fn with_budget(mut self, keep: Keep) -> Self {
        self.budgets.push(keep);
        self
    }
}

/// A workload as it is.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) spec: Workload,
    /// How many pods are wanted.
    pub(crate) desired: u32,
    /// Pods that are not being deleted.
    pub(crate) pods: BTreeSet<u64>,
    /// Of those, the ones without a node, oldest first.
    pub(crate) queue: VecDeque<u64>,
    /// Pods that run on a Ready node and are not being deleted.
    pub(crate) up: u32,
    /// What all of them together would use.
    pub(crate) demand_milli: u64,
}

impl Running {
    pub(crate) const fn new(spec: Workload) -> Self {
        Self {
            desired: spec.replicas,
            spec,
            pods: BTreeSet::new(),
            queue: VecDeque::new(),
            up: 0,
            demand_milli: 0,
        }
    }

    /// What one running pod uses: its share of the demand, at most a quarter more than it asks for.
    pub(crate) fn usage_milli(&self) -> u64 {
        let most = self.spec.requests.cpu_milli.saturating_mul(5) / 4;
        self.demand_milli.checked_div(u64::from(self.up)).map_or(0, |share| share.min(most))
    }

    /// How many of its pods this budget lets go now.
    pub(crate) fn allowed(&self, keep: Keep) -> i64 {
        let (up, desired) = (i64::from(self.up), i64::from(self.desired));
        match keep {
            Keep::MinAvailable(least) => up - i64::from(least),
            Keep::MaxUnavailable(most) => i64::from(most) - (desired - up).max(0),
        }
    }
}
