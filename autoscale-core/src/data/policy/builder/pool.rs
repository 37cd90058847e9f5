//! One pool in code.

use std::fmt;

use super::env::Variable;
use super::{Draft, Keep, When};
use crate::data::policy::names::Named;
use crate::data::policy::raw::Raw;
use crate::data::policy::taint::show_taint;
use crate::data::policy::{
    Awkward, Headroom, OnRebalance, PoolPolicy, Purchase, Shape, SystemPods, units, write,
};
use crate::data::view::Taint;
use crate::words::{Ratio, Resources, Span};

/// A pool to be; see [`Policy::builder`](crate::data::policy::Policy::builder). What is not set has the default documented at [`PoolPolicy`].
#[derive(Clone, Debug)]
#[must_use = "a pool does nothing until it is given to `PolicyBuilder::with_pool`"]
pub struct PoolBuilder {
    pub(super) name: String,
    pub(super) draft: Draft,
    pub(super) variables: Vec<Variable>,
}

impl PoolPolicy {
    /// Starts a pool. Zones and a shape have no default.
    pub fn builder(name: impl Into<String>) -> PoolBuilder {
        PoolBuilder { name: name.into(), draft: Draft::default(), variables: Vec::new() }
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

    /// Adds what to launch, and what a node of it offers to pods: thousandths of a CPU, bytes of memory, pods.
    pub fn with_shape(self, name: impl Into<String>, cpu_milli: u64, memory: u64, pods: u32) -> Self {
        let fields = [
            ("name", Raw::Text(name.into())),
            ("cpu", units::show_cpu(cpu_milli)),
            ("memory", Raw::whole(memory)),
            ("pods", Raw::whole(pods)),
        ];
        let shape = Raw::Map(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
        Self { draft: self.draft.add("shapes", shape), ..self }
    }

    /// What to launch, in order; replaces what was named before.
    pub fn with_shapes(self, shapes: impl IntoIterator<Item = Shape>) -> Self {
        self.set("shapes", Raw::List(shapes.into_iter().map(|shape| write::shape(&shape)).collect()))
    }

    /// Labels that nodes of the pool have.
    pub fn with_labels<K: Into<String>, V: Into<String>>(
        self,
        labels: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let entries = labels.into_iter().map(|(key, value)| (key.into(), Raw::Text(value.into())));
        self.set("labels", Raw::Map(entries.collect()))
    }

    /// Taints that nodes of the pool have.
    pub fn with_taints(self, taints: impl IntoIterator<Item = Taint>) -> Self {
        self.set("taints", Raw::List(taints.into_iter().map(|taint| show_taint(&taint)).collect()))
    }

    /// How to buy, the preferred way first.
    pub fn with_purchases(self, purchases: impl IntoIterator<Item = Purchase>) -> Self {
        let names = purchases.into_iter().map(|purchase| Raw::text(purchase.name()));
        self.set("purchases", Raw::List(names.collect()))
    }

    /// Adds a target. The default rules go with the first one.
    pub fn with_target(self, target: Keep) -> Self {
        Self { draft: self.draft.add("targets", Raw::Map(target.0)), ..self }
    }

    /// Adds an up-rule. The first one replaces the default.
    pub fn with_up(self, rule: When) -> Self {
        Self { draft: self.draft.add("up", Raw::Map(rule.0)), ..self }
    }

    /// Adds a down-rule. The first one replaces the default.
    pub fn with_down(self, rule: When) -> Self {
        Self { draft: self.draft.add("down", Raw::Map(rule.0)), ..self }
    }

    /// No up-rules, not even the default: only pending pods and targets grow the pool.
    pub fn without_up(self) -> Self {
        self.set("up", Raw::List(Vec::new()))
    }

    /// No down-rules, not even the default: without targets the pool never shrinks.
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
        /// A pool of a higher priority is bought first, where the policy chooses by priority.
        with_priority(priority: u32) "priority" => Raw::whole(priority);
        /// Never more instances in one zone.
        with_max_per_zone(instances: u32) "max_per_zone" => Raw::whole(instances);
        /// What DaemonSet pods take of a new node.
        with_overhead(taken: Resources) "overhead" => write::resources(taken);
        /// Spare room that is kept free.
        with_headroom(room: Headroom) "headroom" => write::headroom(room);
        /// Greatest number of nodes with pods to move in one action.
        with_max_drains(nodes: u32) "max_drains" => Raw::whole(nodes);
        /// A node that is used beyond this share of its CPU or memory is not removed to shrink the pool.
        with_busy_above(share: Ratio) "busy_above" => units::show_ratio(share.as_fixed());
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
        /// Whether pods without a controller hold a node back.
        with_bare_pods(choice: Awkward) "bare_pods" => Raw::text(choice.name());
        /// Whether pods that keep data on their node hold it back.
        with_local_storage(choice: Awkward) "local_storage" => Raw::text(choice.name());
        /// Whether pods of a system-critical priority hold a node back.
        with_critical_pods(choice: Awkward) "critical_pods" => Raw::text(choice.name());
    }
}
