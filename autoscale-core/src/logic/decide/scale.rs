//! Whether pools grow or shrink: what holds all of them, and which of them act.

use std::collections::BTreeMap;

use super::market::Market;
use super::scene::{Body, Scene};
use super::situation::Situation;
use super::work::Work;
use super::{grow, shrink};
use crate::data::explain::{Direction, Hold};
use crate::data::record::Rollback;
use crate::data::view::{Node, Ready, Scope, Seen};
use crate::mutant::{self, Mutant};
use crate::words::{Span, truncated};

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
    holds.extend(unseen("the list of instances", work.view.instances(), |l| l.complete));
    holds.extend(unseen("the survey of the cluster", work.view.cluster(), |c| c.is_complete()));
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

/// Too much of the cluster is unready: more than the tolerated number **and** share. Nodes whose instance is gone do not
/// count, they are only not forgotten yet: those of an instance that is listed as ended, and those of a pool of ours that are
/// not Ready and that a complete list has no instance for.
pub(crate) fn unhealthy(work: &Work<'_>, scene: &Scene<'_>) -> Option<Hold> {
    scene.cluster?;
    let joined = scene.bodies().iter().filter(|body| body.node.is_some() && !body.is_ending());
    let lost = |node: &Node| {
        let ours = node.pool.as_ref().is_some_and(|pool| work.policy.pool(pool).is_some());
        scene.listing.is_some() && ours && node.ready == Ready::No
    };
    let strays = scene.strays().iter().filter(|node| !lost(node)).map(|node| node.ready == Ready::Yes);
    let counted: Vec<bool> = joined.map(Body::is_ready).chain(strays).collect();
    let unready = counted.iter().filter(|ready| !**ready).count();
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

/// One scaling action over all pools that need to grow, else over one pool that may shrink. Gives what has to be looked at
/// before more can be said.
pub(crate) fn scale(
    work: &mut Work<'_>,
    scene: &Scene<'_>,
    market: Option<&Market<'_>>,
    situations: &mut [Situation<'_>],
) -> Option<Scope> {
    let (seq, mut slot) = (work.next.next_seq, 0);
    let mut sized = BTreeMap::new();
    if let Some(market) = market {
        match grow::size_all(work, scene, market, situations) {
            Ok(found) => sized = found,
            Err(needs) => {
                situations.iter_mut().for_each(|situation| situation.holds.push(Hold::NeedsSurvey));
                return Some(needs);
            }
        }
    }
    let starting = situations.iter().map(|situation| situation.counts.starting).sum();
    for situation in &mut *situations {
        let sized = sized.remove(&situation.pool.name).unwrap_or_default();
        grow::grow(work, scene, situation, &sized, starting, (seq, &mut slot));
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
            needs = shrink::shrink(work, scene, situation, seq, &mut slot).or(needs);
        }
    }
    if slot > 0 {
        work.take_seq();
    }
    needs
}
