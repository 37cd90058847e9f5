//! Runs under a list of pods.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use autoscale_core::data::policy::{Policy, PoolPolicy, Purchase, Shape, When};
use autoscale_core::data::view::{Operator, Requirement};
use autoscale_core::sim::{Blow, Config, PodSpan, Report, Scenario, run};
use autoscale_core::words::{Extended, Resources, ShapeName, Span};

const GIB: u64 = 1 << 30;

/// Two pools that begin empty: `a-gpu`, whose nodes have two GPUs, and `b-plain`.
fn policy() -> Arc<Policy> {
    let gpu = Shape::new(ShapeName::new("gpu").unwrap(), Resources::new(4_100, 16 * GIB, 20));
    let pool = |name: &str| {
        PoolPolicy::builder(name)
            .with_min(0)
            .with_max(20)
            .with_zones(["zone-a", "zone-b"])
            .with_purchases([Purchase::Spot])
            .without_up()
            .with_down(When::below("cpu", "20%").lasting(Span::from_mins(10)))
            .with_pending(Span::from_secs(60))
            .with_pods_per_node(1)
            .with_cooldown_up(Span::from_secs(60))
            .with_cooldown_down(Span::from_mins(2))
    };
    let policy = Policy::builder("list")
        .with_pool(pool("a-gpu").with_shapes([gpu.with_extended("gpu", 2).with_label("gpu-model", "T4")]))
        .with_pool(pool("b-plain").with_shape("plain", 8_100, 16 * GIB, 20));
    Arc::new(policy.build().unwrap())
}

/// Twelve pods of 2 CPUs with a GPU each, and six of 6 CPUs, over four hours.
fn pods() -> Vec<PodSpan> {
    let minutes = Span::from_mins;
    let gpu = (0..12_u64).map(|number| {
        let mut pod = PodSpan::new(format!("train-{number}"), 2_000, GIB, minutes(20 * number));
        pod.deleted = Some(minutes(20 * number + 90));
        pod.extended = Extended::none().with("gpu", 1);
        pod.constraints.affinity = vec![vec![Requirement::new("gpu-model", Operator::In, ["A10", "T4"])]];
        pod
    });
    let plain = (0..6_u64).map(|number| {
        let mut pod = PodSpan::new(format!("serve-{number}"), 6_000, GIB, minutes(40 * number));
        pod.deleted = (number < 4).then(|| minutes(40 * number + 60));
        pod
    });
    gpu.chain(plain).collect()
}

fn config(pods: Vec<PodSpan>) -> Config {
    let mut config = Config::new(Scenario::Steady);
    (config.pods, config.policy) = (Some(Arc::new(pods)), Some(policy()));
    config.until = Span::from_mins(8 * 60);
    config
}

fn counts(report: &Report) -> (u64, u64, u64) {
    let pods = report.pods.unwrap();
    (pods.listed, pods.made, pods.ran)
}

#[test]
fn all_pods_of_a_list_run_and_go() {
    let config = config(pods());
    let report = run(&config, &mut ());
    assert_eq!(report.violations, []);
    assert_eq!(counts(&report), (18, 18, 18));
    let last = report.series.last().unwrap();
    assert_eq!(last.pending, 0);
    let (ups, downs) = (report.scale_ups, report.scale_downs);
    assert!(ups >= 4 && downs >= 2 && u64::from(last.ready) == ups - downs, "{ups} up, {downs} down");
    assert_eq!(last.ready, 2, "two pods of 6 CPUs live to the end");
    assert_eq!(run(&config, &mut ()), report);
}

#[test]
fn a_pod_that_fits_nowhere_waits_and_ends() {
    let mut lost = PodSpan::new("lost", 1_000, GIB, Span::ZERO);
    lost.constraints.affinity = vec![vec![Requirement::new("gpu-model", Operator::In, ["P100"])]];
    lost.deleted = Some(Span::from_mins(30));
    let mut config = config(vec![lost, PodSpan::new("late", 1, 1, Span::from_mins(9 * 60))]);
    config.until = Span::from_mins(60);
    let report = run(&config, &mut ());
    assert_eq!(counts(&report), (2, 1, 0));
    assert_eq!(report.pending_pod_minutes, 30);
}

#[test]
fn a_pod_that_is_evicted_is_made_again() {
    let mut config = config(vec![PodSpan::new("one", 3_900, GIB, Span::ZERO)]);
    config.script = vec![(Span::from_mins(30), Blow::Interrupt(1))];
    config.until = Span::from_mins(120);
    let report = run(&config, &mut ());
    assert_eq!(report.violations, []);
    assert_eq!((counts(&report), report.evictions), ((1, 1, 1), 1));
    assert_eq!(report.series.last().map(|point| (point.ready, point.pending)), Some((1, 0)));
}
