//! Decides when pools of worker nodes grow, shrink or have a node replaced, and carries it out safely.

pub mod data;
#[cfg(feature = "driver")]
pub mod ports;
pub mod words;
