//! The view, joined: which instance is which node, whose it is, and how rule R9 counts it.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::explain::Counts;
use crate::data::policy::{Policy, PoolPolicy};
use crate::data::record::{Launch, LaunchState, NoticeKind, Op, OpKind, Record, RemoveState};
use crate::data::view::{ClusterView, Instance, Listing, Node, Ownership, Phase, Ready, View};
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
    /// The pool it counts for.
    pub(crate) pool: Option<&'a PoolName>,
}

impl<'a> Body<'a> {
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
}

/// Everything seen, joined. Sorted by instance id and node name, so that no order of a list matters.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) listing: Option<&'a Listing>,
    pub(crate) cluster: Option<&'a ClusterView>,
    pub(crate) bodies: Vec<Body<'a>>,
    /// Nodes that lead to no instance, or to one that another node leads to as well.
    pub(crate) strays: Vec<&'a Node>,
    /// Instances that a removal, a lapsed launch or an interruption names.
    leaving: BTreeSet<&'a InstanceId>,
    /// Instances that any open notice names.
    noticed: BTreeSet<&'a InstanceId>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(policy: &'a Policy, record: &'a Record, view: &'a View) -> Self {
        let listing = view.instances.known().filter(|listing| listing.complete);
        let cluster = view.cluster.known().filter(|cluster| cluster.complete);
        let mut bodies = bodies(record, listing);
        let strays = join(&mut bodies, cluster);
        for body in &mut bodies {
            body.pool = pool_of(policy, record, body);
        }
        let leaving = record.ops.iter().filter(|op| is_leaving(op)).filter_map(Op::instance);
        let doomed = record
            .notices
            .iter()
            .filter(|n| n.kind == NoticeKind::Interruption && !n.closed)
            .map(|n| &n.instance);
        let leaving = leaving.chain(doomed).collect();
        let noticed = record.notices.iter().filter(|n| !n.closed).map(|n| &n.instance).collect();
        Self { listing, cluster, bodies, strays, leaving, noticed }
    }

    pub(crate) fn body(&self, id: &InstanceId) -> Option<&Body<'a>> {
        let at = self.bodies.binary_search_by(|body| body.id.cmp(id)).ok()?;
        self.bodies.get(at)
    }

    /// The members of a pool, whatever their state.
    pub(crate) fn members(&self, pool: &PoolName) -> impl Iterator<Item = &Body<'a>> {
        let name = pool.clone();
        self.bodies.iter().filter(move |body| body.pool == Some(&name) && body.is_member())
    }

    pub(crate) fn is_leaving(&self, id: &InstanceId) -> bool {
        self.leaving.contains(id)
    }

    /// Whether an instance serves: listed as running, joined, Ready, schedulable, and not on its way out.
    pub(crate) fn is_serving(&self, body: &Body<'_>) -> bool {
        body.is_member()
            && body.listed.is_some_and(|i| i.phase == Phase::Running)
            && body.node.is_some_and(|n| n.ready == Ready::Yes && !n.unschedulable)
            && !self.is_leaving(body.id)
            && !self.noticed.contains(body.id)
    }

    /// Rule R9. Pending pods are counted elsewhere.
    pub(crate) fn counts(&self, record: &Record, pool: &PoolName) -> Counts {
        let mut counts = Counts::default();
        for body in self.members(pool) {
            let gone = matches!(record.op_on(body.id).map(|op| &op.kind),
                Some(OpKind::Remove(remove)) if remove.state == RemoveState::Gone);
            let unlisted = !gone && !mutant::on(Mutant::LaunchedNotCounted);
            let alive = body.listed.map_or(unlisted, |i| i.phase.is_alive());
            counts.total += u32::from(alive);
            counts.serving += u32::from(self.is_serving(body));
            counts.leaving += u32::from(alive && self.is_leaving(body.id));
            let joined = body.node.is_some_and(|n| n.ready == Ready::Yes);
            counts.starting +=
                u32::from(alive && !joined && !self.is_leaving(body.id) && self.is_young(body));
        }
        let uncertain = record.ops.iter().filter(|op| op.pool == *pool).filter_map(Op::launch);
        let counted = !mutant::on(Mutant::UncertainNotCounted);
        let uncertain = uncertain.filter(|launch| launch.takes_room() && counted).count() as u32;
        counts.total += uncertain + self.strays_of(pool) as u32;
        counts.starting += uncertain;
        counts
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
            let young = self.cluster.is_some_and(|cluster| cluster.at.since(node.created_at) < LIST_LAG);
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
        let alive = alive.filter(|body| !self.is_leaving(body.id)).filter_map(Body::zone);
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
    let mut bodies: BTreeMap<&InstanceId, Body<'a>> = BTreeMap::new();
    for id in record.ops.iter().filter_map(Op::instance) {
        bodies.insert(id, Body { id, listed: None, node: None, pool: None });
    }
    for instance in listing.iter().flat_map(|listing| &listing.instances) {
        let body = Body { id: &instance.id, listed: Some(instance), node: None, pool: None };
        match bodies.get(&instance.id).and_then(|known| known.listed) {
            // The same id twice: the greater row wins, whatever the order of the list.
            Some(known) if known >= instance => {}
            _ => {
                bodies.insert(&instance.id, body);
            }
        }
    }
    bodies.into_values().collect()
}

/// Gives each body its node, and returns the nodes that are left over.
fn join<'a>(bodies: &mut [Body<'a>], cluster: Option<&'a ClusterView>) -> Vec<&'a Node> {
    let Some(cluster) = cluster else { return Vec::new() };
    let mut nodes: Vec<&Node> = cluster.nodes.iter().collect();
    nodes.sort();
    let mut by_id: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut by_address: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, body) in bodies.iter().enumerate() {
        by_id.entry(plain(body.id.as_str())).or_default().push(at);
        if let Some(address) = body.listed.and_then(|i| i.private_address.as_deref()) {
            by_address.entry(address).or_default().push(at);
        }
    }
    let leads_to = |node: &Node| -> Option<usize> {
        let found = match &node.provider_id {
            Some(provider_id) => {
                let path = provider_id.split_once("://").map_or(provider_id.as_str(), |(_, path)| path);
                let last = path.rsplit('/').next().unwrap_or(path);
                by_id.get(&plain(path)).or_else(|| by_id.get(&plain(last)))
            }
            None => by_address.get(node.address.as_deref()?),
        };
        match found.map(Vec::as_slice) {
            Some([at]) => Some(*at),
            _ => None,
        }
    };
    let targets: Vec<Option<usize>> = nodes.iter().map(|node| leads_to(node)).collect();
    let mut claims: BTreeMap<usize, u32> = BTreeMap::new();
    for at in targets.iter().flatten() {
        *claims.entry(*at).or_default() += 1;
    }
    let mut strays = Vec::new();
    for (node, target) in nodes.into_iter().zip(targets) {
        let sole = target.filter(|at| claims.get(at) == Some(&1));
        match sole.and_then(|at| bodies.get_mut(at)) {
            Some(body) => body.node = Some(node),
            None => strays.push(node),
        }
    }
    strays
}

/// Ids are compared without case and without a leading slash: Azure's differ in both.
fn plain(id: &str) -> String {
    id.trim_start_matches('/').to_ascii_lowercase()
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
