//! The pure decision, by tables and properties: no driver, no ports, no clock.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod attempts;
mod grow;
mod lab;
mod notices;
mod record;
mod remove;
mod shrink;
mod stable;
mod stuck;
