//! Which nodes may go, and which go first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::scene::{Body, Scene};
use super::spare::Spare;
use super::work::Work;
use crate::data::explain::{Held, NodeReport};
use crate::data::policy::PoolPolicy;
use crate::data::record::{Op, Record};
use crate::data::view::{Cluster, Node, Ownership, Ready};
use crate::logic::fit::Room;
use crate::logic::movable;
use crate::mutant::{self, Mutant};
use crate::words::{Elapsed, Fixed, InstanceId, NodeName, NodeUid, Span, Timestamp, Zone};

/// How young a node has to be to be left alone.
const JUST_LAUNCHED: Span = Span::from_mins(10);

/// Most nodes whose verdicts are told one by one.
pub(crate) const MAX_TOLD: usize = 64;

/// Most nodes that are tried in vain before a decision gives up looking for more.
const MAX_TRIED: usize = 256;

/// A node that may go.
pub(crate) struct Pick<'a> {
    pub(crate) body: Body<'a>,
    pub(crate) node: (NodeName, NodeUid),
    /// Where it stands in the survey.
    pub(crate) at: usize,
}

/// What was chosen and why not more.
#[derive(Default)]
pub(crate) struct Picked<'a> {
    pub(crate) picks: Vec<Pick<'a>>,
    /// The verdicts of the first nodes, in the order in which they would go.
    pub(crate) told: Vec<NodeReport>,
    /// How many nodes are held back by each reason; a node counts once for each.
    pub(crate) refused: BTreeMap<String, u32>,
}

/// How many may go at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Most {
    /// In all.
    pub(crate) nodes: u32,
    /// Of those, nodes with pods that have to move.
    pub(crate) drains: u32,
    /// Whether nodes that are only young may go: a pool above `max` shrinks by them too.
    pub(crate) anyone: bool,
    /// Most nodes whose verdicts are told one by one.
    pub(crate) told: usize,
}

/// What the record says about single instances of a pool, to be asked for each of them.
struct Known<'r> {
    /// Those that an open operation names.
    open: BTreeSet<&'r InstanceId>,
    /// Until when those whose removal failed are left alone.
    backoffs: BTreeMap<&'r InstanceId, Elapsed>,
}

impl<'r> Known<'r> {
    fn of(record: &'r Record, pool: &PoolPolicy) -> Self {
        let open = record.ops.iter().filter_map(Op::instance).collect();
        let mut backoffs = BTreeMap::new();
        for known in record.pools.get(&pool.name).into_iter().flat_map(|marks| &marks.nodes) {
            backoffs.entry(&known.instance).or_insert(known.backoff.until);
        }
        Self { open, backoffs }
    }
}

/// Every reason why an instance may not go, apart from those that depend on the other nodes and on its pods.
fn own_reasons(
    work: &Work<'_>,
    scene: &Scene<'_>,
    pool: &PoolPolicy,
    (body, known): (&Body<'_>, &Known<'_>),
    anyone: bool,
) -> Vec<Held> {
    let mut held = Vec::new();
    let ownership = body.listed.map(|i| i.ownership);
    let blind = mutant::on(Mutant::IgnoreOwnership);
    if body.is_control_plane() && !blind {
        held.push(Held::ControlPlane);
    }
    let adopted = pool.adopt || work.next.pools.get(&pool.name).is_some_and(|marks| marks.adopted);
    let ours = ownership == Some(Ownership::Ours) || (ownership == Some(Ownership::WorkerTag) && adopted);
    if !ours && !blind {
        held.push(Held::NotOurs);
    }
    if !blind && (body.listed.is_some_and(|i| i.protected) || body.node.is_some_and(|n| n.keep)) {
        held.push(Held::Protected);
    }
    if body.leaving || known.open.contains(body.id) {
        held.push(Held::InProgress);
    }
    let left = known.backoffs.get(body.id).map(|until| until.since(work.now));
    if let Some(left) = left.filter(|left| *left > Span::ZERO) {
        held.push(Held::Backoff { left });
    }
    let (Some(node), Some(cluster)) = (body.node, scene.cluster) else {
        held.push(Held::NotJoined);
        return held;
    };
    if !anyone && cluster.at().since(node.created_at) < JUST_LAUNCHED {
        held.push(Held::JustLaunched);
    }
    if node.unschedulable && node.cordon.is_none() {
        held.push(Held::CordonedByOthers);
    }
    if !cluster.scope().covers(&node.name) {
        held.push(Held::NotSurveyed);
    }
    held
}

