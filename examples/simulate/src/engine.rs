//! A stand-in for the engine of `autoscale_core::sim`: the same names and shapes, with made-up numbers.

use std::collections::BTreeMap;

use autoscale_core::sim::{Config, Faults};
use autoscale_core::words::{Span, Timestamp};

use crate::trace::NODE_CPU_MILLI;

pub(crate) struct Checked {
    pub(crate) checked: u64,
    pub(crate) broken: u64,
}

pub(crate) struct Violation {
    pub(crate) invariant: &'static str,
    pub(crate) at: Timestamp,
    pub(crate) text: String,
}

pub(crate) struct Point {
    pub(crate) at: Span,
    pub(crate) need: u32,
    pub(crate) ready: u32,
    pub(crate) pending: u32,
}

pub(crate) struct Told {
    pub(crate) at: Timestamp,
    pub(crate) text: String,
}

pub(crate) struct Report {
    pub(crate) ticks: u64,
    pub(crate) scale_ups: u64,
    pub(crate) scale_downs: u64,
    pub(crate) replacements: u64,
    pub(crate) evictions: u64,
    pub(crate) pending_pod_minutes: u64,
    pub(crate) wait_p50: Span,
    pub(crate) wait_p95: Span,
    pub(crate) wait_p95_of_waiting: Span,
    pub(crate) spot_hours: f64,
    pub(crate) on_demand_hours: f64,
    pub(crate) cost: f64,
    pub(crate) series: Vec<Point>,
    pub(crate) faults: BTreeMap<&'static str, u64>,
    pub(crate) invariants: BTreeMap<&'static str, Checked>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) told: Vec<Told>,
    pub(crate) digest: String,
}

pub(crate) struct StaticFleet {
    pub(crate) nodes: u32,
    pub(crate) pending_pod_minutes: u64,
    pub(crate) node_hours: f64,
    pub(crate) cost: f64,
}

/// A fleet that follows the need ten minutes late, with one node to spare.
pub(crate) fn run(config: &Config, progress: &mut dyn FnMut(Span)) -> Report {
    let step = Span::from_mins(5);
    let mut series: Vec<Point> = Vec::new();
    let (mut ups, mut downs, mut waited, mut hours) = (0, 0, 0, 0.0);
    let mut at = Span::ZERO;
    while at < config.until {
        progress(at);
        let need = need(config, at);
        let before = series.last().map_or(need + 1, |point| point.ready);
        let seen = series.iter().rev().take(14).map(|point| point.need).max().unwrap_or(need);
        let lagging = series.iter().rev().nth(1).map_or(need, |point| point.need);
        let ready = (seen.max(lagging) + 1).min(before + 3);
        ups += u64::from(ready.saturating_sub(before));
        downs += u64::from(before.saturating_sub(ready));
        let pending = need.saturating_sub(ready) * 4;
        waited += u64::from(pending) * 5;
        hours += f64::from(ready) / 12.0;
        series.push(Point { at, need, ready, pending });
        at = at.plus(step);
    }
    let mild = config.faults == Faults::Mild;
    Report {
        ticks: config.until.as_secs() / 30,
        scale_ups: ups,
        scale_downs: downs,
        replacements: 3,
        evictions: downs * 6,
        pending_pod_minutes: waited,
        wait_p50: Span::from_secs(1),
        wait_p95: Span::from_secs(140),
        wait_p95_of_waiting: Span::from_secs(210),
        spot_hours: hours * 0.7,
        on_demand_hours: hours * 0.3,
        cost: hours * (0.7 * 0.06 + 0.3 * 0.192),
        series,
        faults: if mild {
            BTreeMap::from([("boot-hang", 4), ("crash-after-call", 9)])
        } else {
            BTreeMap::new()
        },
        invariants: BTreeMap::from([("I1", Checked { checked: config.until.as_secs(), broken: 0 })]),
        violations: Vec::<Violation>::new(),
        told: vec![Told {
            at: Timestamp::from_millis(0).after(config.until),
            text: "hold: nothing here is real, the engine is still missing".to_owned(),
        }],
        digest: format!("{:016x}", config.seed),
    }
}

pub(crate) fn smallest_static_fleet(config: &Config, at_most_pending: u64) -> StaticFleet {
    let nodes = 17;
    let node_hours = f64::from(nodes) * config.until.as_secs() as f64 / 3_600.0;
    StaticFleet { nodes, pending_pod_minutes: at_most_pending / 2, node_hours, cost: node_hours * 0.192 }
}

fn need(config: &Config, at: Span) -> u32 {
    if let Some(load) = &config.load {
        let now = load.iter().take_while(|point| point.at <= at).last();
        return now.map_or(0, |point| u32::try_from(point.cpu_milli.div_ceil(NODE_CPU_MILLI)).unwrap_or(0));
    }
    let hour = at.as_secs() as f64 / 3_600.0;
    let day = (std::f64::consts::PI * ((hour % 24.0) - 9.0) / 12.0).sin().max(0.0);
    let sale = if (60.0..61.0).contains(&hour) || (110.0..111.5).contains(&hour) { 7.0 } else { 0.0 };
    (3.0 + 7.0 * day.powf(0.6) + sale).round() as u32
}
