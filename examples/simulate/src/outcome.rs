//! What is printed: the report of a run, the static fleet beside it, and how to repeat it.
//!
//! Serialised it is the object of `--json`, in the order of the fields.

use std::collections::BTreeMap;

use autoscale_core::words::{Span, Timestamp};
use serde::{Serialize, Serializer};

use crate::args::{Job, Source};
use crate::engine::{CRASH_POINTS, FAULT_ROWS, Faults, MILD_KINDS, Report, StaticFleet};
use crate::limits::limits;

/// Pods that fit on no machine type and are named.
const NAMED: usize = 10;

/// What is printed.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Outcome {
    /// The name of the scenario.
    pub(crate) scenario: String,
    /// The file in its place.
    pub(crate) trace: Option<String>,
    /// The nodes that its highest value needs.
    pub(crate) peak_nodes: Option<u32>,
    /// The list of pods in its place, and the machine types.
    pub(crate) pods: Option<String>,
    pub(crate) shapes: Option<String>,
    /// The file of the policy; null is the scenario's own, or that of the machine types.
    pub(crate) policy: Option<String>,
    /// Its content hash.
    pub(crate) policy_hash: String,
    /// What of it makes no difference here, in words.
    pub(crate) not_simulated: Vec<String>,
    pub(crate) seed: u64,
    /// The name of the level of faults.
    pub(crate) fault_level: &'static str,
    #[serde(serialize_with = "shown")]
    pub(crate) until: Span,
    pub(crate) ticks: u64,
    pub(crate) scale_ups: u64,
    pub(crate) scale_downs: u64,
    pub(crate) replacements: u64,
    pub(crate) evictions: u64,
    /// Pods of the list, those that were made, and those that ever ran.
    pub(crate) pods_listed: Option<u64>,
    pub(crate) pods_made: Option<u64>,
    pub(crate) pods_ran: Option<u64>,
    /// Pods of the list that fit on no machine type: how many, and the first of them.
    pub(crate) unseatable: Option<u64>,
    pub(crate) unseatable_names: Vec<String>,
    pub(crate) pending_pod_minutes: u64,
    #[serde(rename = "wait_p50_s", serialize_with = "seconds")]
    pub(crate) wait_p50: Span,
    #[serde(rename = "wait_p95_s", serialize_with = "seconds")]
    pub(crate) wait_p95: Span,
    #[serde(rename = "wait_p95_of_waiting_s", serialize_with = "seconds")]
    pub(crate) wait_p95_of_waiting: Span,
    pub(crate) node_hours: f64,
    pub(crate) node_hours_by_purchase: Purchases,
    pub(crate) cost: Cost,
    /// The static fleet; null where it was not searched for.
    pub(crate) static_nodes: Option<u32>,
    pub(crate) static_pending_pod_minutes: Option<u64>,
    pub(crate) static_node_hours: Option<f64>,
    /// Those that really happened, by kind.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    pub(crate) invariants: Invariants,
    pub(crate) violations: Vec<Broken>,
    pub(crate) digest: String,
    /// The command that repeats the run.
    pub(crate) repeat: String,
    /// The last decisions: when and what, in words.
    #[serde(skip)]
    pub(crate) told: Vec<String>,
    /// The fleet over time.
    #[serde(skip)]
    pub(crate) series: Vec<Size>,
}

/// Node-hours by how the nodes were bought.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Purchases {
    pub(crate) spot: f64,
    pub(crate) on_demand: f64,
}

/// What the nodes cost, and what the static fleet would have.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Cost {
    pub(crate) autoscaled: f64,
    #[serde(rename = "static")]
    pub(crate) fixed: Option<f64>,
}

/// Invariants, all and each.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Invariants {
    pub(crate) checked: u64,
    pub(crate) broken: u64,
    pub(crate) by_name: BTreeMap<&'static str, Count>,
}

/// One invariant.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Count {
    pub(crate) checked: u64,
    pub(crate) broken: u64,
}

/// An invariant that was found broken.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Broken {
    pub(crate) invariant: &'static str,
    #[serde(serialize_with = "shown")]
    pub(crate) at: Timestamp,
    pub(crate) text: String,
}

