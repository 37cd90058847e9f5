//! Signals: measured every so often, sometimes missing, sometimes silent.

use std::collections::BTreeMap;

use crate::data::view::{Reading, Sample, SignalQuery};
use crate::words::{Fixed, PoolName, Timestamp};

use super::cluster::{Cluster, NodeState};

/// The last measurements. Between two of them only what has changed is measured anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    /// What each open node is a part of, and its part.
    parts: BTreeMap<u32, (PoolName, Amounts)>,
    pools: BTreeMap<PoolName, Total>,
    at: Timestamp,
    /// Signals that a user set and that stay as they are.
    set: BTreeMap<SignalQuery, Fixed>,
    /// Signals that show something else until the next measurement, or nothing.
    bent: BTreeMap<SignalQuery, Option<(Fixed, Timestamp)>>,
    /// Until when the source does not answer.
    pub(crate) silent_until: Option<Timestamp>,
}

/// Used and offered: thousandths of a CPU, then bytes.
type Amounts = [u64; 4];

#[derive(Clone, Debug, Default)]
struct Total {
    nodes: u32,
    amounts: Amounts,
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
        self.bent.insert(query, number);
    }

    /// Measures `cpu` and `memory` of each pool over its Ready, schedulable nodes.
    pub(crate) fn scrape(&mut self, cluster: &mut Cluster, now: Timestamp) {
        self.bent.clear();
        self.at = now;
        let changed = std::mem::take(&mut cluster.changed);
        if std::mem::take(&mut cluster.all_changed) {
            self.parts.clear();
            self.pools.clear();
            for (index, node) in &cluster.nodes {
                self.add(*index, node, cluster);
            }
            return;
        }
        for index in changed {
            self.drop_part(index);
            if let Some(node) = cluster.nodes.get(&index) {
                self.add(index, node, cluster);
            }
        }
    }

    fn add(&mut self, index: u32, node: &NodeState, cluster: &Cluster) {
        let Some(pool) = node.pool.as_ref().filter(|_| node.is_open()) else { return };
        let (mut cpu, mut memory) = (cluster.daemon.cpu_milli / 2, cluster.daemon.memory);
        for (workload, up) in &node.up {
            if let Some(running) = cluster.workload(*workload) {
                cpu += u64::from(*up) * running.usage_milli();
                memory += u64::from(*up) * running.spec.requests.memory;
            }
        }
        let all = node.allocatable;
        let part = [cpu.min(all.cpu_milli), all.cpu_milli, memory.min(all.memory), all.memory];
        if !self.pools.contains_key(pool) {
            self.pools.insert(pool.clone(), Total::default());
        }
        if let Some(total) = self.pools.get_mut(pool) {
            total.nodes += 1;
            total.amounts.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        self.parts.insert(index, (pool.clone(), part));
    }

    fn drop_part(&mut self, index: u32) {
        let Some((pool, part)) = self.parts.remove(&index) else { return };
        let Some(total) = self.pools.get_mut(&pool) else { return };
        total.nodes -= 1;
        total.amounts.iter_mut().zip(part).for_each(|(sum, part)| *sum -= part);
        if total.nodes == 0 {
            self.pools.remove(&pool);
        }
    }

    /// What was measured last.
    fn last(&self, query: &SignalQuery) -> Option<(Fixed, Timestamp)> {
        if let Some(bent) = self.bent.get(query) {
            return *bent;
        }
        let [cpu_used, cpu_all, memory_used, memory_all] = self.pools.get(&query.pool)?.amounts;
        let value = match query.signal.as_str() {
            "cpu" => Fixed::fraction(cpu_used, cpu_all),
            "memory" => Fixed::fraction(memory_used, memory_all),
            _ => None,
        };
        Some((value?, self.at))
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
            match self.last(query) {
                Some((value, at)) => Reading::Value { value, age: now.since(at) },
                None => Reading::Missing { why: "empty result".to_owned() },
            }
        };
        wanted.iter().map(|query| Sample::new(query.clone(), reading(query))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::policy::{Policy, PoolPolicy, Purchase};
    use crate::memory::{Rng, Settings, Workload, World};
    use crate::words::Span;

    /// Whatever happened in between, a measurement of what has changed is a measurement of all.
    #[test]
    fn what_did_not_change_need_not_be_measured() {
        let pool =
            |name: &str| PoolPolicy::builder(name).with_zones(["a"]).with_shape("m", 2_000, 8 << 30, 9);
        let policy = Policy::builder("c").with_pool(pool("x")).with_pool(pool("y")).build().unwrap();
        let mut settings = Settings::for_policy(&policy).unwrap();
        settings.cleanup_after = Some(Span::from_mins(5));
        let (zones, shape) = (settings.zones.clone(), settings.shapes[0].name.clone());
        let mut world = World::new(settings, 3);
        let steady = world.add_workload(Workload::new("steady", 3, 300, 1 << 29).with_usage_as_requested());
        let shared = world.add_workload(Workload::new("shared", 0, 200, 1 << 28));
        let (mut rng, mut partly) = (Rng::new(4), 0);
        for step in 0..600 {
            let (open, alive) = (world.serving(), world.alive());
            match rng.below(if step % 100 < 50 { 5 } else { 7 }) {
                0 => {
                    let pool = policy.pools().keys().nth(rng.below(2) as usize).unwrap();
                    world.add_worker_to(pool, &zones[0], Purchase::Spot, &shape).unwrap();
                }
                1 => alive.first().filter(|_| alive.len() > 5).into_iter().for_each(|id| world.kill(id)),
                2 => open.first().into_iter().for_each(|name| world.cordon_by_hand(name, true)),
                3 => {
                    let nodes = world.survey(&crate::data::view::Scope::Pending).nodes;
                    let closed = nodes.iter().find(|node| node.unschedulable);
                    closed.into_iter().for_each(|node| world.cordon_by_hand(&node.name, false));
                }
                4 => world.set_replicas(steady, rng.below(30) as u32),
                5 => world.set_replicas(shared, rng.below(9) as u32),
                _ => world.set_usage(shared, rng.below(2_000)),
            }
            world.advance_to(world.now().after(rng.span(Span::ZERO, Span::from_secs(40))));
            let now = world.now();
            partly += u32::from(!world.cluster.all_changed && !world.cluster.changed.is_empty());
            world.metrics.scrape(&mut world.cluster, now);
            let (mut fresh, mut cluster) = (Metrics::default(), world.cluster.clone());
            cluster.all_changed = true;
            fresh.scrape(&mut cluster, now);
            let amounts = |metrics: &Metrics| {
                metrics.pools.iter().map(|(pool, total)| (pool.clone(), total.amounts)).collect::<Vec<_>>()
            };
            assert_eq!(amounts(&world.metrics), amounts(&fresh), "step {step}");
            assert!(world.metrics.parts == fresh.parts);
        }
        assert!(partly > 100, "{partly}");
    }
}
