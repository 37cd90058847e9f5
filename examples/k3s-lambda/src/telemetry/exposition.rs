//! Metrics as text, as Prometheus reads them.

use std::fmt::Write as _;

use autoscale_core::driver::measures::{ALL, Kind};

use super::recorder::{Series, Shown};

/// Series in the order of their names.
pub(super) fn text(all: &[Series]) -> String {
    let mut text = String::new();
    let mut last = "";
    for series in all {
        let Series { name, labels, shown } = series;
        if name != last {
            if let Some(metric) = ALL.iter().find(|metric| metric.name == name) {
                let kind = match metric.kind {
                    Kind::Counter => "counter",
                    Kind::Gauge => "gauge",
                    _ => "summary",
                };
                let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", escaped(metric.help));
            }
            last = name;
        }
        let labels: Vec<String> =
            labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = match shown {
            Shown::Count(count) => writeln!(text, "{name}{labels} {count}"),
            Shown::Gauge(value) => writeln!(text, "{name}{labels} {value}"),
            Shown::Values { sum, count, .. } => {
                writeln!(text, "{name}_sum{labels} {sum}\n{name}_count{labels} {count}")
            }
        };
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_once_and_labels_are_escaped() {
        let series = |name: &str, pool: &str, shown| Series {
            name: name.to_owned(),
            labels: vec![("pool".to_owned(), pool.to_owned())],
            shown,
        };
        let all = [
            series(
                "autoscale_tick_duration_seconds",
                "a",
                Shown::Values { fresh: vec![], sum: 1.5, count: 2 },
            ),
            series("autoscale_wanted_nodes", "a\"\\\n", Shown::Gauge(3.0)),
            series("autoscale_wanted_nodes", "b", Shown::Gauge(0.5)),
        ];
        let text = text(&all);
        assert_eq!(text.matches("# TYPE autoscale_wanted_nodes gauge").count(), 1);
        assert!(text.contains("autoscale_wanted_nodes{pool=\"a\\\"\\\\\\n\"} 3\n"), "{text}");
        assert!(text.contains("# TYPE autoscale_tick_duration_seconds summary\n"), "{text}");
        assert!(text.contains("autoscale_tick_duration_seconds_count{pool=\"a\"} 2\n"), "{text}");
    }
}
