//! The view, joined with the record: which instance is which node, whose it is, and how rule R9 counts it.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::explain::Counts;
use crate::data::policy::{Policy, PoolPolicy};
use crate::data::record::{Launch, LaunchState, NoticeKind, Op, OpKind, Record, RemoveState};
use crate::data::view::{
    Cluster, Instance, Listing, Node, Ownership, Phase, Ready, View, plain_id, provider_paths,
};
use crate::mutant::{self, Mutant};
use crate::words::{InstanceId, PoolName, Span, Zone};

/// How long a list may lag behind what it lists.
pub(crate) const LIST_LAG: Span = Span::from_mins(15);

/// One instance that is listed, or that an operation knows of, and its node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<'a> {
    pub(crate) id: &'a InstanceId,
    /// As listed; `None` while only an operation knows of it.
    pub(crate) listed: Option<&'a Instance>,
    /// The one node that leads to it.
    pub(crate) node: Option<&'a Node>,
    /// Where that node stands in the survey.
    pub(crate) node_at: Option<usize>,
    /// The pool it counts for.
    pub(crate) pool: Option<&'a PoolName>,
    /// Whether a removal, a lapsed launch or an interruption names it.
    pub(crate) leaving: bool,
    /// Whether any open notice names it.
    pub(crate) noticed: bool,
}

impl<'a> Body<'a> {
    const fn new(id: &'a InstanceId, listed: Option<&'a Instance>) -> Self {
        Self { id, listed, node: None, node_at: None, pool: None, leaving: false, noticed: false }
    }

    pub(crate) fn zone(&self) -> Option<&'a Zone> {
        self.listed.and_then(|i| i.zone.as_ref()).or_else(|| self.node.and_then(|n| n.zone.as_ref()))
    }

    /// Whether the list says that it is gone for good.
    pub(crate) fn is_terminated(&self) -> bool {
        self.listed.is_some_and(|i| i.phase == Phase::Terminated)
    }

    /// Whether the list says that it is on its way out or gone.
    pub(crate) fn is_ending(&self) -> bool {
        self.listed.is_some_and(|i| matches!(i.phase, Phase::Terminated | Phase::ShuttingDown))
    }

    /// Whether it is or may be part of the control plane: any one of the marks is enough.
    pub(crate) fn is_control_plane(&self) -> bool {
        self.listed.is_some_and(|i| i.ownership == Ownership::ControlPlane)
            || self.node.is_some_and(|n| n.control_plane)
    }

    /// A member of a pool: ours, or with the user's own worker tag.
    pub(crate) fn is_member(&self) -> bool {
        self.pool.is_some()
            && !self.is_control_plane()
            && self.listed.is_none_or(|i| matches!(i.ownership, Ownership::Ours | Ownership::WorkerTag))
    }

    /// Whether it serves: listed as running, joined, Ready, schedulable, and not on its way out.
    pub(crate) fn is_serving(&self) -> bool {
        self.is_member()
            && self.listed.is_some_and(|i| i.phase == Phase::Running)
            && self.node.is_some_and(|n| n.ready == Ready::Yes && !n.unschedulable)
            && !self.leaving
            && !self.noticed
    }
}

