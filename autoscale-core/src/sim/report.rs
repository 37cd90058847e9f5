//! What a run found.

use std::collections::BTreeMap;

use crate::words::{Span, Timestamp};

use super::pods::PodCounts;

/// How often an invariant was checked, and how often it was found broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Checked {
    /// Times.
    pub checked: u64,
    /// Times.
    pub broken: u64,
}

/// A broken invariant.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Violation {
    /// Which: `I1` to `I15`, `L1` to `L4`, `R12`, `F39`.
    pub invariant: &'static str,
    /// When.
    pub at: Timestamp,
    /// What the world looked like.
    pub text: String,
}

/// The fleet at one point in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Point {
    /// Since the start of the run.
    pub at: Span,
    /// Nodes that the load needs.
    pub need: u32,
    /// Nodes that are Ready.
    pub ready: u32,
    /// Instances that are alive.
    pub alive: u32,
    /// Of those, spot.
    pub spot: u32,
    /// Pods that wait for a node.
    pub pending: u32,
}

/// A decision, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// What and why.
    pub text: String,
}

/// What a run found.
#[derive(Clone, PartialEq, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Virtual time that passed.
    pub length: Span,
    /// Ticks begun.
    pub ticks: u64,
    /// Instances launched to grow a pool.
    pub scale_ups: u64,
    /// Instances removed to shrink a pool.
    pub scale_downs: u64,
    /// Instances launched to replace doomed or dead ones.
    pub replacements: u64,
    /// Pods that left by an eviction.
    pub evictions: u64,
    /// Minutes that pods waited for a node, summed over all pods.
    pub pending_pod_minutes: u64,
    /// From made to running, median over all pods that came to run.
    pub wait_p50: Span,
    /// The same, 95th percentile.
    pub wait_p95: Span,
    /// The same, over those pods alone that had to wait for a node, 95th percentile.
    pub wait_p95_of_waiting: Span,
    /// Hours of instances alive, spot.
    pub spot_hours: f64,
    /// Hours of instances alive, on-demand.
    pub on_demand_hours: f64,
    /// Their price.
    pub cost: f64,
    /// The fleet over time, at most a few thousand points.
    pub series: Vec<Point>,
    /// What became of the list of pods, where there was one.
    pub pods: Option<PodCounts>,
    /// Faults that really happened, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Every invariant.
    pub invariants: BTreeMap<&'static str, Checked>,
    /// The first 100 broken ones.
    pub violations: Vec<Violation>,
    /// The last 20 decisions that did something, and the last that did nothing.
    pub told: Vec<Told>,
    /// Every stored record and every effect, a line each, if [`Config::log`](super::Config::log) asks for it.
    pub log: Vec<String>,
    /// A hash over every byte that was stored and every effect that was sent: the same run has the same.
    pub digest: String,
}

/// A fleet of fixed size under the same load, without an autoscaler.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct StaticFleet {
    /// Its size.
    pub nodes: u32,
    /// Minutes that pods waited for a node.
    pub pending_pod_minutes: u64,
    /// Hours of instances alive, all on-demand.
    pub node_hours: f64,
    /// Their price.
    pub cost: f64,
}
