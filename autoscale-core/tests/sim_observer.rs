//! Who listens to a run hears everything that the report counts, and changes nothing.
#![cfg(feature = "sim")]

use std::collections::BTreeMap;

use autoscale_core::driver::Report;
use autoscale_core::sim::{Config, Faults, Fleet, Happening, Observer, Point, Scenario, run};
use autoscale_core::words::Span;

#[derive(Debug, Default)]
struct Ear {
    now: Span,
    ticks: Vec<Span>,
    heard: BTreeMap<&'static str, u64>,
    last: Span,
    points: Vec<Point>,
    costs: Vec<f64>,
}

impl Observer for Ear {
    fn reached(&mut self, passed: Span) {
        assert!(passed >= self.now, "time goes on");
        self.now = passed;
    }

    fn ticked(&mut self, _report: &Report) {
        self.ticks.push(self.now);
    }

    fn happened(&mut self, at: Span, what: &Happening) {
        assert!(at >= self.last, "in the order of time");
        self.last = at;
        let notice = ["spot-interruption", "rebalance", "notice-withdrawn"].contains(&what.kind);
        assert_eq!(what.instance.is_some(), notice, "{what:?}");
        *self.heard.entry(what.kind).or_default() += 1;
    }

    fn counted(&mut self, fleet: &Fleet<'_>) {
        assert_eq!(fleet.alive.values().sum::<u32>(), fleet.point.alive);
        self.points.push(fleet.point);
        self.costs.push(fleet.cost);
    }
}

#[test]
fn an_observer_hears_what_the_report_counts_and_changes_nothing() {
    for (scenario, faults) in [
        (Scenario::Shop, Faults::None),
        (Scenario::SpotStorm, Faults::Mild),
        (Scenario::ZoneOutage, Faults::Hostile),
    ] {
        let mut config = Config::new(scenario);
        (config.faults, config.until, config.seed) = (faults, Span::from_mins(36 * 60), 3);
        let mut ear = Ear::default();
        let (heard, alone) = (run(&config, &mut ear), run(&config, &mut ()));
        assert_eq!(heard, alone, "{scenario}");
        assert_eq!(ear.heard, heard.faults, "{scenario}");
        assert_eq!(ear.points, heard.series, "{scenario}");
        assert!(ear.costs.is_sorted() && ear.costs.last().is_some_and(|cost| *cost <= heard.cost + 1e-9));
        assert!(ear.ticks.len() as u64 <= heard.ticks && ear.ticks.len() > 500, "{scenario}");
    }
}
