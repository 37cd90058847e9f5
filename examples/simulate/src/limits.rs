//! What the simulated world does not offer to a policy: said, so that nobody takes silence for a result.

use autoscale_core::data::policy::{OnRebalance, Policy, PoolPolicy, Rule, Shape};
use autoscale_core::sim::{Config, Faults};
use autoscale_core::words::SignalName;

/// The signals that the simulated world measures.
const MEASURED: [&str; 2] = ["cpu", "memory"];

/// The most that a pod of the scenarios and of traces asks for: thousandths of a CPU, bytes, with what the DaemonSet takes.
const LARGEST_POD: (u64, u64) = (450 + 100, (512 + 128) << 20);

/// What of a policy makes no difference in a run, a sentence each.
pub(crate) fn limits(policy: &Policy, config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    let pools = || policy.pools().values();
    for signal in policy.signals().keys().filter(|signal| !MEASURED.contains(&signal.as_str())) {
        let users: Vec<_> = pools().flat_map(|pool| users_of(pool, signal)).collect();
        if !users.is_empty() {
            found.push(format!(
                "signal {signal} is not measured here and always missing: {}",
                users.join("; ")
            ));
        }
    }
    for pool in pools() {
        of_pool(pool, &mut found);
    }
    if pools().any(|pool| pool.on_rebalance != OnRebalance::Replace) && config.faults == Faults::None {
        found.push(
            "on_rebalance makes no difference: only --faults mild and hostile recommend to rebalance"
                .to_owned(),
        );
    }
    if config.faults == Faults::Hostile {
        found.push("the faults in which a person changes the policy do not happen: they are changes of the scenario's own".to_owned());
    }
    if config.scale > 1 {
        found.push(format!(
            "--scale {} is of the load alone: the policy's sizes stay as they are",
            config.scale
        ));
    }
    found
}

/// What a missing signal means for a pool.
fn users_of(pool: &PoolPolicy, signal: &SignalName) -> Vec<String> {
    let rules = |rules: &[Rule]| rules.iter().any(|rule| rule.signal == *signal);
    let name = &pool.name;
    let mut users = Vec::new();
    if rules(&pool.up) {
        users.push(format!("the rules over it never grow pool {name}"));
    }
    if rules(&pool.down) || pool.targets.iter().any(|target| target.signal == *signal) {
        users.push(format!("pool {name} never shrinks, because it asks for that signal"));
    }
    users
}

fn of_pool(pool: &PoolPolicy, found: &mut Vec<String>) {
    let name = &pool.name;
    if let Some(taint) = pool.taints.first() {
        found.push(format!(
            "pool {name}: no pod of the load tolerates the taint {}, so no pod grows it or runs on it",
            taint.key
        ));
    }
    let small = |shape: &&Shape| {
        shape.allocatable.cpu_milli < LARGEST_POD.0 || shape.allocatable.memory < LARGEST_POD.1
    };
    for shape in pool.shapes.iter().filter(small) {
        found.push(format!("pool {name}: {} is too small for the largest pods of the load", shape.name));
    }
    if pool.purchases.len() > 1 && pool.shapes.iter().any(|shape| shape.price.is_some()) {
        found.push(format!("pool {name}: the price of its shapes counts for spot and on-demand alike"));
    }
    if pool.adopt {
        found.push(format!("pool {name}: adopt makes no difference, there are no instances to adopt"));
    }
    if !pool.template.is_empty() {
        found.push(format!("pool {name}: its template is pinned and changes nothing about a node"));
    }
}
