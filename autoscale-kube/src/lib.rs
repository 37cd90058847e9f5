//! The Kubernetes side of [`autoscale_core`]: its ports on an API server and on Prometheus.
//!
//! One module and one feature each, all on by default:
//!
//! | module | what it is |
//! |---|---|
//! | `drain` | [`Drainer`](autoscale_core::ports::Drainer): surveys, stamped cordons, evictions by uid through the eviction API |
//! | `lease` | [`StateStore`](autoscale_core::ports::StateStore) in an annotation of one Lease, by uid and resource version |
//! | `fake` | an API server in memory behind a client of `kube`, for tests; off by default |
//!
//! A [`Connection`] is made of the configuration or the client of `kube`; no other type of it is part of a signature.

#[cfg(feature = "client")]
mod connection;
#[cfg(feature = "drain")]
pub mod drain;
#[cfg(feature = "fake")]
pub mod fake;
#[cfg(feature = "lease")]
pub mod lease;
#[cfg(any(feature = "drain", feature = "metrics"))]
mod quantity;
#[cfg(feature = "client")]
mod request;
#[cfg(feature = "client")]
mod time;

#[cfg(feature = "client")]
pub use connection::Connection;
