//! What each pool looks like, before anything is decided about its size.

use std::collections::BTreeMap;

use super::market::Market;
use super::scene::{Body, Scene};
use super::work::Work;
use super::{rules, targets, wish};
use crate::data::explain::{
    Counts, Direction, Hold, NodeReport, PoolReport, RuleReport, RuleState, TargetReport, Verdict, Wanted,
};
use crate::data::policy::PoolPolicy;
use crate::data::view::{Cluster, Phase, PodClass, Seat};
use crate::logic::movable;
use crate::logic::owners::is_displaced;
use crate::words::PoolName;

/// Most kinds of pods that are named when no launch would seat them.
const MAX_NAMED: usize = 8;

/// What one pool looks like, before anything is decided about its size.
pub(crate) struct Situation<'a> {
    pub(crate) pool: &'a PoolPolicy,
    pub(crate) counts: Counts,
    pub(crate) rules: Vec<RuleReport>,
    pub(crate) targets: Vec<TargetReport>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) holds: Vec<Hold>,
    pub(crate) nodes: Vec<NodeReport>,
    pub(crate) refused: BTreeMap<String, u32>,
    /// Nodes that pending pods and headroom ask for, before any limit.
    pub(crate) asked: u32,
}

impl Situation<'_> {
    pub(crate) fn report(self) -> PoolReport {
        let raw = wish::raw(&self);
        let Self { pool, counts, rules, targets, verdict, mut holds, nodes, refused, asked: _ } = self;
        holds.sort();
        holds.dedup();
        if holds.is_empty() {
            holds.push(Hold::Quiet);
        }
        let verdict = verdict.unwrap_or(Verdict::Hold(holds));
        let wanted = Wanted { size: wish::size(counts, &verdict), raw };
        PoolReport { pool: pool.name.clone(), counts, rules, targets, verdict, wanted, nodes, refused }
    }

    pub(crate) fn holding(&self, direction: Direction) -> impl Iterator<Item = &RuleReport> {
        self.rules.iter().filter(move |r| r.direction == direction && r.state == RuleState::Holds)
    }

    /// A rule on its way to hold, if there is one.
    pub(crate) fn waiting(&self, direction: Direction) -> Option<Hold> {
        let rules = self.rules.iter().filter(|r| r.direction == direction);
        let waits = rules.filter_map(|rule| match rule.state {
            RuleState::Waiting { left } => Some((left, &rule.signal)),
            RuleState::NotCrossed | RuleState::Holds | RuleState::Unknown => None,
        });
        // An up-rule acts alone, down-rules act together: the soonest counts there, the latest here.
        let found = match direction {
            Direction::Up => waits.min(),
            Direction::Down => waits.max(),
        };
        found.map(|(left, signal)| Hold::Waiting { direction, signal: signal.clone(), left })
    }
}

/// The pods that wait for a node and are demand: pods that our own evictions left waiting are none while the removal is
/// open (rule R16).
fn waiting<'c>(work: &Work<'_>, cluster: &'c Cluster) -> impl Iterator<Item = (&'c Seat, &'c PodClass)> {
    let seats = cluster.unbound().iter().filter_map(|seat| Some((seat, cluster.class(seat)?)));
    seats.filter(|(_, class)| class.waits() && !is_displaced(&work.next, class))
}

/// The same by kind: how many, and the first of them, to be named.
pub(crate) fn demand<'c>(
    work: &Work<'_>,
    market: &Market<'_>,
    cluster: &'c Cluster,
) -> BTreeMap<u32, (u64, &'c Seat)> {
    let mut by_kind = BTreeMap::new();
    for (seat, _) in waiting(work, cluster) {
        if let Some(kind) = market.kinds.of_seat(seat) {
            let (pods, _) = by_kind.entry(kind).or_insert((0, seat));
            *pods += u64::from(seat.count);
        }
    }
    by_kind
}

/// Evaluates every pool's rules and targets and stores their marks.
pub(crate) fn situations<'a>(
    work: &mut Work<'a>,
    scene: &Scene<'_>,
    market: Option<&Market<'_>>,
) -> Vec<Situation<'a>> {
    let pending = pending(work, scene, market);
    let homeless = scene.bodies().iter().filter(|b| b.pool.is_none() && is_alive_and_ours(b)).count();
    if homeless > 0 {
        work.alarm(format!(
            "{homeless} instances carry our tags and the name of a pool that the policy does not have"
        ));
    }
    let mut situations = Vec::new();
    for pool in work.policy.pools().values() {
        let mut counts = scene.counts(&work.next, &pool.name);
        let waiting = pending.as_ref().map(|pending| pending.get(&pool.name).copied().unwrap_or(0));
        counts.pending_pods = waiting.unwrap_or(0);
        let marks = work.next.marks(&pool.name).into_owned();
        let (rules, kept) = rules::evaluate(work.policy, pool, &marks, work.view, waiting, work.now);
        if kept != marks.rules {
            work.marks(&pool.name).rules = kept;
        }
        let (targets, wishes) =
            targets::evaluate(work.policy, pool, &marks, work.view, counts.serving, work.now);
        if wishes != marks.wishes {
            work.marks(&pool.name).wishes = wishes;
        }
        situations.push(Situation {
            pool,
            counts,
            rules,
            targets,
            verdict: None,
            holds: Vec::new(),
            nodes: Vec::new(),
            refused: BTreeMap::new(),
            asked: 0,
        });
    }
    situations
}

fn is_alive_and_ours(body: &Body<'_>) -> bool {
    body.is_ours() && body.phase().is_some_and(Phase::is_alive)
}

/// Pods that wait for a node, counted for each pool of which a node would hold them: pools can back each other up.
fn pending(
    work: &mut Work<'_>,
    scene: &Scene<'_>,
    market: Option<&Market<'_>>,
) -> Option<BTreeMap<PoolName, u32>> {
    let (cluster, policy) = (scene.cluster?, work.policy);
    let mut by_pool = BTreeMap::new();
    let Some(market) = market else { return Some(by_pool) };
    let mut told = 0;
    for (kind, (pods, first)) in demand(work, market, cluster) {
        let pods = pods.min(u64::from(u32::MAX)) as u32;
        let Some(kind) = market.kinds.get(kind) else { continue };
        let Some(misfits) = market.misfits(kind) else {
            for pool in policy.pools().keys().filter(|pool| market.pool_holds(kind, pool)) {
                let sum = by_pool.entry(pool.clone()).or_insert(0_u32);
                *sum = sum.saturating_add(pods);
            }
            continue;
        };
        told += 1;
        if told <= MAX_NAMED {
            let why: Vec<String> = misfits.iter().map(|(pool, why)| format!("in {pool} it {why}")).collect();
            work.alarm(format!(
                "{pods} pending pods fit on no pool's nodes and are not bought for, like {}: {}",
                movable::named(cluster, first),
                why.join(", ")
            ));
        }
    }
    if told > MAX_NAMED {
        work.alarm(format!("{} more kinds of pending pods fit on no pool's nodes", told - MAX_NAMED));
    }
    Some(by_pool)
}
