//! Signals as queries, and the reference set.

use autoscale_core::words::Unit;

/// What stands for the label matchers in a query.
pub(super) const PLACE: &str = "$labels";

/// What becomes of several series, where a query gives more than one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Series {
    /// There must be one: several are contradictory, and the signal is missing.
    #[default]
    One,
    /// Their sum.
    Sum,
    /// Their average, each counted alike.
    Average,
    /// The least of them.
    Least,
    /// The greatest of them.
    Greatest,
}

/// A signal as two instant queries: one for its value, one for when that was measured.
///
/// An instant query is answered with the time at which it was evaluated, which says nothing about the age of what went
/// in: a series that ended is still found for five minutes. So the second query says when it was measured, in seconds since
/// 1970, mostly `min(timestamp(some_metric{$labels}))`; of several series the oldest counts.
///
/// Both are static text. `$labels`, within the braces of each selector, stands for label matchers: those of the
/// source ([`with_matcher`](super::PrometheusBuilder::with_matcher)), and that of the pool, escaped. Nothing else is put into a query.
///
/// # The reference set
///
/// | signal | | from |
/// |---|---|---|
/// | `cpu` | [`node_cpu`](Self::node_cpu): the share of CPU time that was not idle over 5 min | node_exporter |
/// | `memory` | [`node_memory`](Self::node_memory): the share of memory that is not available | node_exporter |
/// | `unschedulable_pods` | [`unschedulable_pods`](Self::unschedulable_pods): pods for which the scheduler has found no node | kube-state-metrics |
///
/// The series of node_exporter have to carry the pool as a label (relabelling from the node's label does it); kube-state-metrics
/// knows no pool of a pod that waits, so that signal is one of the cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Signal {
    /// What the number counts: a policy has to declare the same unit.
    pub unit: Unit,
    /// The query for the value.
    pub value: String,
    /// The query for the time of measurement.
    pub measured: String,
    /// What becomes of several series.
    pub series: Series,
    /// Whether it is one number for the whole cluster, which every pool is given.
    pub of_cluster: bool,
}

impl Signal {
    /// A signal of each pool: both queries must have `$labels`.
    pub fn new(unit: Unit, value: impl Into<String>, measured: impl Into<String>) -> Self {
        Self { unit, value: value.into(), measured: measured.into(), series: Series::One, of_cluster: false }
    }

    /// A metric as it is, such as the length of a queue, with what becomes of several series.
    pub fn metric(unit: Unit, name: impl AsRef<str>, series: Series) -> Self {
        let name = name.as_ref();
        let measured = format!("min(timestamp({name}{{{PLACE}}}))");
        Self::new(unit, format!("{name}{{{PLACE}}}"), measured).with_series(series)
    }

    /// What becomes of several series.
    #[must_use]
    pub const fn with_series(mut self, series: Series) -> Self {
        self.series = series;
        self
    }

    /// One number for the whole cluster: no matcher of a pool is put in, and every pool is given the same.
    #[must_use]
    pub const fn of_cluster(mut self) -> Self {
        self.of_cluster = true;
        self
    }

    /// The share of CPU time that was not idle over 5 minutes, of all CPUs of the pool's machines. A machine that is there for less
    /// counts for as long as it is: its rates are too low, but not their ratio.
    pub fn node_cpu() -> Self {
        Self::new(
            Unit::Ratio,
            concat!(
                r#"1 - sum(rate(node_cpu_seconds_total{mode="idle",$labels}[5m]))"#,
                r#" / sum(rate(node_cpu_seconds_total{$labels}[5m]))"#,
            ),
            r#"min(timestamp(node_cpu_seconds_total{mode="idle",$labels}))"#,
        )
    }

    /// The share of memory that is not available, over all of the pool's machines.
    pub fn node_memory() -> Self {
        Self::new(
            Unit::Ratio,
            "1 - sum(node_memory_MemAvailable_bytes{$labels}) / sum(node_memory_MemTotal_bytes{$labels})",
            "min(timestamp(node_memory_MemAvailable_bytes{$labels}))",
        )
    }

    /// Pods for which the scheduler has found no node. kube-state-metrics has that series only while there is such a pod; that
    /// there is none is told from its other series, so that without kube-state-metrics this is missing, not zero.
    pub fn unschedulable_pods() -> Self {
        let value =
            r#"sum(kube_pod_status_unschedulable{$labels}) or 0 * sum(kube_pod_status_phase{$labels})"#;
        Self::new(Unit::Count, value, "min(timestamp(kube_pod_status_phase{$labels}))").of_cluster()
    }
}
