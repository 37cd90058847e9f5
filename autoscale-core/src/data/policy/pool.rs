//! One pool's part of a policy.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::rule::Rule;
use crate::words::{Extended, Fixed, PoolName, Resources, ShapeName, Span, Zone};

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

/// A machine type and what a node of it offers to pods.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Shape {
    /// The cloud's name for it.
    pub name: ShapeName,
    /// What a node of it offers to pods (allocatable, not capacity).
    pub allocatable: Resources,
    /// What it offers beside, like GPUs. Default nothing.
    pub extended: Extended,
    /// Labels that its nodes have beside those of the pool, the zone and the machine type.
    pub labels: BTreeMap<String, String>,
    /// What an hour of it costs, in any currency, to compare it with others. Default unknown.
    pub price: Option<Fixed>,
}

impl Shape {
    /// A machine type and its allocatable resources.
    pub const fn new(name: ShapeName, allocatable: Resources) -> Self {
        Self { name, allocatable, extended: Extended::none(), labels: BTreeMap::new(), price: None }
    }

    /// The same, with an amount of an extended resource, like `nvidia.com/gpu`.
    #[must_use]
    pub fn with_extended(mut self, name: impl Into<String>, amount: u64) -> Self {
        self.extended = self.extended.with(name, amount);
        self
    }

    /// The same, whose nodes have a label.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// The same, at a price an hour.
    #[must_use]
    pub const fn with_price(mut self, price: Fixed) -> Self {
        self.price = Some(price);
        self
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
    /// Where to launch; at least one, in the operator's order, none twice.
    pub zones: Vec<Zone>,
    /// What to launch.
    pub shape: Shape,
    /// What is pinned in every launch for the provider to read, such as a launch template and its version; at most 256
    /// printable characters. Default empty.
    pub template: String,
    /// How to buy, the preferred way first; at least one. Default spot, then on-demand.
    pub purchases: Vec<Purchase>,
    /// How many pending pods one new node is bought for. Default 10.
    pub pods_per_node: u32,
    /// Any of these grows the pool. Default: `cpu` above 70 %.
    pub up: Vec<Rule>,
    /// All of these together let the pool shrink; none means that it never does. Default: `cpu` below 30 % for
    /// 600 s, or three tick intervals where that is longer; a rule of one's own lasts as long by default.
    pub down: Vec<Rule>,
    /// Pods pending for so long grow the pool; `None` ignores them. Default 180 s.
    pub pending_for: Option<Span>,
    /// Nodes to add when a rule over a signal holds. Default 1.
    pub step_up: u32,
    /// Nodes to remove in one action. Default 1.
    pub step_down: u32,
    /// Greatest number of instances in one action, 1 to 100. Default 10.
    pub max_batch: u32,
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
}
