//! Whether pools grow or shrink, by how much, and why not.

use std::collections::BTreeMap;

use super::pick;
use super::place::{Choice, Placing};
use super::rules;
use super::scene::Scene;
use super::work::Work;
use crate::data::explain::{
    Counts, Direction, Hold, NodeReport, Observed, PoolReport, RuleReport, RuleState, Verdict,
};
use crate::data::order::OpId;
use crate::data::policy::{Bound, PoolPolicy};
use crate::data::record::{Cause, LaunchState, RemoveState, RemoveWhy, Rollback};
use crate::data::view::{Instance, Ownership, Pod, Scope, Seen};
use crate::logic::owners::{displaced_by, is_displaced, waits};
use crate::mutant::{self, Mutant};
use crate::words::{Elapsed, PoolName, Span, truncated};

/// So many launches in a row that did not join stop the launches of a pool, until a pause of `backoff_max` is over.
const MAX_FAILED_JOINS: u32 = 3;

/// What one pool looks like, before anything is decided about its size.
pub(crate) struct Situation<'a> {
    pub(crate) pool: &'a PoolPolicy,
    pub(crate) counts: Counts,
    pub(crate) rules: Vec<RuleReport>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) holds: Vec<Hold>,
    pub(crate) nodes: Vec<NodeReport>,
}

impl Situation<'_> {
    pub(crate) fn report(self) -> PoolReport {
        let Self { pool, counts, rules, verdict, mut holds, nodes } = self;
        holds.sort();
        holds.dedup();
        if holds.is_empty() {
            holds.push(Hold::Quiet);
        }
        let verdict = verdict.unwrap_or(Verdict::Hold(holds));
        PoolReport { pool: pool.name.clone(), counts, rules, verdict, nodes }
    }

    fn holding(&self, direction: Direction) -> impl Iterator<Item = &RuleReport> {
        self.rules.iter().filter(move |r| r.direction == direction && r.state == RuleState::Holds)
    }
}

/// Evaluates every pool's rules and stores their marks.
pub(crate) fn situations<'a>(work: &mut Work<'a>, scene: &Scene<'_>) -> Vec<Situation<'a>> {
    let pending = pending_by_pool(work, scene);
    let homeless =
        scene.bodies.iter().filter(|b| b.pool.is_none() && b.listed.is_some_and(is_alive_and_ours)).count();
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
        situations.push(Situation {
            pool,
            counts,
            rules,
            verdict: None,
            holds: Vec::new(),
            nodes: Vec::new(),
        });
    }
    situations
}

fn is_alive_and_ours(instance: &Instance) -> bool {
    instance.ownership == Ownership::Ours && instance.phase.is_alive()
}

/// Pods that wait for a node, each given to the first pool whose nodes could hold it. Pods that our own evictions
/// left waiting are not demand while the removal is open (rule R16).
fn pending_by_pool(work: &mut Work<'_>, scene: &Scene<'_>) -> Option<BTreeMap<PoolName, u32>> {
    let cluster = scene.cluster?;
    let mut by_pool = BTreeMap::new();
    let mut unseatable: Vec<&Pod> = Vec::new();
    for pod in cluster.pods.iter().filter(|pod| waits(pod) && !is_displaced(&work.next, pod)) {
        let home =
            work.policy.pools().values().find(|pool| pod.requests.fits(&pool.first_shape().allocatable));
        match home {
            Some(pool) => *by_pool.entry(pool.name.clone()).or_default() += 1,
            None => unseatable.push(pod),
        }
    }
    if let Some(first) = unseatable.iter().min_by(|a, b| a.uid.cmp(&b.uid)) {
        let (count, name) = (unseatable.len(), truncated(&first.full_name(), 200));
        work.alarm(format!(
            "{count} pending pods fit on no pool's nodes and are not bought for, among them {name}"
        ));
    }
    Some(by_pool)
}

/// Reasons that hold every pool.
pub(crate) fn guard(work: &Work<'_>, scene: &Scene<'_>) -> Vec<Hold> {
    let mut holds = Vec::new();
    if let Some(pause) = work.next.paused.as_ref().filter(|_| !mutant::on(Mutant::IgnorePause)) {
        let left = pause.until.map(|until| until.since(work.now));
        holds.push(Hold::Paused { who: pause.who.clone(), why: pause.why.clone(), left });
    }
    let quiet = work.next.time.quiet_until.since(work.now);
    if quiet > Span::ZERO {
        holds.push(Hold::Rebuilt { left: quiet });
    }
    holds.extend(unseen("the list of instances", &work.view.instances, |l| l.complete));
    holds.extend(unseen("the survey of the cluster", &work.view.cluster, |c| c.complete));
    holds.extend(unhealthy(work, scene));
    if let Some(seq) = work.next.open_action().filter(|_| !mutant::on(Mutant::IgnoreOpenAction)) {
        holds.push(Hold::ActionOpen { seq });
    }
    holds
}

