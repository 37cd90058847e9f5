//! Scenarios: workloads, the policy, and what the cloud does to the nodes.

use std::sync::Arc;

use crate::data::order::Offering;
use crate::data::policy::{Policy, PoolPolicy, Purchase, Shape, When};
use crate::memory::{Keep, Rng, Settings, Workload, World};
use crate::words::{Span, Zone};

use super::blow::{Blow, Change};
use super::config::{Config, Scenario};
use super::hpa::Hpa;
use super::prices::EXAMPLE_CPU_MILLI;

const MIB: u64 = 1 << 20;

/// The policy that a scenario runs under when no other is given.
pub fn policy() -> Arc<Policy> {
    policy_of(Scenario::Shop, 1, Change::Back)
}

/// The policy that a run of a scenario is under when it has none of its own, and nobody has changed it.
pub fn scenario_policy(config: &Config) -> Arc<Policy> {
    policy_of(config.scenario, config.scale, Change::Back)
}

/// The policy of a run.
pub(super) fn policy_for(config: &Config) -> Arc<Policy> {
    config.policy.clone().unwrap_or_else(|| scenario_policy(config))
}

/// What a pool launches first.
pub(super) fn first_shape(pool: &PoolPolicy) -> &Shape {
    pool.first_shape()
}

/// The policy that a scenario runs under when no other is given: so many times as large, and changed by a person.
pub(super) fn policy_of(scenario: Scenario, scale: u32, change: Change) -> Arc<Policy> {
    let many = scenario == Scenario::ThousandNodes;
    let scale = if many { scale.saturating_mul(40).min(500) } else { scale };
    let (mut min, mut max) = (2 * scale, 20 * scale);
    let (mut up, mut down, mut template) = ("70%", "42%", "");
    match change {
        Change::LowerMax => max = 6 * scale,
        Change::RaiseMin => min = 7 * scale,
        Change::Thresholds => (up, down) = ("62%", "35%"),
        Change::Template => template = "another",
        Change::Back => {}
    }
    let pool = |name: &str| {
        PoolPolicy::builder(name)
            .with_min(min)
            .with_max(max)
            .with_template(template)
            .with_zones(["zone-a", "zone-b", "zone-c"])
            .with_shape("m5.large", EXAMPLE_CPU_MILLI, 7_168 * MIB, 29)
            .with_up(When::above("cpu", up).lasting(Span::from_secs(60)))
            .with_down(When::below("cpu", down).lasting(Span::from_mins(10)))
            .with_pending(Span::from_secs(60))
            .with_pods_per_node(5)
            .with_step_down(2)
            .with_cooldown_up(Span::from_mins(2))
            .with_drain_timeout(Span::from_mins(8))
    };
    let large = |name: &str, purchase| {
        pool(name).with_purchases([purchase]).with_step_up(20).with_step_down(20).with_max_batch(100)
    };
    let policy = match many {
        true => Policy::builder("sim")
            .with_pool(large("on-demand", Purchase::OnDemand))
            .with_pool(large("spot", Purchase::Spot)),
        false => Policy::builder("sim").with_pool(pool("workers")),
    };
    Arc::new(policy.build().expect("a fixed policy that a test builds"))
}

/// A world without workers and workloads.
pub(super) fn empty_world(policy: &Policy, seed: u64) -> World {
    World::new(Settings::for_policy(policy).expect("a policy has a pool"), seed)
}

/// The workers that a run begins with: `min` of every pool, or as many as hold what the pods ask for, in thousandths of
/// a CPU, shared evenly among the pools.
pub(super) fn furnish(world: &mut World, policy: &Policy, asked: Option<u64>) {
    for pool in policy.pools().values() {
        let (shape, Some(purchase)) = (first_shape(pool), pool.purchases.first()) else { continue };
        let workers = asked.map_or(pool.min, |asked| {
            let room = shape.allocatable.cpu_milli.saturating_sub(world.cluster.daemon.cpu_milli);
            let share = asked.div_ceil(policy.pools().len() as u64);
            // One more: whole pods leave a part of each node free.
            (share.div_ceil(room.max(1)) as u32 + 1).clamp(pool.min, pool.max)
        });
        for zone in pool.zones.iter().cycle().take(workers as usize) {
            world.add_worker_to(&pool.name, zone, *purchase, &shape.name);
        }
    }
}

