//! From lines to entries, with every check.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::chain::Chain;
use super::delta::apply;
use super::line::{self, Body, Broken, Line, MAX_BODY, TORN};
use super::{Decided, Entry, Head, Kind, Sum};
use crate::data::policy::Policy;
use crate::words::HolderId;

/// Of so many writers the last round is kept at a time. More side by side are read only where their entries are full.
const WRITERS: usize = 16;

/// What a line was.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Read {
    /// An entry.
    Entry(Box<(Head, Entry<'static>)>),
    /// A difference to an entry that is not here: the range begins in the middle of a writer's lines.
    NoBase(Box<Head>),
    /// The beginning of a line whose writer died. A later one went on behind it.
    Torn,
}

/// What the differences of one writer are to.
#[derive(Clone, Debug)]
struct Base {
    policy: (Value, Policy),
    round: Value,
    bytes: usize,
    /// When it was used last.
    used: u64,
}

/// Reads lines in the order in which they were stored. Lines of several writers may stand in any order among each other.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    chain: Chain,
    bases: BTreeMap<HolderId, Base>,
    lines: u64,
}

impl Reader {
    /// Before the first line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next line, without its line break.
    ///
    /// # Errors
    /// [`Broken`], if the line is none, was changed, does not follow the lines before, or cannot be understood.
    pub fn line(&mut self, bytes: &[u8]) -> Result<Read, Broken> {
        self.lines = self.lines.saturating_add(1);
        if bytes.strip_suffix(TORN.as_bytes()).is_some_and(line::is_beginning) {
            return Ok(Read::Torn);
        }
        let line = Line::read(bytes)?;
        self.chain.add(&line.head)?;
        let base = self.bases.remove(&line.head.writer);
        if line.head.kind == Kind::Delta && base.is_none() {
            return Ok(Read::NoBase(Box::new(line.head)));
        }
        let body = line.body()?;
        let (entry, base) =
            unpack(&line.head, body, base.filter(|_| line.head.kind == Kind::Delta), self.lines)?;
        self.keep(line.head.writer.clone(), base);
        Ok(Read::Entry(Box::new((line.head, entry))))
    }

    /// Goes on behind a line that is kept somewhere else and was not read, known by its writer, its number and its sum. The chain
    /// goes on through it: the writer's next line has to name this sum. Differences to it come out as [`Read::NoBase`].
    ///
    /// # Errors
    /// [`Broken::Chain`], if no such line can stand here.
    pub fn absent(&mut self, writer: &HolderId, n: u64, sum: Sum) -> Result<(), Broken> {
        self.lines = self.lines.saturating_add(1);
        self.chain.absent(writer, n, sum)?;
        self.bases.remove(writer);
        Ok(())
    }

    /// Reads what stands behind the last line break: a line whose break is missing, or the beginning of one whose writer died.
    ///
    /// # Errors
    /// As [`line`](Self::line); and if a whole line stands there with something behind it.
    pub fn tail(&mut self, bytes: &[u8]) -> Result<Read, Broken> {
        if line::is_beginning(bytes) { Ok(Read::Torn) } else { self.line(bytes) }
    }

    /// What can only be told at the end.
    ///
    /// # Errors
    /// The log is here from its beginning, and a writer began after a line that is not here.
    pub fn finish(&self) -> Result<(), Broken> {
        self.chain.finish()
    }

    fn keep(&mut self, writer: HolderId, base: Base) {
        if self.bases.len() >= WRITERS {
            let oldest = self.bases.iter().min_by_key(|(_, base)| base.used).map(|(name, _)| name.clone());
            oldest.into_iter().for_each(|name| drop(self.bases.remove(&name)));
        }
        self.bases.insert(writer, base);
    }
}

fn unpack(head: &Head, body: Body, base: Option<Base>, used: u64) -> Result<(Entry<'static>, Base), Broken> {
    let (known, mut round, before) = match base {
        Some(Base { policy, round, bytes, .. }) => (Some(policy), round, bytes),
        None => (None, Value::Null, 0),
    };
    let bytes = before.saturating_add(usize::try_from(head.bytes).unwrap_or(usize::MAX));
    if bytes > MAX_BODY {
        return Err(line::body(format!(
            "{bytes} bytes since the last full entry: expected at most {MAX_BODY}"
        )));
    }
    let policy = policy(known, body.policy)?;
    if *policy.1.hash() != head.policy || *policy.1.cluster() != head.cluster {
        return Err(line::body("the policy is not the one that the head names"));
    }
    let mut rounds = Vec::with_capacity(body.rounds.len());
    for patch in body.rounds {
        apply(&mut round, patch)?;
        let decided: Decided<'static> = serde::Deserialize::deserialize(&round).map_err(line::body)?;
        rounds.push(decided);
    }
    let entry = Entry {
        at: head.at,
        policy: Cow::Owned(policy.1.clone()),
        ended: body.ended,
        rounds,
        notices_stored: body.notices_stored,
        wake_in: body.wake_in,
        alarms: body.alarms,
    };
    Ok((entry, Base { policy, round, bytes, used }))
}

/// The policy, read again only if it has changed.
fn policy(known: Option<(Value, Policy)>, patch: Value) -> Result<(Value, Policy), Broken> {
    match known {
        Some(known) if patch.as_object().is_some_and(serde_json::Map::is_empty) => Ok(known),
        known => {
            let mut document = known.map_or(Value::Null, |(document, _)| document);
            apply(&mut document, patch)?;
            let policy = serde::Deserialize::deserialize(&document).map_err(line::body)?;
            Ok((document, policy))
        }
    }
}
