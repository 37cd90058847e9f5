//! What is told besides logs: metrics for CloudWatch inside the log, and for Prometheus by way of a Pushgateway.

mod emf;
mod exposition;
mod gateway;
mod logs;
mod push;
mod recorder;

use autoscale_core::data::policy::Policy;
use autoscale_core::driver::{MetricsObserver, Report};

pub use logs::{LogsTo, filter, init};
pub(crate) use push::Push;
pub use recorder::{Collected, Series, Shown};

/// The metrics that CloudWatch is told by default. Each combination of labels is a metric that is paid for; the rest is for those
/// who have a Pushgateway, or ask for more.
pub const SHOWN: [&str; 14] = [
    "autoscale_ticks_total",
    "autoscale_tick_duration_seconds",
    "autoscale_lock_held",
    "autoscale_halted",
    "autoscale_alarms",
    "autoscale_paused",
    "autoscale_instances",
    "autoscale_wanted_nodes",
    "autoscale_pending_pods",
    "autoscale_drains",
    "autoscale_launches_total",
    "autoscale_failed_joins",
    "autoscale_notices",
    "autoscale_signal_missing",
];

/// Turns reports into metrics, for as long as the process lives.
#[derive(Debug)]
pub struct Telemetry {
    observer: MetricsObserver,
    collected: Collected,
    emf: Option<Vec<String>>,
}

impl Telemetry {
    /// Of a policy's cluster and pools, whose counters begin at zero; `emf` names the metrics for CloudWatch, `None` all.
    pub fn new(policy: &Policy, emf: Option<Vec<String>>) -> Self {
        let collected = Collected::default();
        let observer = metrics::with_local_recorder(&collected, || {
            let observer = MetricsObserver::new(policy.cluster());
            observer.begin(policy);
            observer
        });
        Self { observer, collected, emf }
    }

    /// Takes a report. Gives the lines for CloudWatch, one JSON object each.
    pub fn observe(&mut self, report: &Report) -> Vec<String> {
        metrics::with_local_recorder(&self.collected, || self.observer.observe(report));
        let series = self.collected.take();
        let wanted =
            |name: &str| self.emf.as_ref().is_none_or(|names| names.iter().any(|known| known == name));
        emf::lines(report.at, series.iter().filter(|one| wanted(&one.name)))
    }

    /// What there is now, where this was there before: counters go on from it, for they are those of all processes.
    pub(crate) fn continued(&self, before: &[Series]) -> Vec<Series> {
        gateway::continued(before, self.collected.unpushed())
    }

    /// It was taken.
    pub(crate) fn pushed(&self) {
        self.collected.pushed();
    }
}

/// Series in the order of their names, as Prometheus reads them.
pub fn text(series: &[Series]) -> String {
    exposition::text(series)
}
