//! Every metric, once.

use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// What kind of metric it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Many values, by how great they are.
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its unit.
    pub unit: Unit,
    /// Its labels, besides `cluster`.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

impl Metric {
    pub(super) fn describe(&self) {
        let Self { name, kind, unit, labels: _, help } = *self;
        match kind {
            Kind::Counter => describe_counter!(name, unit, help),
            Kind::Gauge => describe_gauge!(name, unit, help),
            Kind::Histogram => describe_histogram!(name, unit, help),
        }
    }
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit: Unit::Count, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit: Unit::Count, labels, help }
}

/// A gauge of a time.
const fn time(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit: Unit::Seconds, labels, help }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, unit: Unit::Seconds, labels, help }
}

/// Every metric that a [`MetricsObserver`](super::MetricsObserver) records, as in the table of [`measures`](super).
pub const ALL: [Metric; 27] = [
    counter("autoscale_ticks_total", &["ended"], "ticks: done, busy, halted, no_authority"),
    histogram("autoscale_tick_duration_seconds", &[], "how long ticks took"),
    time("autoscale_tick_timestamp_seconds", &[], "when the last tick began, since 1970"),
    gauge(
        "autoscale_lock_held",
        &[],
        "1 while a lease is in the record after a tick: another's, or one that was not given back",
    ),
    gauge("autoscale_halted", &[], "1 after a tick that halted: a person has to look"),
    gauge("autoscale_alarms", &[], "what somebody should look at"),
    gauge("autoscale_paused", &[], "1 while a person's pause lasts"),
    time("autoscale_quiet_seconds", &[], "how much is left of the silence after a rebuild"),
    gauge("autoscale_seen", &["what"], "1 if instances, cluster were seen completely"),
    gauge(
        "autoscale_nodes",
        &["pool", "zone", "purchase", "phase"],
        "listed instances: pending, starting, ready, not_ready, cordoned, stopped, ending, unknown",
    ),
    gauge(
        "autoscale_instances",
        &["pool", "state"],
        "instances as decisions count them: total, serving, starting, leaving",
    ),
    gauge("autoscale_wanted_nodes", &["pool"], "how many nodes there are to be, as decided"),
    gauge(
        "autoscale_wanted_nodes_raw",
        &["pool"],
        "the same as rules, targets, pods and headroom ask, before any limit",
    ),
    gauge("autoscale_pending_pods", &["pool"], "pods that wait for a node of this pool"),
    counter(
        "autoscale_decisions_total",
        &["pool", "action", "reason"],
        "stored decisions: launch, remove, recall; hold once for each tick and reason",
    ),
    gauge(
        "autoscale_removals_blocked",
        &["pool", "reason"],
        "nodes that may not go, while a removal is otherwise due",
    ),
    gauge(
        "autoscale_drains",
        &["pool", "state"],
        "open removals: planned, cordoned, terminating, gone, rolling_back, parked",
    ),
    gauge("autoscale_operations", &["pool", "kind", "state"], "open operations: launch, remove"),
    counter("autoscale_launches_total", &["pool", "purchase", "result"], "launch requests"),
    counter("autoscale_effects_total", &["pool", "effect", "result"], "all orders"),
    counter(
        "autoscale_evictions_total",
        &["pool", "result"],
        "pods: accepted, gone, budget, throttled, other",
    ),
    gauge("autoscale_notices", &["kind"], "open notices: interruption, rebalance"),
    gauge("autoscale_backoffs", &["pool", "kind"], "what is left alone for a while: offering, node"),
    gauge("autoscale_failed_joins", &["pool"], "launches in a row that did not join"),
    time(
        "autoscale_signal_age_seconds",
        &["pool", "signal"],
        "how old the newest number is; it grows while none comes",
    ),
    gauge("autoscale_signal_missing", &["pool", "signal"], "1 without a number"),
    gauge("autoscale_signal_stale", &["pool", "signal"], "1 with a number too old to act on"),
];
