//! Each panel shows something, and what it shows is true.

use std::collections::BTreeMap;

use crate::boards::{Board, Target, filled};
use crate::prometheus::{Drawn, Prometheus};
use crate::real::Programs;
use crate::told::{ALL, Told, story};

/// No number of these stories is too old: there is one, or there is none.
const ZERO: [(&str, &str); 1] = [("Signals that cannot be used", "{{signal}} stale")];

/// What everything on all dashboards draws of a story.
async fn drawn(programs: &Programs, told: &Told) -> Vec<(Target, Vec<Drawn>)> {
    let prometheus = Prometheus::with(programs, &told.history);
    let mut drawn = Vec::new();
    for board in Board::all() {
        let variables = board.variables(&prometheus).await;
        for target in board.targets {
            let series = prometheus.draw(&filled(&target.expression, &variables)).await;
            drawn.push((target, series));
        }
    }
    drawn
}

/// The names of labels in a legend.
fn named(legend: &str) -> impl Iterator<Item = &str> {
    legend.split("{{").skip(1).map(|rest| rest.split_once("}}").unwrap().0)
}

#[tokio::test]
async fn each_panel_shows_something() {
    let Some(programs) = Programs::find() else { return };
    let mut greatest: BTreeMap<Target, Option<f64>> = BTreeMap::new();
    for told in &*ALL {
        for (target, series) in drawn(&programs, told).await {
            for Drawn { labels, .. } in &series {
                let lacking: Vec<&str> =
                    named(&target.legend).filter(|name| !labels[name].is_string()).collect();
                assert!(lacking.is_empty(), "{target:?}: {labels} has no {lacking:?}");
            }
            let most = series.iter().flat_map(|series| &series.values).copied().reduce(f64::max);
            let known = greatest.entry(target).or_default();
            *known = known.iter().copied().chain(most).reduce(f64::max);
        }
    }
    assert!(greatest.len() > 30, "{greatest:?}");
    let may_be_zero = |target: &Target| ZERO.contains(&(target.panel.as_str(), target.legend.as_str()));
    let shows = |target: &Target, most: Option<f64>| match most {
        Some(most) => most > 0.0 || may_be_zero(target),
        None => false,
    };
    let empty: Vec<_> = greatest.iter().filter(|(target, most)| !shows(target, **most)).collect();
    assert!(empty.is_empty(), "{empty:#?}");
}

/// The least and the most that a panel draws; with a legend, of that.
fn range(drawn: &[(Target, Vec<Drawn>)], panel: &str, legend: &str) -> (f64, f64) {
    let of_panel = drawn.iter().filter(|(target, _)| target.panel == panel && target.legend == legend);
    let values = of_panel.flat_map(|(_, series)| series).flat_map(|series| &series.values).copied();
    let values: Vec<f64> = values.collect();
    let least = values.iter().copied().reduce(f64::min);
    least.zip(values.into_iter().reduce(f64::max)).unwrap_or_else(|| panic!("{panel}: nothing"))
}

#[tokio::test]
async fn what_is_drawn_is_what_happened() {
    let Some(programs) = Programs::find() else { return };
    let day = drawn(&programs, story("a day")).await;
    let grown = drawn(&programs, story("no more is allowed")).await;
    let is_near = |(least, most): (f64, f64), expected: (f64, f64)| {
        let near = |one: f64, other: f64| (one - other).abs() <= other.abs() / 50.0 + 1e-9;
        assert!(near(least, expected.0) && near(most, expected.1), "{least} to {most}, not {expected:?}");
    };
    // The load was the same on all machines, also on those that had just joined.
    is_near(range(&grown, "CPU and its thresholds", "cpu"), (50.0, 90.0));
    is_near(range(&grown, "Wanted and there", "{{pool}} wanted"), (1.0, 4.0));
    is_near(range(&day, "Wanted and there", "{{pool}} serving"), (0.0, 2.0));
    is_near(range(&day, "Open notices", ""), (0.0, 1.0));
    is_near(range(&day, "Replacements", ""), (0.0, 1.0));
    is_near(range(&day, "Halted", ""), (0.0, 0.0));
    is_near(range(&day, "Machines that did not join", ""), (0.0, 0.0));
}