/// A world as the run finds it, with its workloads' controllers.
pub(super) fn world(policy: &Policy, seed: u64, scale: u32) -> (World, Vec<Hpa>) {
    let mut world = empty_world(policy, seed);
    let workloads = [
        (Workload::new("web", 3, 300, 256 * MIB).with_budget(Keep::MaxUnavailable(2)), 420),
        (Workload::new("search", 2, 450, 512 * MIB), 230),
        (Workload::new("cart", 3, 250, 256 * MIB).with_budget(Keep::MinAvailable(2)), 150),
        (Workload::new("checkout", 3, 200, 256 * MIB).with_budget(Keep::MinAvailable(2)), 100),
        (Workload::new("worker", 1, 400, 384 * MIB), 100),
    ];
    let mut controllers = Vec::new();
    for (mut workload, share) in workloads {
        workload.replicas *= scale;
        for keep in &mut workload.budgets {
            match keep {
                Keep::MinAvailable(pods) | Keep::MaxUnavailable(pods) => *pods *= scale,
            }
        }
        let (least, target) = (workload.replicas, workload.requests.cpu_milli * 65 / 100);
        let id = world.add_workload(workload);
        controllers.push(Hpa::new(id, share, target, least, 2_000 * scale));
    }
    (world, controllers)
}

/// What a scenario does, and when, counted from the start of the run.
pub(super) fn blows(config: &Config, until: Span, policy: &Policy, mut rng: Rng) -> Vec<(Span, Blow)> {
    let mut blows = Vec::new();
    let Some(pool) = policy.pools().values().next() else { return blows };
    let spot = |zone: &Zone| Offering::new(zone.clone(), Purchase::Spot, first_shape(pool).name.clone());
    let mut every = |mean: Span, most: u64, rng: &mut Rng| {
        let mut at = rng.span(Span::ZERO, mean.times(2));
        while at < until {
            blows.push((at, Blow::Interrupt(1 + rng.below(most) as u32)));
            at = at.plus(rng.span(Span::from_mins(1), mean.times(2)));
        }
    };
    match config.scenario {
        Scenario::Steady | Scenario::Diurnal | Scenario::FlashSale => {}
        Scenario::Shop => {
            every(Span::from_mins(8 * 60), 1, &mut rng);
            let hour = |hour: u64| Span::from_mins(hour * 60);
            blows.push((hour(38), Blow::Silence(hour(1))));
            if let Some(zone) = pool.zones.get(1) {
                blows.push((hour(34), Blow::Capacity(spot(zone), Some(0))));
                blows.push((hour(46), Blow::Capacity(spot(zone), None)));
            }
        }
        Scenario::ThousandNodes => every(Span::from_mins(60), 5, &mut rng),
        Scenario::SpotStorm => every(Span::from_mins(45), 3, &mut rng),
        Scenario::ZoneOutage => {
            if let Some(zone) = pool.zones.first() {
                let at = until.times(2).divided(5);
                blows.push((at, Blow::FailZone(zone.clone(), Span::from_mins(45))));
            }
        }
        Scenario::MetricsOutage => {
            // While the load falls on the first evening, and while it rises on the second morning.
            let hour = Span::from_mins(60);
            if until > hour.times(24) {
                blows.push((Span::from_mins(20 * 60 + 40), Blow::Silence(hour)));
                blows.push((hour.times(33), Blow::Silence(hour)));
            } else {
                blows.push((until.divided(2), Blow::Silence(hour)));
            }
        }
    }
    blows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scenario_has_a_policy() {
        let policy = policy();
        let pool = policy.pools().values().next().unwrap();
        assert_eq!((pool.min, pool.max, pool.zones.len()), (2, 20, 3));
        assert_eq!(pool.purchases.first(), Some(&Purchase::Spot));
        for scale in [1, 100] {
            let policy = policy_of(Scenario::ThousandNodes, scale, Change::Back);
            assert_eq!(policy.pools().len(), 2);
        }
    }
}
