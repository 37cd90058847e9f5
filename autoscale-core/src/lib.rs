//! Decides when pools of worker nodes grow, shrink or have a node replaced, and carries it out safely.
pub mod data;
pub mod words;
