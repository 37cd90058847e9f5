//! A policy in words.

use autoscale_core::data::policy::{Policy, PoolPolicy, Rule, Shape, Target};
use autoscale_core::words::{Span, Unit};

/// Every pool in words: its size, what it buys, when it grows and shrinks. One line each, indented beneath its pool.
pub(crate) fn pools(policy: &Policy) -> Vec<String> {
    policy.pools().values().flat_map(|one| pool(policy, one)).collect()
}

fn pool(policy: &Policy, pool: &PoolPolicy) -> Vec<String> {
    let PoolPolicy { name, min, max, zones, purchases, .. } = pool;
    let shapes: Vec<_> = pool.shapes.iter().map(shape).collect();
    let zones: Vec<_> = zones.iter().map(ToString::to_string).collect();
    let purchases: Vec<_> = purchases.iter().map(ToString::to_string).collect();
    vec![
        format!("pool {name}: {min}\u{2013}{max} nodes, {}", purchases.join(", else ")),
        format!("  of {}", shapes.join(", ")),
        format!("  in {}", zones.join(", ")),
        format!("  {}", grows(policy, pool)),
        format!("  {}", shrinks(policy, pool)),
    ]
}

/// When a pool grows.
pub(crate) fn grows(policy: &Policy, pool: &PoolPolicy) -> String {
    let rules = pool.up.iter().map(|one| rule(policy, one));
    let targets = pool.targets.iter().map(|one| target(policy, one));
    let pending = pool.pending_for.map(|span| format!("pods are pending for {span}"));
    let when: Vec<_> = targets.chain(rules).chain(pending).collect();
    match when.is_empty() {
        true => "never grows above min".to_owned(),
        false => format!("grows when {}", when.join(", or ")),
    }
}

/// When a pool shrinks.
pub(crate) fn shrinks(policy: &Policy, pool: &PoolPolicy) -> String {
    let rules = pool.down.iter().map(|one| rule(policy, one));
    let targets = pool.targets.iter().map(|one| format!("{} would stay at its target", one.signal));
    let when: Vec<_> = rules.chain(targets).collect();
    match when.is_empty() {
        true => "never shrinks".to_owned(),
        false => format!("shrinks when {}", when.join(" and ")),
    }
}

fn unit(policy: &Policy, signal: &autoscale_core::words::SignalName) -> Unit {
    policy.signals().get(signal).map(|spec| spec.unit).unwrap_or_default()
}

fn rule(policy: &Policy, Rule { signal, bound, lasting, .. }: &Rule) -> String {
    let bound = bound.show(unit(policy, signal));
    match *lasting {
        Span::ZERO => format!("{signal} is {bound}"),
        lasting => format!("{signal} is {bound} for {lasting}"),
    }
}

fn target(policy: &Policy, Target { signal, value, tolerance, .. }: &Target) -> String {
    let tolerance = Unit::Ratio.show(tolerance.as_fixed());
    format!("{signal} is off its target of {} by more than {tolerance}", unit(policy, signal).show(*value))
}

fn shape(shape: &Shape) -> String {
    let cpu = shape.allocatable.cpu_milli as f64 / 1_000.0;
    let memory = shape.allocatable.memory as f64 / f64::from(1 << 30);
    let price = shape.price.map(|price| format!(", {price} an hour")).unwrap_or_default();
    format!("{} ({cpu} CPU, {memory:.1} GiB, {} pods{price})", shape.name, shape.allocatable.pods)
}
