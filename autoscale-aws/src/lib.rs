//! The AWS side of [`autoscale_core`]: its ports on EC2 and DynamoDB, and what EventBridge announces as notices.
//!
//! One module and one feature each, all on by default:
//!
//! | module | what it is |
//! |---|---|
//! | `dynamodb` | [`StateStore`](autoscale_core::ports::StateStore) in one item, by conditional writes and consistent reads; [`AuditLog`](autoscale_core::ports::AuditLog) in the items of a table |
//! | `ec2` | [`NodeProvider`](autoscale_core::ports::NodeProvider): one instance for each token, tags at birth only, nothing repeated |
//! | `events` | spot interruptions, rebalance recommendations and scheduled changes as notices, from an invocation or a queue |
//!
//! The record in S3 is the core's `objects` feature, with the `object_store` crate's client for S3. Secrets from Parameter Store
//! are still to come. Without `ec2` nothing of the SDK's crate for EC2 is compiled, which alone takes minutes.
//!
//! # Clients
//!
//! Each constructor takes the SDK's own client, which brings region, credentials, endpoints and timeouts; no other type of
//! the SDK is part of a signature. Give the client a timeout for an attempt that is shorter than the driver's 5 seconds for a call.
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
    not(any(feature = "dynamodb", feature = "ec2")),
    allow(dead_code, reason = "only the modules on an SDK use it")
)]
mod failure;
#[cfg(any(feature = "events", feature = "sdk"))]
#[cfg_attr(
    not(any(feature = "dynamodb", feature = "ec2")),
    allow(dead_code, reason = "only the modules on an SDK use it")
)]
mod time;
#[cfg(feature = "sdk")]
#[cfg_attr(
    not(any(feature = "dynamodb", feature = "ec2")),
    allow(dead_code, reason = "only the modules on an SDK use it")
)]
mod watch;