/// Every reason why an instance may not go, apart from those that depend on the other nodes.
pub(crate) fn judge(work: &Work<'_>, scene: &Scene<'_>, pool: &PoolPolicy, body: &Body<'_>) -> Vec<Held> {
    let mut held = own_reasons(work, scene, pool, (body, &Known::of(&work.next, pool)), false);
    if let (Some(cluster), Some(at)) = (scene.cluster, body.node_at) {
        held.extend(movable::holds(pool, cluster, at));
        held.extend(busy(pool, cluster, at));
    }
    held
}

/// A node whose pods ask for so much that it is not idle, or of which nobody knows what it offers.
fn busy(pool: &PoolPolicy, cluster: &Cluster, at: usize) -> Option<Held> {
    let most = pool.busy_above?;
    let node = cluster.node(at)?;
    let offered = (node.allocatable.cpu_milli, node.allocatable.memory);
    if offered.0 == 0 || offered.1 == 0 {
        return Some(Held::NothingAllocatable);
    }
    let taking = cluster.seats(at).iter().filter_map(|seat| Some((seat, cluster.class(seat)?)));
    let asked = taking.filter(|(_, class)| class.takes_room()).fold((0_u64, 0_u64), |sum, (seat, class)| {
        let count = u64::from(seat.count);
        let more = |sum: u64, each: u64| sum.saturating_add(each.saturating_mul(count));
        (more(sum.0, class.requests.cpu_milli), more(sum.1, class.requests.memory))
    });
    let shares = [(asked.0, offered.0), (asked.1, offered.1)];
    let over = shares.iter().any(|(asked, offered)| most.is_exceeded_by(*asked, *offered));
    let used = shares.iter().filter_map(|(asked, offered)| Fixed::fraction(*asked, *offered)).max();
    used.filter(|_| over).map(|used| Held::Busy { used })
}

/// The order in which nodes go within a zone: cheapest to move, least used, oldest, id.
type Rank<'a> = (u64, u64, Timestamp, &'a InstanceId);

/// A member of the pool, as far as it can be judged without its neighbours.
struct Candidate<'s, 'a> {
    body: &'s Body<'a>,
    /// Reasons of its own; the pods' are in `held`.
    own: Vec<Held>,
    held: bool,
    rank: Rank<'s>,
}

impl Candidate<'_, '_> {
    /// Unhealthy before healthy, empty before not.
    fn tier(&self) -> (bool, bool) {
        (self.body.is_ready(), self.rank.0 > 0)
    }
}

/// Those that may go, in the order of rank in each zone.
type Queues<'s, 'a> = BTreeMap<Option<&'a Zone>, VecDeque<Candidate<'s, 'a>>>;

