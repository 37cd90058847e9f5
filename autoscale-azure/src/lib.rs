//! The Azure side of [`autoscale_core`].
//!
//! One module and one feature each, all on by default:
//!
//! | module | what it is |
//! |---|---|
//! | `vm` | [`NodeProvider`](autoscale_core::ports::NodeProvider) over virtual machines: a machine's name is the name of its operation, and is never overwritten |
//! | `blob` | [`StateStore`](autoscale_core::ports::StateStore) in one blob, by `If-Match`; the audit log in a blob for each entry |
//! | `events` | scheduled events of the machine this runs on, such as the eviction of a spot machine, as notices |
//! | `identity` | credentials: managed identity, workload identity, service principal, the login of a developer |
//! | `fake` | Azure Resource Manager in memory, for tests; off by default |
//!
//! ```no_run
//! # #[cfg(all(feature = "vm", feature = "blob", feature = "identity"))]
//! # fn ports() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use autoscale_azure::{blob::{BlobConfig, BlobStore}, identity::Credential, vm::{Image, VmConfig, Vms}};
//! use autoscale_core::{driver::SystemClock, words::ClusterId};
//!
//! let (cluster, clock) = (ClusterId::new("shop")?, Arc::new(SystemClock::new()));
//! let identity = Arc::new(Credential::from_env(|name| std::env::var(name).ok(), clock.clone())?);
//! let group = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/platform/providers";
//! let machines = VmConfig::builder(cluster.clone(), "11111111-2222-3333-4444-555555555555", "workers", "westeurope")
//!     .with_subnet(format!("{group}/Microsoft.Network/virtualNetworks/main/subnets/workers"))
//!     .with_image(Image::Gallery {
//!         definition: format!("{group}/Microsoft.Compute/galleries/images/images/node"),
//!         version: "1.4.0".to_owned(),
//!     })
//!     .with_admin("scale", std::fs::read_to_string("admin.pub")?.trim())
//!     .build()?;
//! let nodes = Vms::new(machines, identity.clone(), clock)?;
//! let store = BlobStore::new(BlobConfig::new(cluster, "shopstate", "autoscale").build()?, identity)?;
//! # let _ = (nodes, store); Ok(())
//! # }
//! ```
//!
//! A constructor takes a credential of Azure's own SDK (`azure_core` 1); no other type of it is part of a signature, except for
//! the transport that a test puts in.
//!
//! **Roles.** What the identity needs is in `roles/`, one file for each scope at which it is assigned: the workers' resource group, the network,
//! the gallery, the machines' identity, the scale set, and the subscription for the state of operations. The resource manager in memory enforces
//! them: taking one action away fails a test that names it, and none is never asked for. Which of them the service itself asks
//! for was not tried on a subscription.
//!
//! **The SDK.** Machines are reached through `azure_mgmt_compute`, the unofficial and frozen client, behind a trait of seven calls, so that the official one can
//! take its place: one version of the API (2024-07-01), no repeats, no waiting for operations, and no token, which it would print in its debug logs.
//!
//! **Identity.** Managed identity only, in production: there is nothing to leak. Every credential keeps its tokens.

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
