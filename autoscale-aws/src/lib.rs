//! The AWS side of [`autoscale_core`].
//!
//! **Nothing is implemented yet.** This package holds the place, so that the workspace, its lints and its checks are
//! whole from the start. What will live here, one module and one feature each, all on by default:
//!
//! | module | what it is |
//! |---|---|
//! | `ec2` | [`NodeProvider`](autoscale_core::ports::NodeProvider) over EC2: one instance per token, tags only at birth |
//! | `dynamodb` | [`StateStore`](autoscale_core::ports::StateStore) on one item, by conditional writes and consistent reads; the audit log |
//! | `s3` | [`StateStore`](autoscale_core::ports::StateStore) on one object, by `If-Match` |
//! | `events` | spot interruption warnings and rebalance recommendations as notices |
//! | `ssm` | secrets and image ids from Parameter Store |
//!
//! Each constructor will take the SDK's own client or configuration; no other SDK type will be part of a signature.
//! Until then a provider of your own needs only the traits in [`autoscale_core::ports`].