/// Chooses nodes, each of whose pods are sure to find room on what remains after those before it.
pub(crate) fn pick<'a>(
    work: &Work<'a>,
    scene: &'a Scene<'a>,
    pool: &'a PoolPolicy,
    most: Most,
) -> Picked<'a> {
    let mut picked = Picked::default();
    let Some(cluster) = scene.cluster else { return picked };
    let holding: Vec<bool> =
        cluster.classes().iter().map(|class| movable::is_held(pool, cluster, class)).collect();
    let candidates = candidates(work, scene, cluster, pool, most, &holding);
    let mut zones: BTreeMap<Option<&Zone>, u32> = BTreeMap::new();
    for zone in scene.members(&pool.name).filter(|b| b.is_serving()).filter_map(Body::zone) {
        *zones.entry(Some(zone)).or_default() += 1;
    }
    let (held, open): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|candidate| candidate.held);
    let mut tiers: BTreeMap<(bool, bool), Queues<'_, '_>> = BTreeMap::new();
    for candidate in open {
        let queue = tiers.entry(candidate.tier()).or_default().entry(candidate.body.zone()).or_default();
        queue.push_back(candidate);
    }
    let mut search = Search { cluster, scene, pool, most, room: None, spare: None, tried: 0, drains: 0 };
    for ((ready, full), mut queues) in tiers {
        while let Some(candidate) = next(&mut queues, &zones) {
            let why = search.refusal(&candidate, &zones, (ready, full), picked.picks.len());
            if let (Ok(()), Some(node), Some(at)) = (&why, candidate.body.node, candidate.body.node_at) {
                if let Some(left) = zones.get_mut(&candidate.body.zone()) {
                    *left = left.saturating_sub(1);
                }
                let node = (node.name.clone(), node.uid.clone());
                picked.picks.push(Pick { body: *candidate.body, node, at });
            }
            let chosen = why.is_ok();
            picked.tell(candidate.body, why.err().into_iter().flatten().collect(), chosen, most.told);
        }
    }
    let mut held = held;
    held.sort_by(|a, b| (a.tier(), &a.rank).cmp(&(b.tier(), &b.rank)));
    for candidate in held {
        let pods = candidate.body.node_at.filter(|_| picked.told.len() < most.told);
        let mut why = candidate.own;
        match pods {
            Some(at) => {
                why.extend(movable::holds(pool, cluster, at));
                why.extend(busy(pool, cluster, at));
            }
            None => {
                let classes = candidate.body.node_at.into_iter().flat_map(|at| cluster.evictable(at));
                let first =
                    classes.filter(|(seat, _)| holding.get(seat.class as usize) == Some(&true)).take(1);
                why.extend(first.flat_map(|(_, class)| movable::reasons(pool, cluster, class, "")));
            }
        }
        picked.tell(candidate.body, why, false, most.told);
    }
    picked
}

fn candidates<'s, 'a>(
    work: &Work<'_>,
    scene: &'s Scene<'a>,
    cluster: &Cluster,
    pool: &PoolPolicy,
    most: Most,
    holding: &[bool],
) -> Vec<Candidate<'s, 'a>> {
    let known = Known::of(&work.next, pool);
    let members = scene.members(&pool.name).filter(|body| !body.is_ending());
    let mut candidates: Vec<_> = members
        .map(|body| {
            let own = own_reasons(work, scene, pool, (body, &known), most.anyone);
            let (mut pods, mut used, mut held) = (0_u64, 0_u64, !own.is_empty());
            for (seat, class) in body.node_at.into_iter().flat_map(|at| cluster.evictable(at)) {
                let count = u64::from(seat.count);
                pods += count;
                used = used.saturating_add(class.requests.cpu_milli.saturating_mul(count));
                held |= holding.get(seat.class as usize).copied().unwrap_or(true);
            }
            held |= !held && body.node_at.is_some_and(|at| busy(pool, cluster, at).is_some());
            let created = body.node.map_or(Timestamp::default(), |node| node.created_at);
            Candidate { body, own, held, rank: (pods, used, created, body.id) }
        })
        .collect();
    candidates.sort_by(|a, b| a.rank.cmp(&b.rank));
    candidates
}

/// The next to go: from the most populated zone, in the order of rank.
fn next<'s, 'a>(
    queues: &mut Queues<'s, 'a>,
    zones: &BTreeMap<Option<&Zone>, u32>,
) -> Option<Candidate<'s, 'a>> {
    let first = queues.iter().filter_map(|(zone, queue)| {
        let population = zones.get(zone).copied().unwrap_or(0);
        Some(((Reverse(population), &queue.front()?.rank), *zone))
    });
    let zone = first.min_by(|(a, _), (b, _)| a.cmp(b)).map(|(_, zone)| zone)?;
    queues.get_mut(&zone)?.pop_front()
}

