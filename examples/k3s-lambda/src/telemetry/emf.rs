//! CloudWatch's embedded metric format: a line of the log that is also metrics.

use std::collections::BTreeMap;

use autoscale_core::driver::measures::ALL;
use autoscale_core::words::Timestamp;
use serde_json::{Map, Value, json};

use super::recorder::{Series, Shown};

/// Where they are found in CloudWatch.
const NAMESPACE: &str = "Autoscale";
/// Most metrics of one line.
const MOST: usize = 100;
/// CloudWatch takes no dimension without a value, and none longer.
const NO_VALUE: &str = "none";
const LONGEST: usize = 1_024;

/// One line for each combination of labels.
pub(super) fn lines<'s>(at: Timestamp, series: impl Iterator<Item = &'s Series>) -> Vec<String> {
    let mut groups: BTreeMap<&[(String, String)], Vec<&Series>> = BTreeMap::new();
    for one in series {
        groups.entry(&one.labels).or_default().push(one);
    }
    let chunks = groups.into_iter().flat_map(|(labels, all)| {
        all.chunks(MOST).map(<[&Series]>::to_vec).map(|some| (labels, some)).collect::<Vec<_>>()
    });
    chunks.map(|(labels, some)| line(at, labels, &some)).collect()
}

fn line(at: Timestamp, labels: &[(String, String)], series: &[&Series]) -> String {
    let mut whole = Map::new();
    let definition = |one: &&Series| json!({"Name": one.name, "Unit": unit(&one.name)});
    let names: Vec<&str> = labels.iter().map(|(key, _)| key.as_str()).collect();
    let directive = json!({
        "Namespace": NAMESPACE,
        "Dimensions": [names],
        "Metrics": series.iter().map(definition).collect::<Vec<_>>(),
    });
    whole.insert("_aws".to_owned(), json!({"Timestamp": at.as_millis(), "CloudWatchMetrics": [directive]}));
    for (key, value) in labels {
        let value: String = value.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        let value = if value.is_empty() { NO_VALUE.to_owned() } else { value };
        whole.insert(key.clone(), Value::from(value));
    }
    for one in series {
        let value = match &one.shown {
            Shown::Count(count) => Value::from(*count),
            Shown::Gauge(value) => Value::from(*value),
            Shown::Values { fresh, .. } => Value::from(fresh.clone()),
        };
        whole.insert(one.name.clone(), value);
    }
    Value::Object(whole).to_string()
}

/// As CloudWatch calls it.
fn unit(name: &str) -> &'static str {
    let known = ALL.iter().find(|metric| metric.name == name);
    match known.map(|metric| metric.unit) {
        Some(metrics::Unit::Seconds) => "Seconds",
        Some(metrics::Unit::Count) => "Count",
        _ => "None",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, pool: &str, shown: Shown) -> Series {
        let labels = vec![("cluster".to_owned(), "shop".to_owned()), ("pool".to_owned(), pool.to_owned())];
        Series { name: name.to_owned(), labels, shown }
    }

    #[test]
    fn a_line_for_each_combination_of_labels() {
        let values = Shown::Values { fresh: vec![0.5, 1.5], sum: 2.0, count: 2 };
        let all = [
            series("autoscale_wanted_nodes", "web", Shown::Gauge(3.0)),
            series("autoscale_tick_duration_seconds", "web", values),
            series("autoscale_wanted_nodes", "a\n\"b", Shown::Count(1)),
            series("autoscale_wanted_nodes", "", Shown::Gauge(0.0)),
        ];
        let lines = lines(Timestamp::from_millis(1_700_000_000_000), all.iter());
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| !line.contains('\n')));
        let parsed: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let pools: Vec<&str> = parsed.iter().map(|line| line["pool"].as_str().unwrap()).collect();
        assert_eq!(pools, ["none", "a\"b", "web"]);
        let web = &parsed[2];
        assert_eq!(web["_aws"]["Timestamp"], 1_700_000_000_000_i64);
        let directive = &web["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Autoscale");
        assert_eq!(directive["Dimensions"], json!([["cluster", "pool"]]));
        let units = json!([
            {"Name": "autoscale_wanted_nodes", "Unit": "Count"},
            {"Name": "autoscale_tick_duration_seconds", "Unit": "Seconds"},
        ]);
        assert_eq!(directive["Metrics"], units);
        assert_eq!(web["autoscale_tick_duration_seconds"], json!([0.5, 1.5]));
        assert_eq!(web["autoscale_wanted_nodes"], 3.0);
    }
}
