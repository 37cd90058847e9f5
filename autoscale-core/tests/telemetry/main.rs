//! What a tick tells: metrics from its report, spans and events while it runs, on a world in memory.
#![cfg(all(feature = "memory", any(feature = "metrics", feature = "tracing")))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[cfg(feature = "metrics")]
mod book;
#[cfg(feature = "metrics")]
mod measures;
#[cfg_attr(
    not(all(feature = "metrics", feature = "tracing")),
    allow(dead_code, reason = "each feature's tests use some of it")
)]
mod shop;
#[cfg(feature = "tracing")]
mod tape;
#[cfg(feature = "tracing")]
mod traces;