/// The fleet at one point in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) at: Span,
    /// Nodes that the load needs.
    pub(crate) need: u32,
    /// Nodes that are ready.
    pub(crate) ready: u32,
    /// Pods that wait for a node.
    pub(crate) pending: u32,
}

impl Outcome {
    /// Puts together what the engine found.
    pub(crate) fn new(job: &Job, report: Report, fleet: Option<StaticFleet>) -> Self {
        let by_name: BTreeMap<_, _> = report
            .invariants
            .iter()
            .map(|(name, count)| (*name, Count { checked: count.checked, broken: count.broken }))
            .collect();
        let (mut trace, mut peak_nodes, mut pods, mut shapes) = (None, None, None, None);
        let (mut unseatable, mut unseatable_names) = (None, Vec::new());
        let scenario = match &job.source {
            Source::Scenario => job.config.scenario.to_string(),
            Source::Trace { path, peak_nodes: nodes } => {
                (trace, peak_nodes) = (Some(path.display().to_string()), Some(*nodes));
                "trace".to_owned()
            }
            Source::Pods { pods: list, shapes: types, unseatable: lost } => {
                (pods, shapes) = (Some(list.display().to_string()), Some(types.display().to_string()));
                unseatable = Some(lost.len() as u64);
                unseatable_names = lost.iter().take(NAMED).cloned().collect();
                "pods".to_owned()
            }
        };
        Self {
            scenario,
            trace,
            peak_nodes,
            pods,
            shapes,
            policy: job.policy.as_ref().map(|path| path.display().to_string()),
            policy_hash: job.policy().hash().to_string(),
            not_simulated: match &job.policy {
                Some(_) => limits(&job.policy(), &job.config),
                None => Vec::new(),
            },
            seed: job.config.seed,
            fault_level: job.level(),
            until: report.length,
            ticks: report.ticks,
            scale_ups: report.scale_ups,
            scale_downs: report.scale_downs,
            replacements: report.replacements,
            evictions: report.evictions,
            pods_listed: report.pods.map(|pods| pods.listed),
            pods_made: report.pods.map(|pods| pods.made),
            pods_ran: report.pods.map(|pods| pods.ran),
            unseatable,
            unseatable_names,
            pending_pod_minutes: report.pending_pod_minutes,
            wait_p50: report.wait_p50,
            wait_p95: report.wait_p95,
            wait_p95_of_waiting: report.wait_p95_of_waiting,
            node_hours: report.spot_hours + report.on_demand_hours,
            node_hours_by_purchase: Purchases { spot: report.spot_hours, on_demand: report.on_demand_hours },
            cost: Cost { autoscaled: report.cost, fixed: fleet.map(|fleet| fleet.cost) },
            static_nodes: fleet.map(|fleet| fleet.nodes),
            static_pending_pod_minutes: fleet.map(|fleet| fleet.pending_pod_minutes),
            static_node_hours: fleet.map(|fleet| fleet.node_hours),
            faults: every_fault(job.config.faults, job.policy.is_none(), report.faults),
            invariants: Invariants {
                checked: by_name.values().map(|count| count.checked).sum(),
                broken: by_name.values().map(|count| count.broken).sum(),
                by_name,
            },
            violations: report
                .violations
                .into_iter()
                .map(|broken| Broken { invariant: broken.invariant, at: broken.at, text: broken.text })
                .collect(),
            digest: report.digest,
            repeat: job.to_string(),
            told: report.told.into_iter().map(|told| told.text).collect(),
            series: report
                .series
                .iter()
                .map(|point| Size {
                    at: point.at,
                    need: point.need,
                    ready: point.ready,
                    pending: point.pending,
                })
                .collect(),
        }
    }

    /// The faults of its level that never happened.
    pub(crate) fn never(&self) -> impl Iterator<Item = &'static str> {
        self.faults.iter().filter(|(_, times)| **times == 0).map(|(name, _)| *name)
    }

    /// Whether an invariant broke.
    pub(crate) fn is_broken(&self) -> bool {
        self.invariants.broken > 0 || !self.violations.is_empty()
    }
}