/// Everything seen, joined. Sorted by instance id and node name, so that no order of a list matters.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) listing: Option<&'a Listing>,
    pub(crate) cluster: Option<&'a Cluster>,
    pub(crate) bodies: Vec<Body<'a>>,
    /// Nodes that lead to no instance, or to one that another node leads to as well.
    pub(crate) strays: Vec<&'a Node>,
    /// The body of each node of the survey.
    of_node: Vec<Option<u32>>,
    pools: BTreeMap<&'a PoolName, Vec<u32>>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(policy: &'a Policy, record: &'a Record, view: &'a View) -> Self {
        let listing = view.instances().known().filter(|listing| listing.complete);
        let cluster = view.cluster().known().filter(|cluster| cluster.is_complete());
        let mut bodies = bodies(record, listing);
        let (strays, of_node) = join(&mut bodies, view, listing, cluster);
        let leaving = record.ops.iter().filter(|op| is_leaving(op)).filter_map(Op::instance);
        let open = || record.notices.iter().filter(|notice| !notice.closed);
        let doomed = open().filter(|n| n.kind == NoticeKind::Interruption).map(|n| &n.instance);
        for id in leaving.chain(doomed) {
            body_mut(&mut bodies, id).into_iter().for_each(|body| body.leaving = true);
        }
        for notice in open() {
            body_mut(&mut bodies, &notice.instance).into_iter().for_each(|body| body.noticed = true);
        }
        let mut pools: BTreeMap<&PoolName, Vec<u32>> = BTreeMap::new();
        for (body, at) in bodies.iter_mut().zip(0_u32..) {
            body.pool = pool_of(policy, record, body);
            if let Some(pool) = body.pool.filter(|_| body.is_member()) {
                pools.entry(pool).or_default().push(at);
            }
        }
        Self { listing, cluster, bodies, strays, of_node, pools }
    }

    pub(crate) fn body(&self, id: &InstanceId) -> Option<&Body<'a>> {
        let at = self.bodies.binary_search_by(|body| body.id.cmp(id)).ok()?;
        self.bodies.get(at)
    }

    /// The instance of the node at an index of the survey.
    pub(crate) fn body_of(&self, node: usize) -> Option<&Body<'a>> {
        self.bodies.get((*self.of_node.get(node)?)? as usize)
    }

    /// The members of a pool, whatever their state.
    pub(crate) fn members(&self, pool: &PoolName) -> impl Iterator<Item = &Body<'a>> {
        let members = self.pools.get(pool).map(Vec::as_slice).unwrap_or_default();
        members.iter().filter_map(|at| self.bodies.get(*at as usize))
    }

    /// Rule R9. Pending pods are counted elsewhere.
    pub(crate) fn counts(&self, record: &Record, pool: &PoolName) -> Counts {
        let mut counts = Counts::default();
        for body in self.members(pool) {
            let alive = self.is_alive(record, body);
            counts.total += u32::from(alive);
            counts.serving += u32::from(body.is_serving());
            counts.leaving += u32::from(alive && body.leaving);
            counts.starting += u32::from(self.is_starting(record, body));
        }
        let uncertain = uncertain(record, pool).count() as u32;
        counts.total += uncertain + self.strays_of(pool) as u32;
        counts.starting += uncertain;
        counts
    }

    fn is_alive(&self, record: &Record, body: &Body<'_>) -> bool {
        let Some(listed) = body.listed else {
            let gone = matches!(record.op_on(body.id).map(|op| &op.kind),
                Some(OpKind::Remove(remove)) if remove.state == RemoveState::Gone);
            return !gone && !mutant::on(Mutant::LaunchedNotCounted);
        };
        listed.phase.is_alive()
    }

    /// Whether it is alive and will serve, and does not yet.
    pub(crate) fn is_starting(&self, record: &Record, body: &Body<'_>) -> bool {
        let joined = body.node.is_some_and(|n| n.ready == Ready::Yes);
        !joined && !body.leaving && self.is_young(body) && self.is_alive(record, body)
    }

    /// Whether it may still be starting: launched, by whatever clock, less than an hour ago, or unknown when.
    fn is_young(&self, body: &Body<'_>) -> bool {
        let (Some(listing), Some(at)) = (self.listing, body.listed.and_then(|i| i.launched_at)) else {
            return true;
        };
        listing.at.since(at) < Span::from_mins(60)
    }

    /// Nodes of a pool that lead to no known instance, and may be of one that the list does not show yet.
    fn strays_of(&self, pool: &PoolName) -> usize {
        let fresh = |node: &&&Node| {
            let young = self.cluster.is_some_and(|cluster| cluster.at().since(node.created_at) < LIST_LAG);
            node.ready == Ready::Yes || young
        };
        self.strays
            .iter()
            .filter(|node| node.pool.as_ref() == Some(pool) && !node.control_plane)
            .filter(fresh)
            .count()
    }

    /// How many members are alive or about to be in each zone of the policy.
    pub(crate) fn zones(&self, record: &'a Record, pool: &'a PoolPolicy) -> BTreeMap<&'a Zone, u32> {
        let mut zones: BTreeMap<&Zone, u32> = pool.zones.iter().map(|zone| (zone, 0)).collect();
        let alive = self.members(&pool.name).filter(|b| b.listed.is_none_or(|i| i.phase.is_alive()));
        let alive = alive.filter(|body| !body.leaving).filter_map(Body::zone);
        let asked = record.ops.iter().filter(|op| op.pool == pool.name).filter_map(Op::launch);
        let asked = asked.filter(|launch| launch.takes_room()).map(|launch| &launch.attempt.offering.zone);
        for zone in alive.chain(asked) {
            if let Some(count) = zones.get_mut(zone) {
                *count += 1;
            }
        }
        zones
    }
}

