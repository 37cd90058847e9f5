//! The record and the audit log on a DynamoDB in this process.
#![cfg(feature = "dynamodb")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod audit;
#[path = "../contest/mod.rs"]
mod contest;
#[cfg(feature = "s3")]
mod overflow;
mod store;
#[cfg(feature = "s3")]
#[path = "../stub/mod.rs"]
mod stub;
mod tables;
#[path = "../wire/mod.rs"]
mod wire;
