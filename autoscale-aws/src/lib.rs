//! The AWS side of [`autoscale_core`]: its ports on EC2, DynamoDB and S3, and what EventBridge announces as notices.
//!
//! One module and one feature each, all on by default:
//!
//! | module | what it is |
//! |---|---|
//! | `dynamodb` | [`StateStore`](autoscale_core::ports::StateStore) in one item, by conditional writes and consistent reads; `AuditLog` in the items of a table |
//! | `ec2` | [`NodeProvider`](autoscale_core::ports::NodeProvider): one instance for each token, tags at birth only, nothing repeated |
//! | `events` | spot interruptions, rebalance recommendations and scheduled changes as notices, from an invocation or a queue |
//! | `s3` | the record and the audit log in the objects of a bucket, beside what else it holds; what is too large for a table |
//! | `ssm` | secrets from Parameter Store, held as such, rotation picked up |
//!
//! Without `ec2` nothing of the SDK's crate for EC2 is compiled, which alone takes minutes; without `s3` no `object_store`, which
//! brings an HTTP client of its own.
//!
//! ```no_run
//! # #[cfg(all(feature = "dynamodb", feature = "ec2"))]
//! # mod example {
//! use std::sync::Arc;
//!
//! use autoscale_aws::dynamodb::TableStore;
//! use autoscale_aws::ec2::{Ec2Config, Ec2Nodes};
//! use autoscale_core::ports::{Clock, NodeProvider, StateStore};
//! use autoscale_core::words::ClusterId;
//!
//! type Ports = (Arc<dyn NodeProvider>, Arc<dyn StateStore>);
//!
//! fn ports(
//!     ec2: aws_sdk_ec2::Client,
//!     dynamodb: aws_sdk_dynamodb::Client,
//!     clock: Arc<dyn Clock>,
//! ) -> Result<Ports, Box<dyn std::error::Error>> {
//!     let cluster = ClusterId::new("shop")?;
//!     let config = Ec2Config::builder(cluster.clone())
//!         .with_subnets(["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"])
//!         .with_launch_template("k3s-workers", 7)
//!         .with_control_plane_tag("k3s-role", "master")
//!         .build()?;
//!     let store = TableStore::new(dynamodb, "autoscaler-state", &cluster);
//!     Ok((Arc::new(Ec2Nodes::new(ec2, config, clock)), Arc::new(store)))
//! }
//! # }
//! ```
//!
//! # Clients
//!
//! Each constructor takes the SDK's own client, which brings region, credentials, endpoints and timeouts; no other type of
//! the SDK is part of a signature, except its credentials for `s3`, which has a client of its own. Give the client a timeout for an attempt that is shorter than the driver's 5 seconds for a call.
//! Whatever the client says about repeats, every request of this crate is sent once: what has to be repeated is the driver's
//! to repeat, from what is recorded.
//!
//! # What an answer means
//!
//! A refusal is an error only where the service said so in its own words. A request that left this process and was not
//! answered, or was answered by something in between or with a failure of the service itself, is *unclear*: it may have been
//! carried out. One that never left, because its time was up or there were no credentials, is *not sent*. A missing
//! permission is named by its action.
//!
//! # Permissions
//!
//! What each module needs is said there, and is all it needs: no permission to tag what exists, to delete items, to scan
//! tables, to stop or change instances.

#[cfg(feature = "dynamodb")]
pub mod dynamodb;
#[cfg(feature = "ec2")]
pub mod ec2;
#[cfg(feature = "events")]
pub mod events;
#[cfg(feature = "sdk")]
#[cfg_attr(
    not(all(feature = "dynamodb", feature = "ec2")),
    allow(dead_code, reason = "each module uses some of it")
)]
mod failure;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "ssm")]
pub mod ssm;
#[cfg(any(feature = "events", feature = "sdk"))]
#[cfg_attr(
    not(all(feature = "dynamodb", feature = "ec2")),
    allow(dead_code, reason = "each module uses some of it")
)]
mod time;
#[cfg(feature = "sdk")]
#[cfg_attr(
    not(all(feature = "dynamodb", feature = "ec2")),
    allow(dead_code, reason = "each module uses some of it")
)]
mod watch;