/// What depends on the other nodes, looked at one candidate after the other.
struct Search<'a> {
    cluster: &'a Cluster,
    scene: &'a Scene<'a>,
    pool: &'a PoolPolicy,
    most: Most,
    room: Option<Room<'a>>,
    spare: Option<Spare>,
    tried: usize,
    drains: u32,
}

impl Search<'_> {
    /// `Ok` when the node goes; else why not, or nothing when others went before it.
    fn refusal(
        &mut self,
        candidate: &Candidate<'_, '_>,
        zones: &BTreeMap<Option<&Zone>, u32>,
        (ready, full): (bool, bool),
        chosen: usize,
    ) -> Result<(), Option<Held>> {
        let Some(at) = candidate.body.node_at else { return Err(Some(Held::NotJoined)) };
        let enough = chosen as u64 >= u64::from(self.most.nodes)
            || (full && self.drains >= self.most.drains)
            || self.tried >= MAX_TRIED;
        if enough {
            return Err(None);
        }
        if let Some(held) = last_in_zone(zones, candidate.body).filter(|_| ready) {
            self.tried += 1;
            return Err(Some(held));
        }
        let (cluster, scene, pool) = (self.cluster, self.scene, self.pool);
        let room = self.room.get_or_insert_with(|| {
            let mut room = Room::new(cluster, |at, node| remains(scene, at, node));
            let leaving = scene.bodies().iter().filter(|body| body.leaving && !body.is_ending());
            leaving.filter_map(|body| body.node_at).for_each(|at| room.is_leaving(at));
            room.are_queued();
            room
        });
        let spare = self.spare.get_or_insert_with(|| Spare::of(scene, cluster, pool, room));
        if !spare.is_left_without(cluster, at, room) {
            self.tried += 1;
            return Err(Some(Held::Headroom));
        }
        if let Err(class) = room.take(at) {
            self.tried += 1;
            let seat = cluster.seats(at).iter().find(|seat| seat.class == class);
            let pod = seat.map_or_else(|| "?".to_owned(), |seat| movable::named(cluster, seat));
            return Err(Some(Held::NowhereToGo { pod }));
        }
        spare.goes(cluster, at, room);
        self.drains += u32::from(full);
        Ok(())
    }
}

impl Picked<'_> {
    fn tell(&mut self, body: &Body<'_>, mut held: Vec<Held>, chosen: bool, most: usize) {
        held.sort();
        held.dedup();
        let mut last = None;
        for code in held.iter().map(Held::code) {
            if last != Some(code) {
                *self.refused.entry(code.to_owned()).or_default() += 1;
            }
            last = Some(code);
        }
        if self.told.len() < most {
            let node = body.node.map(|node| node.name.clone());
            self.told.push(NodeReport { instance: body.id.clone(), node, held, chosen });
        }
    }
}

/// Whether a node will stay and take pods.
fn remains(scene: &Scene<'_>, at: usize, node: &Node) -> bool {
    let leaving = scene.body_of(at).is_some_and(|body| body.leaving);
    node.ready == Ready::Yes && !node.unschedulable && !node.control_plane && !leaving
}

/// A node that is the last in its zone stays while another zone has two more.
fn last_in_zone(zones: &BTreeMap<Option<&Zone>, u32>, body: &Body<'_>) -> Option<Held> {
    let zone = body.zone()?;
    let own = zones.get(&Some(zone)).copied().unwrap_or(0);
    let most = zones.values().max().copied().unwrap_or(0);
    (own == 1 && most >= own + 2).then(|| Held::LastInZone { zone: zone.clone() })
}
