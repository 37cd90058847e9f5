//! Metrics of ticks, for recorders of the [`metrics`] crate (feature `metrics`).
//!
//! [`MetricsObserver`] reads finished reports; the driver itself records nothing. Every metric has the label `cluster`. Names,
//! labels and the values that are listed here are stable: labels and values may be added, none is renamed or taken away without a
//! breaking release. No label is a node, an instance, a pod, a token or a text: `pool` and `signal` are of the policy, `zone` is of
//! the cloud, everything else is a code of this library.
//!
//! | name | kind | labels | what |
//! |---|---|---|---|
//! | `autoscale_ticks_total` | counter | `ended` | ticks: `done`, `busy`, `halted`, `no_authority` |
//! | `autoscale_tick_duration_seconds` | histogram | | how long ticks took |
//! | `autoscale_tick_timestamp_seconds` | gauge | | when the last tick began, since 1970 |
//! | `autoscale_lock_held` | gauge | | 1 while a lease is in the record after a tick: another's, or one that was not given back |
//! | `autoscale_halted` | gauge | | 1 after a tick that halted: a person has to look |
//! | `autoscale_alarms` | gauge | | what somebody should look at |
//! | `autoscale_paused` | gauge | | 1 while a person's pause lasts |
//! | `autoscale_quiet_seconds` | gauge | | how much is left of the silence after a rebuild |
//! | `autoscale_seen` | gauge | `what` | 1 if `instances`, `cluster` were seen completely |
//! | `autoscale_nodes` | gauge | `pool`, `zone`, `purchase`, `phase` | listed instances: `pending`, `starting`, `ready`, `not_ready`, `cordoned`, `stopped`, `ending`, `unknown` |
//! | `autoscale_instances` | gauge | `pool`, `state` | instances as decisions count them: `total`, `serving`, `starting`, `leaving` |
//! | `autoscale_wanted_nodes` | gauge | `pool` | how many nodes there are to be, as decided |
//! | `autoscale_wanted_nodes_raw` | gauge | `pool` | the same as rules, targets, pods and headroom ask, before any limit |
//! | `autoscale_pending_pods` | gauge | `pool` | pods that wait for a node of this pool |
//! | `autoscale_decisions_total` | counter | `pool`, `action`, `reason` | stored decisions: `launch`, `remove`, `recall`; `hold` once for each tick and reason |
//! | `autoscale_removals_blocked` | gauge | `pool`, `reason` | nodes that may not go, while a removal is otherwise due |
//! | `autoscale_drains` | gauge | `pool`, `state` | open removals: `planned`, `cordoned`, `terminating`, `gone`, `rolling_back`, `parked` |
//! | `autoscale_operations` | gauge | `pool`, `kind`, `state` | open operations: `launch`, `remove` |
//! | `autoscale_launches_total` | counter | `pool`, `purchase`, `result` | launch requests |
//! | `autoscale_effects_total` | counter | `pool`, `effect`, `result` | all orders |
//! | `autoscale_evictions_total` | counter | `pool`, `result` | pods: `accepted`, `gone`, `budget`, `throttled`, `other` |
//! | `autoscale_notices` | gauge | `kind` | open notices: `interruption`, `rebalance` |
//! | `autoscale_backoffs` | gauge | `pool`, `kind` | what is left alone for a while: `offering`, `node` |
//! | `autoscale_failed_joins` | gauge | `pool` | launches in a row that did not join |
//! | `autoscale_signal_age_seconds` | gauge | `pool`, `signal` | how old the newest number is; it grows while none comes |
//! | `autoscale_signal_missing` | gauge | `pool`, `signal` | 1 without a number |
//! | `autoscale_signal_stale` | gauge | `pool`, `signal` | 1 with a number too old to act on |
//!
//! `purchase` is `spot` or `on_demand`, of an instance also `unknown`, like `zone`. `result` is `done`, `superseded`, `gone`,
//! `no_capacity`, `throttled`, `denied`, `invalid`, `token_spent`, `token_mismatch`, `not_sent` or `unclear`. `reason` is `scale` or
//! `replace` for a launch, why a node is removed for a removal, `needed` for a recall, [`Hold::code`](crate::data::explain::Hold::code)
//! for a hold; of a blocked removal [`Held::code`](crate::data::explain::Held::code). The `pool` of instances whose pool the policy does
//! not have is `not_in_policy`.
//!
//! A combination of labels that is gone stands at zero. What was not looked at, or not seen completely, stays as it was:
//! `autoscale_seen` tells. What the record says is as the last tick loaded or stored it.
//!
//! ```
//! use autoscale_core::driver::{Driver, MetricsObserver, Trigger};
//!
//! async fn tick(driver: &Driver, observer: &mut MetricsObserver) {
//!     let report = driver.tick(&Trigger::Schedule).await;
//!     observer.observe(&report);
//! }
//! ```
//!
//! With `run` it is the closure that is handed every report.

mod catalogue;
mod gauges;
mod looks;
mod pools;
mod stored;
mod zeros;

use std::collections::{BTreeMap, BTreeSet};

