//! The contract of a [`MetricsSource`].

mod readings;

use std::sync::Arc;

use async_trait::async_trait;

use super::check::{tests, verdicts};
use super::verdict::Verdicts;
use crate::data::view::SignalQuery;
use crate::ports::MetricsSource;
use crate::words::{Fixed, Span};

/// A source whose numbers can be set.
#[async_trait]
pub trait MetricsStage: Send + Sync + 'static {
    /// The source under test.
    fn source(&self) -> Arc<dyn MetricsSource>;

    /// Three different queries that it can answer, not in alphabetical order.
    fn queries(&self) -> [SignalQuery; 3];

    /// Sets a number and how long ago it was measured; `None` takes it away.
    async fn set(&self, query: &SignalQuery, number: Option<(Fixed, Span)>);

    /// What is behind the source does not answer any more. `false`: the stage cannot do that.
    async fn silence(&self) -> bool {
        false
    }
}

tests! { dyn MetricsStage:
    readings::one_sample_for_each_query = "The answer has one sample for each query, in the order of the queries.";
    readings::no_query_no_sample = "The answer has one sample for each query, and no other.";
    readings::numbers_come_back = "A number that is there comes back as it is.";
    readings::missing_is_missing = "A number that is not there is `Missing`; never zero.";
    readings::missing_is_not_left_out = "A number that is not there is never left out.";
    readings::silence_is_failed = "A source that does not answer is `Failed`.";
    readings::failures_are_inside = "It is total: failures are inside the samples.";
    readings::age_counts_from_the_measurement = "`age` is how long ago the number was measured.";
    readings::asking_changes_nothing = "Asking changes nothing.";
}

/// Puts a metrics source to every test; `fresh` makes a new one for each.
pub async fn metrics<S: MetricsStage>(fresh: impl AsyncFn() -> S) -> Verdicts {
    let mut found = Vec::with_capacity(TESTS.len());
    for test in TESTS {
        found.push(test.verdict(&fresh().await).await);
    }
    verdicts("MetricsSource", found)
}
