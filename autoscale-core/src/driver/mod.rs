//! F4: the driver. Rounds of load, claim, observe, plan, store, perform, settle, store.

#[cfg(feature = "audit")]
mod audit;
#[cfg_attr(
    not(all(feature = "tracing", feature = "metrics")),
    allow(dead_code, reason = "each feature uses some of them")
)]
mod codes;
#[cfg(feature = "audit")]
mod explain;
mod joined;
#[cfg(feature = "metrics")]
pub mod measures;
mod observe;
mod operate;
mod perform;
mod report;
#[cfg(feature = "tokio")]
mod run;
mod seal;
mod store;
#[cfg(not(feature = "tracing"))]
#[path = "traces/silent.rs"]
mod tell;
mod tick;
#[cfg(feature = "tracing")]
pub mod traces;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::data::policy::Policy;
use crate::data::record::Record;
use crate::ports::{Clock, Drainer, Ids, MetricsSource, NodeProvider, StateStore};
use crate::words::{Inc, Span, Ver};

pub use crate::data::Ended;
#[cfg(feature = "audit")]
pub use audit::{AuditFailed, Auditor, Recorded};
#[cfg(feature = "audit")]
pub use explain::{ExplainFailed, explain};
pub use joined::{Answers, JoinedMetrics, JoinedMetricsBuilder};
#[cfg(feature = "metrics")]
pub use measures::MetricsObserver;
pub use operate::OperatorError;
pub use report::{Report, Round, Trigger};
#[cfg(feature = "tokio")]
pub use run::{RunOptions, SystemClock, run};
pub use seal::{Unreadable, open, seal};
#[cfg(feature = "tracing")]
use traces::tell;

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

/// Runs ticks. Cheap to clone; clones share being parked.
#[derive(Clone, Debug)]
pub struct Driver {
    policy: Arc<Policy>,
    ports: Ports,
    scope: String,
    launch_delay: Span,
    parked: Arc<AtomicBool>,
    /// The newest record that this process has seen.
    newest: Arc<Mutex<Option<(Inc, Ver)>>>,
}

impl Driver {
    /// A driver of one policy over the given ports, with EC2's launch delay of 7 minutes.
    pub fn new(policy: Arc<Policy>, ports: Ports) -> Self {
        let launch_delay = Span::from_mins(7);
        Self {
            policy,
            ports,
            scope: String::new(),
            launch_delay,
            parked: Arc::default(),
            newest: Arc::default(),
        }
    }

    /// Names the account and region the provider works in; part of the record's fingerprint.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self
    }

    /// For how long the cloud may still accept a launch request that was signed before (rule R7): 7 minutes for EC2,
    /// zero where the machine's name makes it unique.
    #[must_use]
    pub const fn with_launch_delay(mut self, delay: Span) -> Self {
        self.launch_delay = delay;
        self
    }

    /// The policy.
    pub const fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// One tick. It ends within the policy's limit, whatever the ports do.
    ///
    /// Dropping the future at any point is safe: the next tick takes over from the record.
    pub async fn tick(&self, trigger: &Trigger) -> Report {
        tick::Ticking::new(self, trigger).told(trigger).await
    }

    /// Lets the tick under way end early: no further effects are sent, its lease is given back. Later ticks decide and
    /// store, and send nothing either.
    pub fn park(&self) {
        self.parked.store(true, Ordering::Release);
    }

    /// Takes a [`park`](Self::park) back, for a program that goes on: leadership was lost and has come again.
    pub fn unpark(&self) {
        self.parked.store(false, Ordering::Release);
    }

    /// The newest record that this process has seen so far. A load that is begun now must not find an older one.
    fn newest(&self) -> Option<(Inc, Ver)> {
        self.newest.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Remembers a record, unless a newer one of the same incarnation is known.
    fn remember(&self, record: &Record) {
        let mut newest = self.newest.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if newest.as_ref().is_none_or(|(inc, ver)| *inc != record.inc || *ver < record.ver) {
            *newest = Some((record.inc.clone(), record.ver));
        }
    }

    fn is_parked(&self) -> bool {
        self.parked.load(Ordering::Acquire)
    }
}
