//! The view, joined with the record: which instance is which node, whose it is, and how rule R9 counts it.

use std::collections::{BTreeMap, BTreeSet};

use super::sight::{Joined, Sight};
use crate::data::explain::Counts;
use crate::data::policy::PoolPolicy;
use crate::data::record::{Launch, LaunchState, NoticeKind, Op, OpKind, Record, RemoveState};
use crate::data::view::{Cluster, Instance, Listing, Node, Ownership, Phase, Ready};
use crate::mutant::{self, Mutant};
use crate::words::{InstanceId, PoolName, Span, Token, Zone};

pub(crate) use super::body::Body;

/// How long a list may lag behind what it lists.
pub(crate) const LIST_LAG: Span = Span::from_mins(15);

/// Everything seen, joined with a record. Sorted by instance id and node name, so that no order of a list matters.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) listing: Option<&'a Listing>,
    pub(crate) cluster: Option<&'a Cluster>,
    sight: &'a Sight<'a>,
    /// The same with what the record says, where it says anything about an instance.
    own: Option<Joined<'a>>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(sight: &'a Sight<'a>, record: &'a Record) -> Self {
        let (listing, cluster) = (sight.listing, sight.cluster);
        let open = || record.notices.iter().filter(|notice| !notice.closed);
        let instances: BTreeSet<&InstanceId> = record.ops.iter().filter_map(Op::instance).collect();
        if instances.is_empty() && open().next().is_none() {
            return Self { listing, cluster, sight, own: None };
        }
        let mut own = sight.with(instances, record);
        let leaving = record.ops.iter().filter(|op| is_leaving(op)).filter_map(Op::instance);
        let doomed = open().filter(|n| n.kind == NoticeKind::Interruption).map(|n| &n.instance);
        for id in leaving.chain(doomed) {
            own.body_mut(id).into_iter().for_each(|body| body.leaving = true);
        }
        for notice in open() {
            own.body_mut(&notice.instance).into_iter().for_each(|body| body.noticed = true);
        }
        Self { listing, cluster, sight, own: Some(own) }
    }

    fn joined(&self) -> &Joined<'a> {
        self.own.as_ref().unwrap_or(&self.sight.joined)
    }

    /// Every instance, by id.
    pub(crate) fn bodies(&self) -> &[Body<'a>] {
        &self.joined().bodies
    }

    /// Nodes that lead to no instance, or to one that another node leads to as well.
    pub(crate) fn strays(&self) -> &[&'a Node] {
        &self.joined().strays
    }

    pub(crate) fn body(&self, id: &InstanceId) -> Option<&Body<'a>> {
        let at = self.bodies().binary_search_by(|body| body.id.cmp(id)).ok()?;
        self.bodies().get(at)
    }

    /// The instance of the node at an index of the survey.
    pub(crate) fn body_of(&self, node: usize) -> Option<&Body<'a>> {
        let at = (*self.joined().of_node.get(node)?)?;
        self.bodies().get(at as usize)
    }

    /// The members of a pool, whatever their state.
    pub(crate) fn members(&self, pool: &PoolName) -> impl Iterator<Item = &Body<'a>> {
        let joined = self.joined();
        let members = joined.pools.iter().find(|(name, _)| *name == pool);
        let members = members.map(|(_, members)| members.as_slice()).unwrap_or_default();
        members.iter().filter_map(|at| joined.bodies.get(*at as usize))
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
        let Some(phase) = body.phase() else {
            let gone = matches!(record.op_on(body.id).map(|op| &op.kind),
                Some(OpKind::Remove(remove)) if remove.state == RemoveState::Gone);
            return !gone && !mutant::on(Mutant::LaunchedNotCounted);
        };
        phase.is_alive()
    }

    /// Whether it is alive and will serve, and does not yet.
    pub(crate) fn is_starting(&self, record: &Record, body: &Body<'_>) -> bool {
        !body.is_ready() && !body.leaving && self.is_young(body) && self.is_alive(record, body)
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
        self.strays()
            .iter()
            .filter(|node| node.pool.as_ref() == Some(pool) && !node.control_plane)
            .filter(fresh)
            .count()
    }

    /// How many members are alive or about to be in each zone of the policy.
    pub(crate) fn zones(&self, record: &'a Record, pool: &'a PoolPolicy) -> BTreeMap<&'a Zone, u32> {
        let mut zones: BTreeMap<&Zone, u32> = pool.zones.iter().map(|zone| (zone, 0)).collect();
        let alive = self.members(&pool.name).filter(|b| b.phase().is_none_or(Phase::is_alive));
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

fn is_leaving(op: &Op) -> bool {
    match &op.kind {
        OpKind::Remove(_) => true,
        OpKind::Launch(launch) => {
            matches!(launch.state, LaunchState::Terminating { .. } | LaunchState::Aside { .. })
        }
    }
}

/// The listed instances that open launches have bought, by their tokens. Of two with one token the lesser id counts.
pub(crate) fn bought<'a>(listing: Option<&'a Listing>, record: &Record) -> BTreeMap<&'a Token, &'a Instance> {
    let tokens: BTreeSet<&Token> =
        record.ops.iter().filter_map(Op::launch).map(|launch| &launch.attempt.token).collect();
    let mut bought = BTreeMap::new();
    if tokens.is_empty() {
        return bought;
    }
    let instances = listing.map(|listing| listing.instances.as_slice()).unwrap_or_default();
    for instance in instances.iter().filter(|instance| instance.ownership == Ownership::Ours) {
        if let Some(token) = instance.token.as_ref().filter(|token| tokens.contains(token)) {
            bought.entry(token).or_insert(instance);
        }
    }
    bought
}
