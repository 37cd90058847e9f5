//! The Azure side of [`autoscale_core`].
//!
//! One module and one feature each, all on by default:
//!
//! | module | what it is |
//! |---|---|
//! | `vm` | [`NodeProvider`](autoscale_core::ports::NodeProvider) over virtual machines: a machine's name is the name of its operation, and is never overwritten |
//! | `blob` | [`StateStore`](autoscale_core::ports::StateStore) in one blob, by `If-Match` |
//! | `events` | scheduled events of the machine this runs on, such as the eviction of a spot machine, as notices |
//! | `identity` | credentials: managed identity, workload identity, service principal, the login of a developer |
//! | `fake` | Azure Resource Manager in memory, for tests; off by default |
//!
//! A constructor takes a credential of Azure's own SDK (`azure_core` 1); no other type of it is part of a signature, except for
//! the transport that a test puts in. The role that the identity needs is in `roles/`, and tests hold that it is enough and
//! nothing too much.
//!
//! Machines are reached through `azure_mgmt_compute`, the unofficial and frozen client, behind a trait of a few calls, so that the official one can
//! take its place: no repeats, no waiting for operations, one version of the API (2024-07-01).

#[cfg(feature = "blob")]
pub mod blob;
#[cfg(feature = "events")]
pub mod events;
#[cfg(feature = "fake")]
pub mod fake;
#[cfg(feature = "identity")]
pub mod identity;
#[cfg(feature = "vm")]
pub mod vm;
