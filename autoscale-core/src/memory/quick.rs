//! A world to start with.

use crate::data::policy::{Policy, Purchase};

use super::ports::Shared;
use super::settings::Settings;
use super::world::World;

/// A world for the first pool of a policy, with so many workers running, spread over its zones.
///
/// A control-plane node is there as well. Add workloads through [`Shared::lock`], take ports with [`Shared::ports`].
pub fn quick(policy: &Policy, workers: u32) -> Option<Shared> {
    let pool = policy.pools().values().next()?;
    let mut world = World::new(Settings::for_pool(policy.cluster(), pool), 1);
    for zone in pool.zones.iter().cycle().take(workers as usize) {
        world.add_worker(zone, Purchase::OnDemand, &pool.shape.name);
    }
    Some(Shared::new(world))
}
