//! A world to start with.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::data::policy::{Policy, Purchase};

use super::ports::Shared;
use super::settings::Settings;
use super::world::World;

/// A world for a policy, with so many workers of its first pool running, spread over the pool's zones.
///
/// A control-plane node is there as well. Add workloads through [`Shared::lock`], take ports with [`Shared::ports`].
pub fn quick(policy: &Policy, workers: u32) -> Option<Shared> {
    let pool = policy.pools().values().next()?;
    let mut world = World::new(Settings::for_policy(policy)?, 1);
    for zone in pool.zones.iter().cycle().take(workers as usize) {
        world.add_worker(zone, Purchase::OnDemand, &pool.first_shape().name);
    }
    Some(Shared::new(world))
}

/// Runs a future whose ports are all of a world in memory, on this thread. They answer at once, so it only has to be asked
/// again and again.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}
