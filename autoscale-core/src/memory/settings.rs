//! How a modelled cloud and cluster behave.

use crate::data::policy::{PoolPolicy, Shape};
use crate::words::{ClusterId, PoolName, Resources, Span, Timestamp, Zone};

/// Monday, 2 March 2026, midnight UTC: when a world begins unless it is told otherwise.
pub const BEGINNING: Timestamp = Timestamp::from_millis(1_772_409_600_000);

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
    /// The pool of workers that [`add_worker`](super::World::add_worker) adds to.
    pub pool: PoolName,
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
            pool,
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
        Self::new(cluster.clone(), pool.name.clone(), pool.zones.clone(), pool.shapes.clone())
    }
}
