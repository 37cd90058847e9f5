//! The Kubernetes side of [`autoscale_core`]: its ports on an API server and on Prometheus.
//!
//! One module and one feature each, all on by default:
//!
//! | module | what it is |
//! |---|---|
//! | `drain` | [`Drainer`](autoscale_core::ports::Drainer): surveys, stamped cordons, evictions by uid through the eviction API. It says whose pods may go, and how large a cluster may be |
//! | `events` | what was decided and done, as events on nodes, pods and the pools' object |
//! | `lease` | [`StateStore`](autoscale_core::ports::StateStore) in an annotation of one Lease, by uid and resource version |
//! | `metrics` | [`MetricsSource`](autoscale_core::ports::MetricsSource) on the metrics server, on what pods ask for, and on pods that wait |
//! | `prometheus` | [`MetricsSource`](autoscale_core::ports::MetricsSource) on Prometheus, each signal a query; needs no client of Kubernetes |
//! | `fake` | an API server in memory behind a client of `kube`, for tests; off by default |
//!
//! What the account needs is in `rbac/`, and tests hold that it is enough and nothing too much.
//!
//! The version of the Kubernetes API is the program's to choose: switch on one `v1_*` feature of `k8s-openapi`, or set
//! `K8S_OPENAPI_ENABLED_VERSION`.
//!
//! A `Connection` is made of the configuration or the client of `kube`; no other type of it is part of a signature.

#[cfg(feature = "client")]
#[cfg_attr(
    not(all(feature = "drain", feature = "events", feature = "lease")),
    allow(dead_code, reason = "each module uses some of it")
)]
mod connection;
#[cfg(feature = "drain")]
pub mod drain;
#[cfg(feature = "events")]
pub mod events;
#[cfg(feature = "fake")]
pub mod fake;
#[cfg(feature = "lease")]
pub mod lease;
#[cfg(feature = "drain")]
mod lines;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "prometheus")]
pub mod prometheus;
#[cfg(feature = "drain")]
mod quantity;
#[cfg(feature = "client")]
#[cfg_attr(
    not(all(feature = "drain", feature = "events", feature = "lease")),
    allow(dead_code, reason = "each module uses some of it")
)]
mod request;
#[cfg(feature = "client")]
#[cfg_attr(
    not(all(feature = "drain", feature = "events", feature = "lease")),
    allow(dead_code, reason = "each module uses some of it")
)]
mod time;

#[cfg(feature = "client")]
pub use connection::Connection;
