//! One pool.

use std::collections::BTreeSet;

use super::{Context, nodes, ratio, rules, shapes, targets};
use crate::data::policy::read::{At, Fields};
use crate::data::policy::{Awkward, Headroom, OnRebalance, PoolPolicy, Purchase, SystemPods};
use crate::words::{PoolName, Span, Zone};

/// Reads everything before it gives up, so that all errors are found.
pub(super) fn pool(at: &At<'_>, name: Option<PoolName>, context: &Context) -> Option<PoolPolicy> {
    let fields = at.fields()?;
    let whole = |key, default| fields.get(key).or(default, At::whole);
    let number = |key| fields.get(key).unless_false(At::whole);
    let span = |key, default| fields.get(key).or(default, At::span);

    let min = whole("min", 2);
    let max = whole("max", 10);
    at_most(&fields, ("min", min), ("max", max));
    let priority = whole("priority", 0);
    let zones = zones(&fields.get("zones"));
    let max_per_zone = number("max_per_zone");
    let shapes = shapes::shapes(&fields, context);
    let labels = nodes::labels(fields.get("labels"));
    let taints = fields.get("taints").or(Vec::new(), nodes::taints);
    let overhead = fields.get("overhead").unless_false(|at| nodes::overhead(at, shapes.as_deref()));
    let template = fields.get("template").or(String::new(), At::printable);
    let purchases = fields.get("purchases").or(vec![Purchase::Spot, Purchase::OnDemand], purchases);
    let pods_per_node = number("pods_per_node");
    let targets = targets::targets(&fields.get("targets"), context);
    let (up, down) = rules::both(&fields, &targets, context);
    let pending_for =
        fields.get("pending").or(Some(Span::from_secs(180)), |at| at.unless_false(rules::pending));
    let headroom = fields.get("headroom").or(Headroom::default(), |at| nodes::headroom(at, max));
    let step_up = whole("step_up", 1);
    let step_down = whole("step_down", 1);
    let max_batch = whole("max_batch", 10);
    at_most(&fields, ("step_up", step_up), ("max_batch", max_batch));
    at_most(&fields, ("step_down", step_down), ("max_batch", max_batch));
    let max_drains = whole("max_drains", 5);
    let busy_above = fields.get("busy_above").unless_false(ratio);
    let cooldown_up = span("cooldown_up", Span::from_secs(300));
    let cooldown_down = span("cooldown_down", Span::from_secs(600));
    let (join_timeout, drain_timeout) = timeouts(&fields, context.interval);
    let max_zone_skew = whole("max_zone_skew", 2);
    let backoff_initial = span("backoff_initial", Span::from_mins(5));
    let backoff_max = span("backoff_max", Span::from_mins(30));
    at_most(&fields, ("backoff_initial", backoff_initial), ("backoff_max", backoff_max));
    let replacement_surge = whole("replacement_surge", 0);
    at_most(&fields, ("replacement_surge", replacement_surge), ("max", max));
    let on_rebalance = fields.get("on_rebalance").or(OnRebalance::default(), At::word);
    let adopt = fields.get("adopt").or(false, At::flag);
    let system_pods = fields.get("system_pods").or(SystemPods::default(), At::word);
    let awkward = |key| fields.get(key).or(Awkward::default(), At::word);
    let (bare_pods, local_storage) = (awkward("bare_pods"), awkward("local_storage"));
    let critical_pods = awkward("critical_pods");

    Some(PoolPolicy {
        name: name?,
        min: min?,
        max: max?,
        priority: priority?,
        zones: zones?,
        max_per_zone: max_per_zone?,
        shapes: shapes?,
        labels: labels?,
        taints: taints?,
        overhead: overhead?,
        template: template?,
        purchases: purchases?,
        pods_per_node: pods_per_node?,
        targets: targets.into_iter().map(|found| found.target).collect(),
        up,
        down,
        pending_for: pending_for?,
        headroom: headroom?,
        step_up: step_up?,
        step_down: step_down?,
        max_batch: max_batch?,
        max_drains: max_drains?,
        busy_above: busy_above?,
        cooldown_up: cooldown_up?,
        cooldown_down: cooldown_down?,
        join_timeout: join_timeout?,
        drain_timeout: drain_timeout?,
        max_zone_skew: max_zone_skew?,
        backoff_initial: backoff_initial?,
        backoff_max: backoff_max?,
        replacement_surge: replacement_surge?,
        on_rebalance: on_rebalance?,
        adopt: adopt?,
        system_pods: system_pods?,
        bare_pods: bare_pods?,
        local_storage: local_storage?,
        critical_pods: critical_pods?,
    })
}

/// One setting of the pool may not be more than another.
pub(super) fn at_most<T: Ord + std::fmt::Display>(
    fields: &Fields<'_>,
    small: (&str, Option<T>),
    large: (&str, Option<T>),
) {
    if let ((key, Some(value)), (other, Some(most))) = (small, large)
        && value > most
    {
        fields.get(key).clash(value, format_args!("at most {other}, which is {most}"));
    }
}

fn zones(at: &At<'_>) -> Option<Vec<Zone>> {
    let items = at.list()?;
    let mut seen = BTreeSet::new();
    let mut zones = Vec::new();
    for (item, zone) in items.iter().filter_map(|item| Some((item, item.id::<Zone>()?))) {
        if seen.insert(zone.clone()) {
            zones.push(zone);
        } else {
            let _: Option<()> = item.wrong("each zone once");
        }
    }
    Some(zones)
}

fn purchases(at: &At<'_>) -> Option<Vec<Purchase>> {
    let items = at.list()?;
    let mut purchases = Vec::new();
    for (item, purchase) in items.iter().filter_map(|item| Some((item, item.word::<Purchase>()?))) {
        if purchases.contains(&purchase) {
            let _: Option<()> = item.wrong("each purchase once");
        } else {
            purchases.push(purchase);
        }
    }
    Some(purchases)
}

/// The timeouts for a join and a drain. What takes several ticks must be allowed to.
fn timeouts(fields: &Fields<'_>, interval: Option<Span>) -> (Option<Span>, Option<Span>) {
    let timeout = |key, default: Span, ticks: u64, words: &str| {
        let least = interval.unwrap_or(Span::ZERO).times(ticks);
        let at = fields.get(key);
        let given = at.clone().or(default.max(least), At::span)?;
        if given < least {
            return at.wrong(format_args!("at least {least}, {words}"));
        }
        Some(given)
    };
    (
        timeout("join_timeout", Span::from_secs(600), 1, "which is tick.interval"),
        timeout("drain_timeout", Span::from_secs(300), 3, "three times tick.interval"),
    )
}