fn unseen<T>(what: &str, seen: &Seen<T>, complete: impl Fn(&T) -> bool) -> Option<Hold> {
    let why = match seen {
        Seen::Known(value) if complete(value) => return None,
        Seen::Known(_) => "it was incomplete".to_owned(),
        Seen::Unknown { why } => truncated(why, 500),
    };
    Some(Hold::Unseen { what: what.to_owned(), why })
}

/// Too much of the cluster is unready: more than the tolerated number **and** share. Nodes whose instance is known to
/// be gone do not count, they are only not forgotten yet.
pub(crate) fn unhealthy(work: &Work<'_>, scene: &Scene<'_>) -> Option<Hold> {
    let cluster = scene.cluster?;
    let dead = |node: &crate::data::view::Node| {
        scene.bodies.iter().any(|b| b.is_ending() && b.node.is_some_and(|n| n.uid == node.uid))
    };
    let counted: Vec<_> = cluster.nodes.iter().filter(|node| !dead(node)).collect();
    let unready = counted.iter().filter(|node| node.ready == crate::data::view::Ready::No).count();
    let health = work.policy.health();
    let too_many = unready as u64 > u64::from(health.tolerated)
        && health.ratio.is_exceeded_by(unready as u64, counted.len() as u64);
    let (tolerated, ratio) = (health.tolerated, health.ratio);
    too_many.then_some(Hold::Unhealthy {
        unready: unready as u32,
        nodes: counted.len() as u32,
        tolerated,
        ratio,
    })
}

/// Rolls a scale-down back when an up-rule has held for its whole duration (rule R16).
pub(crate) fn recall(work: &mut Work<'_>, situations: &[Situation<'_>]) {
    for situation in situations {
        let needed = situation.holding(Direction::Up).next().is_some();
        while needed && super::notices::recall(work, situation.pool, Rollback::Recalled) {}
    }
}

