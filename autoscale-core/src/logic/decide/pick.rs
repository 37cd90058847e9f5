//! Which nodes may go, and which go first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::scene::{Body, Scene};
use super::work::Work;
use crate::data::explain::{Held, NodeReport};
use crate::data::policy::PoolPolicy;
use crate::data::view::{Node, Ownership, Ready};
use crate::logic::fit::Room;
use crate::logic::movable;
use crate::mutant::{self, Mutant};
use crate::words::{NodeName, NodeUid, Resources, Span, Timestamp, Zone};

/// How young a node has to be to be left alone.
const JUST_LAUNCHED: Span = Span::from_mins(10);

/// A node that may go.
pub(crate) struct Pick<'a> {
    pub(crate) body: Body<'a>,
    pub(crate) node: (NodeName, NodeUid),
}

/// Every reason why an instance may not go, apart from those that depend on the other nodes.
///
/// `anyone` lets nodes pass that are only young: a pool above `max` shrinks by them too.
pub(crate) fn judge(
    work: &Work<'_>,
    scene: &Scene<'_>,
    pool: &PoolPolicy,
    body: &Body<'_>,
    anyone: bool,
) -> Vec<Held> {
    let mut held = Vec::new();
    let ownership = body.listed.map(|i| i.ownership);
    let blind = mutant::on(Mutant::IgnoreOwnership);
    if body.is_control_plane() && !blind {
        held.push(Held::ControlPlane);
    }
    let adopted = pool.adopt || work.next.marks(&pool.name).adopted;
    let ours = ownership == Some(Ownership::Ours) || (ownership == Some(Ownership::WorkerTag) && adopted);
    if !ours && !blind {
        held.push(Held::NotOurs);
    }
    if !blind && (body.listed.is_some_and(|i| i.protected) || body.node.is_some_and(|n| n.keep)) {
        held.push(Held::Protected);
    }
    if work.next.op_on(body.id).is_some() || scene.is_leaving(body.id) {
        held.push(Held::InProgress);
    }
    let backoff =
        work.next.marks(&pool.name).nodes.iter().find(|known| known.instance == *body.id).map(|k| k.backoff);
    if let Some(left) = backoff.map(|b| b.until.since(work.now)).filter(|left| *left > Span::ZERO) {
        held.push(Held::Backoff { left });
    }
    let (Some(node), Some(cluster)) = (body.node, scene.cluster) else {
        held.push(Held::NotJoined);
        return held;
    };
    if !anyone && cluster.at.since(node.created_at) < JUST_LAUNCHED {
        held.push(Held::JustLaunched);
    }
    if node.unschedulable && node.cordon.is_none() {
        held.push(Held::CordonedByOthers);
    }
    if cluster.scope.covers(&node.name) {
        held.extend(
            movable::evictable(cluster, &node.name).flat_map(|pod| movable::holds(pool, cluster, pod)),
        );
    } else {
        held.push(Held::NotSurveyed);
    }
    held
}

/// The order in which nodes go: unhealthy, empty, most populated zone, cheapest to move, least used, oldest, id.
type Rank<'a> = (bool, bool, Reverse<u32>, usize, u64, Timestamp, &'a str);

