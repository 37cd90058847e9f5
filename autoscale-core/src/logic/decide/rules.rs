//! The rules of a pool, evaluated on what was seen.

use crate::data::explain::{Direction, Observed, RuleReport, RuleState};
use crate::data::policy::{Bound, Policy, PoolPolicy, Rule};
use crate::data::record::{MAX_STEP, Mark, PoolMarks};
use crate::data::view::{Reading, Sample, View};
use crate::logic::marks::seen;
use crate::mutant::{self, Mutant};
use crate::words::{Elapsed, Fixed, SignalName, Span, Unit, truncated};

/// The rule over pending pods goes by this name.
pub(crate) const PENDING: &str = "pending_pods";

/// All rules of a pool, and the marks that follow from them.
pub(crate) fn evaluate(
    policy: &Policy,
    pool: &PoolPolicy,
    marks: &PoolMarks,
    view: &View,
    pending: Option<u32>,
    now: Elapsed,
) -> (Vec<RuleReport>, std::collections::BTreeMap<String, Mark>) {
    let mut reports = Vec::new();
    let mut kept = std::collections::BTreeMap::new();
    let mut judge = |direction: Direction, rule: &Rule, unit: Unit, observed: Observed| {
        let key = key(direction, rule);
        let (state, mark) = judge(direction, rule, &observed, marks.rules.get(&key).copied(), now);
        kept.extend(mark.map(|mark| (key, mark)));
        let Rule { signal, bound, lasting } = rule.clone();
        reports.push(RuleReport { direction, signal, unit, bound, lasting, observed, state });
    };
    for (direction, rules) in [(Direction::Up, &pool.up), (Direction::Down, &pool.down)] {
        for rule in rules {
            let spec = policy.signals().get(&rule.signal);
            let unit = spec.map_or(Unit::Count, |spec| spec.unit);
            let stale_after = spec.map_or(Span::ZERO, |spec| spec.stale_after);
            judge(direction, rule, unit, observe(view, pool, &rule.signal, unit, stale_after));
        }
    }
    if let Some(lasting) = pool.pending_for {
        let signal = SignalName::new(PENDING).expect("a constant of lower-case letters and an underscore");
        let rule = Rule { signal, bound: Bound::Above(Fixed::ZERO), lasting };
        let observed = match pending {
            Some(pods) => Observed::Fresh { value: Fixed::from_int(i64::from(pods)), age: Span::ZERO },
            None => Observed::Missing { why: "the cluster was not surveyed".to_owned() },
        };
        judge(Direction::Up, &rule, Unit::Count, observed);
    }
    (reports, kept)
}

/// Names a rule by its content: a changed rule starts anew.
pub(crate) fn key(direction: Direction, rule: &Rule) -> String {
    let direction = match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    };
    let sign = match rule.bound {
        Bound::Above(_) => '>',
        Bound::Below(_) => '<',
    };
    let (threshold, lasting) = (rule.bound.threshold().as_micros(), rule.lasting.as_millis());
    format!("{direction}:{}{sign}{threshold}:{lasting}", rule.signal)
}

fn judge(
    direction: Direction,
    rule: &Rule,
    observed: &Observed,
    mark: Option<Mark>,
    now: Elapsed,
) -> (RuleState, Option<Mark>) {
    let crossed = match observed {
        Observed::Fresh { value, .. } => rule.bound.is_crossed_by(*value),
        // An up-rule waits for its signal to come back, a down-rule starts anew (rules R13 and I14).
        Observed::Stale { .. } | Observed::Missing { .. } => {
            return (RuleState::Unknown, mark.filter(|_| direction == Direction::Up));
        }
    };
    if !crossed {
        return (RuleState::NotCrossed, None);
    }
    if rule.lasting == Span::ZERO {
        return (RuleState::Holds, None);
    }
    let gap = match direction {
        Direction::Up => rule.lasting.max(MAX_STEP),
        Direction::Down => rule.lasting.divided(2),
    };
    let mark = seen(mark, now, gap, rule.lasting.divided(4));
    let left = rule.lasting.minus(now.since(mark.since));
    let state = if left == Span::ZERO { RuleState::Holds } else { RuleState::Waiting { left } };
    (state, Some(mark))
}

pub(super) fn observe(
    view: &View,
    pool: &PoolPolicy,
    signal: &SignalName,
    unit: Unit,
    stale_after: Span,
) -> Observed {
    let answers = view.samples().iter().filter(|s| s.query.pool == pool.name && s.query.signal == *signal);
    let mut readings: Vec<&Reading> = answers.map(|Sample { reading, .. }| reading).collect();
    readings.sort();
    readings.dedup();
    match readings.as_slice() {
        [] | [Reading::Missing { .. } | Reading::Failed { .. }] if mutant::on(Mutant::MissingIsZero) => {
            Observed::Fresh { value: Fixed::ZERO, age: Span::ZERO }
        }
        [Reading::Value { value, age }] if mutant::on(Mutant::StaleIsFresh) => {
            Observed::Fresh { value: *value, age: *age }
        }
        [] => Observed::Missing { why: "the source did not answer the query".to_owned() },
        [Reading::Missing { why } | Reading::Failed { why }] => {
            Observed::Missing { why: truncated(why, 200) }
        }
        [Reading::Value { value, .. }] if unit.is_share() && *value < Fixed::ZERO => {
            Observed::Missing { why: format!("a share cannot be {value}") }
        }
        [Reading::Value { value, age }] if *age > stale_after => Observed::Stale { value: *value, age: *age },
        [Reading::Value { value, age }] => Observed::Fresh { value: *value, age: *age },
        _ => Observed::Missing { why: "the source gave contradictory answers".to_owned() },
    }
}