/// One scaling action over all pools that need to grow, else over one pool that may shrink.
pub(crate) fn scale(
    work: &mut Work<'_>,
    scene: &Scene<'_>,
    situations: &mut [Situation<'_>],
) -> Option<Scope> {
    let (seq, mut slot) = (work.next.next_seq, 0);
    for situation in &mut *situations {
        grow(work, scene, situation, seq, &mut slot);
    }
    if slot > 0 {
        work.take_seq();
        for situation in situations.iter_mut().filter(|s| s.verdict.is_none()) {
            situation.holds.push(Hold::ActionOpen { seq });
        }
        return None;
    }
    let mut needs = None;
    for situation in situations {
        if slot > 0 {
            situation.holds.push(Hold::ActionOpen { seq });
        } else {
            needs = shrink(work, scene, situation, seq, &mut slot).or(needs);
        }
    }
    if slot > 0 {
        work.take_seq();
    }
    needs
}

fn grow(work: &mut Work<'_>, scene: &Scene<'_>, situation: &mut Situation<'_>, seq: u64, slot: &mut u32) {
    let (pool, counts) = (situation.pool, situation.counts);
    let (wished, why) = wish(situation);
    let short = pool.min.saturating_sub(counts.total);
    if wished == 0 && short == 0 {
        situation.holds.extend(waiting(situation, Direction::Up));
        return;
    }
    let cooldown = left(work.next.marks(&pool.name).last_up, pool.cooldown_up, work.now);
    if short == 0 && cooldown > Span::ZERO {
        situation.holds.push(Hold::Cooldown { direction: Direction::Up, left: cooldown });
        return;
    }
    let wanted = wished.saturating_sub(counts.starting).max(short);
    if wanted == 0 {
        situation.holds.push(Hold::AlreadyStarting { nodes: counts.starting });
        return;
    }
    if counts.total >= pool.max {
        situation.holds.push(Hold::AtMax { max: pool.max });
        return;
    }
    if let Some(hold) = launches_stopped(work, pool) {
        situation.holds.push(hold);
        return;
    }
    let by = wanted.min(pool.max_batch).min(pool.max - counts.total);
    let mut placing = Placing::new(scene, &work.next, pool, work.now);
    let mut bought = 0;
    while bought < by {
        match placing.next() {
            Choice::Offering(offering) => {
                work.launch(pool, OpId::new(seq, *slot), Cause::Scale, offering, None)
            }
            Choice::NoneUntil(left) => {
                situation.holds.push(Hold::NoOffering { left });
                break;
            }
        }
        (bought, *slot) = (bought + 1, *slot + 1);
    }
    if bought > 0 {
        let why = if short > 0 {
            format!("{} instances are fewer than min {}", counts.total, pool.min)
        } else {
            why
        };
        situation.verdict = Some(Verdict::Grow { by: bought, wished: wished.max(short), why });
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

/// What the rules ask for, before any limit.
fn wish(situation: &Situation<'_>) -> (u32, String) {
    let (mut wished, mut why) = (0, Vec::new());
    for rule in situation.holding(Direction::Up) {
        let asked = if rule.signal.as_str() == rules::PENDING {
            situation.counts.pending_pods.div_ceil(situation.pool.pods_per_node.unwrap_or(10).max(1))
        } else {
            situation.pool.step_up
        };
        wished = wished.max(asked);
        why.push(rule.to_string());
    }
    (wished, why.join("; "))
}

fn waiting(situation: &Situation<'_>, direction: Direction) -> Option<Hold> {
    let waits =
        situation.rules.iter().filter(|r| r.direction == direction).filter_map(|rule| match rule.state {
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

fn left(since: Option<Elapsed>, pause: Span, now: Elapsed) -> Span {
    since.map_or(Span::ZERO, |since| since.after(pause).since(now))
}

fn shrink(
    work: &mut Work<'_>,
    scene: &Scene<'_>,
    situation: &mut Situation<'_>,
    seq: u64,
    slot: &mut u32,
) -> Option<Scope> {
    let (pool, counts) = (situation.pool, situation.counts);
    let above = counts.total.saturating_sub(pool.max);
    let (count, why, reason) = if above > 0 {
        (1, format!("{} instances are more than max {}", counts.total, pool.max), RemoveWhy::AboveMax)
    } else {
        match may_shrink(work, situation) {
            Ok((count, why)) => (count, why, RemoveWhy::Idle),
            Err(holds) => {
                situation.holds.extend(holds);
                return None;
            }
        }
    };
    if scene.cluster.is_none_or(|cluster| cluster.scope != Scope::Everything) {
        situation.holds.push(Hold::NeedsSurvey);
        return Some(Scope::Everything);
    }
    let (picks, nodes) = pick::pick(work, scene, pool, count, above > 0);
    situation.nodes = nodes;
    if picks.is_empty() {
        situation.holds.push(Hold::NoCandidate);
        return None;
    }
    situation.verdict = Some(Verdict::Shrink { by: picks.len() as u32, why });
    for pick in picks {
        let displaced = scene.cluster.map(|cluster| displaced_by(cluster, &pick.node.0)).unwrap_or_default();
        let target = (pick.body.id.clone(), Some(pick.node));
        let reason = (reason, work.now.after(pool.drain_timeout), displaced);
        work.remove(pool, OpId::new(seq, *slot), Cause::Scale, target, reason, RemoveState::Planned);
        *slot += 1;
    }
    None
}

/// How many nodes may go and why, or everything that stands against it.
fn may_shrink(work: &Work<'_>, situation: &Situation<'_>) -> Result<(u32, String), Vec<Hold>> {
    let (pool, counts, rules) = (situation.pool, situation.counts, &situation.rules);
    let down: Vec<&RuleReport> = rules.iter().filter(|r| r.direction == Direction::Down).collect();
    if down.is_empty() || down.iter().any(|r| r.state == RuleState::NotCrossed) {
        return Err(Vec::new());
    }
    let mut holds: Vec<Hold> = waiting(situation, Direction::Down).into_iter().collect();
    for rule in rules {
        let why = match &rule.observed {
            Observed::Fresh { .. } => continue,
            Observed::Stale { age, .. } => format!("the last sample is {age} old"),
            Observed::Missing { why } => why.clone(),
        };
        holds.push(Hold::SignalMissing { signal: rule.signal.clone(), why });
    }
    if counts.pending_pods > 0 {
        holds.push(Hold::PodsPending { pods: counts.pending_pods });
    }
    if counts.starting > 0 {
        holds.push(Hold::AlreadyStarting { nodes: counts.starting });
    }
    let marks = work.next.marks(&pool.name);
    let cooldown = left(marks.last_up.max(marks.last_down), pool.cooldown_down, work.now);
    if cooldown > Span::ZERO {
        holds.push(Hold::Cooldown { direction: Direction::Down, left: cooldown });
    }
    let min = if mutant::on(Mutant::IgnoreMin) { 0 } else { pool.min };
    let spare = counts.serving.saturating_sub(min);
    if spare == 0 {
        holds.push(Hold::AtMin { min: pool.min });
    }
    if !holds.is_empty() {
        return Err(holds);
    }
    let most = pool.step_down.min(pool.max_batch).min(spare);
    let mut refused = Hold::AtMin { min: pool.min };
    for count in (1..=most).rev() {
        match grows_again(situation, count) {
            None => {
                let why: Vec<String> = down.iter().map(ToString::to_string).collect();
                return Ok((count, why.join("; ")));
            }
            Some(hold) => refused = hold,
        }
    }
    Err(vec![refused])
}

/// Whether an up-rule over a share would be crossed once `count` nodes are gone: their load moves to the others.
fn grows_again(situation: &Situation<'_>, count: u32) -> Option<Hold> {
    let serving = situation.counts.serving;
    situation.rules.iter().find_map(|rule| {
        let Observed::Fresh { value, .. } = rule.observed else { return None };
        let shared =
            rule.direction == Direction::Up && rule.unit.is_share() && matches!(rule.bound, Bound::Above(_));
        let projected = value.scaled(u64::from(serving), u64::from(serving.saturating_sub(count)))?;
        (shared && rule.bound.is_crossed_by(projected)).then(|| Hold::WouldGrowAgain {
            signal: rule.signal.clone(),
            projected,
            unit: rule.unit,
        })
    })
}
