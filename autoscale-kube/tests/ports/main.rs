//! The contracts of the ports on the API server in memory, each test with a fresh one.
#![cfg(all(feature = "drain", feature = "lease", feature = "metrics"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod attachments;
mod cache;
mod drain;
mod lease;
mod metrics;
mod rbac;
mod survey;
mod unjudged;
