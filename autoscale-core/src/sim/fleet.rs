//! Fleets of a fixed size under the same load: what an autoscaler is compared with.

use crate::data::policy::Purchase;
use crate::memory::Rng;
use crate::words::Span;

use super::config::{Config, Faults};
use super::hpa::EVERY;
use super::load::Curve;
use super::prices::Prices;
use super::report::StaticFleet;
use super::scenario;

/// The largest fleet that [`smallest_static_fleet`] tries.
const LARGEST: u32 = 512;

/// The same load on so many on-demand nodes from start to end, without an autoscaler and without interruptions. Of a list
/// of pods it knows nothing.
pub fn static_fleet(config: &Config, nodes: u32) -> StaticFleet {
    let policy = scenario::policy_for(config);
    let (mut world, mut controllers) = scenario::world(&policy, config.seed, config.times());
    if let Some(pool) = policy.pools().values().next() {
        for zone in pool.zones.iter().cycle().take(nodes as usize) {
            world.add_worker(zone, Purchase::OnDemand, &scenario::first_shape(pool).name);
        }
    }
    let busy = config.faults != Faults::None;
    let (load, until) = (config.load.as_deref(), config.until);
    let curve = Curve::new(config.scenario, load, until, busy, until, Rng::new(config.seed).fork(2));
    let beginning = world.now();
    let mut at = Span::ZERO;
    while at < config.until {
        let load = curve.at(at) * u64::from(config.times());
        for controller in &mut controllers {
            controller.step(&mut world, load);
        }
        at = at.plus(EVERY).min(config.until);
        world.advance_to(beginning.after(at));
    }
    world.cluster.account(world.now);
    let (_, node_hours) = world.hours();
    StaticFleet {
        nodes,
        pending_pod_minutes: world.cluster.pending_ms / 60_000,
        node_hours,
        cost: Prices::of(&policy).cost(&world, world.now),
    }
}

/// The smallest such fleet in which pods wait for at most so many minutes in sum.
///
/// Found by halving; as packing is not strictly monotonic, the two fleets just below are tried as well.
pub fn smallest_static_fleet(config: &Config, at_most_pending: u64) -> StaticFleet {
    let fits = |nodes: u32| {
        Some(static_fleet(config, nodes)).filter(|fleet| fleet.pending_pod_minutes <= at_most_pending)
    };
    let mut high = 16;
    let mut best = fits(high);
    while best.is_none() && high < LARGEST {
        high *= 2;
        best = fits(high);
    }
    let Some(mut best) = best else { return static_fleet(config, high) };
    let mut low = if high == 16 { 0 } else { high / 2 };
    while best.nodes - low > 1 {
        let middle = low + (best.nodes - low) / 2;
        match fits(middle) {
            Some(fleet) => best = fleet,
            None => low = middle,
        }
    }
    for nodes in (best.nodes.saturating_sub(2).max(1)..best.nodes).rev() {
        if let Some(fleet) = fits(nodes) {
            best = fleet;
        }
    }
    best
}
