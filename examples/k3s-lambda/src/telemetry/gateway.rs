//! What a Pushgateway has of us, as it answers `GET /api/v1/metrics`. Pure.

use std::collections::BTreeMap;

use autoscale_core::words::ClusterId;
use serde::Deserialize;
use serde_json::Value;

use super::recorder::{Series, Shown};

/// The labels of a group that are no labels of its series.
const OF_THE_GROUP: [&str; 2] = ["instance", "job"];
/// The job of the group.
pub(super) const JOB: &str = "autoscale";

#[derive(Deserialize)]
struct Answer {
    data: Vec<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct Family {
    #[serde(rename = "type")]
    kind: String,
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    labels: BTreeMap<String, String>,
    value: Option<String>,
    sum: Option<String>,
    count: Option<String>,
}

/// The counters and sums of our group; none if there is no such group. What is not understood is left out.
///
/// # Errors
/// It is no such answer, in words.
pub(super) fn counted(body: &[u8], cluster: &ClusterId) -> Result<Vec<Series>, String> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| format!("its answer: {error}"))?;
    let is_ours = |group: &BTreeMap<String, Value>| {
        let label =
            |name: &str| group.get("labels").and_then(|labels| labels.get(name)).and_then(Value::as_str);
        (label("job"), label("instance")) == (Some(JOB), Some(cluster.as_str()))
    };
    let families = answer.data.into_iter().filter(is_ours).flatten();
    Ok(families.filter(|(name, _)| name.starts_with("autoscale_")).flat_map(family).collect())
}

fn family((name, value): (String, Value)) -> Vec<Series> {
    let Ok(Family { kind, metrics }) = serde_json::from_value(value) else { return Vec::new() };
    let series = |metric: Metric| {
        let shown = match kind.as_str() {
            "COUNTER" => Shown::Count(whole(&metric.value?)?),
            "SUMMARY" => Shown::Values {
                fresh: Vec::new(),
                sum: metric.sum?.parse().ok().filter(|sum: &f64| sum.is_finite())?,
                count: whole(&metric.count?)?,
            },
            _ => return None,
        };
        let labels = metric.labels.into_iter().filter(|(key, _)| !OF_THE_GROUP.contains(&key.as_str()));
        Some(Series { name: name.clone(), labels: labels.collect(), shown })
    };
    metrics.into_iter().filter_map(series).collect()
}

/// As Go writes numbers: 3000000 is `3e+06`.
fn whole(text: &str) -> Option<u64> {
    let value: f64 = text.parse().ok()?;
    // Above that a number is none that was counted.
    let is_count = (0.0..9e15).contains(&value) && value.fract() == 0.0;
    is_count.then(|| format!("{value:.0}").parse().ok())?
}

/// What was there, and what is added to it: counters go on where another process left them, gauges are ours.
pub(super) fn continued(before: &[Series], ours: Vec<Series>) -> Vec<Series> {
    let mut all: BTreeMap<(String, Vec<(String, String)>), Shown> = BTreeMap::new();
    let counts = |shown: &Shown| !matches!(shown, Shown::Gauge(_));
    let before = before.iter().filter(|series| counts(&series.shown)).cloned();
    for Series { name, labels, shown } in before.chain(ours) {
        all.entry((name, labels)).and_modify(|known| *known = added(known, &shown)).or_insert(shown);
    }
    all.into_iter().map(|((name, labels), shown)| Series { name, labels, shown }).collect()
}

