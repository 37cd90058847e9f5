//! What was decided for pools, and the signals that it was decided on.

use std::collections::BTreeMap;

use super::gauges::{Gauges, Group, Labels};
use super::looks;
use crate::data::explain::{Observed, PoolReport};
use crate::driver::Round;
use crate::words::{PoolName, SignalName, Timestamp};

/// Sizes, unless something was not seen: what was counted then says nothing.
pub(super) fn decided(gauges: &mut Gauges, round: &Round) {
    if !looks::is_complete(&round.view) {
        return;
    }
    let mut shown = Vec::new();
    for PoolReport { pool, counts, wanted, .. } in &round.explanation.pools {
        let mut show = |name, state: Option<&str>, count: u32| {
            let mut labels: Labels = vec![("pool", pool.to_string())];
            labels.extend(state.map(|state| ("state", state.to_owned())));
            shown.push((name, labels, f64::from(count)));
        };
        show("autoscale_wanted_nodes", None, wanted.size);
        show("autoscale_wanted_nodes_raw", None, wanted.raw);
        show("autoscale_pending_pods", None, counts.pending_pods);
        show("autoscale_instances", Some("total"), counts.total);
        show("autoscale_instances", Some("serving"), counts.serving);
        show("autoscale_instances", Some("starting"), counts.starting);
        show("autoscale_instances", Some("leaving"), counts.leaving);
    }
    gauges.show(Group::Pools, shown);
}

/// Why nodes may not go, as the last round says that judged them: one that acts is followed by one that does not look.
pub(super) fn blocked(gauges: &mut Gauges, rounds: &[Round]) {
    let reports = rounds.iter().flat_map(|round| &round.explanation.pools);
    let judged = reports.filter(|report| !report.nodes.is_empty());
    let latest: BTreeMap<&PoolName, &PoolReport> = judged.map(|report| (&report.pool, report)).collect();
    let shown = latest.into_values().flat_map(|PoolReport { pool, refused, .. }| {
        refused.iter().map(move |(reason, nodes)| {
            let labels = vec![("pool", pool.to_string()), ("reason", reason.clone())];
            ("autoscale_removals_blocked", labels, f64::from(*nodes))
        })
    });
    gauges.show(Group::Blocked, shown);
}

/// Each signal that a rule or a target looks at.
pub(super) fn signals(
    gauges: &mut Gauges,
    measured: &mut BTreeMap<(PoolName, SignalName), Timestamp>,
    round: &Round,
) {
    let at = round.explanation.at;
    let mut looked_at: BTreeMap<(PoolName, SignalName), &Observed> = BTreeMap::new();
    for PoolReport { pool, rules, targets, .. } in &round.explanation.pools {
        let of_rules = rules.iter().map(|rule| (&rule.signal, &rule.observed));
        let of_targets = targets.iter().map(|target| (&target.signal, &target.observed));
        for (signal, observed) in of_rules.chain(of_targets) {
            looked_at.insert((pool.clone(), signal.clone()), observed);
        }
    }
    measured.retain(|key, _| looked_at.contains_key(key));
    let mut shown = Vec::new();
    for (key, observed) in looked_at {
        let labels: Labels = vec![("pool", key.0.to_string()), ("signal", key.1.to_string())];
        let (age, missing, stale) = match observed {
            Observed::Fresh { age, .. } => (Some(age), false, false),
            Observed::Stale { age, .. } => (Some(age), false, true),
            Observed::Missing { .. } => (None, true, false),
        };
        if let Some(age) = age {
            measured.insert(key.clone(), at.before(*age));
        }
        if let Some(measured) = measured.get(&key) {
            let age = at.since(*measured).as_millis() as f64 / 1_000.0;
            shown.push(("autoscale_signal_age_seconds", labels.clone(), age));
        }
        shown.push(("autoscale_signal_missing", labels.clone(), f64::from(u8::from(missing))));
        shown.push(("autoscale_signal_stale", labels, f64::from(u8::from(stale))));
    }
    gauges.show(Group::Signals, shown);
}