use crate::data::explain::{PoolReport, Verdict};
use crate::data::order::{Answer, Order, Outcome};
use crate::data::policy::Policy;
use crate::data::record::Record;
use crate::driver::{Ended, Report, Round, codes};
use crate::words::{ClusterId, PoolName, SignalName, Timestamp};

pub use catalogue::{ALL, Kind, Metric};
use gauges::{Gauges, Group};

/// The `pool` of what belongs to no pool of the policy. No pool can have this name.
pub const NOT_IN_POLICY: &str = "not_in_policy";

/// Turns reports into metrics.
///
/// It remembers what it has shown, so that what is gone is set to zero: keep one for each driver.
#[derive(Debug)]
pub struct MetricsObserver {
    gauges: Gauges,
    /// When the newest number of each signal was measured.
    measured: BTreeMap<(PoolName, SignalName), Timestamp>,
}

impl MetricsObserver {
    /// For the reports of one cluster. It [describes](Self::describe) the metrics.
    pub fn new(cluster: &ClusterId) -> Self {
        Self::describe();
        Self { gauges: Gauges::new(cluster), measured: BTreeMap::new() }
    }

    /// Tells the recorder what each metric is. To be called again when the recorder is installed after [`new`](Self::new).
    pub fn describe() {
        ALL.iter().for_each(Metric::describe);
    }

    /// Shows every counter that a tick under this policy may count, except for holds: at zero, if it has not counted yet. Functions such
    /// as Prometheus's `increase` do not see the first count of a counter that was not there before. To be called again for another policy.
    pub fn begin(&self, policy: &Policy) {
        zeros::count(&self.gauges, policy);
    }

    /// Records what a tick did.
    pub fn observe(&mut self, report: &Report) {
        self.tick(report);
        self.counted(report);
        if let Some(round) = report.rounds.last() {
            looks::looked(&mut self.gauges, round);
            pools::decided(&mut self.gauges, round);
            pools::signals(&mut self.gauges, &mut self.measured, round);
            pools::blocked(&mut self.gauges, &report.rounds);
        }
        if let Some(record) = &report.record {
            stored::recorded(&mut self.gauges, record, report);
        }
    }

    fn tick(&mut self, report: &Report) {
        let gauges = &mut self.gauges;
        gauges.count("autoscale_ticks_total", &[("ended", report.ended.code())], 1);
        let seconds = report.took.as_millis() as f64 / 1_000.0;
        gauges.measure("autoscale_tick_duration_seconds", seconds);
        let halted = matches!(report.ended, Ended::Halted { .. });
        let alone = [
            ("autoscale_tick_timestamp_seconds", report.at.as_millis() as f64 / 1_000.0),
            ("autoscale_halted", f64::from(u8::from(halted))),
            ("autoscale_alarms", report.alarms.len() as f64),
        ];
        gauges.show(Group::Tick, alone.map(|(name, value)| (name, Vec::new(), value)));
    }

    /// Decisions that were stored, what was sent, and why the last round left pools alone.
    fn counted(&self, report: &Report) {
        for round in &report.rounds {
            if round.stored.is_some() {
                for action in &round.explanation.actions {
                    let (name, reason) = codes::action(action);
                    self.decided(action.pool(), name, reason);
                }
            }
            round.outcomes.iter().for_each(|outcome| self.outcome(round, outcome));
        }
        for PoolReport { pool, verdict, .. } in report.rounds.last().iter().flat_map(|r| &r.explanation.pools)
        {
            let Verdict::Hold(holds) = verdict else { continue };
            let reasons: BTreeSet<&str> = holds.iter().map(|hold| hold.code()).collect();
            reasons.into_iter().for_each(|reason| self.decided(pool, "hold", reason));
        }
    }

    fn decided(&self, pool: &PoolName, action: &str, reason: &str) {
        let labels = [("pool", pool.as_str()), ("action", action), ("reason", reason)];
        self.gauges.count("autoscale_decisions_total", &labels, 1);
    }

    fn outcome(&self, round: &Round, Outcome { effect, answer }: &Outcome) {
        let (_, name) = codes::method(&effect.order);
        let result = codes::result(answer);
        let op = round.stored.iter().flat_map(|record: &Record| &record.ops).find(|op| op.id() == effect.op);
        let pool = op.map_or(NOT_IN_POLICY, |op| op.pool.as_str());
        let labels = [("pool", pool), ("effect", name), ("result", result)];
        self.gauges.count("autoscale_effects_total", &labels, 1);
        if let Order::Launch(order) = &effect.order {
            let purchase = codes::purchase(order.offering.purchase);
            let labels = [("pool", order.pool.as_str()), ("purchase", purchase), ("result", result)];
            self.gauges.count("autoscale_launches_total", &labels, 1);
        }
        if let Answer::Evicted(pass) = answer {
            let count = |result, pods: usize| {
                let labels = [("pool", pool), ("result", result)];
                self.gauges.count("autoscale_evictions_total", &labels, pods as u64);
            };
            count("accepted", pass.accepted.len());
            count("gone", pass.gone.len());
            pass.blocked.iter().for_each(|(_, blocker)| count(codes::blocker(blocker), 1));
        }
    }
}
