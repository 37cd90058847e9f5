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
mod shop;
#[cfg(feature = "tracing")]
mod tape;
#[cfg(feature = "tracing")]
mod traces;
