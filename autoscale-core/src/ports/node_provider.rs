//! Where instances come from.

use std::fmt::Debug;

use async_trait::async_trait;

use super::Result;
use crate::data::order::{LaunchOrder, Launched, TerminateOrder};
use crate::data::view::Listing;

/// Where instances come from: EC2, Azure's machines.
///
/// # Contract
/// - `list` reports every instance with the tags of the order's cluster or the user's own worker tag; each page was
///   read, or `complete` is false. Absence proves nothing: the list may lag.
/// - `launch` with the same token names the same instance, however often and by whomever it is sent. It sends
///   exactly one copy: no retries inside. With other parameters it is `TokenMismatch`; once that instance is gone,
///   `TokenSpent`, or the same instance again.
/// - A launch that was refused is an error other than `Unclear` only when this request bought nothing and will not.
/// - `terminate` touches only an instance that carries the tags of the order's cluster and the role of a worker, or the
///   user's own worker tag; an instance that is gone already is `Ok`.
/// - Nothing is sent after an order's `not_after`.
/// - Nothing is tagged after its birth.
///
/// # Idempotency
/// Every call may be repeated, late, and by others.
#[async_trait]
pub trait NodeProvider: Debug + Send + Sync + 'static {
    /// What there is.
    ///
    /// # Errors
    /// `Throttled`, `Denied` or `Unavailable`; never an empty list for a failure.
    async fn list(&self) -> Result<Listing>;

    /// Buys one instance, or names the one that the token has bought.
    ///
    /// # Errors
    /// `Unclear` whenever the request may have left and no definite answer came; `NoCapacity` with the offering;
    /// `TokenSpent`, `TokenMismatch`, `Throttled`, `Denied`, `Invalid`, `NotSent`.
    async fn launch(&self, order: &LaunchOrder) -> Result<Launched>;

    /// Ends one instance.
    ///
    /// # Errors
    /// `Unclear`, `Throttled`, `Denied` with the missing action or the protection, `NotSent`.
    async fn terminate(&self, order: &TerminateOrder) -> Result<()>;
}
