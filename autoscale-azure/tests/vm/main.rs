//! Machines on the resource manager in memory, at the SDK's own transport.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod contract;
mod launch;
mod list;
mod network;
mod roles;
mod stage;
mod terminate;
