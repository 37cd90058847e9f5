//! The controller from end to end: pending pods, nodes, pods that run, idle nodes, drains, nodes gone; two replicas, killed at
//! random points.
//!
//! Always on the API server in memory, in virtual time. With `AUTOSCALE_TEST_KUBE=1` also on the cluster of the current
//! kubeconfig, in a namespace of its own, with simulated machines only.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::large_futures,
    reason = "a test that cannot go on fails"
)]

#[path = "../common/mod.rs"]
mod common;
mod dry;
mod fake;
mod kill;
mod real;
mod replica;
mod story;
mod truth;
