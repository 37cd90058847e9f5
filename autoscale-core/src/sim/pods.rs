//! A list of pods as the load: each is made and taken away at its time.

use std::sync::Arc;

use crate::data::view::Constraints;
use crate::memory::{Workload, WorkloadId, World};
use crate::words::{Extended, Resources, Span};

use super::net::{Item, Net};

/// One pod of a list, and when it lives.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PodSpan {
    /// Its name; it is the only pod of a Job of this name.
    pub name: String,
    /// What it asks for, `pods` being 1, and uses.
    pub requests: Resources,
    /// What it asks for beside.
    pub extended: Extended,
    /// What else it asks of its node.
    pub constraints: Constraints,
    /// When it is made, since the start of the run.
    pub created: Span,
    /// When it is taken away, since the start of the run; `None` is never.
    pub deleted: Option<Span>,
}

impl PodSpan {
    /// A pod of so many thousandths of a CPU and bytes of memory that is never taken away.
    pub fn new(name: impl Into<String>, cpu_milli: u64, memory: u64, created: Span) -> Self {
        Self {
            name: name.into(),
            requests: Resources::new(cpu_milli, memory, 1),
            extended: Extended::none(),
            constraints: Constraints::default(),
            created,
            deleted: None,
        }
    }

    fn workload(&self) -> Workload {
        let Self { name, requests, extended, constraints, created: _, deleted: _ } = self;
        let mut workload = Workload::new(name.clone(), 1, requests.cpu_milli, requests.memory)
            .with_constraints(constraints.clone())
            .with_usage_as_requested();
        (workload.requests, workload.extended) = (*requests, extended.clone());
        // Somebody makes it again when it was evicted.
        workload.kind = Some("Job".to_owned());
        workload
    }
}

/// What became of a list of pods.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct PodCounts {
    /// How many are in the list.
    pub listed: u64,
    /// How many of those were made before the run ended.
    pub made: u64,
    /// How many of those ever ran.
    pub ran: u64,
}

/// The list of a run.
#[derive(Debug)]
pub(super) struct List {
    pods: Arc<Vec<PodSpan>>,
    made: Vec<Option<WorkloadId>>,
}

impl List {
    /// Plans when each pod comes and goes.
    pub(super) fn new(pods: &Arc<Vec<PodSpan>>, net: &mut Net) -> Self {
        for (number, pod) in (0..).zip(pods.iter()) {
            net.plan(pod.created, Item::PodComes(number));
        }
        Self { pods: pods.clone(), made: vec![None; pods.len()] }
    }

    /// A pod is made, and its end planned.
    pub(super) fn comes(&mut self, number: u32, net: &mut Net) {
        let (Some(pod), Some(made)) = (self.pods.get(number as usize), self.made.get_mut(number as usize))
        else {
            return;
        };
        *made = Some(net.world.add_workload(pod.workload()));
        if let Some(deleted) = pod.deleted {
            net.plan(deleted.minus(pod.created), Item::PodEnds(number));
        }
    }

    /// A pod is taken away.
    pub(super) fn ends(&self, number: u32, world: &mut World) {
        if let Some(id) = self.made.get(number as usize).copied().flatten() {
            world.set_replicas(id, 0);
        }
    }

    pub(super) fn counts(&self, world: &World) -> PodCounts {
        let made = || self.made.iter().flatten().filter_map(|id| world.cluster.workload(id.0));
        PodCounts {
            listed: self.pods.len() as u64,
            made: made().count() as u64,
            ran: made().filter(|running| running.ran).count() as u64,
        }
    }
}
