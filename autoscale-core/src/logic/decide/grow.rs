//! Whether a pool grows, by how much and where.

use std::collections::BTreeMap;

use super::market::Market;
use super::place::{Choice, Placing};
use super::scene::Scene;
use super::shrink::left;
use super::situation::{self, Situation};
use super::size::{self, Buyer, Want};
use super::spare::Spare;
use super::work::Work;
use super::{rules, wish};
use crate::data::explain::{Direction, Hold, RuleState, Verdict};
use crate::data::order::OpId;
use crate::data::policy::{Headroom, PoolPolicy};
use crate::data::record::{Cause, LaunchState};
use crate::data::view::Scope;
use crate::logic::fit::Room;
use crate::words::{PoolName, Span};

/// So many launches in a row that did not join stop the launches of a pool, until a pause of `backoff_max` is over.
const MAX_FAILED_JOINS: u32 = 3;

/// What pending pods and the headroom ask of one pool.
#[derive(Default)]
pub(crate) struct Demand<'m> {
    /// Nodes for pending pods, within all limits.
    wants: Vec<Want<'m>>,
    /// Pods that stay pending because of a limit.
    left: u32,
    /// Nodes for the headroom.
    spare: u32,
    /// Nodes for pending pods, before any limit.
    raw: u32,
}

/// Whether the rule over pending pods holds.
fn pending_holds(situation: &Situation<'_>) -> bool {
    let is_pending = |r: &crate::data::explain::RuleReport| r.signal.as_str() == rules::PENDING;
    situation.rules.iter().any(|rule| is_pending(rule) && rule.state == RuleState::Holds)
}

/// What keeps a pool from growing for what its rules ask for.
fn gate(work: &mut Work<'_>, situation: &Situation<'_>) -> Option<Hold> {
    let (pool, counts) = (situation.pool, situation.counts);
    let cooldown = left(work.next.marks(&pool.name).last_up, pool.cooldown_up, work.now);
    if counts.total >= pool.min && cooldown > Span::ZERO {
        return Some(Hold::Cooldown { direction: Direction::Up, left: cooldown });
    }
    if counts.total >= pool.max {
        return Some(Hold::AtMax { max: pool.max });
    }
    launches_stopped(work, pool)
}

/// Sizes all pools together that may grow for pending pods, and each for its headroom.
///
/// # Errors
/// What has to be looked at first: without the pods on the nodes neither what DaemonSets take of a new node is known, nor
/// what room is spare.
pub(crate) fn size_all<'m>(
    work: &mut Work<'_>,
    scene: &'m Scene<'m>,
    market: &'m Market<'m>,
    situations: &[Situation<'m>],
) -> Result<BTreeMap<&'m PoolName, Demand<'m>>, Scope> {
    let mut demands: BTreeMap<&PoolName, Demand<'m>> = BTreeMap::new();
    let Some(cluster) = scene.cluster else { return Ok(demands) };
    let everything = *cluster.scope() == Scope::Everything;
    let mut growing = Vec::new();
    for situation in situations {
        if pending_holds(situation) && gate(work, situation).is_none() {
            growing.push(situation);
        }
        let pool = situation.pool;
        if pool.headroom != Headroom::default() {
            if !everything {
                return Err(Scope::Everything);
            }
            let offer = market.offers.iter().find(|offer| offer.pool.name == pool.name);
            let each =
                |dimension: usize| offer.and_then(|offer| offer.empty.get(dimension)).copied().unwrap_or(0);
            let room = Room::new(cluster, |_, _| true);
            let spare = Spare::of(scene, cluster, pool, &room);
            let missing = spare.missing(situation.counts.starting, (each(0), each(1)));
            demands.entry(&pool.name).or_default().spare = missing;
        }
    }
    let measured = |s: &&Situation<'_>| s.pool.overhead.is_none() && s.pool.pods_per_node.is_none();
    if !everything && growing.iter().any(measured) {
        return Err(Scope::Everything);
    }
    let buyer = |situation: &&Situation<'m>| {
        let (pool, total) = (situation.pool, situation.counts.total);
        let most = u64::from(pool.max.saturating_sub(total).min(pool.max_batch));
        Buyer::new(scene, &work.next, pool, work.now, most)
    };
    let mut buyers: Vec<Buyer<'m>> = growing.iter().map(buyer).collect();
    let demand = situation::demand(work, market, cluster);
    let demand: Vec<(u32, u64)> = demand.into_iter().map(|(kind, (pods, _))| (kind, pods)).collect();
    let starting = market.starting(scene, &work.next);
    let sized = size::size(work.policy, market, &mut buyers, starting, demand.clone());
    let asking: Vec<&Situation<'m>> =
        situations.iter().filter(|situation| pending_holds(situation)).collect();
    let limited = !sized.left.is_empty() || asking.len() > growing.len();
    if limited {
        let starting = market.starting(scene, &work.next);
        let mut unlimited: Vec<Buyer<'m>> = asking.iter().map(|asking| unlimited(asking)).collect();
        let raw = size::size(work.policy, market, &mut unlimited, starting, demand);
        for (pool, wants) in raw.wants {
            demands.entry(pool).or_default().raw = wants.len() as u32;
        }
    }
    for (pool, wants) in sized.wants {
        let demand = demands.entry(pool).or_default();
        demand.raw = if limited { demand.raw } else { wants.len() as u32 };
        demand.wants = wants;
    }
    for situation in growing {
        let holds = |kind: u32| {
            market.kinds.get(kind).is_some_and(|kind| market.pool_holds(kind, &situation.pool.name))
        };
        let left: u64 = sized.left.iter().filter(|(kind, _)| holds(*kind)).map(|(_, pods)| *pods).sum();
        demands.entry(&situation.pool.name).or_default().left = left.min(u64::from(u32::MAX)) as u32;
    }
    Ok(demands)
}

