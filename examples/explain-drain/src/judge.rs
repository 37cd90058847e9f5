//! From a survey to a verdict for each node, by the same function that chooses nodes in a decision.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use autoscale_core::data::explain::{Held, NodeReport};
use autoscale_core::data::policy::{Policy, PoolPolicy};
use autoscale_core::data::record::{Fingerprint, Record};
use autoscale_core::data::view::{ClusterView, Instance, Listing, Node, Ownership, Seen, View};
use autoscale_core::logic::{Tick, removable};
use autoscale_core::words::{HolderId, Inc, InstanceId, NodeName, PoolName, Span, Timestamp, WriteId, Zone};

/// A node and what is said about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Judged {
    pub(crate) node: NodeName,
    pub(crate) pool: Option<PoolName>,
    pub(crate) zone: Option<Zone>,
    pub(crate) verdict: Verdict,
}

/// Whether it may go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It may, as the so-many-th of its pool, together with those before it.
    MayGo(u32),
    /// It may not; at least one reason, as a code and in words.
    Stays(Vec<(&'static str, String)>),
}

/// The verdicts of all nodes, by name.
pub(crate) fn judge(
    policy: Option<Policy>,
    label: &str,
    cluster: ClusterView,
    now: Timestamp,
) -> Result<Vec<Judged>, Box<dyn Error>> {
    let policy = policy.map_or_else(|| policy_of(&cluster.nodes), Ok)?;
    let mut judged: Vec<Judged> = cluster.nodes.iter().map(|node| outside(node, label, &policy)).collect();
    let (inc, write) = (Inc::new("explain")?, WriteId::new("explain")?);
    let record = Record::founding(Fingerprint::of(policy.cluster(), ""), inc, write.clone(), now);
    let tick = Tick::new(HolderId::new("explain")?, write, Span::ZERO);
    let view = view(cluster, now)?;
    let mut verdicts = BTreeMap::new();
    for pool in policy.pools().keys() {
        let answer = removable(&policy, &record, &view, &tick, now, (pool, u32::MAX));
        let chosen: Vec<&InstanceId> = answer.instances.iter().collect();
        for report in &answer.nodes {
            let at = chosen.iter().position(|id| **id == report.instance);
            verdicts.extend(report.node.clone().map(|node| (node, verdict(report, at))));
        }
    }
    for judged in &mut judged {
        if let Some(verdict) = verdicts.remove(&judged.node) {
            judged.verdict = verdict;
        }
    }
    judged.sort_by(|a, b| a.node.cmp(&b.node));
    Ok(judged)
}

fn verdict(report: &NodeReport, at: Option<usize>) -> Verdict {
    match at {
        Some(at) => Verdict::MayGo(u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1)),
        None if report.held.is_empty() => Verdict::Stays(vec![(
            "not_tried",
            "not tried: too many nodes before it were tried in vain".to_owned(),
        )]),
        None => Verdict::Stays(report.held.iter().map(|held| (held.code(), held.to_string())).collect()),
    }
}

/// What is said of a node that no pool of the policy has; a pool says more of its own.
fn outside(node: &Node, label: &str, policy: &Policy) -> Judged {
    let why = match &node.pool {
        _ if node.control_plane => (Held::ControlPlane.code(), Held::ControlPlane.to_string()),
        None => match node.labels.get(label) {
            None => ("no_pool", "it has no label of a pool".to_owned()),
            Some(value) => ("no_pool", format!("its pool {value:?} is no name of a pool")),
        },
        Some(pool) if policy.pool(pool).is_none() => ("no_pool", format!("the policy has no pool {pool}")),
        Some(_) => ("not_judged", "its pool says nothing about it".to_owned()),
    };
    let Node { name, pool, zone, .. } = node.clone();
    Judged { node: name, pool, zone, verdict: Verdict::Stays(vec![why]) }
}

/// Every value of the label as a pool with the default settings.
fn policy_of(nodes: &[Node]) -> Result<Policy, Box<dyn Error>> {
    let mut pools: BTreeMap<&PoolName, Vec<&Node>> = BTreeMap::new();
    for node in nodes {
        if let Some(pool) = &node.pool {
            pools.entry(pool).or_default().push(node);
        }
    }
    let mut policy = Policy::builder("explain");
    if pools.is_empty() {
        // A policy has at least one pool; no node is in this one.
        policy =
            policy.with_pool(PoolPolicy::builder("none").with_zones(["none"]).with_shape("none", 1, 1, 1));
    }
    for (name, nodes) in pools {
        let zones: BTreeSet<&Zone> = nodes.iter().filter_map(|node| node.zone.as_ref()).collect();
        let builder = PoolPolicy::builder(name.as_str());
        let builder = if zones.is_empty() { builder.with_zones(["none"]) } else { builder.with_zones(zones) };
        let most = |of: fn(&Node) -> u64| nodes.iter().map(|node| of(node)).max().unwrap_or(1).max(1);
        let (cpu, memory) = (most(|node| node.allocatable.cpu_milli), most(|node| node.allocatable.memory));
        let pods = most(|node| u64::from(node.allocatable.pods));
        policy = policy.with_pool(builder.with_shape("largest", cpu, memory, u32::try_from(pods)?));
    }
    Ok(policy.build()?)
}

/// The survey beside a list of instances that stands in for the cloud's: one for each node with a pool, as if it were ours. What
/// only the cloud knows is not looked at.
fn view(mut cluster: ClusterView, now: Timestamp) -> Result<View, Box<dyn Error>> {
    let mut instances = Vec::with_capacity(cluster.nodes.len());
    for node in &mut cluster.nodes {
        node.provider_id = Some(format!("explain:///{}", node.name));
        let whose = if node.control_plane { Ownership::ControlPlane } else { Ownership::Ours };
        let mut instance = Instance::new(InstanceId::new(node.name.as_str())?, whose);
        (instance.pool, instance.zone) = (node.pool.clone(), node.zone.clone());
        instance.launched_at = Some(node.created_at);
        instances.push(instance);
    }
    let listing = Seen::Known(Listing::new(now, instances));
    Ok(View::new(now, listing, Seen::Known(cluster), Vec::new()))
}
