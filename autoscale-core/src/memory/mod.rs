//! F5: a small cloud and cluster in memory, in virtual time, and every port over it.
//!
//! [`World`] is the ground truth: instances by token, nodes, pods, controllers, budgets, a scheduler, metrics, and
//! the store. It does by itself what a cloud does: boots take a while, terminated instances stay listed, pods of a dead
//! node are made again. [`Shared`] gives ready [`Ports`](crate::driver::Ports) over it, for tests of your own.
//!
//! A sleep of its clock lets the world's time pass at once, so that hours take no time.

mod answer;
mod cloud;
mod cluster;
mod drain;
mod metrics;
mod ports;
mod quick;
mod rng;
mod scheduler;
mod settings;
mod store;
mod workload;
mod world;

pub use ports::{CountedIds, MemoryClock, MemoryDrainer, MemoryMetrics, MemoryProvider, MemoryStore, Shared};
pub use quick::quick;
pub use rng::Rng;
pub use settings::{BEGINNING, Settings};
pub use workload::{Keep, Workload, WorkloadId};
pub use world::World;

pub(crate) use cloud::Machine;
pub(crate) use cluster::Wait;
pub(crate) use ports::boot;

#[cfg(test)]
mod tests;
