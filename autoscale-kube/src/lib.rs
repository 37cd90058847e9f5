//! The Kubernetes side of [`autoscale_core`].
//!
//! **Nothing is implemented yet.** This package holds the place, so that the workspace, its lints and its checks are
//! whole from the start. What will live here, one module and one feature each, all on by default:
//!
//! | module | what it is |
//! |---|---|
//! | `drain` | [`Drainer`](autoscale_core::ports::Drainer): surveys, stamped cordons, evictions by uid through the eviction API |
//! | `metrics` | [`MetricsSource`](autoscale_core::ports::MetricsSource) over the metrics server |
//! | `prometheus` | [`MetricsSource`](autoscale_core::ports::MetricsSource) over Prometheus queries |
//! | `lease` | [`StateStore`](autoscale_core::ports::StateStore) in an annotation of one Lease, by uid and resource version |
//!
//! Each constructor will take the client of `kube`; no other type of it will be part of a signature. Until then a
//! provider of your own needs only the traits in [`autoscale_core::ports`].

#[cfg(feature = "fake")]
pub mod fake;