/// A pool as if it had no limits.
fn unlimited<'m>(situation: &Situation<'m>) -> Buyer<'m> {
    let pool = situation.pool;
    let open = pool.shapes.iter().map(|_| pool.zones.iter().collect());
    let zones = pool.zones.iter().map(|zone| (zone, 0)).collect();
    Buyer { pool, most: u64::from(u32::MAX), open: open.collect(), zones }
}

/// Grows a pool if it has to. `starting` is how many nodes of all pools have not joined yet.
pub(crate) fn grow(
    work: &mut Work<'_>,
    scene: &Scene<'_>,
    situation: &mut Situation<'_>,
    demand: &Demand<'_>,
    starting: u32,
    (seq, slot): (u64, &mut u32),
) {
    situation.asked = demand.raw.max(demand.spare);
    let (pool, counts) = (situation.pool, situation.counts);
    let (wished, mut why) = wish::more(situation);
    let short = pool.min.saturating_sub(counts.total);
    let sized = demand.wants.len() as u32;
    if demand.spare > 0 {
        why.push(format!("headroom is short of {} nodes", demand.spare));
    }
    let asked = wished > 0 || demand.spare > 0 || pending_holds(situation);
    if !asked && short == 0 {
        situation.holds.extend(situation.waiting(Direction::Up));
        return;
    }
    if let Some(hold) = gate(work, situation) {
        situation.holds.push(hold);
        return;
    }
    let wanted = wished.saturating_sub(counts.starting).max(sized).max(demand.spare).max(short);
    if wanted == 0 {
        // Where it is neither, another pool buys for them.
        let nodes = if counts.starting > 0 { counts.starting } else { starting };
        let coming = if nodes > 0 { Hold::AlreadyStarting { nodes } } else { Hold::BoughtElsewhere };
        let placing = Placing::new(scene, &work.next, pool, work.now);
        let blocked = if demand.left > 0 { placing.blocked() } else { None };
        situation.holds.push(blocked.unwrap_or(coming));
        return;
    }
    let by = wanted.min(pool.max_batch).min(pool.max - counts.total);
    let mut placing = Placing::new(scene, &work.next, pool, work.now);
    let mut bought = 0;
    // What pods need first; what rules ask for beyond that is of whatever shape can be had.
    let wants = demand.wants.iter().map(|want| (Some(&want.shape.name), want.zone));
    for (shape, zone) in wants.chain(std::iter::repeat((None, None))).take(by as usize) {
        match placing.next_of(shape, zone) {
            Choice::Offering(offering) => {
                work.launch(pool, OpId::new(seq, *slot), Cause::Scale, offering, None)
            }
            Choice::NoneUntil(left) => {
                situation.holds.push(Hold::NoOffering { left });
                break;
            }
            Choice::ZonesFull => {
                situation.holds.push(Hold::ZonesFull { most: pool.max_per_zone.unwrap_or(pool.max) });
                break;
            }
        }
        (bought, *slot) = (bought + 1, *slot + 1);
    }
    if bought > 0 {
        let why = if short > 0 {
            format!("{} instances are fewer than min {}", counts.total, pool.min)
        } else {
            why.join("; ")
        };
        let wished = wished.max(sized).max(demand.spare).max(short);
        situation.verdict = Some(Verdict::Grow { by: bought, wished, left_pending: demand.left, why });
    }
}

/// After three launches in a row that did not join: wait, then try again.
pub(crate) fn launches_stopped(work: &mut Work<'_>, pool: &PoolPolicy) -> Option<Hold> {
    let aside = |op: &crate::data::record::Op| {
        op.pool == pool.name && op.launch().is_some_and(|l| matches!(l.state, LaunchState::Aside { .. }))
    };
    if let Some(op) = work.next.ops.iter().find(|op| aside(op)) {
        let why = format!("the instance of launch {} is kept aside", op.id());
        return Some(Hold::LaunchesStopped { why });
    }
    let marks = work.next.marks(&pool.name).into_owned();
    if marks.failed_joins < MAX_FAILED_JOINS {
        return None;
    }
    let paused =
        marks.offerings.iter().map(|known| known.backoff.until.since(work.now)).max().unwrap_or(Span::ZERO);
    if paused == Span::ZERO {
        work.marks(&pool.name).failed_joins = MAX_FAILED_JOINS - 1;
        return None;
    }
    let why = format!("{} launches in a row did not join; the next is tried in {paused}", marks.failed_joins);
    Some(Hold::LaunchesStopped { why })
}
