//! Runs in which nothing goes wrong but what the scenario does.
#![cfg(feature = "sim")]

use autoscale_core::sim::{Config, LoadPoint, Scenario, run};
use autoscale_core::words::Span;

#[test]
fn every_scenario_stays_safe() {
    for (name, scenario) in Scenario::ALL {
        let mut config = Config::new(scenario);
        let hours = 36;
        config.until = Span::from_mins(hours * 60);
        let report = run(&config, &mut ());
        assert_eq!(report.violations, [], "{name}");
        assert!(report.ticks > 25 * hours, "{name}");
    }
}

/// The load of the large scenario needs about as many nodes as its name says, and both of its pools grow.
#[test]
fn a_thousand_nodes_are_a_thousand_nodes() {
    let mut config = Config::new(Scenario::ThousandNodes);
    config.until = Span::from_mins(30);
    config.load = Some(vec![LoadPoint::new(Span::ZERO, 11_500)]);
    let report = run(&config, &mut ());
    assert_eq!(report.violations, []);
    for point in &report.series {
        assert!((900..=1_100).contains(&point.need), "{point:?}");
        assert!(point.ready >= 900 && (400..=600).contains(&point.spot), "{point:?}");
    }
}

/// What a launch takes at most in the simulated cloud: boot, join, and the pod's own start.
const BOOT: Span = Span::from_secs(40 + 70 + 10);

/// The pods that had to wait are served within the rule's duration, a boot and two ticks.
#[test]
fn pods_wait_no_longer_than_the_rule_a_boot_and_two_ticks() {
    for scenario in [Scenario::Steady, Scenario::Diurnal] {
        let report = run(&Config::new(scenario), &mut ());
        let policy = autoscale_core::sim::policy();
        let rule = policy.pools().values().next().and_then(|pool| pool.pending_for).unwrap();
        let most = rule.plus(BOOT).plus(policy.tick().interval.times(2));
        assert!(report.wait_p95 <= most, "{scenario}: {} of all pods, at most {most}", report.wait_p95);
        assert!(
            report.wait_p95_of_waiting <= most,
            "{scenario}: {} of those that waited, at most {most}",
            report.wait_p95_of_waiting
        );
    }
}

/// A load that stays the same leads to a size that stays the same, at any size.
#[test]
fn a_steady_load_does_not_flap() {
    for milli in (500..=18_000).step_by(700) {
        let changes = |hours: u64| {
            let mut config = Config::new(Scenario::Steady);
            config.load = Some(vec![LoadPoint::new(Span::ZERO, milli)]);
            config.until = Span::from_mins(hours * 60);
            let report = run(&config, &mut ());
            report.scale_ups + report.scale_downs
        };
        let (settling, later) = (changes(6), changes(48));
        assert_eq!(settling, later, "{milli} thousandths of a CPU: it still changes after 6 hours");
    }
}

/// What a scenario promises to do to the nodes really happens.
#[test]
fn every_scenario_does_what_its_name_says() {
    for (scenario, faults) in [
        (Scenario::Shop, ["spot-interruption", "metrics-outage", "no-capacity"].as_slice()),
        (Scenario::SpotStorm, &["spot-interruption"]),
        (Scenario::MetricsOutage, &["metrics-outage"]),
        (Scenario::ZoneOutage, &["zone-failed"]),
    ] {
        let report = run(&Config::new(scenario), &mut ());
        for fault in faults {
            let times = report.faults.get(fault).copied().unwrap_or(0);
            assert!(times > 0, "{scenario}: {fault} never happened, {:?}", report.faults);
        }
    }
}
