//! Signals: measured every so often, sometimes missing, sometimes silent.

use std::collections::BTreeMap;

use crate::data::view::{Reading, Sample, SignalQuery};
use crate::words::{Fixed, PoolName, SignalName, Timestamp};

use super::cluster::Cluster;

/// The last measurements.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    last: BTreeMap<SignalQuery, (Fixed, Timestamp)>,
    /// Signals that a user set and that stay as they are.
    set: BTreeMap<SignalQuery, Fixed>,
    /// Until when the source does not answer.
    pub(crate) silent_until: Option<Timestamp>,
}

impl Metrics {
    /// Keeps a signal at a value, or lets it go.
    pub(crate) fn set(&mut self, query: SignalQuery, value: Option<Fixed>) {
        match value {
            Some(value) => self.set.insert(query, value),
            None => self.set.remove(&query),
        };
    }

    /// A measurement of something else, until the next scrape; or none.
    #[cfg(all(test, feature = "conformance"))]
    pub(crate) fn measured(&mut self, query: SignalQuery, number: Option<(Fixed, Timestamp)>) {
        match number {
            Some(number) => self.last.insert(query, number),
            None => self.last.remove(&query),
        };
    }

    /// Measures `cpu` and `memory` of each pool over its Ready, schedulable nodes.
    pub(crate) fn scrape(&mut self, cluster: &Cluster, now: Timestamp) {
        let mut pools: BTreeMap<&PoolName, [u64; 4]> = BTreeMap::new();
        let usage: Vec<(u64, u64)> = cluster
            .workloads
            .iter()
            .map(|running| (running.usage_milli(), running.spec.requests.memory))
            .collect();
        for node in cluster.nodes.values().filter(|node| node.is_open()) {
            let Some(pool) = &node.pool else { continue };
            let (mut cpu, mut memory) = (cluster.daemon.cpu_milli / 2, cluster.daemon.memory);
            for (up, (milli, bytes)) in node.up.iter().zip(&usage) {
                cpu += u64::from(*up) * milli;
                memory += u64::from(*up) * bytes;
            }
            let [cpu_used, cpu_all, memory_used, memory_all] = pools.entry(pool).or_default();
            *cpu_used += cpu.min(node.allocatable.cpu_milli);
            *cpu_all += node.allocatable.cpu_milli;
            *memory_used += memory.min(node.allocatable.memory);
            *memory_all += node.allocatable.memory;
        }
        self.last.clear();
        for (pool, [cpu_used, cpu_all, memory_used, memory_all]) in pools {
            for (name, used, all) in [("cpu", cpu_used, cpu_all), ("memory", memory_used, memory_all)] {
                let signal = SignalName::new(name).expect("lower-case letters");
                if let Some(value) = Fixed::fraction(used, all) {
                    self.last.insert(SignalQuery::new(pool.clone(), signal), (value, now));
                }
            }
        }
    }

    /// One sample for each query.
    pub(crate) fn sample(&self, wanted: &[SignalQuery], now: Timestamp) -> Vec<Sample> {
        let silent = self.silent_until.is_some_and(|until| now < until);
        let reading = |query: &SignalQuery| {
            if silent {
                return Reading::Failed { why: "no answer within 5s".to_owned() };
            }
            if let Some(value) = self.set.get(query) {
                return Reading::Value { value: *value, age: Default::default() };
            }
            match self.last.get(query) {
                Some((value, at)) => Reading::Value { value: *value, age: now.since(*at) },
                None => Reading::Missing { why: "empty result".to_owned() },
            }
        };
        wanted.iter().map(|query| Sample::new(query.clone(), reading(query))).collect()
    }
}
