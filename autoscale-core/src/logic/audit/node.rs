//! Why one node stays, or may go.

use serde::Serialize;

use crate::data::audit::Decided;
use crate::data::policy::Policy;
use crate::data::view::{Instance, Node, Ready, View};
use crate::logic::removable;
use crate::words::{PoolName, Timestamp, one_line};

/// One node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct NodeAnswer {
    /// Its name, if it was a node of the cluster.
    pub node: Option<String>,
    /// Its instance, if the cloud listed one.
    pub instance: Option<String>,
    /// Its pool.
    pub pool: Option<PoolName>,
    /// What it was like, in words.
    pub state: Vec<String>,
    /// The open operation on it.
    pub operation: Option<String>,
    /// Whether it might have gone; nothing if its pods were not seen until then.
    pub may_go: Option<bool>,
    /// Why it might not.
    pub held: Vec<String>,
    /// When all pods were seen, on which that is judged.
    pub judged_at: Option<Timestamp>,
}

/// A node and its instance, as they stand in a view.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    node: Option<&'a Node>,
    instance: Option<&'a Instance>,
}

impl Found<'_> {
    fn pool(&self) -> Option<&PoolName> {
        let by_instance = self.instance.and_then(|instance| instance.pool.as_ref());
        by_instance.or_else(|| self.node?.pool.as_ref())
    }
}

/// By the name of the node or the id of the instance.
pub(super) fn find<'a>(view: &'a View, name: &str) -> Option<Found<'a>> {
    let instances = view.instances().known().map(|listing| listing.instances.as_slice()).unwrap_or_default();
    let cluster = view.cluster().known();
    let nodes = cluster.map(|cluster| cluster.nodes()).unwrap_or_default();
    if let Some(at) = nodes.iter().position(|node| node.name.as_str() == name) {
        let instance = view.instance_of(at).and_then(|at| instances.get(at));
        return Some(Found { node: nodes.get(at), instance });
    }
    let at = instances.iter().position(|instance| instance.id.as_str() == name)?;
    let node = view.node_of(at).and_then(|at| nodes.get(at));
    Some(Found { node, instance: instances.get(at) })
}

/// The names of some nodes that were seen.
pub(super) fn some(view: &View) -> String {
    let nodes = view.cluster().known().map(|cluster| cluster.nodes()).unwrap_or_default();
    let names: Vec<&str> = nodes.iter().take(10).map(|node| node.name.as_str()).collect();
    match nodes.len().saturating_sub(names.len()) {
        0 if names.is_empty() => "none".to_owned(),
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// Whether it might go, as judged when all pods were seen: when, and why not.
pub(super) fn judge(
    policy: &Policy,
    round: &Decided<'_>,
    found: Found<'_>,
) -> (Timestamp, Option<Vec<String>>) {
    let at = round.explanation.at;
    let held = || {
        let (pool, instance) = (found.pool()?, found.instance?);
        let tick = super::tick(round);
        let all = removable(policy, &round.before, &round.view, &tick, at, (pool, u32::MAX));
        let report = all.nodes.into_iter().find(|report| report.instance == instance.id)?;
        Some(report.held.iter().map(|held| one_line(&held.to_string())).collect())
    };
    (at, held())
}

pub(super) fn answer(
    policy: &Policy,
    round: &Decided<'_>,
    found: Found<'_>,
    judged: Option<(Timestamp, Option<Vec<String>>)>,
) -> NodeAnswer {
    let Found { node, instance } = found;
    let mut state = Vec::new();
    let mut say = |what: &str| state.push(one_line(what));
    if let Some(node) = node {
        say(match node.ready {
            Ready::Yes => "ready",
            Ready::No => "not ready",
        });
        node.unschedulable.then(|| say("cordoned"));
        node.keep.then(|| say("an annotation forbids to remove it"));
        node.control_plane.then(|| say("of the control plane"));
        node.zone.iter().for_each(|zone| say(&format!("in zone {zone}")));
    } else {
        say("not joined as a node");
    }
    match instance {
        Some(instance) => {
            instance.shape.iter().for_each(|shape| say(shape.as_str()));
            instance.purchase.iter().for_each(|purchase| say(&purchase.to_string()));
            instance.protected.then(|| say("protected"));
        }
        None => say("no listed instance leads to it"),
    }
    let mut held = Vec::new();
    if found.pool().is_none_or(|pool| policy.pool(pool).is_none()) {
        held.push("it is of no pool of the policy, and left alone".to_owned());
    }
    let record = round.stored.as_ref().unwrap_or(&round.before);
    let op = instance.and_then(|instance| record.op_on(&instance.id));
    let told = |op: &crate::data::record::Op| {
        let report = round.explanation.ops.iter().find(|report| report.op == op.id());
        one_line(&report.map_or_else(|| format!("operation {}", op.id()), ToString::to_string))
    };
    let (judged_at, reasons) = judged.map_or((None, None), |(at, reasons)| (Some(at), reasons));
    let may_go = reasons.as_ref().map(|reasons| reasons.is_empty() && held.is_empty());
    held.extend(reasons.unwrap_or_default());
    NodeAnswer {
        node: node.map(|node| node.name.to_string()),
        instance: instance.map(|instance| instance.id.to_string()),
        pool: found.pool().cloned(),
        state,
        operation: op.map(told),
        may_go,
        held,
        judged_at: judged_at.filter(|_| may_go.is_some()),
    }
}
