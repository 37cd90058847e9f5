//! What a Prometheus has of a story: series, and what each was at which scrape.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use autoscale_core::words::{Span, Timestamp};

/// As `monitoring.yaml` has it.
pub(crate) const EVERY: Span = Span::from_secs(15);

/// All scrapes of a story.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// When each scrape was.
    pub(crate) scrapes: Vec<Timestamp>,
    /// A name with its labels, and at which scrape it had which value.
    pub(crate) series: BTreeMap<String, BTreeMap<usize, f64>>,
}

impl History {
    /// Adds a scrape.
    pub(crate) fn add(&mut self, at: Timestamp, samples: impl IntoIterator<Item = (String, f64)>) {
        let number = self.scrapes.len();
        self.scrapes.push(at);
        for (series, value) in samples {
            let before = self.series.entry(series.clone()).or_default().insert(number, value);
            assert_eq!(before, None, "{series} is there twice");
        }
    }

    /// In the form that `promtool` makes blocks of.
    pub(crate) fn open_metrics(&self) -> String {
        let mut text = String::new();
        for (series, values) in &self.series {
            for (number, value) in values {
                let at = self.scrapes[*number].as_millis() as f64 / 1_000.0;
                writeln!(text, "{series} {value} {at}").unwrap();
            }
        }
        text + "# EOF\n"
    }

    /// In the notation of `promtool`'s tests, in which time begins at zero: so do times among the values.
    pub(crate) fn notation(&self) -> Vec<(String, String)> {
        let begin = self.scrapes[0].as_millis() as f64 / 1_000.0;
        let one = |(series, values): (&String, &BTreeMap<usize, f64>)| {
            let offset = if series.starts_with("autoscale_tick_timestamp_seconds{") { begin } else { 0.0 };
            let mut was_there = false;
            let words = (0..self.scrapes.len()).map(|number| match values.get(&number) {
                Some(value) => {
                    was_there = true;
                    (value - offset).to_string()
                }
                // As Prometheus writes down that a series is gone.
                None if std::mem::take(&mut was_there) => "stale".to_owned(),
                None => "_".to_owned(),
            });
            (series.clone(), words.collect::<Vec<_>>().join(" "))
        };
        self.series.iter().map(one).collect()
    }
}
