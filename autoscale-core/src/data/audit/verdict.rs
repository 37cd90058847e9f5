//! What a tick concluded, without what moves from tick to tick: ages, values, times and counts.

use serde::Serialize;
use serde_json::{Value, json};

use super::Entry;
use crate::data::explain::{Action, Verdict};
use crate::words::ContentHash;

/// At most so many actions stand in a head.
const TOLD: usize = 16;

/// Changes when something else is decided, refused for other reasons, alarming, or waited for.
pub(super) fn digest(entry: &Entry<'_>) -> ContentHash {
    let actions: Vec<String> =
        entry.rounds.iter().flat_map(|round| &round.explanation.actions).map(ToString::to_string).collect();
    let last = entry.explanation();
    let pools = last.map(|last| last.pools.as_slice()).unwrap_or_default().iter();
    let pools: Vec<Value> = pools
        .map(|pool| {
            let verdict = match &pool.verdict {
                Verdict::Hold(holds) => json!(holds.iter().map(code).collect::<Vec<_>>()),
                Verdict::Grow { .. } => "grow".into(),
                Verdict::Shrink { .. } => "shrink".into(),
            };
            json!([pool.pool, verdict, pool.refused.keys().collect::<Vec<_>>()])
        })
        .collect();
    let ops = last.map(|last| last.ops.as_slice()).unwrap_or_default().iter();
    let ops: Vec<Value> = ops.map(|op| json!([op.op, op.pool, still(&op.text)])).collect();
    let alarms: Vec<String> = entry.alarms.iter().map(|alarm| still(alarm)).collect();
    let said = json!([entry.ended.code(), entry.policy.hash(), actions, pools, ops, alarms]);
    ContentHash::of(said.to_string().as_bytes())
}

/// What was decided, in some words each.
pub(super) fn words(entry: &Entry<'_>) -> Vec<String> {
    let all = entry.rounds.iter().flat_map(|round| &round.explanation.actions);
    let mut words: Vec<String> = all
        .clone()
        .take(TOLD)
        .map(|action| match action {
            Action::Launch { op, pool, .. } => format!("launch {op} {pool}"),
            Action::Remove { op, pool, instance, .. } => format!("remove {op} {pool} {instance}"),
            Action::Recall { op, pool, instance } => format!("recall {op} {pool} {instance}"),
        })
        .collect();
    let more = all.count().saturating_sub(TOLD);
    if more > 0 {
        words.push(format!("and {more} more"));
    }
    words
}

/// The name of a variant, with what it is about where that does not move.
fn code(hold: &impl Serialize) -> Value {
    match serde_json::to_value(hold) {
        Ok(Value::Object(tagged)) => {
            let about = |value: &Value| json!([value.get("direction"), value.get("signal")]);
            tagged.iter().map(|(name, value)| json!([name, about(value)])).collect()
        }
        Ok(name) => name,
        Err(_) => Value::Null,
    }
}

/// A text without its numbers, times and lengths of time.
fn still(text: &str) -> String {
    let moves = |word: &str| {
        word.contains(|c: char| c.is_ascii_digit())
            && word.chars().all(|c| c.is_ascii_digit() || ".,:;%()+-TZdhms".contains(c))
    };
    let words = text.split(' ').map(|word| if moves(word) { "#" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::explain::{Direction, Hold};
    use crate::words::{SignalName, Span};

    #[test]
    fn what_moves_is_left_out() {
        let text = "instance i-0a1: 3 pods since 2026-03-02T00:01:00Z, 1h30m, 70.5%";
        assert_eq!(still(text), "instance i-0a1: # pods since # # #");
        let waiting = |left| {
            let signal = SignalName::new("cpu").unwrap();
            code(&Hold::Waiting { direction: Direction::Up, signal, left: Span::from_secs(left) })
        };
        assert_eq!(waiting(5), waiting(6));
        assert_ne!(code(&Hold::Quiet), code(&Hold::NoCandidate));
    }
}
