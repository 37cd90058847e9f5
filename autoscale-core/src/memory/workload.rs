//! Workloads: controllers that make pods, and budgets over them.

use std::collections::BTreeSet;

use crate::data::view::{Constraints, Eviction, Storage};
use crate::words::{Extended, Resources, Span};

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
    /// What each pod asks for beside.
    pub extended: Extended,
    /// What else each pod asks of its node.
    pub constraints: Constraints,
    /// The pods' priority; a higher one is scheduled first.
    pub priority: i32,
    /// How much longer than others its pods take to end.
    pub grace: Span,
    /// Whether each pod uses the CPU it asks for, whatever [`set_usage`](super::World::set_usage) says.
    pub uses_requests: bool,
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
            extended: Extended::none(),
            constraints: Constraints::default(),
            priority: 0,
            grace: Span::ZERO,
            uses_requests: false,
        }
    }

    /// Asks for an amount of an extended resource, like `nvidia.com/gpu`.
    #[must_use]
    pub fn with_extended(mut self, name: impl Into<String>, amount: u64) -> Self {
        self.extended = self.extended.with(name, amount);
        self
    }

    /// Sets what else each pod asks of its node.
    #[must_use]
    pub fn with_constraints(mut self, constraints: Constraints) -> Self {
        self.constraints = constraints;
        self
    }

    /// Sets the pods' priority.
    #[must_use]
    pub const fn with_priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Lets each pod use the CPU it asks for.
    #[must_use]
    pub const fn with_usage_as_requested(mut self) -> Self {
        self.uses_requests = true;
        self
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
    /// The line its waiting pods stand in.
    pub(super) line: u32,
    /// Whether one of its pods ever ran.
    pub(crate) ran: bool,
    /// Pods that are not being deleted.
    pub(crate) pods: BTreeSet<u64>,
    /// Of those, the ones without a node, oldest first.
    pub(crate) queue: BTreeSet<u64>,
    /// Pods that run on a Ready node and are not being deleted.
    pub(crate) up: u32,
    /// What all of them together would use.
    pub(crate) demand_milli: u64,
}

impl Running {
    /// A workload that wants no pods yet.
    pub(super) const fn new(spec: Workload, line: u32) -> Self {
        Self {
            desired: 0,
            spec,
            line,
            ran: false,
            pods: BTreeSet::new(),
            queue: BTreeSet::new(),
            up: 0,
            demand_milli: 0,
        }
    }

    /// What one running pod uses: its share of the demand, at most a quarter more than it asks for.
    pub(crate) fn usage_milli(&self) -> u64 {
        if self.spec.uses_requests {
            return self.spec.requests.cpu_milli;
        }
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
