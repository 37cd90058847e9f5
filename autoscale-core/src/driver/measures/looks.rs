//! What was seen: nodes by pool, zone, purchase and phase.

use super::NOT_IN_POLICY;
use super::gauges::{Gauges, Group};
use crate::data::explain::PoolReport;
use crate::data::view::{Instance, Node, Ownership, Phase, Ready, View};
use crate::driver::{Round, codes};
use crate::words::Zone;

/// Whether the list and the survey of a round are complete: what they say may be shown.
pub(super) fn is_complete(view: &View) -> bool {
    let (instances, cluster) = complete(view);
    instances && cluster
}

fn complete(view: &View) -> (bool, bool) {
    let instances = view.instances().known().is_some_and(|listing| listing.complete);
    let cluster = view.cluster().known().is_some_and(|cluster| cluster.is_complete());
    (instances, cluster)
}

pub(super) fn looked(gauges: &mut Gauges, round: &Round) {
    let view = &round.view;
    let (instances, cluster) = complete(view);
    let seen = [("instances", instances), ("cluster", cluster)];
    let shown = seen
        .map(|(what, seen)| ("autoscale_seen", vec![("what", what.to_owned())], f64::from(u8::from(seen))));
    gauges.show(Group::Seen, shown);
    if is_complete(view) {
        gauges.show(Group::Nodes, nodes(round));
    }
}

fn nodes(round: &Round) -> Vec<(&'static str, super::gauges::Labels, f64)> {
    let view = &round.view;
    let (Some(listing), Some(cluster)) = (view.instances().known(), view.cluster().known()) else {
        return Vec::new();
    };
    let mut shown = Vec::new();
    for (at, instance) in listing.instances.iter().enumerate() {
        let node = view.node_of(at).and_then(|node| cluster.node(node));
        let of_ours = matches!(instance.ownership, Ownership::Ours | Ownership::WorkerTag);
        let control_plane = node.is_some_and(|node| node.control_plane);
        let Some(phase) = phase(instance, node).filter(|_| of_ours && !control_plane) else { continue };
        let zone = instance.zone.as_ref().or_else(|| node.and_then(|node| node.zone.as_ref()));
        let labels = vec![
            ("pool", pool(&round.explanation.pools, instance, node).to_owned()),
            ("zone", zone.map_or("unknown", Zone::as_str).to_owned()),
            ("purchase", instance.purchase.map_or("unknown", codes::purchase).to_owned()),
            ("phase", phase.to_owned()),
        ];
        shown.push(("autoscale_nodes", labels, 1.0));
    }
    shown
}

/// Where an instance is in its life, and whether it serves; `None` when it is gone.
fn phase(instance: &Instance, node: Option<&Node>) -> Option<&'static str> {
    Some(match (instance.phase, node) {
        (Phase::Terminated, _) => return None,
        (Phase::Pending, _) => "pending",
        (Phase::ShuttingDown, _) => "ending",
        (Phase::Stopped, _) => "stopped",
        (Phase::Unknown, _) => "unknown",
        (Phase::Running, None) => "starting",
        (Phase::Running, Some(node)) if node.ready == Ready::No => "not_ready",
        (Phase::Running, Some(node)) if node.unschedulable => "cordoned",
        (Phase::Running, Some(_)) => "ready",
    })
}

/// The pool that an instance counts for, as decisions see it.
fn pool<'a>(pools: &'a [PoolReport], instance: &Instance, node: Option<&Node>) -> &'a str {
    let ours = instance.ownership == Ownership::Ours;
    let of_node = || node.and_then(|node| node.pool.as_ref()).filter(|_| !ours);
    let named = instance.pool.as_ref().or_else(of_node);
    let known = named.and_then(|name| pools.iter().find(|report| report.pool == *name));
    let sole = || pools.first().filter(|_| pools.len() == 1 && !ours);
    known.or_else(sole).map_or(NOT_IN_POLICY, |report| report.pool.as_str())
}
