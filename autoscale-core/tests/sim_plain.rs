//! Runs in which nothing goes wrong but what the scenario does.
#![cfg(feature = "sim")]

use autoscale_core::sim::{Config, Scenario, run, smallest_static_fleet};
use autoscale_core::words::Span;

#[test]
fn every_scenario_stays_safe() {
    for (name, scenario) in Scenario::ALL {
        let mut config = Config::new(scenario);
        config.until = Span::from_mins(36 * 60);
        let report = run(&config, &mut |_| {});
        assert_eq!(report.violations, [], "{name}");
        assert!(report.ticks > 1_000, "{name}");
    }
}

#[test]
#[ignore = "for a look at the figures"]
fn figures() {
    for (name, scenario) in Scenario::ALL {
        let config = Config::new(scenario);
        let began = std::time::Instant::now();
        let report = run(&config, &mut |_| {});
        println!(
            "{name}: {:?} ticks {} ups {} downs {} repl {} evict {} pend {} p50 {} p95 {} p95w {} spot {:.0} od {:.0} cost {:.2}",
            began.elapsed(),
            report.ticks,
            report.scale_ups,
            report.scale_downs,
            report.replacements,
            report.evictions,
            report.pending_pod_minutes,
            report.wait_p50,
            report.wait_p95,
            report.wait_p95_of_waiting,
            report.spot_hours,
            report.on_demand_hours,
            report.cost
        );
        for told in report.told.iter().take(1) {
            println!("{}", told.text);
        }
        for broken in report.violations.iter().take(5) {
            println!("{} {} {}", broken.invariant, broken.at, broken.text);
        }
        let fleet = smallest_static_fleet(&config, report.pending_pod_minutes);
        println!("   static {fleet:?} {:?}", began.elapsed());
        for point in report.series.iter().step_by(40).take(50) {
            print!("{}/{}/{} ", point.need, point.ready, point.pending);
        }
        println!();
    }
}
