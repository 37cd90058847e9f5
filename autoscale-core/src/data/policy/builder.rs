//! A policy in code. The builder writes the same tree as a file, so both are checked by the same function.

use std::fmt;

use super::check::check;
use super::error::PolicyErrors;
use super::names::Named;
use super::raw::Raw;
use super::{OnRebalance, Policy, PoolPolicy, Purchase, SystemPods, units};
use crate::words::{Fixed, Ratio, Span, Unit};

/// What is set so far; a key set again has its last value.
#[derive(Clone, Debug, Default)]
struct Draft(Vec<(String, Raw)>);

impl Draft {
    fn set(mut self, key: &str, value: Raw) -> Self {
        self.0.retain(|(old, _)| old != key);
        self.0.push((key.to_owned(), value));
        self
    }

    /// Adds to a list, or starts one.
    fn add(mut self, key: &str, value: Raw) -> Self {
        match self.0.iter_mut().find(|(old, _)| old == key) {
            Some((_, Raw::List(list))) => list.push(value),
            _ => self.0.push((key.to_owned(), Raw::List(vec![value]))),
        }
        self
    }
}

/// A threshold in the unit of its signal: `"70%"`, `100`, `0.5`, `"4Gi"`, a [`Ratio`] or a [`Span`].
#[derive(Clone, Debug)]
pub struct Threshold(Raw);

macro_rules! threshold_from {
    ($($type:ty: $value:ident => $raw:expr),* $(,)?) => {
        $(impl From<$type> for Threshold {
            fn from($value: $type) -> Self {
                Self($raw)
            }
        })*
    };
}

threshold_from! {
    &str: value => Raw::text(value),
    String: value => Raw::Text(value),
    i32: value => Raw::whole(value),
    i64: value => Raw::whole(value),
    u32: value => Raw::whole(value),
    u64: value => Raw::whole(value),
    f64: value => Raw::Real(value),
    Fixed: value => Raw::text(value),
    Ratio: value => units::show_ratio(value.as_fixed()),
    Span: value => Raw::text(value),
}

/// A rule to be: a signal, a threshold and, if wanted, for how long.
#[derive(Clone, Debug)]
pub struct When(Vec<(String, Raw)>);

impl When {
    /// When a signal is above a threshold.
    pub fn above(signal: impl Into<String>, threshold: impl Into<Threshold>) -> Self {
        Self::new("above", signal.into(), threshold.into())
    }

    /// When a signal is below a threshold.
    pub fn below(signal: impl Into<String>, threshold: impl Into<Threshold>) -> Self {
        Self::new("below", signal.into(), threshold.into())
    }

    fn new(side: &str, signal: String, Threshold(threshold): Threshold) -> Self {
        Self(vec![("signal".to_owned(), Raw::Text(signal)), (side.to_owned(), threshold)])
    }

    /// Without a break for so long. Default: zero for an up-rule, for a down-rule 600 s or three tick intervals.
    #[must_use]
    pub fn lasting(self, span: Span) -> Self {
        Self(Draft(self.0).set("for", Raw::text(span)).0)
    }
}

/// A policy to be; see [`Policy::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct PolicyBuilder {
    rest: Draft,
    tick: Draft,
    signals: Vec<(String, Raw)>,
    pools: Vec<(String, Raw)>,
}

impl Policy {
    /// Starts a policy for one cluster.
    ///
    /// ```
    /// # use autoscale_core::data::policy::{Policy, PolicyErrors, PoolPolicy, When};
    /// # use autoscale_core::words::{Span, Unit};
    /// let web = PoolPolicy::builder("web")
    ///     .with_zones(["eu-west-1a", "eu-west-1b"])
    ///     .with_shape("m6i.large", 1_930, 7 << 30, 110)
    ///     .with_up(When::above("cpu", "70%"))
    ///     .with_up(When::above("queue_depth", 100).lasting(Span::from_mins(2)));
    /// let batch = PoolPolicy::builder("batch")
    ///     .with_min(0)
    ///     .with_zones(["eu-west-1a"])
    ///     .with_shape("c6i.xlarge", 3_920, 7 << 30, 110);
    /// let policy = Policy::builder("shop")
    ///     .with_signal("queue_depth", Unit::Count)
    ///     .with_pool(web)
    ///     .with_pool(batch)
    ///     .build()?;
    /// assert_eq!(policy.pools().len(), 2);
    /// # Ok::<(), PolicyErrors>(())
    /// ```
    pub fn builder(cluster: impl Into<String>) -> PolicyBuilder {
        let rest = Draft::default().set("version", Raw::Whole(1)).set("cluster", Raw::Text(cluster.into()));
        PolicyBuilder { rest, tick: Draft::default(), signals: Vec::new(), pools: Vec::new() }
    }
}

