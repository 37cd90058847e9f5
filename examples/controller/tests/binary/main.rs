//! The program itself, as a process, against an API server in memory over loopback.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[cfg(feature = "aws")]
#[path = "../../../../autoscale-aws/tests/ec2/account.rs"]
#[allow(dead_code, reason = "the provider's own tests use all of it")]
mod account;
#[cfg(any(feature = "aws", feature = "azure"))]
mod clouds;
mod commands;
mod house;
#[cfg(feature = "aws")]
#[path = "../../../../autoscale-aws/tests/ec2/query.rs"]
#[allow(dead_code, reason = "the provider's own tests use all of it")]
mod query;
mod stays;
#[cfg(feature = "aws")]
#[path = "../../../../autoscale-aws/tests/wire/mod.rs"]
mod wire;
