//! Looking: the list, the samples and the survey, side by side, each with its own time limit.

use std::future::Future;

use futures_util::future::{Either, join3, select};
use std::pin::pin;

use super::Ports;
use super::codes::{self, Call};
use super::tell::in_call;
use crate::data::policy::Policy;
use crate::data::view::{Listing, Reading, Sample, Scope, Seen, SignalQuery, View};
use crate::mutant::{self, Mutant};
use crate::ports::{Clock, Error};
use crate::words::{SignalName, Span};

/// Everything that the rules of the policy look at, once.
pub(super) fn queries(policy: &Policy) -> Vec<SignalQuery> {
    let mut queries = Vec::new();
    for pool in policy.pools().values() {
        let mut signals: Vec<&SignalName> =
            pool.up.iter().chain(&pool.down).map(|rule| &rule.signal).collect();
        signals.extend(pool.targets.iter().map(|target| &target.signal));
        signals.sort();
        signals.dedup();
        queries.extend(signals.into_iter().map(|signal| SignalQuery::new(pool.name.clone(), signal.clone())));
    }
    queries
}

/// One view. What does not answer within `limit` is unknown.
pub(super) async fn observe(ports: &Ports, policy: &Policy, scope: &Scope, limit: Span) -> View {
    let queries = queries(policy);
    let clock = &*ports.clock;
    let (instances, cluster, samples) = join3(
        in_call(Call::new("nodes", "list"), within(clock, limit, ports.nodes.list()), codes::asked),
        in_call(
            Call::new("drainer", "survey"),
            within(clock, limit, ports.drainer.survey(scope)),
            codes::asked,
        ),
        in_call(
            Call::new("metrics", "sample"),
            within(clock, limit, ports.metrics.sample(&queries)),
            codes::told,
        ),
    )
    .await;
    let late = format!("no answer within {limit}");
    let samples = samples.unwrap_or_else(|| {
        let failed = |query: &SignalQuery| Sample::new(query.clone(), Reading::Failed { why: late.clone() });
        queries.iter().map(failed).collect()
    });
    let mut instances = seen(instances, &late);
    if mutant::on(Mutant::FailedListIsEmpty) && instances.known().is_none() {
        instances = Seen::Known(Listing::new(clock.now(), Vec::new()));
    }
    View::new(clock.now(), instances, seen(cluster, &late), samples)
}

fn seen<T>(answer: Option<Result<T, Error>>, late: &str) -> Seen<T> {
    match answer {
        Some(Ok(value)) => Seen::Known(value),
        Some(Err(error)) => Seen::Unknown { why: error.chain() },
        None => Seen::Unknown { why: late.to_owned() },
    }
}

/// The answer, or `None` after `limit`. The request itself may still be carried out.
pub(super) async fn within<T>(clock: &dyn Clock, limit: Span, call: impl Future<Output = T>) -> Option<T> {
    match select(pin!(call), pin!(clock.sleep(limit))).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(((), _)) => None,
    }
}
