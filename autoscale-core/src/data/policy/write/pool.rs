//! The canonical form of one pool.

use std::collections::BTreeMap;

use crate::data::policy::names::Named;
use crate::data::policy::raw::Raw;
use crate::data::policy::taint::show_taint;
use crate::data::policy::{Bound, Headroom, Policy, PoolPolicy, Rule, Shape, Target, units};
use crate::words::{Fixed, Resources, SignalName, Unit};

pub(super) fn pool(policy: &Policy, pool: &PoolPolicy) -> Raw {
    #[rustfmt::skip]
    let PoolPolicy {
        name: _, min, max, priority, zones, max_per_zone, shapes, labels: own, taints, overhead, template, purchases,
        pods_per_node, targets, up, down, pending_for, headroom: room, step_up, step_down, max_batch, max_drains,
        busy_above, cooldown_up, cooldown_down, join_timeout, drain_timeout, max_zone_skew, backoff_initial, backoff_max,
        replacement_surge, on_rebalance, adopt, system_pods, bare_pods, local_storage, critical_pods,
    } = pool;
    let rules = |rules: &[Rule]| Raw::List(rules.iter().map(|part| rule(policy, part)).collect());
    map([
        ("min", Raw::whole(*min)),
        ("max", Raw::whole(*max)),
        ("priority", Raw::whole(*priority)),
        ("zones", Raw::List(zones.iter().map(Raw::text).collect())),
        ("max_per_zone", or_false(*max_per_zone, Raw::whole)),
        ("shapes", Raw::List(shapes.iter().map(shape).collect())),
        ("labels", labels(own)),
        ("taints", Raw::List(taints.iter().map(show_taint).collect())),
        ("overhead", or_false(*overhead, resources)),
        ("template", Raw::text(template)),
        ("purchases", Raw::List(purchases.iter().map(|purchase| Raw::text(purchase.name())).collect())),
        ("pods_per_node", or_false(*pods_per_node, Raw::whole)),
        ("targets", Raw::List(targets.iter().map(|part| target(policy, part)).collect())),
        ("up", rules(up)),
        ("down", rules(down)),
        ("pending", or_false(*pending_for, |span| map([("for", Raw::text(span))]))),
        ("headroom", headroom(*room)),
        ("step_up", Raw::whole(*step_up)),
        ("step_down", Raw::whole(*step_down)),
        ("max_batch", Raw::whole(*max_batch)),
        ("max_drains", Raw::whole(*max_drains)),
        ("busy_above", or_false(*busy_above, |ratio| units::show_ratio(ratio.as_fixed()))),
        ("cooldown_up", Raw::text(cooldown_up)),
        ("cooldown_down", Raw::text(cooldown_down)),
        ("join_timeout", Raw::text(join_timeout)),
        ("drain_timeout", Raw::text(drain_timeout)),
        ("max_zone_skew", Raw::whole(*max_zone_skew)),
        ("backoff_initial", Raw::text(backoff_initial)),
        ("backoff_max", Raw::text(backoff_max)),
        ("replacement_surge", Raw::whole(*replacement_surge)),
        ("on_rebalance", Raw::text(on_rebalance.name())),
        ("adopt", Raw::Bool(*adopt)),
        ("system_pods", Raw::text(system_pods.name())),
        ("bare_pods", Raw::text(bare_pods.name())),
        ("local_storage", Raw::text(local_storage.name())),
        ("critical_pods", Raw::text(critical_pods.name())),
    ])
}

/// One shape.
pub(in crate::data::policy) fn shape(shape: &Shape) -> Raw {
    let Shape { name, allocatable: Resources { cpu_milli, memory, pods }, extended, labels: own, price } =
        shape;
    let amounts = extended.iter().map(|(name, amount)| (name.to_owned(), Raw::whole(amount)));
    map([
        ("name", Raw::text(name)),
        ("cpu", units::show_cpu(*cpu_milli)),
        ("memory", units::show_memory(*memory)),
        ("pods", Raw::whole(*pods)),
        ("extended", Raw::Map(amounts.collect())),
        ("labels", labels(own)),
        ("price", or_false(*price, |price| units::show_threshold(Unit::Count, price))),
    ])
}

/// Labels of nodes.
fn labels(labels: &BTreeMap<String, String>) -> Raw {
    Raw::Map(labels.iter().map(|(key, value)| (key.clone(), Raw::text(value))).collect())
}

/// What DaemonSet pods take.
pub(in crate::data::policy) fn resources(Resources { cpu_milli, memory, pods }: Resources) -> Raw {
    map([
        ("cpu", units::show_cpu(cpu_milli)),
        ("memory", units::show_memory(memory)),
        ("pods", Raw::whole(pods)),
    ])
}

/// The room that is kept free.
pub(in crate::data::policy) fn headroom(Headroom { cpu_milli, memory, nodes }: Headroom) -> Raw {
    map([
        ("cpu", units::show_cpu(cpu_milli)),
        ("memory", units::show_memory(memory)),
        ("nodes", Raw::whole(nodes)),
    ])
}

fn target(policy: &Policy, Target { signal, value, tolerance, window }: &Target) -> Raw {
    map([
        ("signal", Raw::text(signal)),
        ("value", threshold(policy, signal, *value)),
        ("tolerance", units::show_ratio(tolerance.as_fixed())),
        ("window", Raw::text(window)),
    ])
}

fn rule(policy: &Policy, Rule { signal, bound, lasting }: &Rule) -> Raw {
    let side = match bound {
        Bound::Above(_) => "above",
        Bound::Below(_) => "below",
    };
    map([
        ("signal", Raw::text(signal)),
        (side, threshold(policy, signal, bound.threshold())),
        ("for", Raw::text(lasting)),
    ])
}

/// A number in the unit of its signal.
fn threshold(policy: &Policy, signal: &SignalName, value: Fixed) -> Raw {
    // A rule or a target over an undeclared signal cannot exist in a policy.
    let unit = policy.signals.get(signal).map(|spec| spec.unit).unwrap_or_default();
    units::show_threshold(unit, value)
}

/// What may be without a value is `false` then.
fn or_false<T>(value: Option<T>, show: impl FnOnce(T) -> Raw) -> Raw {
    value.map_or(Raw::Bool(false), show)
}

pub(super) fn map<const N: usize>(entries: [(&str, Raw); N]) -> Raw {
    Raw::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
