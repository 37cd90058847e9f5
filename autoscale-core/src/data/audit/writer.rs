//! From entries to lines.

use serde_json::Value;

use super::line::{self, Body, Broken, Line, MAX_BODY};
use super::{Entry, Head, Kind, Sum, VERSION, delta::delta, verdict};
use crate::words::{ContentHash, HolderId};

/// A writer's entries stand for themselves again after so many that do not.
pub const FULL_EVERY: u64 = 64;

/// What the next difference is to.
#[derive(Clone, Debug, Default)]
struct Base {
    policy: Value,
    round: Value,
    /// The bytes of all bodies since the full one.
    bytes: usize,
    /// So many entries since the full one.
    entries: u64,
    /// The bytes of the full one.
    full: usize,
}

/// A line that was made and is not known to be stored.
#[derive(Clone, Debug)]
struct Made {
    n: u64,
    sum: Sum,
    base: Base,
}

/// Makes the lines of one writer. Keeps the last round as JSON, to tell the difference to the next.
///
/// Its name must be nobody else's, nor that of an earlier one whose lines are in the same log.
#[derive(Clone, Debug)]
pub struct Writer {
    name: HolderId,
    n: u64,
    prev: Option<Sum>,
    base: Option<Base>,
    made: Option<Made>,
}

impl Writer {
    /// A writer that begins after the newest line of the log, if there is one.
    pub const fn new(name: HolderId, newest: Option<Sum>) -> Self {
        Self { name, n: 0, prev: newest, base: None, made: None }
    }

    /// Its name.
    pub const fn name(&self) -> &HolderId {
        &self.name
    }

    /// The digest of an entry's verdict, as the head of its line will have it.
    pub fn verdict(entry: &Entry<'_>) -> ContentHash {
        verdict::digest(entry)
    }

    /// The line of an entry: a difference where there is something to differ from and that is smaller, unless `full`. Once it
    /// is stored, say so with [`stored`](Self::stored); a line that is made before that takes its place.
    ///
    /// # Errors
    /// `TooLarge`.
    pub fn line(&mut self, entry: &Entry<'_>, full: bool) -> Result<Line, Broken> {
        let base = self.base.as_ref().filter(|base| !full && base.entries < FULL_EVERY);
        let (mut kind, mut packed) = pack(entry, base)?;
        if let (Kind::Delta, Some(base)) = (kind, base) {
            let (bytes, all) = (packed.bytes.len(), base.bytes.saturating_add(packed.bytes.len()));
            // A full one is worth trying only where the difference is not much smaller than the last of them.
            if bytes > base.full / 2 || all > MAX_BODY {
                let (_, alone) = pack(entry, None)?;
                if alone.bytes.len() <= bytes || all > MAX_BODY {
                    (kind, packed) = (Kind::Full, alone);
                }
            }
        }
        let Packed { bytes, mut base } = packed;
        if bytes.len() > MAX_BODY {
            return Err(Broken::TooLarge { bytes: bytes.len(), most: MAX_BODY });
        }
        base.bytes = base.bytes.saturating_add(bytes.len());
        if kind == Kind::Full {
            base.full = bytes.len();
        }
        let n = self.n.saturating_add(1);
        let head = Head {
            v: VERSION,
            writer: self.name.clone(),
            n,
            prev: self.prev,
            kind,
            at: entry.at,
            time: entry.at.to_string(),
            cluster: entry.policy.cluster().clone(),
            policy: entry.policy.hash().clone(),
            holder: entry.holder().cloned(),
            ended: entry.ended.code().to_owned(),
            actions: verdict::words(entry),
            verdict: verdict::digest(entry),
            bytes: bytes.len() as u64,
            sum: Sum::new([0; 32]),
        };
        let line = Line::make(head, &bytes)?;
        self.made = Some(Made { n, sum: line.head.sum, base });
        Ok(line)
    }

    /// The last line is stored: the next one follows it.
    pub fn stored(&mut self) {
        if let Some(Made { n, sum, base }) = self.made.take() {
            (self.n, self.prev, self.base) = (n, Some(sum), Some(base));
        }
    }
}

struct Packed {
    bytes: Vec<u8>,
    base: Base,
}

/// The body of an entry, and what the next may differ from.
fn pack(entry: &Entry<'_>, base: Option<&Base>) -> Result<(Kind, Packed), Broken> {
    let kind = if base.is_some() { Kind::Delta } else { Kind::Full };
    let none = Base::default();
    let from = base.unwrap_or(&none);
    let policy = serde_json::to_value(&entry.policy).map_err(line::body)?;
    let mut body = Body {
        ended: entry.ended.clone(),
        notices_stored: entry.notices_stored,
        wake_in: entry.wake_in,
        alarms: entry.alarms.clone(),
        policy: delta(&from.policy, &policy),
        rounds: Vec::with_capacity(entry.rounds.len()),
    };
    let mut last: Option<Value> = None;
    for round in &entry.rounds {
        let round = serde_json::to_value(round).map_err(line::body)?;
        body.rounds.push(delta(last.as_ref().unwrap_or(&from.round), &round));
        last = Some(round);
    }
    let bytes = serde_json::to_vec(&body).map_err(line::body)?;
    let round = last.unwrap_or_else(|| from.round.clone());
    let entries = base.map_or(0, |base| base.entries.saturating_add(1));
    let base = Base { policy, round, bytes: from.bytes, entries, full: from.full };
    Ok((kind, Packed { bytes, base }))
}
