//! The in-cluster controller: `autoscale-core` on `autoscale-kube`, as a program that stays up.
//!
//! The program's logic is a library so that tests drive it in their own process and time; `main.rs` only calls [`start()`].
//! How to install and operate it is in the `README.md` beside it.
//!
//! | module | what it is |
//! |---|---|
//! | [`args`], [`settings`] | the command line, and what it means: every mistake at once |
//! | [`policy`] | the policy file, and the watch for its next version |
//! | [`provider`] | one module for each provider; [`mod@provider::sim`] keeps its machines in the cluster itself |
//! | [`notices`] | what the cloud announces, on its way into the record |
//! | `agent` | `--node-agent`, which marks its node with what Azure announces to the machine; with the feature `azure` |
//! | [`signals`] | where signals come from |
//! | [`replica`] | the loop: ticks under the newest policy, until told to stop |
//! | [`dry`] | a dry run's ports |
//! | [`board`], [`serve`] | what is told over HTTP, and how |
//! | [`command`] | `status`, `explain`, `unlock`, `pause`, `resume`, `adopt` |
//!
//! Features, both on by default: `aws` and `azure`, each with its provider. Without any there is `--provider sim` alone.
//!
//! For those who embed the crates in a program of their own: `kube`'s `aws-lc-rs` installs the process's TLS provider by itself.
//! With another TLS provider in the same program, install yours before the first client is made, or the first client panics.

#[cfg(feature = "azure")]
pub mod agent;
pub mod args;
pub mod bad;
pub mod board;
pub mod command;
pub mod dry;
pub mod logs;
pub mod notices;
pub mod policy;
pub mod provider;
pub mod recorder;
pub mod replica;
pub mod serve;
pub mod settings;
pub mod setup;
pub mod signals;
mod start;
pub mod telemetry;

pub use start::{Exit, start};
