//! The view, joined, before any record is looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::body::Body;
use crate::data::policy::Policy;
use crate::data::record::Record;
use crate::data::view::{Cluster, Instance, Listing, Node, Ownership, View, plain_id, provider_paths};
use crate::words::{InstanceId, PoolName};

/// What was seen, joined: the part of a [`Scene`](super::scene::Scene) that stays the same while a decision is made. To read
/// the names and tags of thousands of instances is most of the work of joining, so it is done once.
#[derive(Debug)]
pub(crate) struct Sight<'a> {
    policy: &'a Policy,
    view: &'a View,
    pub(super) listing: Option<&'a Listing>,
    pub(super) cluster: Option<&'a Cluster>,
    pub(super) joined: Joined<'a>,
}

/// Instances and nodes, joined.
#[derive(Clone, Debug)]
pub(super) struct Joined<'a> {
    /// By id.
    pub(super) bodies: Vec<Body<'a>>,
    /// Nodes that are left over.
    pub(super) strays: Vec<&'a Node>,
    /// The body of each node of the survey.
    pub(super) of_node: Vec<Option<u32>>,
    /// The bodies that are members of each pool.
    pub(super) pools: Vec<(&'a PoolName, Vec<u32>)>,
}

impl<'a> Joined<'a> {
    pub(super) fn body_mut(&mut self, id: &InstanceId) -> Option<&mut Body<'a>> {
        let at = self.bodies.binary_search_by(|body| body.id.cmp(id)).ok()?;
        self.bodies.get_mut(at)
    }

    /// Finds the nodes that are left over and the members of each pool.
    fn finish(&mut self, policy: &'a Policy, cluster: Option<&'a Cluster>) {
        let nodes = cluster.map(Cluster::nodes).unwrap_or_default();
        let strays = nodes.iter().zip(&self.of_node).filter(|(_, of)| of.is_none());
        self.strays = strays.map(|(node, _)| node).collect();
        self.pools = policy.pools().keys().map(|pool| (pool, Vec::new())).collect();
        for (body, at) in self.bodies.iter().zip(0_u32..).filter(|(body, _)| body.is_member()) {
            let members = self.pools.iter_mut().find(|(pool, _)| body.pool == Some(pool));
            members.into_iter().for_each(|(_, members)| members.push(at));
        }
    }
}

impl<'a> Sight<'a> {
    pub(crate) fn new(policy: &'a Policy, view: &'a View) -> Self {
        let listing = view.instances().known().filter(|listing| listing.complete);
        let cluster = view.cluster().known().filter(|cluster| cluster.is_complete());
        let instances = listing.map(|listing| listing.instances.as_slice()).unwrap_or_default();
        let mut of_node = vec![None; cluster.map_or(0, |cluster| cluster.nodes().len())];
        let mut bodies = Vec::with_capacity(instances.len());
        for (instance, at) in instances.iter().zip(0_u32..) {
            let mut body = Body::new(&instance.id, Some(instance));
            let node = cluster.and_then(|cluster| {
                let node = view.node_of(at as usize)?;
                Some((cluster.node(node)?, node))
            });
            if let Some((node, node_at)) = node {
                body.joins(node, node_at);
                of_node.get_mut(node_at).into_iter().for_each(|of| *of = Some(at));
            }
            body.pool = pool_of(policy, instance, body.node);
            bodies.push(body);
        }
        let mut joined = Joined { bodies, strays: Vec::new(), of_node, pools: Vec::new() };
        joined.finish(policy, cluster);
        Self { policy, view, listing, cluster, joined }
    }

    /// The same with the instances that only operations know of.
    pub(super) fn with(&self, named: BTreeSet<&'a InstanceId>, record: &'a Record) -> Joined<'a> {
        let Self { policy, view, listing, cluster, .. } = *self;
        let mut joined = self.joined.clone();
        let listed = joined.bodies.len();
        let known = |id: &InstanceId| listing.is_some_and(|listing| listing.find(id).is_some());
        joined.bodies.extend(named.into_iter().filter(|id| !known(id)).map(|id| Body::new(id, None)));
        if joined.bodies.len() == listed {
            return joined;
        }
        joined.bodies.sort_by(|a, b| a.id.cmp(b.id));
        for (body, at) in joined.bodies.iter_mut().zip(0_u32..) {
            if let Some(of) = body.node_at.and_then(|node| joined.of_node.get_mut(node)) {
                *of = Some(at);
            }
            if body.listed.is_none() {
                let pool = record.op_on(body.id).map(|op| &op.pool);
                body.pool = pool.and_then(|pool| policy.pools().get_key_value(pool)).map(|(name, _)| name);
            }
        }
        if let Some(cluster) = cluster {
            let bound = |node: usize| listing.is_some() && view.instance_of(node).is_some();
            unlisted(&mut joined.bodies, cluster, &mut joined.of_node, bound);
        }
        joined.finish(policy, cluster);
        joined
    }
}

/// Instances that only operations know of may have nodes too: by provider id, one node for one instance.
fn unlisted<'a>(
    bodies: &mut [Body<'a>],
    cluster: &'a Cluster,
    of_node: &mut [Option<u32>],
    bound: impl Fn(usize) -> bool,
) {
    let mut by_id: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (body, at) in bodies.iter().zip(0_u32..).filter(|(body, _)| body.listed.is_none()) {
        by_id.entry(plain_id(body.id.as_str())).or_default().push(at);
    }
    if by_id.is_empty() {
        return;
    }
    let mut found: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (node, at) in cluster.nodes().iter().zip(0..).filter(|(_, at)| !bound(*at)) {
        let Some(provider_id) = &node.provider_id else { continue };
        let (path, last) = provider_paths(provider_id);
        let known = by_id.get(&plain_id(path)).or_else(|| by_id.get(&plain_id(last)));
        if let Some([body]) = known.map(Vec::as_slice) {
            found.entry(*body).or_default().push(at);
        }
    }
    for (body_at, nodes) in found {
        let ([node], Some(body)) = (nodes.as_slice(), bodies.get_mut(body_at as usize)) else { continue };
        let Some(found) = cluster.node(*node) else { continue };
        body.joins(found, *node);
        of_node.get_mut(*node).into_iter().for_each(|of| *of = Some(body_at));
    }
}

fn pool_of<'a>(policy: &'a Policy, instance: &Instance, node: Option<&Node>) -> Option<&'a PoolName> {
    let known = |name: &PoolName| policy.pools().get_key_value(name).map(|(name, _)| name);
    match instance.ownership {
        Ownership::Ours => instance.pool.as_ref().and_then(known),
        Ownership::WorkerTag => {
            let named = instance.pool.as_ref().or_else(|| node.and_then(|node| node.pool.as_ref()));
            let sole = || policy.pools().keys().next().filter(|_| policy.pools().len() == 1);
            named.and_then(known).or_else(sole)
        }
        Ownership::ControlPlane | Ownership::Foreign => None,
    }
}
