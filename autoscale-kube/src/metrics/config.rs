//! What a metrics source on an API server has to be told.

use std::collections::BTreeMap;

use autoscale_core::words::{Ratio, SignalName, Unit};

/// What a signal measures. Nodes count while they are Ready and take new pods.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Measure {
    /// CPU in use, as the metrics server measured it, over allocatable CPU.
    CpuUse,
    /// Memory in use (the working set), as the metrics server measured it, over allocatable memory.
    MemoryUse,
    /// CPU that the pods on the nodes ask for, over allocatable CPU.
    CpuRequests,
    /// Memory that the pods on the nodes ask for, over allocatable memory.
    MemoryRequests,
    /// Pods for which the scheduler has found no node.
    UnschedulablePods,
    /// For how long the scheduler has found no node for the one of them that waits longest; zero when none waits.
    UnschedulableSeconds,
}

impl Measure {
    /// What its number counts.
    pub const fn unit(self) -> Unit {
        match self {
            Self::CpuUse | Self::MemoryUse | Self::CpuRequests | Self::MemoryRequests => Unit::Ratio,
            Self::UnschedulablePods => Unit::Count,
            Self::UnschedulableSeconds => Unit::Seconds,
        }
    }

    /// Whether the metrics server is asked.
    pub(super) const fn is_use(self) -> bool {
        matches!(self, Self::CpuUse | Self::MemoryUse)
    }

    /// Whether the pods on nodes are looked at.
    pub(super) const fn is_requests(self) -> bool {
        matches!(self, Self::CpuRequests | Self::MemoryRequests)
    }

    /// Whether it is about memory; else about CPU.
    pub(super) const fn is_memory(self) -> bool {
        matches!(self, Self::MemoryUse | Self::MemoryRequests)
    }
}

/// What a signal is measured over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Extent {
    /// The nodes with the pool's label; pods that may go to the pool as far as this label tells.
    #[default]
    Pool,
    /// All nodes but the control plane, and all pods: every pool is given the same number.
    Cluster,
}

/// What a metrics source on an API server has to be told.
///
/// | signal | measure | unit |
/// |---|---|---|
/// | `cpu` | [`Measure::CpuUse`] | ratio |
/// | `memory` | [`Measure::MemoryUse`] | ratio |
/// | `cpu_requests` | [`Measure::CpuRequests`] | ratio |
/// | `memory_requests` | [`Measure::MemoryRequests`] | ratio |
/// | `unschedulable_pods` | [`Measure::UnschedulablePods`] | count |
/// | `unschedulable_seconds` | [`Measure::UnschedulableSeconds`] | seconds |
///
/// These are the signals of [`new`](Self::new), each of a pool.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MetricsConfig {
    /// The label whose value is the pool of a node; default `autoscale.local/pool`, as in a survey. A value that is no name of
    /// a pool is as good as none.
    pub pool_label: String,
    /// How many objects one answer of a list has at most; default 500.
    pub page: u32,
    /// The share of what the nodes offer that has to be measured, or the use of a pool is missing; default 75 %. A node that
    /// joined a moment ago has no measurement yet: while a pool doubles, its use is unknown for a minute rather than wrong.
    pub enough: Ratio,
    pub(super) signals: BTreeMap<SignalName, (Measure, Extent)>,
}

impl MetricsConfig {
    /// The defaults, with the signals of the table.
    pub fn new() -> Self {
        let signals = [
            ("cpu", Measure::CpuUse),
            ("memory", Measure::MemoryUse),
            ("cpu_requests", Measure::CpuRequests),
            ("memory_requests", Measure::MemoryRequests),
            ("unschedulable_pods", Measure::UnschedulablePods),
            ("unschedulable_seconds", Measure::UnschedulableSeconds),
        ];
        let named = |(name, measure)| Some((SignalName::new(name).ok()?, (measure, Extent::Pool)));
        Self {
            pool_label: "autoscale.local/pool".to_owned(),
            page: 500,
            enough: Ratio::percent(75),
            signals: signals.into_iter().filter_map(named).collect(),
        }
    }

    /// None of the signals of the table: only those that are added.
    #[must_use]
    pub fn without_signals(mut self) -> Self {
        self.signals.clear();
        self
    }

    /// Adds a signal, or says anew what it measures.
    #[must_use]
    pub fn with_signal(mut self, name: SignalName, measure: Measure, extent: Extent) -> Self {
        self.signals.insert(name, (measure, extent));
        self
    }

    /// Another label for pools, such as one that the machine image sets already. Nodes with a value that is no name of a pool,
    /// such as `Workers_A`, count for no pool.
    #[must_use]
    pub fn with_pool_label(mut self, label: impl Into<String>) -> Self {
        self.pool_label = label.into();
        self
    }

    /// Another share of what the nodes offer that has to be measured.
    #[must_use]
    pub const fn with_enough(mut self, share: Ratio) -> Self {
        self.enough = share;
        self
    }

    /// The signals it answers, and what each counts: a policy has to declare the same unit.
    pub fn signals(&self) -> impl Iterator<Item = (&SignalName, Unit)> {
        self.signals.iter().map(|(name, (measure, _))| (name, measure.unit()))
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signals_of_the_table_are_there() {
        let config = MetricsConfig::new();
        let signals: Vec<String> = config.signals().map(|(name, unit)| format!("{name} {unit:?}")).collect();
        let expected = [
            "cpu Ratio",
            "cpu_requests Ratio",
            "memory Ratio",
            "memory_requests Ratio",
            "unschedulable_pods Count",
            "unschedulable_seconds Seconds",
        ];
        assert_eq!(signals, expected);
        assert_eq!(config.without_signals().signals().count(), 0);
    }
}
