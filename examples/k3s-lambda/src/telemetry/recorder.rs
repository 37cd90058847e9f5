//! A recorder that keeps what is recorded, to be told after each invocation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

/// Most values of one histogram that are kept until they are told.
const MOST: usize = 100;

/// A name and its labels, by name.
type Name = (String, Vec<(String, String)>);

/// What was recorded. A clone is the same one.
#[derive(Clone, Debug, Default)]
pub struct Collected(Arc<Mutex<BTreeMap<Name, Kept>>>);

#[derive(Clone, Debug)]
enum Kept {
    Counter { all: u64, told: u64, pushed: u64 },
    Gauge(f64),
    Histogram { fresh: Vec<f64>, sum: f64, count: u64 },
}

/// One series.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Series {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// What it shows.
    pub shown: Shown,
}

/// What a series shows.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Shown {
    /// A counter: since it was last told, or since it was last pushed.
    Count(u64),
    /// A gauge.
    Gauge(f64),
    /// Values since the last look; how many there are since they were last pushed, with their sum.
    Values {
        /// Since the last look.
        fresh: Vec<f64>,
        /// Of those that were not pushed.
        sum: f64,
        /// Of those that were not pushed.
        count: u64,
    },
}

impl Collected {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is since the last time: counters that moved, all gauges, fresh values.
    pub fn take(&self) -> Vec<Series> {
        let mut series = Vec::new();
        for ((name, labels), kept) in self.lock().iter_mut() {
            let shown = match kept {
                Kept::Counter { all, told, .. } => {
                    let fresh = all.saturating_sub(std::mem::replace(told, *all));
                    if fresh == 0 {
                        continue;
                    }
                    Shown::Count(fresh)
                }
                Kept::Gauge(value) => Shown::Gauge(*value),
                Kept::Histogram { fresh, .. } if fresh.is_empty() => continue,
                Kept::Histogram { fresh, sum, count } => {
                    Shown::Values { fresh: std::mem::take(fresh), sum: *sum, count: *count }
                }
            };
            series.push(Series { name: name.clone(), labels: labels.clone(), shown });
        }
        series
    }

    /// Everything, counters since they were last pushed.
    pub fn unpushed(&self) -> Vec<Series> {
        let series = |((name, labels), kept): (&Name, &Kept)| {
            let shown = match kept {
                Kept::Counter { all, pushed, .. } => Shown::Count(all.saturating_sub(*pushed)),
                Kept::Gauge(value) => Shown::Gauge(*value),
                Kept::Histogram { sum, count, .. } => {
                    Shown::Values { fresh: Vec::new(), sum: *sum, count: *count }
                }
            };
            Series { name: name.clone(), labels: labels.clone(), shown }
        };
        self.lock().iter().map(series).collect()
    }

    /// Everything that there is has been pushed.
    pub fn pushed(&self) {
        for kept in self.lock().values_mut() {
            match kept {
                Kept::Counter { all, pushed, .. } => *pushed = *all,
                Kept::Gauge(_) => {}
                Kept::Histogram { sum, count, .. } => (*sum, *count) = (0.0, 0),
            }
        }
    }

    fn handle(&self, key: &Key) -> Arc<Handle> {
        let mut labels: Vec<(String, String)> =
            key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
        labels.sort();
        Arc::new(Handle { of: self.clone(), name: (key.name().to_owned(), labels) })
    }
}

/// One series of a recorder.
#[derive(Debug)]
struct Handle {
    of: Collected,
    name: Name,
}

impl Handle {
    fn with(&self, new: Kept, change: impl FnOnce(&mut Kept)) {
        change(self.of.lock().entry(self.name.clone()).or_insert(new));
    }

    fn count(&self, change: impl FnOnce(u64) -> u64) {
        self.with(Kept::Counter { all: 0, told: 0, pushed: 0 }, |kept| {
            if let Kept::Counter { all, .. } = kept {
                *all = change(*all);
            }
        });
    }

    fn gauge(&self, change: impl FnOnce(f64) -> f64) {
        self.with(Kept::Gauge(0.0), |kept| {
            if let Kept::Gauge(value) = kept {
                *value = change(*value);
            }
        });
    }
}

impl CounterFn for Handle {
    fn increment(&self, value: u64) {
        self.count(|all| all.saturating_add(value));
    }

    fn absolute(&self, value: u64) {
        self.count(|all| all.max(value));
    }
}

impl GaugeFn for Handle {
    fn increment(&self, value: f64) {
        self.gauge(|now| now + value);
    }

    fn decrement(&self, value: f64) {
        self.gauge(|now| now - value);
    }

    fn set(&self, value: f64) {
        self.gauge(|_| value);
    }
}

impl HistogramFn for Handle {
    fn record(&self, value: f64) {
        self.with(Kept::Histogram { fresh: Vec::new(), sum: 0.0, count: 0 }, |kept| {
            if let Kept::Histogram { fresh, sum, count } = kept {
                if fresh.len() < MOST {
                    fresh.push(value);
                }
                *sum += value;
                *count = count.saturating_add(1);
            }
        });
    }
}

impl Recorder for Collected {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.handle(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.handle(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.handle(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_told_once_and_gauges_always() {
        let collected = Collected::default();
        let record = || {
            metrics::with_local_recorder(&collected, || {
                metrics::counter!("c", "b" => "2", "a" => "1").increment(3);
                metrics::gauge!("g").set(4.0);
                metrics::histogram!("h").record(0.5);
            });
        };
        record();
        let labels = vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())];
        let first = collected.take();
        assert_eq!(first.len(), 3);
        assert_eq!((&first[0].labels, &first[0].shown), (&labels, &Shown::Count(3)));
        assert_eq!(first[2].shown, Shown::Values { fresh: vec![0.5], sum: 0.5, count: 1 });
        let quiet: Vec<String> = collected.take().into_iter().map(|series| series.name).collect();
        assert_eq!(quiet, ["g"]);
        record();
        assert_eq!(collected.take()[0].shown, Shown::Count(3));
        assert_eq!(collected.unpushed()[0].shown, Shown::Count(6));
        assert_eq!(collected.unpushed()[2].shown, Shown::Values { fresh: vec![], sum: 1.0, count: 2 });
    }

    #[test]
    fn counters_are_pushed_once() {
        let collected = Collected::default();
        let record = || {
            metrics::with_local_recorder(&collected, || {
                metrics::counter!("c").increment(3);
                metrics::gauge!("g").set(4.0);
                metrics::histogram!("h").record(0.5);
            });
        };
        let shown =
            || -> Vec<Shown> { collected.unpushed().into_iter().map(|series| series.shown).collect() };
        let values = |sum, count| Shown::Values { fresh: vec![], sum, count };
        record();
        record();
        // What could not be pushed is pushed the next time.
        assert_eq!(shown(), [Shown::Count(6), Shown::Gauge(4.0), values(1.0, 2)]);
        collected.pushed();
        assert_eq!(shown(), [Shown::Count(0), Shown::Gauge(4.0), values(0.0, 0)]);
        record();
        assert_eq!(shown(), [Shown::Count(3), Shown::Gauge(4.0), values(0.5, 1)]);
        // CloudWatch is told by itself.
        assert_eq!(collected.take()[0].shown, Shown::Count(9));
    }
}
