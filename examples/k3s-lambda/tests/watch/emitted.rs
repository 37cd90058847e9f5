//! What is pushed is what Prometheus takes, and what the library says that there is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use autoscale_core::driver::measures::{ALL as CATALOGUE, Kind};

use k3s_lambda::telemetry::text;

use crate::history::History;
use crate::real::Programs;
use crate::told::{ALL, passes};
use crate::trouble::begun;

/// A series' name and its labels' names, less those of the Pushgateway's group.
fn parts(series: &str) -> (&str, BTreeSet<&str>) {
    let (name, labels) = series.strip_suffix('}').unwrap().split_once('{').unwrap();
    let labels = labels.split("\",").map(|label| label.split_once('=').unwrap().0);
    (name, labels.filter(|label| !["instance", "job"].contains(label)).collect())
}

fn pushed(history: &History) -> impl Iterator<Item = (&str, &BTreeMap<usize, f64>)> {
    let all = history.series.iter().map(|(series, values)| (series.as_str(), values));
    all.filter(|(series, _)| !series.starts_with("node_"))
}

#[test]
fn promtool_finds_nothing_to_say_about_it() {
    let Some(programs) = Programs::find() else { return };
    let text = passes(async { text(&begun().await.pushed.lock().unwrap()) });
    assert!(text.lines().count() > 100, "{text}");
    let check = |text: &str| {
        let mut command = Command::new(&programs.promtool);
        command
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(check(&text), (true, String::new()));
    assert!(!check(&text.replace("} ", " ")).0, "it takes anything");
}

#[test]
fn each_metric_of_the_catalogue_is_there_with_its_labels_and_none_beside() {
    let mut found: BTreeSet<(&str, BTreeSet<&str>)> = BTreeSet::new();
    for told in &*ALL {
        found.extend(pushed(&told.history).map(|(series, _)| parts(series)));
    }
    let mut expected = BTreeSet::new();
    for metric in &CATALOGUE {
        let labels: BTreeSet<&str> = metric.labels.iter().copied().chain(["cluster"]).collect();
        let names = match metric.kind {
            Kind::Histogram => vec![format!("{}_sum", metric.name), format!("{}_count", metric.name)],
            _ => vec![metric.name.to_owned()],
        };
        expected.extend(names.into_iter().map(|name| (name, labels.clone())));
    }
    let found: BTreeSet<(String, BTreeSet<&str>)> =
        found.into_iter().map(|(name, labels)| (name.to_owned(), labels)).collect();
    assert_eq!(found, expected);
}

/// Of a counter that appears with its first count `increase` sees nothing. Why nothing is done is counted with every tick.
#[test]
fn a_counter_is_there_before_it_counts() {
    let counters: BTreeSet<&str> =
        CATALOGUE.iter().filter(|metric| metric.kind == Kind::Counter).map(|metric| metric.name).collect();
    for told in &*ALL {
        let name = "autoscale_tick_timestamp_seconds";
        let (_, ticks) = pushed(&told.history).find(|(series, _)| parts(series).0 == name).unwrap();
        for (series, values) in pushed(&told.history) {
            if counters.contains(parts(series).0) && !series.contains("action=\"hold\"") {
                assert!(values.keys().eq(ticks.keys()), "{}: {series} comes late", told.name);
            }
        }
    }
}