impl PolicyBuilder {
    /// From the start of one tick to the start of the next.
    pub fn with_interval(self, interval: Span) -> Self {
        Self { tick: self.tick.set("interval", Raw::text(interval)), ..self }
    }

    /// After which a tick has ended.
    pub fn with_limit(self, limit: Span) -> Self {
        Self { tick: self.tick.set("limit", Raw::text(limit)), ..self }
    }

    /// How much unreadiness is tolerated: so many nodes, and so large a share of all.
    pub fn with_health(self, tolerated: u32, ratio: Ratio) -> Self {
        let ratio = units::show_ratio(ratio.as_fixed());
        let health =
            Raw::Map(vec![("tolerated".to_owned(), Raw::whole(tolerated)), ("ratio".to_owned(), ratio)]);
        Self { rest: self.rest.set("health", health), ..self }
    }

    /// Declares a signal that is stale after 3 minutes.
    pub fn with_signal(self, name: impl Into<String>, unit: Unit) -> Self {
        self.declare(name.into(), vec![("unit".to_owned(), Raw::text(unit.name()))])
    }

    /// Declares a signal that is stale after a time of its own.
    pub fn with_signal_stale_after(self, name: impl Into<String>, unit: Unit, stale_after: Span) -> Self {
        let unit = ("unit".to_owned(), Raw::text(unit.name()));
        self.declare(name.into(), vec![unit, ("stale_after".to_owned(), Raw::text(stale_after))])
    }

    fn declare(mut self, name: String, spec: Vec<(String, Raw)>) -> Self {
        self.signals.push((name, Raw::Map(spec)));
        self
    }

    /// Adds a pool. Two of one name are an error.
    pub fn with_pool(mut self, pool: PoolBuilder) -> Self {
        self.pools.push((pool.name, Raw::Map(pool.draft.0)));
        self
    }

    /// The policy.
    ///
    /// # Errors
    /// Everything that is wrong at once.
    pub fn build(self) -> Result<Policy, PolicyErrors> {
        let mut draft = self.rest;
        if !self.tick.0.is_empty() {
            draft = draft.set("tick", Raw::Map(self.tick.0));
        }
        if !self.signals.is_empty() {
            draft = draft.set("signals", Raw::Map(self.signals));
        }
        check(&Raw::Map(draft.set("pools", Raw::Map(self.pools)).0))
    }
}

/// A pool to be; see [`Policy::builder`]. What is not set has the default documented at [`PoolPolicy`].
#[derive(Clone, Debug)]
#[must_use = "a pool does nothing until it is given to `PolicyBuilder::with_pool`"]
pub struct PoolBuilder {
    name: String,
    draft: Draft,
}

impl PoolPolicy {
    /// Starts a pool. Zones and a shape have no default.
    pub fn builder(name: impl Into<String>) -> PoolBuilder {
        PoolBuilder { name: name.into(), draft: Draft::default() }
    }
}

