//! Whether a pool may shrink, and by which nodes.

use super::pick::{self, Most};
use super::scene::Scene;
use super::situation::Situation;
use super::work::Work;
use crate::data::explain::{Direction, Hold, Observed, RuleReport, RuleState, Verdict};
use crate::data::order::OpId;
use crate::data::policy::Bound;
use crate::data::record::{Cause, Op, Remove, RemoveState, RemoveWhy};
use crate::data::view::Scope;
use crate::logic::owners::displaced_by;
use crate::mutant::{self, Mutant};
use crate::words::{Elapsed, PoolName, Span};

/// How much of a pause is left.
pub(crate) fn left(since: Option<Elapsed>, pause: Span, now: Elapsed) -> Span {
    since.map_or(Span::ZERO, |since| since.after(pause).since(now))
}

pub(crate) fn shrink(
    work: &mut Work<'_>,
    scene: &Scene<'_>,
    situation: &mut Situation<'_>,
    seq: u64,
    slot: &mut u32,
) -> Option<Scope> {
    let (pool, counts) = (situation.pool, situation.counts);
    // What the cloud takes or an open removal ends will go by itself; what cannot be ended counts (`Parked`).
    let ending = ending(work, &pool.name);
    let going = counts.leaving.saturating_sub(ending);
    let above = counts.total.saturating_sub(pool.max).saturating_sub(going);
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
    if ending > 0 {
        situation.holds.push(Hold::StillEnding { nodes: ending });
        return None;
    }
    let cluster = scene.cluster.filter(|cluster| *cluster.scope() == Scope::Everything);
    let Some(cluster) = cluster else {
        situation.holds.push(Hold::NeedsSurvey);
        return Some(Scope::Everything);
    };
    let most = Most { nodes: count, drains: pool.max_drains, anyone: above > 0, told: pick::MAX_TOLD };
    let picked = pick::pick(work, scene, pool, most);
    (situation.nodes, situation.refused) = (picked.told, picked.refused);
    if picked.picks.is_empty() {
        situation.holds.push(Hold::NoCandidate);
        return None;
    }
    situation.verdict = Some(Verdict::Shrink { by: picked.picks.len() as u32, why });
    for pick in picked.picks {
        let displaced = displaced_by(cluster, pick.at);
        let target = (pick.body.id.clone(), Some(pick.node));
        let reason = (reason, work.now.after(pool.drain_timeout), displaced);
        work.remove(pool, OpId::new(seq, *slot), Cause::Scale, target, reason, RemoveState::Planned);
        *slot += 1;
    }
    None
}

/// How many removals of a pool have come so far that there is no way back, and are not over: where the cloud refuses to end
/// nodes, one after the other would otherwise be drained and kept.
fn ending(work: &Work<'_>, pool: &PoolName) -> u32 {
    let stuck = |remove: &Remove| {
        matches!(remove.state, RemoveState::Parked { .. } | RemoveState::Terminating { .. })
    };
    let ops = work.next.ops.iter().filter(|op| op.pool == *pool);
    ops.filter_map(Op::remove).filter(|remove| stuck(remove)).count() as u32
}

/// How many nodes may go and why, or everything that stands against it.
fn may_shrink(work: &Work<'_>, situation: &Situation<'_>) -> Result<(u32, String), Vec<Hold>> {
    let Situation { pool, counts, rules, targets, .. } = situation;
    let down: Vec<&RuleReport> = rules.iter().filter(|r| r.direction == Direction::Down).collect();
    let never = down.is_empty() && targets.is_empty();
    // What a target still asks for, or asked for within its window, stays.
    let kept = targets.iter().filter_map(|target| target.held).max().unwrap_or(0);
    let wanted = targets.iter().any(|target| target.wished.is_some_and(|wished| wished >= counts.serving));
    if never || wanted || down.iter().any(|r| r.state == RuleState::NotCrossed) {
        return Err(Vec::new());
    }
    let mut holds: Vec<Hold> = situation.waiting(Direction::Down).into_iter().collect();
    let signals = rules.iter().map(|rule| (&rule.signal, &rule.observed));
    for (signal, observed) in signals.chain(targets.iter().map(|target| (&target.signal, &target.observed))) {
        let why = match observed {
            Observed::Fresh { .. } => continue,
            Observed::Stale { age, .. } => format!("the last sample is {age} old"),
            Observed::Missing { why } => why.clone(),
        };
        holds.push(Hold::SignalMissing { signal: signal.clone(), why });
    }
    if kept >= counts.serving {
        holds.push(Hold::Stabilising { nodes: kept });
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
    let spare = counts.serving.saturating_sub(min.max(kept));
    if counts.serving <= min {
        holds.push(Hold::AtMin { min: pool.min });
    }
    if !holds.is_empty() {
        return Err(holds);
    }
    // A target says how many nodes are too many; a rule says only that some are.
    let step = if targets.is_empty() { pool.step_down } else { pool.max_batch };
    let most = step.min(pool.max_batch).min(spare);
    let mut refused = Hold::AtMin { min: pool.min };
    for count in (1..=most).rev() {
        match grows_again(situation, count) {
            None => {
                let rules = down.iter().map(ToString::to_string);
                let why: Vec<String> = rules.chain(targets.iter().map(ToString::to_string)).collect();
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
