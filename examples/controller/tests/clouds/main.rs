//! The story of `tests/e2e` with the providers of the clouds, each on its cloud in memory and on the API server in memory, in
//! virtual time: machines that boot and join, pods that run, idle machines that are drained and deleted, machines that the cloud
//! takes; two replicas at once, killed at random requests to either service.
#![cfg(any(feature = "aws", feature = "azure"))]
#![cfg_attr(
    not(all(feature = "aws", feature = "azure")),
    allow(dead_code, reason = "each cloud uses some of it")
)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::large_futures,
    reason = "a test that cannot go on fails"
)]

#[cfg(feature = "aws")]
#[path = "../../../../autoscale-aws/tests/ec2/account.rs"]
#[allow(dead_code, reason = "the provider's own tests use all of it")]
mod account;
#[cfg(feature = "azure")]
mod agents;
#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure")]
mod azure;
#[path = "../common/mod.rs"]
mod common;
#[path = "../e2e/kill.rs"]
mod kill;
#[cfg(feature = "aws")]
#[path = "../../../../autoscale-aws/tests/ec2/query.rs"]
mod query;
#[cfg(feature = "aws")]
mod queue;
#[path = "../e2e/story.rs"]
mod story;
#[path = "../e2e/truth.rs"]
#[allow(dead_code, reason = "the story uses all of it")]
mod truth;
#[cfg(feature = "aws")]
#[path = "../../../../autoscale-aws/tests/wire/mod.rs"]
mod wire;
mod world;
