//! F4: the driver. Rounds of load, claim, observe, plan, store, perform, settle, store.

mod report;

use std::sync::Arc;

use crate::data::policy::Policy;
use crate::ports::{Clock, Drainer, Ids, MetricsSource, NodeProvider, StateStore};

pub use report::{Ended, Report, Round, Trigger};

/// Everything a driver talks to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ports {
    /// Where signals come from.
    pub metrics: Arc<dyn MetricsSource>,
    /// Where instances come from.
    pub nodes: Arc<dyn NodeProvider>,
    /// What schedules pods on nodes.
    pub drainer: Arc<dyn Drainer>,
    /// Where the record lives.
    pub store: Arc<dyn StateStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Names that nobody else has.
    pub ids: Arc<dyn Ids>,
}

impl Ports {
    /// All of them.
    pub fn new(
        metrics: Arc<dyn MetricsSource>,
        nodes: Arc<dyn NodeProvider>,
        drainer: Arc<dyn Drainer>,
        store: Arc<dyn StateStore>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self { metrics, nodes, drainer, store, clock, ids }
    }
}

/// Runs ticks.
#[derive(Clone, Debug)]
pub struct Driver {
    policy: Arc<Policy>,
    ports: Ports,
    scope: String,
}

impl Driver {
    /// A driver of one policy over the given ports.
    pub fn new(policy: Arc<Policy>, ports: Ports) -> Self {
        Self { policy, ports, scope: String::new() }
    }

    /// Names the account and region the provider works in; part of the record's fingerprint.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self
    }

    /// One tick.
    pub async fn tick(&self, _trigger: &Trigger) -> Report {
        Report::new(self.ports.clock.now(), Ended::Done)
    }
}
