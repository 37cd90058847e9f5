//! Counters that begin at zero, before anything is counted.
//!
//! `increase` and `rate` tell differences: of a counter that appears together with its first count they see nothing, and most of
//! what is worth an alert is counted once in the life of a process.

use super::gauges::Gauges;
use crate::data::policy::{Policy, Purchase};
use crate::data::record::RemoveWhy;
use crate::driver::codes;

/// How ticks end.
const ENDED: [&str; 4] = ["done", "busy", "halted", "no_authority"];
/// What is bought.
const PURCHASES: [Purchase; 2] = [Purchase::Spot, Purchase::OnDemand];
/// Which orders there are.
const EFFECTS: [&str; 6] = ["launch", "terminate", "cordon", "uncordon", "evict", "forget"];
/// What becomes of orders.
const RESULTS: [&str; 11] = [
    "done",
    "superseded",
    "gone",
    "no_capacity",
    "throttled",
    "denied",
    "invalid",
    "token_spent",
    "token_mismatch",
    "not_sent",
    "unclear",
];
/// What becomes of pods that are to leave.
const EVICTIONS: [&str; 5] = ["accepted", "gone", "budget", "throttled", "other"];
/// What else than a removal is decided, and why. Why nothing is, is counted with every tick, so that its first count does not matter.
const DECISIONS: [(&str, &str); 3] = [("launch", "scale"), ("launch", "replace"), ("recall", "needed")];
/// Why something is removed.
const REMOVED: [RemoveWhy; 8] = [
    RemoveWhy::Idle,
    RemoveWhy::AboveMax,
    RemoveWhy::Interruption,
    RemoveWhy::Rebalance,
    RemoveWhy::CordonOnly,
    RemoveWhy::NeverReady,
    RemoveWhy::Dead,
    RemoveWhy::Orphan,
];

/// Counts nothing of everything, for all pools of a policy.
pub(super) fn count(gauges: &Gauges, policy: &Policy) {
    ENDED.iter().for_each(|ended| gauges.begin("autoscale_ticks_total", &[("ended", ended)]));
    for pool in policy.pools().keys() {
        let pool = ("pool", pool.as_str());
        for result in RESULTS.map(|result| ("result", result)) {
            for purchase in PURCHASES.map(codes::purchase) {
                gauges.begin("autoscale_launches_total", &[pool, ("purchase", purchase), result]);
            }
            for effect in EFFECTS {
                gauges.begin("autoscale_effects_total", &[pool, ("effect", effect), result]);
            }
        }
        for result in EVICTIONS {
            gauges.begin("autoscale_evictions_total", &[pool, ("result", result)]);
        }
        let removed = REMOVED.map(|why| ("remove", codes::remove_why(why)));
        for (action, reason) in DECISIONS.into_iter().chain(removed) {
            gauges.begin("autoscale_decisions_total", &[pool, ("action", action), ("reason", reason)]);
        }
    }
}