fn added(before: &Shown, fresh: &Shown) -> Shown {
    match (before, fresh) {
        (Shown::Count(before), Shown::Count(fresh)) => Shown::Count(before.saturating_add(*fresh)),
        (Shown::Values { sum, count, .. }, Shown::Values { sum: more, count: times, .. }) => {
            Shown::Values { fresh: Vec::new(), sum: sum + more, count: count.saturating_add(*times) }
        }
        // Of another kind: an older version's.
        (_, fresh) => fresh.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What version 1.5.1 answers, shortened.
    const ANSWER: &str = r#"{"status":"success","data":[{"autoscale_halted":{"time_stamp":"2026-11-22T16:56:16Z","type":"GAUGE",
        "metrics":[{"labels":{"cluster":"shop","instance":"shop","job":"autoscale"},"value":"0"}]},
        "autoscale_tick_duration_seconds":{"time_stamp":"2026-11-22T16:56:16Z","type":"SUMMARY","metrics":[{"count":"2",
        "labels":{"cluster":"shop","instance":"shop","job":"autoscale"},"quantiles":{},"sum":"0.75"}]},
        "autoscale_ticks_total":{"time_stamp":"2026-11-22T16:56:16Z","type":"COUNTER","metrics":[
        {"labels":{"cluster":"shop","ended":"done","instance":"shop","job":"autoscale"},"value":"3e+06"},
        {"labels":{"cluster":"shop","ended":"busy","instance":"shop","job":"autoscale"},"value":"NaN"}]},
        "labels":{"instance":"shop","job":"autoscale"},"last_push_successful":true,
        "push_time_seconds":{"time_stamp":"2026-11-22T16:56:16Z","type":"GAUGE","help":"...","metrics":[
        {"labels":{"instance":"shop","job":"autoscale"},"value":"1.7953665760116174e+09"}]}},
        {"labels":{"instance":"other","job":"autoscale"},"last_push_successful":false}]}"#;

    fn series(name: &str, labels: &[(&str, &str)], shown: Shown) -> Series {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Series { name: name.to_owned(), labels, shown }
    }

    #[test]
    fn counters_of_our_group_are_read() {
        let shop = ClusterId::new("shop").unwrap();
        let done = [("cluster", "shop"), ("ended", "done")];
        let took = Shown::Values { fresh: Vec::new(), sum: 0.75, count: 2 };
        let expected = [
            series("autoscale_tick_duration_seconds", &[("cluster", "shop")], took),
            series("autoscale_ticks_total", &done, Shown::Count(3_000_000)),
        ];
        assert_eq!(counted(ANSWER.as_bytes(), &shop).unwrap(), expected);
        for name in ["other", "third"] {
            assert_eq!(counted(ANSWER.as_bytes(), &ClusterId::new(name).unwrap()).unwrap(), []);
        }
        for bad in ["", "<html>", "{}", r#"{"data": 3}"#] {
            assert!(counted(bad.as_bytes(), &shop).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_counts_are_whole_numbers_from_zero() {
        let read = ["0", "12", "3e+06", "-1", "0.5", "NaN", "+Inf", "1e+300", "many", ""].map(whole);
        let none = [None; 7];
        assert_eq!(read[..3], [Some(0), Some(12), Some(3_000_000)]);
        assert_eq!(read[3..], none);
    }

    #[test]
    fn counters_go_on_and_gauges_are_replaced() {
        let before = [
            series("a_total", &[], Shown::Count(5)),
            series("gone_total", &[], Shown::Count(3)),
            series("g", &[], Shown::Gauge(7.0)),
            series("g", &[("of", "another")], Shown::Gauge(7.0)),
            series("s", &[], Shown::Values { fresh: Vec::new(), sum: 1.5, count: 2 }),
        ];
        let ours = vec![
            series("a_total", &[], Shown::Count(1)),
            series("g", &[], Shown::Gauge(1.0)),
            series("new_total", &[], Shown::Count(0)),
            series("s", &[], Shown::Values { fresh: Vec::new(), sum: 0.5, count: 1 }),
        ];
        let expected = [
            series("a_total", &[], Shown::Count(6)),
            series("g", &[], Shown::Gauge(1.0)),
            series("gone_total", &[], Shown::Count(3)),
            series("new_total", &[], Shown::Count(0)),
            series("s", &[], Shown::Values { fresh: Vec::new(), sum: 2.0, count: 3 }),
        ];
        assert_eq!(continued(&before, ours), expected);
    }
}
