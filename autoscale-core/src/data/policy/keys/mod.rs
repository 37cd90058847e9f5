//! Every key of a policy: what may stand there and what it means. The reader takes names and ranges from these tables,
//! and so does the JSON Schema; nothing else knows them.

mod pool;
mod whole;

use crate::words::Span;

pub(super) use whole::{BUILT_IN, MAX_KEY, MAX_LABEL, POLICY};

/// One key of a map.
#[derive(Debug)]
#[cfg_attr(not(feature = "schema"), allow(dead_code, reason = "the reader has no use for the words"))]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether it has to stand there.
    pub(super) needed: bool,
    /// What it means.
    pub(super) doc: &'static str,
}

/// How a text that names something is made.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "schema"), allow(dead_code, reason = "the reader has functions for these"))]
pub(super) struct Name {
    pub(super) words: &'static str,
    pub(super) pattern: &'static str,
}

/// What may stand in one place.
#[derive(Debug)]
#[cfg_attr(not(feature = "schema"), allow(dead_code, reason = "the reader has functions for some of these"))]
pub(super) enum Kind {
    /// The number of the format.
    Version,
    /// `true` or `false`.
    Flag,
    /// A whole number, the least and the greatest.
    Whole(u64, u64),
    /// A length of time, the shortest and the longest.
    Span(Span, Span),
    /// A percentage or a fraction.
    Share,
    /// Thousandths of a CPU.
    Cpu,
    /// Bytes.
    Memory,
    /// A number from 0.
    Price(u32),
    /// A number in the unit of a signal.
    Threshold,
    /// Printable characters, at most so many.
    Text(usize),
    /// A taint as Kubernetes writes it.
    Taint,
    /// A name.
    Id(Name),
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// `false`, or something else.
    OrFalse(&'static Kind),
    /// One of these words, or a list.
    WordOr(&'static [&'static str], &'static Kind),
    /// A list.
    List(List),
    /// A map with free keys.
    Map(Map),
    /// A map with known keys.
    Fields(Fields),
}

/// What may stand in a list.
#[derive(Debug)]
#[cfg_attr(not(feature = "schema"), allow(dead_code, reason = "the reader tells equal ones apart itself"))]
pub(super) struct List {
    pub(super) of: &'static Kind,
    /// What the items are called.
    pub(super) name: &'static str,
    /// What one of them is called, where there has to be one.
    pub(super) one: Option<&'static str>,
    pub(super) most: usize,
    /// Whether none may be there twice.
    pub(super) unique: bool,
}

/// What may stand in a map with free keys.
#[derive(Debug)]
#[cfg_attr(not(feature = "schema"), allow(dead_code, reason = "the reader has functions for names"))]
pub(super) struct Map {
    pub(super) of: &'static Kind,
    pub(super) name: &'static str,
    pub(super) one: Option<&'static str>,
    pub(super) most: usize,
    pub(super) keys: Name,
    /// Keys whose map may leave out what others need.
    pub(super) known: &'static [&'static str],
}

/// What may stand in a map with known keys.
#[derive(Debug)]
pub(super) struct Fields {
    /// What was expected where there is no map.
    pub(super) words: &'static str,
    pub(super) keys: &'static [Key],
    /// Exactly one of the two has to stand there.
    pub(super) either: Option<(&'static str, &'static str)>,
}

/// A key that has to stand there.
const fn needed(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, needed: true, doc }
}

/// A key that may be left out.
const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, needed: false, doc }
}

const fn fields(words: &'static str, keys: &'static [Key]) -> Kind {
    Kind::Fields(Fields { words, keys, either: None })
}

const fn list(name: &'static str, most: usize, of: &'static Kind) -> List {
    List { of, name, one: None, most, unique: false }
}
