//! Decides when pools of worker nodes grow, shrink or have a node replaced, and carries it out safely.

pub mod data;
#[cfg(feature = "driver")]
pub mod driver;
pub mod logic;
#[cfg(feature = "memory")]
pub mod memory;
mod mutant;
#[cfg(feature = "driver")]
pub mod ports;
#[cfg(feature = "sim")]
pub mod sim;
pub mod words;
