//! Gauges by groups that are shown together: what a group no longer has goes to zero.

use std::collections::{BTreeMap, BTreeSet};

use ::metrics::{Counter, Label, counter, gauge, histogram};

use crate::words::ClusterId;

/// Labels besides the cluster's.
pub(super) type Labels = Vec<(&'static str, String)>;

/// What is known at the same time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Group {
    /// Every tick.
    Tick,
    /// What was seen at all.
    Seen,
    /// Instances and nodes, seen completely.
    Nodes,
    /// What pools are to be.
    Pools,
    /// Why nodes may not go.
    Blocked,
    /// Signals.
    Signals,
    /// The record.
    Record,
}

/// What was shown last.
#[derive(Debug)]
pub(super) struct Gauges {
    cluster: String,
    shown: BTreeMap<Group, BTreeSet<(&'static str, Labels)>>,
}

impl Gauges {
    pub(super) fn new(cluster: &ClusterId) -> Self {
        Self { cluster: cluster.to_string(), shown: BTreeMap::new() }
    }

    /// Shows a group, and zero for what it had the last time and no longer has. Equal labels add up.
    pub(super) fn show(
        &mut self,
        group: Group,
        values: impl IntoIterator<Item = (&'static str, Labels, f64)>,
    ) {
        let mut sums: BTreeMap<(&'static str, Labels), f64> = BTreeMap::new();
        for (name, labels, value) in values {
            *sums.entry((name, labels)).or_default() += value;
        }
        let before = self.shown.remove(&group).unwrap_or_default();
        for (name, labels) in before.iter().filter(|key| !sums.contains_key(*key)) {
            gauge!(*name, self.labels(labels)).set(0.0);
        }
        for ((name, labels), value) in &sums {
            gauge!(*name, self.labels(labels)).set(*value);
        }
        self.shown.insert(group, sums.into_keys().collect());
    }

    /// Adds to a counter.
    pub(super) fn count(&self, name: &'static str, labels: &[(&'static str, &str)], by: u64) {
        if by > 0 {
            self.counter(name, labels).increment(by);
        }
    }

    /// Shows a counter: at zero, if it has not counted yet.
    pub(super) fn begin(&self, name: &'static str, labels: &[(&'static str, &str)]) {
        self.counter(name, labels).increment(0);
    }

    fn counter(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        let labels: Labels = labels.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        counter!(name, self.labels(&labels))
    }

    /// Adds to a histogram.
    pub(super) fn measure(&self, name: &'static str, value: f64) {
        histogram!(name, self.labels(&Labels::new())).record(value);
    }

    fn labels(&self, labels: &Labels) -> Vec<Label> {
        let cluster = Label::new("cluster", self.cluster.clone());
        let others = labels.iter().map(|(key, value)| Label::new(*key, value.clone()));
        std::iter::once(cluster).chain(others).collect()
    }
}
