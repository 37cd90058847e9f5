//! A recorder that writes everything down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

/// A metric's name, and its labels without the cluster's, as `key=value`, sorted.
type Line = (String, Vec<String>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Book(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    values: BTreeMap<Line, f64>,
    described: BTreeMap<String, (Option<Unit>, String)>,
    kinds: BTreeMap<String, &'static str>,
    labels: BTreeSet<(String, String)>,
}

impl Book {
    /// The value of a metric; `None` if it was never recorded with these labels.
    pub(crate) fn get(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let mut labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        labels.sort();
        self.0.lock().unwrap().values.get(&(name.to_owned(), labels)).copied()
    }

    /// The sum over all labels that contain these.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let pages = self.0.lock().unwrap();
        let fits = |own: &[String]| labels.iter().all(|label| own.iter().any(|own| own == label));
        pages.values.iter().filter(|((own, of), _)| own == name && fits(of)).map(|(_, value)| value).sum()
    }

    /// Every name with its kind and the keys of its labels.
    pub(crate) fn names(&self) -> BTreeSet<(String, &'static str, Vec<String>)> {
        let pages = self.0.lock().unwrap();
        let keys =
            |labels: &[String]| labels.iter().map(|l| l.split('=').next().unwrap().to_owned()).collect();
        pages.values.keys().map(|(name, labels)| (name.clone(), pages.kinds[name], keys(labels))).collect()
    }

    /// Every counter, with its labels.
    pub(crate) fn counters(&self) -> BTreeSet<Line> {
        let pages = self.0.lock().unwrap();
        pages.values.keys().filter(|(name, _)| pages.kinds[name] == "counter").cloned().collect()
    }

    /// Every label that was ever used.
    pub(crate) fn labels(&self) -> BTreeSet<(String, String)> {
        self.0.lock().unwrap().labels.clone()
    }

    pub(crate) fn described(&self) -> BTreeMap<String, (Option<Unit>, String)> {
        self.0.lock().unwrap().described.clone()
    }

    fn describe(&self, name: &KeyName, unit: Option<Unit>, help: &SharedString) {
        self.0.lock().unwrap().described.insert(name.as_str().to_owned(), (unit, help.to_string()));
    }

    fn line(&self, key: &Key, kind: &'static str) -> Arc<Entry> {
        let mut pages = self.0.lock().unwrap();
        let labels: Vec<(String, String)> =
            key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
        assert_eq!(
            labels.iter().filter(|(key, value)| key == "cluster" && value == "shop").count(),
            1,
            "{key}"
        );
        let before = pages.kinds.insert(key.name().to_owned(), kind);
        assert!(before.is_none_or(|before| before == kind), "{key} is of two kinds");
        let others = labels.iter().filter(|(key, _)| key != "cluster");
        let mut line: Vec<String> = others.map(|(key, value)| format!("{key}={value}")).collect();
        line.sort();
        pages.labels.extend(labels);
        Arc::new(Entry { book: self.clone(), line: (key.name().to_owned(), line) })
    }
}

/// One line of the book.
#[derive(Debug)]
struct Entry {
    book: Book,
    line: Line,
}

impl Entry {
    fn write(&self, change: impl FnOnce(f64) -> f64) {
        let mut pages = self.book.0.lock().unwrap();
        let value = pages.values.entry(self.line.clone()).or_default();
        *value = change(*value);
    }
}

impl CounterFn for Entry {
    fn increment(&self, by: u64) {
        self.write(|value| value + by as f64);
    }
    fn absolute(&self, _: u64) {
        panic!("counters are only counted up");
    }
}

impl GaugeFn for Entry {
    fn increment(&self, _: f64) {
        panic!("gauges are set");
    }
    fn decrement(&self, _: f64) {
        panic!("gauges are set");
    }
    fn set(&self, to: f64) {
        self.write(|_| to);
    }
}

impl HistogramFn for Entry {
    /// The sum of what was recorded.
    fn record(&self, more: f64) {
        self.write(|value| value + more);
    }
}

impl Recorder for Book {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(&name, unit, &help);
    }
    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(&name, unit, &help);
    }
    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(&name, unit, &help);
    }
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.line(key, "counter"))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.line(key, "gauge"))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.line(key, "histogram"))
    }
}
