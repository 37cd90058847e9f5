//! F1: what goes in and out of a decision, as plain data.

#[cfg(feature = "audit")]
pub mod audit;
mod ended;
pub mod explain;
pub mod order;
pub mod policy;
pub mod record;
pub mod view;

pub use ended::Ended;
