//! The policy: what an operator asks for. A [`Policy`] that exists is valid.
//!
//! # Reference
//!
//! Every key of a policy in JSON, YAML or TOML. `*` stands for a name of the operator's, `[]` for each item of a list. A
//! length of time is written like `90s`, `10m` or `1h30m`, an amount of memory like `8Gi`, an amount of CPU like `2` or
//! `500m`, a share like `70%` or `0.7`. The same as a JSON Schema: `Policy::json_schema`, with the feature `schema`.
//!
#![doc = include_str!("reference.md")]

mod builder;
mod check;
mod choose;
mod error;
mod keys;
mod mark;
mod names;
mod pool;
mod raw;
mod read;
mod rule;
#[cfg(feature = "schema")]
mod schema;
mod shape;
mod taint;
mod text;
mod units;
mod write;

use std::collections::BTreeMap;

use crate::words::{ClusterId, ContentHash, PoolName, Ratio, SignalName, Span};

pub use builder::{Keep, PolicyBuilder, PoolBuilder, Threshold, When};
pub use choose::Choose;
pub use error::{PolicyError, PolicyErrors};
pub use pool::{Awkward, Headroom, OnRebalance, PoolPolicy, Purchase, SystemPods};
pub use rule::{Bound, Rule, SignalSpec, Target};
pub use shape::Shape;
pub use text::PolicyFormat;

/// A valid policy. Immutable; its [`hash`](Policy::hash) is carried by every decision.
///
/// Made by [`Policy::builder`], by [`Policy::from_json`] or with serde; all three share one check, which finds
/// everything that is wrong at once. The signals `cpu` and `memory`, both ratios, are always declared.
///
/// ```
/// # use autoscale_core::data::policy::Policy;
/// let errors = Policy::from_json(
///     r#"{"version": 1, "cluster": "shop", "pools": {"web": {
///         "min": 12, "zones": ["eu-west-1a"], "cooldown": "5",
///         "shape": {"name": "m6i.large", "cpu": 2, "memory": "8Gi", "pods": 110},
///         "up": [{"signal": "cpu", "above": 70}]}}}"#,
/// )
/// .unwrap_err();
/// assert_eq!(errors.count(), 3);
/// let text = errors.to_string();
/// assert!(text.contains("pools.web.min: 12: expected at most max, which is 10"));
/// assert!(text.contains("70 percent is written 70%"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    pub(in crate::data::policy) cluster: ClusterId,
    pub(in crate::data::policy) tick: TickPolicy,
    pub(in crate::data::policy) health: HealthPolicy,
    pub(in crate::data::policy) choose: Choose,
    pub(in crate::data::policy) signals: BTreeMap<SignalName, SignalSpec>,
    pub(in crate::data::policy) pools: BTreeMap<PoolName, PoolPolicy>,
    pub(in crate::data::policy) hash: ContentHash,
}

impl Policy {
    /// The cluster it is for.
    pub fn cluster(&self) -> &ClusterId {
        &self.cluster
    }

    /// How often and how long a tick runs.
    pub fn tick(&self) -> &TickPolicy {
        &self.tick
    }

    /// When the cluster counts as too unhealthy to be scaled.
    pub fn health(&self) -> &HealthPolicy {
        &self.health
    }

    /// Which pool and shape a new node is of, where several would do. Default where the least would be left over.
    pub fn choose(&self) -> &Choose {
        &self.choose
    }

    /// Every declared signal.
    pub fn signals(&self) -> &BTreeMap<SignalName, SignalSpec> {
        &self.signals
    }

    /// Every pool, by name.
    pub fn pools(&self) -> &BTreeMap<PoolName, PoolPolicy> {
        &self.pools
    }

    /// One pool.
    pub fn pool(&self, name: &PoolName) -> Option<&PoolPolicy> {
        self.pools.get(name)
    }

    /// The content hash: the same policy has the same hash, however it was written down.
    pub fn hash(&self) -> &ContentHash {
        &self.hash
    }
}

/// How often and how long a tick runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TickPolicy {
    /// From the start of one tick to the start of the next. Default 2 minutes, as in the reference system.
    pub interval: Span,
    /// After which a tick has ended, whatever happens. Default 30 s. Effects stop 8 s before it.
    pub limit: Span,
}

impl Default for TickPolicy {
    fn default() -> Self {
        Self { interval: Span::from_mins(2), limit: Span::from_secs(30) }
    }
}

impl TickPolicy {
    /// How long a lease is good for: the limit and 30 s (rule R4).
    pub const fn lease_ttl(&self) -> Span {
        self.limit.plus(Span::from_secs(30))
    }
}

/// When the cluster counts as too unhealthy to be scaled: more unready nodes than `tolerated`, **and** more
/// than `ratio` of all nodes. Defaults 3 and 45 %, as in Cluster Autoscaler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct HealthPolicy {
    /// So many unready nodes are always tolerated.
    pub tolerated: u32,
    /// So large a share of unready nodes is always tolerated.
    pub ratio: Ratio,
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self { tolerated: 3, ratio: Ratio::percent(45) }
    }
}
