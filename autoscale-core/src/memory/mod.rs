//! F5: a small cloud and cluster in memory, in virtual time, and every port over it.
//!
//! [`World`] is the ground truth: instances by token, nodes, pods, controllers, budgets, a scheduler, metrics, and
//! the store. It does by itself what a cloud does: boots take a while, terminated instances stay listed, pods of a dead
//! node are made again. [`Shared`] gives ready [`Ports`](crate::driver::Ports) over it, for tests of your own.
//!
//! A sleep of its clock lets the world's time pass at once, so that hours take no time.
//!
//! ```
//! use std::sync::Arc;
//!
//! use autoscale_core::data::policy::{Policy, PoolPolicy};
//! use autoscale_core::driver::{Driver, Trigger};
//! use autoscale_core::memory::{Workload, block_on, quick};
//! use autoscale_core::words::Span;
//!
//! let pool = PoolPolicy::builder("web")
//!     .with_zones(["eu-west-1a", "eu-west-1b"])
//!     .with_shape("m5.large", 1_930, 7 << 30, 29)
//!     .with_pending(Span::from_mins(2));
//! let policy = Arc::new(Policy::builder("shop").with_pool(pool).build()?);
//!
//! let world = quick(&policy, 2).expect("the policy has a pool");
//! world.lock().add_workload(Workload::new("shop", 12, 500, 256 << 20));
//! let driver = Driver::new(policy, world.ports());
//! for _ in 0..10 {
//!     let report = block_on(driver.tick(&Trigger::Schedule));
//!     report.rounds.iter().for_each(|round| print!("{}", round.explanation));
//!     let next = world.lock().now().after(Span::from_mins(2));
//!     world.lock().advance_to(next);
//! }
//! assert!(world.lock().serving().len() > 2);
//! # Ok::<(), autoscale_core::data::policy::PolicyErrors>(())
//! ```

mod answer;
#[cfg(feature = "audit")]
mod audit;
mod cloud;
mod cluster;
mod drain;
mod happen;
mod metrics;
#[cfg(feature = "sim")]
mod people;
mod ports;
mod quick;
mod rng;
mod room;
mod scheduler;
mod settings;
mod store;
mod workload;
mod world;

#[cfg(feature = "audit")]
pub use audit::AuditMemory;
pub use ports::{CountedIds, MemoryClock, MemoryDrainer, MemoryMetrics, MemoryProvider, MemoryStore, Shared};
pub use quick::{block_on, quick};
pub use rng::Rng;
pub use settings::{BEGINNING, Pool, Settings};
pub use workload::{Keep, Workload, WorkloadId};
pub use world::World;

#[cfg(all(test, feature = "conformance"))]
pub(crate) use cloud::New;
#[cfg(feature = "sim")]
pub(crate) use {cloud::Machine, ports::boot};

#[cfg(test)]
mod tests;
