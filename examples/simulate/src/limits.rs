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

#[cfg(test)]
mod tests {
    use super::*;
    use autoscale_core::data::policy::PolicyFormat;
    use autoscale_core::sim::Scenario;

    #[test]
    fn what_makes_no_difference_is_said() {
        let text = "
version: 1
cluster: shop
signals: { queue: { unit: count } }
pools:
  one:
    zones: [a]
    template: lt-1
    adopt: true
    taints: [\"gpu=yes:NoSchedule\"]
    shape: { name: tiny, cpu: 500m, memory: 8Gi, pods: 110, price: 1 }
    up: [{ signal: queue, above: 3 }]
    down: [{ signal: queue, below: 1, for: 10m }]
    on_rebalance: ignore
  two: { zones: [a], shape: { name: x, cpu: 2, memory: 8Gi, pods: 110 } }
";
        let policy = Policy::parse(text, PolicyFormat::Yaml).unwrap();
        let mut config = Config::new(Scenario::Shop);
        let found = limits(&policy, &config).join("\n");
        for said in [
            "signal queue is not measured here and always missing: the rules over it never grow pool one; pool one never \
             shrinks, because it asks for that signal",
            "no pod of the load tolerates the taint gpu",
            "tiny is too small",
            "the price of its shapes counts for spot and on-demand alike",
            "adopt makes no difference",
            "its template is pinned",
            "on_rebalance makes no difference",
        ] {
            assert!(found.contains(said), "{said}\n{found}");
        }
        assert!(!found.contains("two") && !found.contains("--scale"), "{found}");
        (config.faults, config.scale) = (Faults::Hostile, 3);
        let found = limits(&policy, &config).join("\n");
        assert!(found.contains("--scale 3") && found.contains("a person changes the policy"), "{found}");
    }
}