/// Launches of a pool that may have bought something that is not seen yet.
pub(crate) fn uncertain<'r>(record: &'r Record, pool: &PoolName) -> impl Iterator<Item = &'r Launch> {
    let launches = record.ops.iter().filter(move |op| op.pool == *pool).filter_map(Op::launch);
    let counted = !mutant::on(Mutant::UncertainNotCounted);
    launches.filter(move |launch| launch.takes_room() && counted)
}

fn body_mut<'b, 'a>(bodies: &'b mut [Body<'a>], id: &InstanceId) -> Option<&'b mut Body<'a>> {
    let at = bodies.binary_search_by(|body| body.id.cmp(id)).ok()?;
    bodies.get_mut(at)
}

fn is_leaving(op: &Op) -> bool {
    match &op.kind {
        OpKind::Remove(_) => true,
        OpKind::Launch(launch) => {
            matches!(launch.state, LaunchState::Terminating { .. } | LaunchState::Aside { .. })
        }
    }
}

/// Every listed instance and every instance of an operation, once, by id.
fn bodies<'a>(record: &'a Record, listing: Option<&'a Listing>) -> Vec<Body<'a>> {
    let instances = listing.map(|listing| listing.instances.as_slice()).unwrap_or_default();
    let mut bodies: Vec<Body<'a>> =
        instances.iter().map(|instance| Body::new(&instance.id, Some(instance))).collect();
    let unlisted: BTreeSet<&InstanceId> = record.ops.iter().filter_map(Op::instance).collect();
    let listed = bodies.len();
    let known = |id: &InstanceId| listing.is_some_and(|listing| listing.find(id).is_some());
    bodies.extend(unlisted.into_iter().filter(|id| !known(id)).map(|id| Body::new(id, None)));
    if bodies.len() > listed {
        bodies.sort_by(|a, b| a.id.cmp(b.id));
    }
    bodies
}

/// Gives each body its node, and returns the nodes that are left over and the body of each node.
fn join<'a>(
    bodies: &mut [Body<'a>],
    view: &View,
    listing: Option<&Listing>,
    cluster: Option<&'a Cluster>,
) -> (Vec<&'a Node>, Vec<Option<u32>>) {
    let Some(cluster) = cluster else { return (Vec::new(), Vec::new()) };
    let mut of_node = vec![None; cluster.nodes().len()];
    let mut index = 0;
    for (body, at) in bodies.iter_mut().zip(0_u32..) {
        if body.listed.is_none() || listing.is_none() {
            continue;
        }
        if let Some(node) = view.node_of(index) {
            (body.node, body.node_at) = (cluster.node(node), Some(node));
            of_node.get_mut(node).into_iter().for_each(|of| *of = Some(at));
        }
        index += 1;
    }
    let bound = |node: usize| listing.is_some() && view.instance_of(node).is_some();
    unlisted(bodies, cluster, &mut of_node, bound);
    let strays = cluster.nodes().iter().zip(&of_node).filter(|(_, of)| of.is_none());
    (strays.map(|(node, _)| node).collect(), of_node)
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
        (body.node, body.node_at) = (cluster.node(*node), Some(*node));
        of_node.get_mut(*node).into_iter().for_each(|of| *of = Some(body_at));
    }
}

fn pool_of<'a>(policy: &'a Policy, record: &'a Record, body: &Body<'a>) -> Option<&'a PoolName> {
    let known = |name: &PoolName| policy.pools().get_key_value(name).map(|(name, _)| name);
    let Some(instance) = body.listed else {
        return record.op_on(body.id).and_then(|op| known(&op.pool));
    };
    match instance.ownership {
        Ownership::Ours => instance.pool.as_ref().and_then(known),
        Ownership::WorkerTag => {
            let named = instance.pool.as_ref().or_else(|| body.node.and_then(|node| node.pool.as_ref()));
            let sole = || policy.pools().keys().next().filter(|_| policy.pools().len() == 1);
            named.and_then(known).or_else(sole)
        }
        Ownership::ControlPlane | Ownership::Foreign => None,
    }
}

/// The listed instance that a launch has bought, found by its token.
pub(crate) fn bought<'a>(listing: Option<&'a Listing>, launch: &Launch) -> Option<&'a Instance> {
    let ours =
        |i: &&Instance| i.token.as_ref() == Some(&launch.attempt.token) && i.ownership == Ownership::Ours;
    listing?.instances.iter().filter(ours).min()
}