macro_rules! pool_setters {
    ($($(#[$doc:meta])* $setter:ident($value:ident: $type:ty) $key:literal => $raw:expr;)*) => {
        $($(#[$doc])*
        pub fn $setter(self, $value: $type) -> Self {
            self.set($key, $raw)
        })*
    };
}

impl PoolBuilder {
    fn set(self, key: &str, value: Raw) -> Self {
        Self { draft: self.draft.set(key, value), ..self }
    }

    /// Where to launch, in order.
    pub fn with_zones<Z: fmt::Display>(self, zones: impl IntoIterator<Item = Z>) -> Self {
        self.set("zones", Raw::List(zones.into_iter().map(Raw::text).collect()))
    }

    /// What to launch, and what a node of it offers to pods: thousandths of a CPU, bytes of memory, pods.
    pub fn with_shape(self, name: impl Into<String>, cpu_milli: u64, memory: u64, pods: u32) -> Self {
        let fields = [
            ("name", Raw::Text(name.into())),
            ("cpu", units::show_cpu(cpu_milli)),
            ("memory", Raw::whole(memory)),
            ("pods", Raw::whole(pods)),
        ];
        self.set("shape", Raw::Map(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
    }

    /// How to buy, the preferred way first.
    pub fn with_purchases(self, purchases: impl IntoIterator<Item = Purchase>) -> Self {
        let names = purchases.into_iter().map(|purchase| Raw::text(purchase.name()));
        self.set("purchases", Raw::List(names.collect()))
    }

    /// Adds an up-rule. The first one replaces the default.
    pub fn with_up(self, rule: When) -> Self {
        Self { draft: self.draft.add("up", Raw::Map(rule.0)), ..self }
    }

    /// Adds a down-rule. The first one replaces the default.
    pub fn with_down(self, rule: When) -> Self {
        Self { draft: self.draft.add("down", Raw::Map(rule.0)), ..self }
    }

    /// No up-rules, not even the default: only pending pods grow the pool.
    pub fn without_up(self) -> Self {
        self.set("up", Raw::List(Vec::new()))
    }

    /// No down-rules, not even the default: the pool never shrinks.
    pub fn without_down(self) -> Self {
        self.set("down", Raw::List(Vec::new()))
    }

    /// Pending pods do not grow the pool.
    pub fn without_pending(self) -> Self {
        self.set("pending", Raw::Bool(false))
    }

    pool_setters! {
        /// Never fewer serving nodes.
        with_min(nodes: u32) "min" => Raw::whole(nodes);
        /// Never more instances.
        with_max(nodes: u32) "max" => Raw::whole(nodes);
        /// How many pending pods one new node is bought for.
        with_pods_per_node(pods: u32) "pods_per_node" => Raw::whole(pods);
        /// Pods pending for so long grow the pool.
        with_pending(lasting: Span) "pending" => Raw::Map(vec![("for".to_owned(), Raw::text(lasting))]);
        /// Nodes to add when a rule over a signal holds.
        with_step_up(nodes: u32) "step_up" => Raw::whole(nodes);
        /// Nodes to remove in one action.
        with_step_down(nodes: u32) "step_down" => Raw::whole(nodes);
        /// Greatest number of instances in one action.
        with_max_batch(instances: u32) "max_batch" => Raw::whole(instances);
        /// Pause between a finished scale-up and the next.
        with_cooldown_up(pause: Span) "cooldown_up" => Raw::text(pause);
        /// Pause between any finished scaling action and the next scale-down.
        with_cooldown_down(pause: Span) "cooldown_down" => Raw::text(pause);
        /// How long an instance may take to become a Ready node.
        with_join_timeout(timeout: Span) "join_timeout" => Raw::text(timeout);
        /// How long a drain may take before it is rolled back.
        with_drain_timeout(timeout: Span) "drain_timeout" => Raw::text(timeout);
        /// How far the populations of two zones may differ.
        with_max_zone_skew(nodes: u32) "max_zone_skew" => Raw::whole(nodes);
        /// The first pause after a failure.
        with_backoff_initial(pause: Span) "backoff_initial" => Raw::text(pause);
        /// The longest pause after failures.
        with_backoff_max(pause: Span) "backoff_max" => Raw::text(pause);
        /// How many instances above `max` a replacement may stand.
        with_replacement_surge(instances: u32) "replacement_surge" => Raw::whole(instances);
        /// What to do on a rebalance recommendation.
        with_on_rebalance(choice: OnRebalance) "on_rebalance" => Raw::text(choice.name());
        /// What is pinned in every launch for the provider to read.
        with_template(template: &str) "template" => Raw::text(template);
        /// Whether instances that carry only the worker tag may be removed.
        with_adopt(adopt: bool) "adopt" => Raw::Bool(adopt);
        /// Whether `kube-system` pods hold a node back.
        with_system_pods(choice: SystemPods) "system_pods" => Raw::text(choice.name());
    }
}
