//! Deciding a recorded tick again.

use serde::Serialize;

use crate::data::audit::delta::difference;
use crate::data::audit::{Decided, Entry};
use crate::data::order::Effect;
use crate::logic::{due, plan};
use crate::words::Span;

/// What was compared, and was the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Replayed {
    /// Decisions.
    pub rounds: u64,
    /// Records that were stored.
    pub stored: u64,
    /// Effects that were sent.
    pub effects: u64,
}

/// A decision that does not come out as it is recorded.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("round {round}: {path}: recorded {recorded}, decided again {again}")]
#[non_exhaustive]
pub struct Differs {
    /// Which round of the tick, from 1.
    pub round: usize,
    /// Where they first differ: `explanation`, `stored`, `effects` or `wake_in`, and the path in its JSON.
    pub path: String,
    /// What is recorded there.
    pub recorded: String,
    /// What was decided now.
    pub again: String,
}

/// Decides every round of an entry again and compares the JSON of the explanation, of the record that was stored and of the
/// effects that were sent.
///
/// # Errors
/// The first difference.
pub fn replay(entry: &Entry<'_>) -> Result<Replayed, Differs> {
    let mut replayed = Replayed::default();
    for (round, number) in entry.rounds.iter().zip(1..) {
        let wake_in = (number == entry.rounds.len()).then_some(entry.wake_in);
        replayed.rounds += 1;
        again(entry, round, wake_in, &mut replayed).map_err(|(path, recorded, again)| Differs {
            round: number,
            path,
            recorded,
            again,
        })?;
    }
    Ok(replayed)
}

/// Where, what is recorded, what was decided now.
type Found = (String, String, String);

fn again(
    entry: &Entry<'_>,
    round: &Decided<'_>,
    wake_in: Option<Option<Span>>,
    replayed: &mut Replayed,
) -> Result<(), Found> {
    let policy = &entry.policy;
    let planned = plan(policy, &round.before, &round.view, &super::tick(round), round.explanation.at)
        .map_err(|halt| ("plan".to_owned(), "a decision".to_owned(), format!("halted: {halt}")))?;
    same("explanation", &*round.explanation, &planned.explanation)?;
    if let Some(wake_in) = wake_in {
        same("wake_in", &wake_in, &planned.wake_in)?;
    }
    let Some(stored) = &round.stored else { return Ok(()) };
    same("stored", &**stored, &planned.next)?;
    replayed.stored += 1;
    // A tick that is told to stop, or has no time left, sends nothing.
    if !round.outcomes.is_empty() {
        let sent: Vec<&Effect> = round.outcomes.iter().map(|outcome| &outcome.effect).collect();
        same("effects", &sent, &due(policy, &planned.next, &round.view))?;
        replayed.effects += sent.len() as u64;
    }
    Ok(())
}

fn same<A: Serialize, B: Serialize>(what: &str, recorded: &A, again: &B) -> Result<(), Found> {
    let bytes = |error: serde_json::Error| (what.to_owned(), "JSON".to_owned(), error.to_string());
    let (a, b) = (serde_json::to_vec(recorded).map_err(bytes)?, serde_json::to_vec(again).map_err(bytes)?);
    if a == b {
        return Ok(());
    }
    let value = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or_default();
    let (path, recorded, again) = difference(&value(&a), &value(&b))
        .unwrap_or_else(|| (String::new(), "other bytes".to_owned(), "other bytes".to_owned()));
    Err((format!("{what}{path}"), recorded, again))
}
