//! One pool's part of a policy.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::rule::{Rule, Target};
use super::shape::Shape;
use crate::data::view::Taint;
use crate::words::{PoolName, Ratio, Resources, ShapeName, Span, Zone};

/// How an instance is bought.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Purchase {
    /// Spare capacity that the cloud may take back at short notice.
    Spot,
    /// At the list price, for as long as wanted.
    OnDemand,
}

impl fmt::Display for Purchase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Spot => "spot",
            Self::OnDemand => "on-demand",
        })
    }
}

/// What to do with a node for which the cloud recommends rebalancing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnRebalance {
    /// Buy a replacement; when it has joined, remove the node like any other.
    #[default]
    Replace,
    /// Cordon the node and wait for what comes.
    Cordon,
    /// Do nothing.
    Ignore,
}

/// Whether `kube-system` pods that are not of a DaemonSet hold a node back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SystemPods {
    /// Always, as in the reference system.
    #[default]
    Hold,
    /// Only those without a budget that allows a disruption, as in Cluster Autoscaler.
    Budgeted,
}

/// Whether pods that are awkward to move hold their node back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Awkward {
    /// They do.
    #[default]
    Hold,
    /// They are evicted like others.
    Evict,
}

/// Spare room that is kept free in a pool, so that new pods need not wait for a new node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Headroom {
    /// Thousandths of a CPU. Default 0.
    pub cpu_milli: u64,
    /// Bytes of memory. Default 0.
    pub memory: u64,
    /// Whole nodes, at most `max`. Default 0.
    pub nodes: u32,
}

impl Headroom {
    /// All three at once: thousandths of a CPU, bytes, nodes.
    pub const fn new(cpu_milli: u64, memory: u64, nodes: u32) -> Self {
        Self { cpu_milli, memory, nodes }
    }
}

/// One pool's part of a policy. Read-only in effect: a [`Policy`](super::Policy) hands out references.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PoolPolicy {
    /// The pool's name.
    pub name: PoolName,
    /// Never fewer serving nodes than this by our doing. Default 2.
    pub min: u32,
    /// Never more instances than this. Default 10.
    pub max: u32,
    /// A pool of a higher priority is bought first when the policy's `choose` is `priority`; 0 to 10000. Default 0.
    pub priority: u32,
    /// Where to launch; at least one, in the operator's order, none twice.
    pub zones: Vec<Zone>,
    /// Never more instances than this in one zone, at least 1; `None` is any number. Default none.
    pub max_per_zone: Option<u32>,
    /// What to launch; 1 to 16, in the operator's order, no name twice.
    pub shapes: Vec<Shape>,
    /// Labels that nodes of the pool have, at most 64; those of the zone and the machine type go without saying. Default
    /// none.
    pub labels: BTreeMap<String, String>,
    /// Taints that nodes of the pool have, sorted, at most 64, no key twice for one effect. Default none.
    pub taints: Vec<Taint>,
    /// What DaemonSet pods take of a new node; less than every shape offers. Default `None`: what they take of the nodes
    /// that the pool has.
    pub overhead: Option<Resources>,
    /// What is pinned in every launch for the provider to read, such as a launch template and its version; at most 256
    /// printable characters. Default empty.
    pub template: String,
    /// How to buy, the preferred way first; at least one. Default spot, then on-demand.
    pub purchases: Vec<Purchase>,
    /// How many pending pods one new node is bought for; `None` buys nodes for what the pods ask for. Default none.
    pub pods_per_node: Option<u32>,
    /// Signals that the number of nodes keeps at a value; at most 16, no signal twice. Default none.
    pub targets: Vec<Target>,
    /// Any of these grows the pool. Default: `cpu` above 70 %, and none in a pool with targets.
    pub up: Vec<Rule>,
    /// All of these together let the pool shrink; without any it is only the targets that do. Default: `cpu` below 30 %
    /// for 600 s, or three tick intervals where that is longer, and none in a pool with targets; a rule of one's own lasts
    /// as long by default.
    pub down: Vec<Rule>,
    /// Pods pending for so long grow the pool; `None` ignores them. Default 180 s.
    pub pending_for: Option<Span>,
    /// Spare room that is kept free. Default none.
    pub headroom: Headroom,
    /// Nodes to add when a rule over a signal holds. Default 1.
    pub step_up: u32,
    /// Nodes to remove in one action. Default 1.
    pub step_down: u32,
    /// Greatest number of instances in one action, 1 to 100. Default 10.
    pub max_batch: u32,
    /// Greatest number of nodes with pods to move in one action, 1 to 100; nodes without any count for `max_batch` alone.
    /// Default 5.
    pub max_drains: u32,
    /// A node whose pods ask for more than this share of its allocatable CPU or memory is not removed to shrink the pool;
    /// `None` is no such limit. Default none.
    pub busy_above: Option<Ratio>,
    /// Pause between a finished scale-up and the next. Default 300 s.
    pub cooldown_up: Span,
    /// Pause between any finished scaling action and the next scale-down. Default 600 s.
    pub cooldown_down: Span,
    /// How long an instance may take to become a Ready node. At least one tick interval; default 600 s, or one tick
    /// interval where that is longer.
    pub join_timeout: Span,
    /// How long a drain may take before it is rolled back. At least three tick intervals; default 300 s, or three
    /// tick intervals where that is longer.
    pub drain_timeout: Span,
    /// How far the populations of two zones may differ before zone balance goes before the purchase. Default 2.
    pub max_zone_skew: u32,
    /// How long an offering that had no capacity, or a node that could not be drained, is left alone. Default 5 min.
    pub backoff_initial: Span,
    /// Up to which the pause doubles. Default 30 min.
    pub backoff_max: Span,
    /// How many instances above `max` a replacement of doomed ones may stand. Default 0.
    pub replacement_surge: u32,
    /// What to do on a rebalance recommendation.
    pub on_rebalance: OnRebalance,
    /// Whether instances that carry only the worker tag may be removed. Default no.
    pub adopt: bool,
    /// Whether `kube-system` pods hold a node back.
    pub system_pods: SystemPods,
    /// Pods without a controller: nobody makes them again. Default hold, as in Cluster Autoscaler; Karpenter evicts them.
    pub bare_pods: Awkward,
    /// Pods with a disk-backed `emptyDir`, a `hostPath` or a node-local volume that is not annotated as safe: what is in it is
    /// lost. Default hold, as in Cluster Autoscaler; Karpenter evicts them.
    pub local_storage: Awkward,
    /// Pods of a system-critical priority. Default hold, as in the reference system; the others evict them.
    pub critical_pods: Awkward,
}

impl PoolPolicy {
    /// The shape of a name, if the pool may launch it.
    pub fn shape(&self, name: &ShapeName) -> Option<&Shape> {
        self.shapes.iter().find(|shape| shape.name == *name)
    }

    /// The shape that the operator named first.
    ///
    /// # Panics
    /// Never for a pool of a [`Policy`](super::Policy), which has at least one shape; only for a copy whose list somebody
    /// has emptied.
    pub fn first_shape(&self) -> &Shape {
        self.shapes.first().expect("a pool of a policy has at least one shape")
    }
}
