//! The program itself, as a process, against an API server in memory over loopback.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod commands;
mod house;
mod stays;
