//! F5: the contracts of the ports as tests, for implementations of your own.
//!
//! Each sentence of a port's *Contract* that can be tested has one test. An implementation brings a *stage*: a small
//! type that holds the port under test, says what is really there, and makes happen what an implementation cannot do
//! by itself (an offering runs out, an answer is lost, a list is cut short). Every test gets a fresh stage:
//!
//! ```
//! # #[cfg(feature = "memory")] {
//! use std::sync::Arc;
//! use autoscale_core::conformance::{self, StoreStage};
//! use autoscale_core::data::policy::{Policy, PoolPolicy};
//! use autoscale_core::memory::quick;
//! use autoscale_core::ports::StateStore;
//!
//! struct Stage(Arc<dyn StateStore>);
//!
//! impl StoreStage for Stage {
//!     fn store(&self) -> Arc<dyn StateStore> {
//!         self.0.clone()
//!     }
//!     fn other(&self) -> Arc<dyn StateStore> {
//!         self.0.clone()
//!     }
//! }
//!
//! let pool = PoolPolicy::builder("web").with_zones(["a"]).with_shape("m", 1_000, 4 << 30, 110);
//! let policy = Policy::builder("shop").with_pool(pool).build().unwrap();
//! let fresh = async || Stage(quick(&policy, 0).unwrap().ports().store);
//! let verdicts = futures_util::future::FutureExt::now_or_never(conformance::store(fresh)).unwrap();
//! verdicts.assert_all();
//! # }
//! ```
//!
//! What a stage cannot make happen it does not declare: those methods have bodies that say so, and the tests that need
//! them are *not applicable*, with the reason. Nothing here reads a clock, sleeps or needs a certain executor.

#[cfg(feature = "audit")]
mod audit;
mod check;
mod drainer;
mod metrics;
mod nodes;
mod store;
mod verdict;

#[cfg(test)]
#[cfg(feature = "memory")]
mod broken;

#[cfg(feature = "audit")]
pub use audit::{AuditStage, audit, audit_line};
pub use drainer::{DrainerStage, PodTruth, drainer};
pub use metrics::{MetricsStage, metrics};
pub use nodes::{NodeStage, Stranger, Wares, nodes};
pub use store::{StoreStage, store};
pub use verdict::{Finding, Verdict, Verdicts};
