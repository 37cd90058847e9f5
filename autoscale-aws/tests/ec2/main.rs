//! Machines of an EC2 in this process.
#![cfg(feature = "ec2")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod account;
mod contract;
mod faults;
mod query;
#[path = "../wire/mod.rs"]
mod wire;