/// Chooses up to `count` nodes, each of whose pods fit on what remains after those before it.
pub(crate) fn pick<'a>(
    work: &Work<'a>,
    scene: &'a Scene<'a>,
    pool: &'a PoolPolicy,
    count: u32,
    anyone: bool,
) -> (Vec<Pick<'a>>, Vec<NodeReport>) {
    let Some(cluster) = scene.cluster else { return (Vec::new(), Vec::new()) };
    let mut zones: BTreeMap<&Zone, u32> = BTreeMap::new();
    for zone in scene.members(&pool.name).filter(|b| scene.is_serving(b)).filter_map(Body::zone) {
        *zones.entry(zone).or_default() += 1;
    }
    let mut candidates: Vec<(&Body<'a>, Vec<Held>)> = scene
        .members(&pool.name)
        .filter(|body| !body.is_ending())
        .map(|body| (body, judge(work, scene, pool, body, anyone)))
        .collect();
    let (mut picks, mut reports) = (Vec::new(), Vec::new());
    let mut room: Option<Room<'a>> = None;
    while !candidates.is_empty() {
        if mutant::on(Mutant::ListOrder) {
            let listed = |body: &Body<'_>| {
                let instances = scene.listing.iter().flat_map(|listing| &listing.instances);
                instances.into_iter().position(|instance| instance.id == *body.id)
            };
            candidates.sort_by_key(|(body, held)| (!held.is_empty(), listed(body)));
        } else {
            candidates.sort_by(|a, b| rank(scene, &zones, a).cmp(&rank(scene, &zones, b)));
        }
        let (body, mut held) = candidates.remove(0);
        let mut chosen = false;
        if let (true, Some(node)) = (held.is_empty() && (picks.len() as u32) < count, body.node) {
            held.extend(last_in_zone(&zones, body).filter(|_| node.ready == Ready::Yes));
            let room = room.get_or_insert_with(|| Room::new(cluster, |node| remains(scene, node)));
            if held.is_empty() {
                let own = room.remove(&node.name);
                match room.seat(movable::evictable(cluster, &node.name)) {
                    Ok(()) => chosen = true,
                    Err(pod) => {
                        room.restore(&node.name, own);
                        held.push(Held::NowhereToGo { pod: crate::words::truncated(&pod.full_name(), 200) });
                    }
                }
            }
        }
        if chosen {
            if let Some(left) = body.zone().and_then(|zone| zones.get_mut(zone)) {
                *left = left.saturating_sub(1);
            }
            picks.extend(
                body.node.map(|node| Pick { body: *body, node: (node.name.clone(), node.uid.clone()) }),
            );
        }
        let node = body.node.map(|node| node.name.clone());
        held.sort();
        held.dedup();
        reports.push(NodeReport { instance: body.id.clone(), node, held, chosen });
    }
    (picks, reports)
}

/// Whether a node will stay and take pods.
fn remains(scene: &Scene<'_>, node: &Node) -> bool {
    let leaving =
        || scene.bodies.iter().any(|b| b.node.is_some_and(|n| n.uid == node.uid) && scene.is_leaving(b.id));
    node.ready == Ready::Yes && !node.unschedulable && !node.control_plane && !leaving()
}

fn rank<'a>(
    scene: &Scene<'_>,
    zones: &BTreeMap<&Zone, u32>,
    (body, held): &(&Body<'a>, Vec<Held>),
) -> (bool, Rank<'a>) {
    let population = body.zone().and_then(|zone| zones.get(zone)).copied().unwrap_or(0);
    let pods = || scene.cluster.zip(body.node).into_iter().flat_map(|(c, n)| movable::evictable(c, &n.name));
    let used = pods().fold(Resources::default(), |sum, pod| sum.plus(&pod.requests));
    let healthy = body.node.is_some_and(|n| n.ready == Ready::Yes);
    let created = body.node.map_or(Timestamp::default(), |n| n.created_at);
    let count = pods().count();
    (
        !held.is_empty(),
        (healthy, count > 0, Reverse(population), count, used.cpu_milli, created, body.id.as_str()),
    )
}

/// A node that is the last in its zone stays while another zone has two more.
fn last_in_zone<'h>(zones: &BTreeMap<&Zone, u32>, body: &Body<'_>) -> impl Iterator<Item = Held> + use<'h> {
    let zone = body.zone();
    let own = zone.and_then(|zone| zones.get(zone)).copied().unwrap_or(0);
    let most = zones.values().max().copied().unwrap_or(0);
    let held =
        zone.filter(|_| own == 1 && most >= own + 2).map(|zone| Held::LastInZone { zone: zone.clone() });
    held.into_iter()
}
