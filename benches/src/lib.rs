//! Clusters to measure on: made by a seeded generator, the same in every run.
//!
//! [`Town`] is a mixed cluster of any size, [`Situation`] one of the states a decision finds it in, and [`Workload`] one of
//! three problems whose exact answers are known. The tests say that each is what its name says.

mod lcg;
mod situation;
mod town;
mod workload;

pub use lcg::Lcg;
pub use situation::{Case, Situation};
pub use town::{BUDGETS, OWNERS, PODS_PER_NODE, Town};
pub use workload::{Workload, answer};