fn shown<S: Serializer>(value: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

fn seconds<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_millis() as f64 / 1_000.0)
}

#[cfg(test)]
impl Outcome {
    /// A day of a shop, made up, with nothing broken.
    pub(crate) fn sample() -> Self {
        let series = (0..1_440_u32).map(|minute| {
            let need: u32 = if (540..1_260).contains(&minute) { 8 } else { 3 };
            let ready = if (545..1_290).contains(&minute) { 9 } else { 4 };
            let pending = need.saturating_sub(ready) * 3;
            Size { at: Span::from_mins(minute.into()), need, ready, pending }
        });
        Self {
            scenario: "shop".to_owned(),
            trace: None,
            peak_nodes: None,
            pods: None,
            shapes: None,
            policy: None,
            policy_hash: "5ca1ab1e".to_owned(),
            not_simulated: Vec::new(),
            seed: 1,
            fault_level: "mild",
            until: Span::from_mins(1_440),
            ticks: 2_880,
            scale_ups: 12,
            scale_downs: 11,
            replacements: 1,
            evictions: 30,
            pods_listed: None,
            pods_made: None,
            pods_ran: None,
            unseatable: None,
            unseatable_names: Vec::new(),
            pending_pod_minutes: 1_234,
            wait_p50: Span::from_secs(1),
            wait_p95: Span::from_secs(95),
            wait_p95_of_waiting: Span::from_millis(190_500),
            node_hours: 156.0,
            node_hours_by_purchase: Purchases { spot: 100.0, on_demand: 56.0 },
            cost: Cost { autoscaled: 61.2, fixed: Some(112.9) },
            static_nodes: Some(11),
            static_pending_pod_minutes: Some(1_000),
            static_node_hours: Some(264.0),
            faults: BTreeMap::from([("boot-hang", 3), ("crash", 2)]),
            invariants: Invariants {
                checked: 1_234_567,
                broken: 0,
                by_name: BTreeMap::from([
                    ("I1", Count { checked: 1_000_000, broken: 0 }),
                    ("I2", Count { checked: 234_567, broken: 0 }),
                ]),
            },
            violations: Vec::new(),
            digest: "d228cb69".to_owned(),
            repeat: "cargo run --release -p simulate -- --scenario shop --seed 1 --faults mild --until 1d"
                .to_owned(),
            told: vec!["hold: nothing to do".to_owned()],
            series: series.collect(),
        }
    }

    /// The same, with two violations.
    pub(crate) fn broken_sample() -> Self {
        let mut outcome = Self::sample();
        outcome.invariants.broken = 2;
        outcome.invariants.by_name.insert("I2", Count { checked: 234_567, broken: 2 });
        let at = Timestamp::from_millis(60_000);
        outcome.violations = vec![Broken { invariant: "I2", at, text: "2 nodes, min 3".to_owned() }];
        outcome
    }
}

/// Every fault of a level by name, also those that never happened. The scenario's own policy is one that people change.
fn every_fault(
    level: Faults,
    own: bool,
    happened: BTreeMap<&'static str, u64>,
) -> BTreeMap<&'static str, u64> {
    let hostile = FAULT_ROWS
        .iter()
        .flat_map(|(_, names)| names.iter())
        .chain(CRASH_POINTS.iter().map(|(_, name)| name));
    let mut all: BTreeMap<&'static str, u64> = match level {
        Faults::Hostile => hostile
            .chain(&MILD_KINDS)
            .filter(|name| own || !name.starts_with("policy-"))
            .map(|name| (*name, 0))
            .collect(),
        Faults::Mild => MILD_KINDS.iter().map(|name| (*name, 0)).collect(),
        _ => BTreeMap::new(),
    };
    all.extend(happened);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_invariant_is_broken() {
        assert!(!Outcome::sample().is_broken());
        assert!(Outcome::broken_sample().is_broken());
        assert!(Outcome { violations: Outcome::broken_sample().violations, ..Outcome::sample() }.is_broken());
    }
}
