//! What a comparison found. Serialised it is the object of `--json`.

use serde::Serialize;

use super::Comparison;
use super::spread::{Paired, Spread};
use super::work::Done;
use crate::outcome::{Broken, Outcome};

/// Violations of a run that are kept.
const KEPT: usize = 5;

/// What a comparison found.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    /// What ran, in words.
    pub(crate) load: String,
    pub(crate) seeds: Vec<u64>,
    pub(crate) policies: Vec<Compared>,
    /// The command that repeats it.
    pub(crate) repeat: String,
}

/// One policy.
#[derive(Debug, Serialize)]
pub(crate) struct Compared {
    pub(crate) name: String,
    /// Its file; null is the scenario's own.
    pub(crate) file: Option<String>,
    pub(crate) hash: String,
    pub(crate) not_simulated: Vec<String>,
    /// Over seeds.
    pub(crate) cost: Spread,
    pub(crate) node_hours: Spread,
    pub(crate) pending_pod_minutes: Spread,
    /// The 95th percentile over the pods of each run, over seeds.
    pub(crate) wait_p95_s: Spread,
    pub(crate) wait_p95_of_waiting_s: Spread,
    pub(crate) evictions: Spread,
    pub(crate) launches: Spread,
    pub(crate) removals: Spread,
    /// Launches and removals.
    pub(crate) churn: Spread,
    /// Over all seeds together.
    pub(crate) invariants_checked: u64,
    pub(crate) invariants_broken: u64,
    /// How it differs from the first policy under the same seed; null for the first.
    pub(crate) against_first: Option<Against>,
    /// Each seed.
    pub(crate) runs: Vec<Run>,
}

/// How a policy differs from the first, seed by seed.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Against {
    pub(crate) cost: Paired,
    pub(crate) pending_pod_minutes: Paired,
    pub(crate) wait_p95_s: Paired,
}

/// One policy under one seed.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) cost: f64,
    pub(crate) node_hours: f64,
    pub(crate) pending_pod_minutes: u64,
    pub(crate) wait_p95_s: f64,
    pub(crate) wait_p95_of_waiting_s: f64,
    pub(crate) evictions: u64,
    pub(crate) launches: u64,
    pub(crate) removals: u64,
    pub(crate) faults: u64,
    pub(crate) invariants_checked: u64,
    pub(crate) invariants_broken: u64,
    /// The first of those that broke.
    pub(crate) violations: Vec<Broken>,
    pub(crate) digest: String,
    /// The command that repeats this run.
    pub(crate) repeat: String,
}

impl Found {
    /// Puts together what the runs found, in the order of policies and, within each, of seeds.
    pub(super) fn new(comparison: &Comparison, done: Vec<Done>) -> Self {
        let Comparison { job, entries, seeds, threads: _ } = comparison;
        let load = done.first().map(|done| load(&done.outcome)).unwrap_or_default();
        let mut runs = done.into_iter().map(|done| Run::new(done.outcome));
        let mut policies: Vec<Compared> = Vec::new();
        for entry in entries {
            let runs: Vec<Run> = runs.by_ref().take(seeds.len()).collect();
            let over = |of: fn(&Run) -> f64| Spread::of(runs.iter().map(of));
            let first = policies.first().map(|first| Against::new(&first.runs, &runs));
            policies.push(Compared {
                name: entry.name.clone(),
                file: entry.path.as_ref().map(|path| path.display().to_string()),
                hash: entry.policy.hash().to_string(),
                not_simulated: entry.not_simulated.clone(),
                cost: over(|run| run.cost),
                node_hours: over(|run| run.node_hours),
                pending_pod_minutes: over(|run| run.pending_pod_minutes as f64),
                wait_p95_s: over(|run| run.wait_p95_s),
                wait_p95_of_waiting_s: over(|run| run.wait_p95_of_waiting_s),
                evictions: over(|run| run.evictions as f64),
                launches: over(|run| run.launches as f64),
                removals: over(|run| run.removals as f64),
                churn: over(|run| (run.launches + run.removals) as f64),
                invariants_checked: runs.iter().map(|run| run.invariants_checked).sum(),
                invariants_broken: runs.iter().map(|run| run.invariants_broken).sum(),
                against_first: first,
                runs,
            });
        }
        let load = format!("{load}, faults {}", job.level());
        Self { load, seeds: seeds.clone(), policies, repeat: comparison.to_string() }
    }

    /// Whether an invariant broke in any run.
    pub(crate) fn is_broken(&self) -> bool {
        self.policies.iter().any(|policy| policy.invariants_broken > 0)
    }
}

impl Against {
    fn new(first: &[Run], runs: &[Run]) -> Self {
        let pairs = |of: fn(&Run) -> f64| {
            let numbers = |runs: &[Run]| -> Vec<f64> { runs.iter().map(of).collect() };
            Paired::of(&numbers(first), &numbers(runs))
        };
        Self {
            cost: pairs(|run| run.cost),
            pending_pod_minutes: pairs(|run| run.pending_pod_minutes as f64),
            wait_p95_s: pairs(|run| run.wait_p95_s),
        }
    }
}

impl Run {
    fn new(outcome: Outcome) -> Self {
        let secs = |span: autoscale_core::words::Span| span.as_millis() as f64 / 1_000.0;
        Self {
            seed: outcome.seed,
            cost: outcome.cost.autoscaled,
            node_hours: outcome.node_hours,
            pending_pod_minutes: outcome.pending_pod_minutes,
            wait_p95_s: secs(outcome.wait_p95),
            wait_p95_of_waiting_s: secs(outcome.wait_p95_of_waiting),
            evictions: outcome.evictions,
            launches: outcome.scale_ups + outcome.replacements,
            removals: outcome.scale_downs,
            faults: outcome.faults.values().sum(),
            invariants_checked: outcome.invariants.checked,
            invariants_broken: outcome.invariants.broken.max(outcome.violations.len() as u64),
            violations: outcome.violations.into_iter().take(KEPT).collect(),
            digest: outcome.digest,
            repeat: outcome.repeat,
        }
    }
}

/// What ran, in words.
fn load(outcome: &Outcome) -> String {
    let load = match (&outcome.trace, outcome.peak_nodes) {
        (Some(file), Some(nodes)) => format!("{file}, at most {nodes} nodes of load"),
        _ => outcome.scenario.clone(),
    };
    format!("{load} for {}", outcome.until)
}
