//! Where signals come from.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::data::view::{Sample, SignalQuery};

/// Where signals come from: a metrics server, Prometheus, a queue.
///
/// # Contract
/// - The answer has one sample for each query, in the order of the queries.
/// - A number that is not there is `Missing`, a source that does not answer is `Failed`; never zero, never left out.
/// - `age` is how long ago the number was measured, not how long ago it was fetched.
/// - It is total: failures are inside the samples.
///
/// # Idempotency
/// Asking changes nothing.
#[async_trait]
pub trait MetricsSource: Debug + Send + Sync + 'static {
    /// Answers every query.
    async fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample>;
}
