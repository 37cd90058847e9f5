//! Machines of EC2.
//!
//! - **One instance a call.** `RunInstances` with the operation's token as `ClientToken` and a count of one; the SDK's own repeats
//!   are switched off for every request. The order's time is looked at when the request is signed, just before it is
//!   handed to the connection; so is the clock: a launch is not sent while this machine's clock and EC2's differ by more than
//!   30 seconds, because a signature that is valid for longer than assumed could buy twice.
//! - **From a launch template** of a fixed version, or from an image and settings. Machine type, subnet, market and metadata
//!   options are always those of the order: metadata by session only, one hop, with the tags in it.
//! - **Tags at birth only**: `asc:cluster`, `asc:pool`, `asc:role`, `asc:op` (the token), `Name` and your own worker tags, on
//!   the instance, its volumes, its interfaces and its spot request. No permission to tag what exists is needed.
//! - **Listed by tag**, all pages: what carries the cluster's tag, and what carries all of your own worker tags. An answer that
//!   is not whole says so.
//! - **Terminated by id only**, after a look at its tags; never the control plane, never a stranger, never without the tags. A
//!   machine under termination protection is a refusal for good.
//!
//! # Permissions
//!
//! `ec2:RunInstances` and, with the condition `ec2:CreateAction = RunInstances`, `ec2:CreateTags`; `iam:PassRole` for the
//! instance profile; `ec2:TerminateInstances` with conditions on the tags `asc:cluster` and `asc:role`;
//! `ec2:DescribeInstances` and `ec2:DescribeSubnets`; `ssm:GetParameters` for an image named by `resolve:ssm:`.
//! [`Ec2Nodes::check`] asks EC2 whether they are there, without running anything.

mod api;
mod check;
mod config;
mod error;
mod gate;
mod list;
mod pinned;
mod provider;
mod request;
mod response;
mod sdk;

use autoscale_core::words::Span;

pub use config::{Ec2Config, Ec2ConfigBuilder};
pub use provider::Ec2Nodes;

/// For how long a launch that was signed may still be carried out (rule R7), for the driver's `with_launch_delay`: a signature is
/// good for 5 minutes, and 2 more are for clocks that differ.
pub const LAUNCH_DELAY: Span = Span::from_mins(7);
