//! How a modelled cloud and cluster behave.

use std::collections::BTreeMap;

use crate::data::policy::{Policy, PoolPolicy, Shape};
use crate::data::view::Taint;
use crate::words::{ClusterId, PoolName, Resources, ShapeName, Span, Timestamp, Zone};

/// Monday, 2 March 2026, midnight UTC: when a world begins unless it is told otherwise.
pub const BEGINNING: Timestamp = Timestamp::from_millis(1_772_409_600_000);

/// A pool of workers, as its nodes show it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Pool {
    /// Its name.
    pub name: PoolName,
    /// Labels of all its nodes.
    pub labels: BTreeMap<String, String>,
    /// Taints of all its nodes.
    pub taints: Vec<Taint>,
}

impl Pool {
    /// A pool whose nodes have no labels and taints of their own.
    pub const fn new(name: PoolName) -> Self {
        Self { name, labels: BTreeMap::new(), taints: Vec::new() }
    }

    fn of(pool: &PoolPolicy) -> Self {
        Self { name: pool.name.clone(), labels: pool.labels.clone(), taints: pool.taints.clone() }
    }
}

/// What the pool of a policy can launch.
fn shapes(pool: &PoolPolicy) -> impl Iterator<Item = &Shape> {
    pool.shapes.iter()
}

/// How a modelled cloud and cluster behave. Every range is drawn from evenly, by the world's seed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The cluster that tags name.
    pub cluster: ClusterId,
    /// Where instances can be launched.
    pub zones: Vec<Zone>,
    /// What can be launched, and what a node of it offers.
    pub shapes: Vec<Shape>,
    /// The pools of workers; [`add_worker`](super::World::add_worker) adds to the first.
    pub pools: Vec<Pool>,
    /// When the world begins.
    pub beginning: Timestamp,
    /// From a launch to `Running`.
    pub boot: (Span, Span),
    /// From `Running` to a Ready node.
    pub join: (Span, Span),
    /// From `ShuttingDown` to `Terminated`.
    pub shutdown: (Span, Span),
    /// For how long a terminated instance stays in the list. 1 h, as on EC2.
    pub listed_after_end: Span,
    /// At most so long a new instance is missing from the list, and a dead one is shown as it was.
    pub list_lag: Span,
    /// How many boots in a million hang, so that the instance never joins.
    pub hang_per_million: u32,
    /// Most instances alive; `None` is unlimited.
    pub quota: Option<u32>,
    /// From a kubelet's end to its node's being NotReady. 40 s, as in Kubernetes.
    pub unready_after: Span,
    /// From a node's being NotReady to its pods' being made again elsewhere. 5 min, as in Kubernetes.
    pub taint_after: Span,
    /// After which a cloud controller deletes the Node object of an ended instance; `None` for no such controller.
    pub cleanup_after: Option<Span>,
    /// From a pod's being bound to its running.
    pub pod_start: (Span, Span),
    /// From a pod's deletion to its end.
    pub pod_grace: (Span, Span),
    /// What the DaemonSet's pod on every node asks for.
    pub daemon: Resources,
    /// How often metrics are measured.
    pub scrape: Span,
}

impl Settings {
    /// A cloud that launches `shapes` in `zones`, prompt and without faults.
    pub fn new(cluster: ClusterId, pool: PoolName, zones: Vec<Zone>, shapes: Vec<Shape>) -> Self {
        let secs = |low, high| (Span::from_secs(low), Span::from_secs(high));
        Self {
            cluster,
            zones,
            shapes,
            pools: vec![Pool::new(pool)],
            beginning: BEGINNING,
            boot: secs(15, 40),
            join: secs(20, 70),
            shutdown: secs(30, 60),
            listed_after_end: Span::from_mins(60),
            list_lag: Span::ZERO,
            hang_per_million: 0,
            quota: None,
            unready_after: Span::from_secs(40),
            taint_after: Span::from_mins(5),
            cleanup_after: None,
            pod_start: secs(2, 10),
            pod_grace: secs(5, 30),
            daemon: Resources::new(100, 128 << 20, 1),
            scrape: Span::from_secs(15),
        }
    }

    /// A cloud that can launch what the pool of a policy asks for.
    pub fn for_pool(cluster: &ClusterId, pool: &PoolPolicy) -> Self {
        let shapes = shapes(pool).cloned().collect();
        let settings = Self::new(cluster.clone(), pool.name.clone(), pool.zones.clone(), shapes);
        Self { pools: vec![Pool::of(pool)], ..settings }
    }

    /// A cloud that can launch whatever any pool of a policy asks for, in every zone of any; `None` without a pool.
    pub fn for_policy(policy: &Policy) -> Option<Self> {
        let mut pools = policy.pools().values();
        let mut settings = Self::for_pool(policy.cluster(), pools.next()?);
        for pool in pools {
            settings.pools.push(Pool::of(pool));
            for zone in &pool.zones {
                if !settings.zones.contains(zone) {
                    settings.zones.push(zone.clone());
                }
            }
            for shape in shapes(pool) {
                if settings.shape(&shape.name).is_none() {
                    settings.shapes.push(shape.clone());
                }
            }
        }
        Some(settings)
    }

    /// The name of the first pool.
    pub(super) fn pool(&self) -> Option<&PoolName> {
        self.pools.first().map(|pool| &pool.name)
    }

    pub(super) fn pool_of(&self, name: &PoolName) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == *name)
    }

    pub(super) fn shape(&self, name: &ShapeName) -> Option<&Shape> {
        self.shapes.iter().find(|shape| shape.name == *name)
    }
}
