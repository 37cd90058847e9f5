//! How many nodes a pool is to have: as its rules and targets ask for it, and as it is decided.

use super::rules;
use super::situation::Situation;
use crate::data::explain::{Counts, Direction, RuleState, Verdict};

/// How many more nodes rules and targets ask for, before any limit, and why. Pending pods are sized elsewhere.
pub(super) fn more(situation: &Situation<'_>) -> (u32, Vec<String>) {
    let (mut wished, mut why) = (0, Vec::new());
    for rule in situation.holding(Direction::Up) {
        if rule.signal.as_str() != rules::PENDING {
            wished = wished.max(situation.pool.step_up);
        }
        why.push(rule.to_string());
    }
    for target in &situation.targets {
        let more = target.wished.unwrap_or(0).saturating_sub(situation.counts.serving);
        if more > 0 {
            wished = wished.max(more);
            why.push(target.to_string());
        }
    }
    (wished, why)
}

/// How many fewer nodes down-rules and targets ask for, before any limit. All of them have to.
fn fewer(situation: &Situation<'_>) -> u32 {
    let Situation { pool, counts, rules, targets, .. } = situation;
    let mut down = rules.iter().filter(|rule| rule.direction == Direction::Down).peekable();
    let nobody = down.peek().is_none() && targets.is_empty();
    if nobody || down.any(|rule| rule.state != RuleState::Holds) {
        return 0;
    }
    let unjudged = targets.iter().any(|target| target.wished.is_none());
    match targets.iter().filter_map(|target| target.wished).max() {
        _ if unjudged => 0,
        Some(wished) => counts.serving.saturating_sub(wished),
        None => pool.step_down,
    }
}

/// How many instances a pool is to have before any limit.
pub(super) fn raw(situation: &Situation<'_>) -> u32 {
    let counts = situation.counts;
    let more = more(situation).0.saturating_sub(counts.starting).max(situation.asked);
    let fewer = if more > 0 { 0 } else { fewer(situation) };
    staying(counts).saturating_add(more).saturating_sub(fewer)
}

/// How many instances a pool is to have, as it is decided.
pub(super) fn size(counts: Counts, verdict: &Verdict) -> u32 {
    match verdict {
        Verdict::Grow { by, .. } => staying(counts).saturating_add(*by),
        Verdict::Shrink { by, .. } => staying(counts).saturating_sub(*by),
        Verdict::Hold(_) => staying(counts),
    }
}

/// What there is and is not on its way out.
const fn staying(counts: Counts) -> u32 {
    counts.total.saturating_sub(counts.leaving)
}
