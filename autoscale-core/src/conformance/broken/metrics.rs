use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::super::metrics::{MetricsStage, TESTS, metrics};
use super::{Row, each_test_bites, shared, world};
use crate::data::view::{Reading, Sample, SignalQuery};
use crate::memory::Shared;
use crate::ports::MetricsSource;
use crate::words::{Fixed, PoolName, SignalName, Span};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    Sorts,
    AnswersNothingWithSomething,
    Percent,
    MissingIsZero,
    LeavesMissingOut,
    SilenceIsMissing,
    SilenceIsEmpty,
    AgeOfTheFetch,
    Consumes,
}

use Fault::*;

const ROWS: &[Row<Fault>] = &[
    (Sorts, "one_sample_for_each_query"),
    (AnswersNothingWithSomething, "no_query_no_sample"),
    (Percent, "numbers_come_back"),
    (MissingIsZero, "missing_is_missing"),
    (LeavesMissingOut, "missing_is_not_left_out"),
    (SilenceIsMissing, "silence_is_failed"),
    (SilenceIsEmpty, "failures_are_inside"),
    (AgeOfTheFetch, "age_counts_from_the_measurement"),
    (Consumes, "asking_changes_nothing"),
];

#[derive(Clone, Debug)]
struct Source {
    fault: Option<Fault>,
    inner: Arc<dyn MetricsSource>,
    seen: Arc<Mutex<Vec<SignalQuery>>>,
}

#[async_trait]
impl MetricsSource for Source {
    async fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample> {
        let Some(fault) = self.fault else { return self.inner.sample(wanted).await };
        let mut samples = self.inner.sample(wanted).await;
        let silent = samples.iter().any(|sample| matches!(sample.reading, Reading::Failed { .. }));
        match fault {
            // Where one is missing the order is still that of the queries.
            Sorts if samples.iter().all(|sample| matches!(sample.reading, Reading::Value { .. })) => {
                samples.sort()
            }
            AnswersNothingWithSomething if wanted.is_empty() => {
                let query = SignalQuery::new(PoolName::new("web").unwrap(), SignalName::new("cpu").unwrap());
                samples.push(Sample::new(query, Reading::Missing { why: "nothing was asked".to_owned() }));
            }
            LeavesMissingOut => samples.retain(|sample| !matches!(sample.reading, Reading::Missing { .. })),
            SilenceIsEmpty if silent => samples.clear(),
            _ => {}
        }
        for Sample { query, reading } in &mut samples {
            match (fault, &mut *reading) {
                (Percent, Reading::Value { value, .. }) => *value = Fixed::from_int(70),
                (MissingIsZero, Reading::Missing { .. }) => {
                    *reading = Reading::Value { value: Fixed::ZERO, age: Span::ZERO };
                }
                (SilenceIsMissing, Reading::Failed { .. }) => {
                    *reading = Reading::Missing { why: "nothing came".to_owned() };
                }
                (AgeOfTheFetch, Reading::Value { age, .. }) => *age = Span::ZERO,
                (Consumes, Reading::Value { value, .. }) => {
                    let mut seen = self.seen.lock().unwrap();
                    if seen.contains(query) {
                        *value = Fixed::ZERO;
                    }
                    seen.push(query.clone());
                }
                _ => {}
            }
        }
        samples
    }
}

struct Stage {
    world: Shared,
    source: Source,
}

#[async_trait]
impl MetricsStage for Stage {
    fn source(&self) -> Arc<dyn MetricsSource> {
        Arc::new(self.source.clone())
    }

    fn queries(&self) -> [SignalQuery; 3] {
        let query = |name| SignalQuery::new(PoolName::new("web").unwrap(), SignalName::new(name).unwrap());
        ["queue", "cpu", "errors"].map(query)
    }

    async fn set(&self, query: &SignalQuery, number: Option<(Fixed, Span)>) {
        let mut world = self.world.lock();
        let now = world.now();
        world.metrics.measured(query.clone(), number.map(|(number, age)| (number, now.before(age))));
    }

    async fn silence(&self) -> bool {
        self.world.lock().silence_metrics(Span::from_mins(5));
        true
    }
}

#[tokio::test]
async fn each_metrics_test_bites() {
    let run = async |fault| {
        let fresh = async || {
            let world = world(0);
            let source = Source { fault, inner: world.ports().metrics, seen: shared() };
            Stage { world, source }
        };
        metrics(fresh).await
    };
    each_test_bites(TESTS, ROWS, run).await;
}
