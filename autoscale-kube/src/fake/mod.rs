//! A Kubernetes API server in memory, with a small cluster behind it, for tests.
//!
//! It answers a [`kube::Client`] as a server of release 1.36 does: the same codes, reasons and messages, conflicts of
//! resource versions, pages of one moment, watches, graceful deletion, evictions that honour budgets, RBAC. Behind it
//! controllers make pods and make them again, a scheduler gives them nodes, and kubelets start and end them, all in a
//! time that stands still until the test moves it. On purpose, requests and answers get lost.
//!
//! ```
//! use autoscale_core::words::Span;
//! use autoscale_kube::fake::{ApiServer, NodeSpec};
//! use k8s_openapi::api::core::v1::Pod;
//! use kube::api::{Api, ListParams};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = ApiServer::default();
//! server.add_node(NodeSpec::new("n0").with_zone("a"));
//! server.create(serde_json::json!({
//!     "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
//!     "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": {
//!         "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}},
//! })).expect("nothing stands in the way");
//! server.advance(Span::from_secs(5));
//! let pods: Api<Pod> = Api::default_namespaced(server.client());
//! let running = ListParams::default().fields("spec.nodeName=n0,status.phase=Running");
//! assert_eq!(pods.list(&running).await?.items.len(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! # What is not modelled
//! Which fields a manager owns (`fieldsV1` is empty; an apply is a merge), preemption, host ports, topology spread,
//! affinity to other pods except anti-affinity over host names, volumes beyond their node affinity, quotas, admission,
//! discovery, protobuf. A ServiceAccount's token does not expire.

mod access;
mod agenda;
mod api;
mod budgets;
mod changed;
mod controllers;
mod date;
mod defaults;
mod events;
mod eviction;
mod faults;
mod fit;
mod index;
mod journal;
mod json;
mod kinds;
mod kubelet;
mod list;
mod managed;
mod metrics;
mod nodes;
mod patch;
mod refusal;
mod rng;
mod route;
mod scheduler;
mod select;
mod server;
mod service;
mod settings;
mod stage;
mod store;
mod validate;
mod watch;
mod wire;
mod world;
mod write;

pub use access::Permission;
pub use faults::{Fault, Requests, Trouble, Weather};
pub use journal::{Count, Entry};
pub use nodes::NodeSpec;
pub use server::ApiServer;
pub use settings::Settings;
pub use wire::{ServeOptions, Serving};
