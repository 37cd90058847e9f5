//! An entry of the audit log as items, and back. Pure.

use autoscale_core::data::audit::{Kind, Line, Sum};
use autoscale_core::words::{HolderId, Span, Timestamp, truncated};
use aws_sdk_dynamodb::types::AttributeValue;

use super::absent::{Absent, Why};
use super::item::{Item, number, text};

/// No item holds more of an entry, in bytes. DynamoDB takes 400 KiB with all names and attributes.
const MOST: usize = 320 << 10;

/// The format of items that this version writes and reads.
const FORMAT: u32 = 1;

const OURS: &str = "autoscaleLine";
const LINE: &str = "line";
const PARTS: &str = "parts";
const COUNT: &str = "partCount";
const PART: &str = "part";
const OBJECT: &str = "object";
const SUM: &str = "sum";
const WRITER: &str = "writer";
const N: &str = "n";
pub(super) const AT: &str = "at";
const EXPIRES: &str = "expires";

/// Where an entry stands: milliseconds since 1970, later than all before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key(u64);

const DAY: u64 = 24 * 60 * 60 * 1_000;
/// The last of 15 digits.
const LAST: u64 = 999_999_999_999_999;

impl Key {
    pub(super) const FIRST: Self = Self(0);
    pub(super) const LAST: Self = Self(LAST);

    /// Of an entry of that time, behind another.
    pub(super) fn after(newest: Option<Self>, at: Timestamp) -> Self {
        let next = newest.map_or(0, |newest| newest.0.saturating_add(1));
        Self(u64::try_from(at.as_millis()).unwrap_or(0).max(next).min(LAST))
    }

    pub(super) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// As the sort key of its item.
    pub(super) fn sort(self) -> String {
        format!("line#{:015}", self.0)
    }

    /// From a sort key.
    pub(super) fn parse(sort: &str) -> Option<Self> {
        let digits = sort.strip_prefix("line#")?;
        let all = digits.len() == 15 && digits.bytes().all(|byte| byte.is_ascii_digit());
        all.then(|| digits.parse().ok().map(Self)).flatten()
    }

    /// The day it is of.
    pub(super) const fn day(self) -> u64 {
        self.0 / DAY
    }

    /// When it expires, in seconds since 1970: with its whole day.
    const fn expires(self, retention: Span) -> u64 {
        (self.day().saturating_add(1).saturating_mul(DAY) / 1_000).saturating_add(retention.as_secs())
    }
}

/// Whether an entry is too large for one item.
pub(super) fn is_large(entry: &Line) -> bool {
    entry.text.len() > MOST
}

/// What the sort keys of the parts begin with that were stored for a key.
fn prefix(key: Key, entry: &Line) -> String {
    format!("part#{:015}#{}#{}#", key.0, entry.head.writer, entry.head.n)
}

/// The sort key of one part.
pub(super) fn part_sort(prefix: &str, index: usize) -> String {
    format!("{prefix}{index:06}")
}

/// The parts of a large entry, each with its sort key.
pub(super) fn parts(
    key: Key,
    entry: &Line,
    retention: Span,
) -> impl Iterator<Item = (String, Item)> + use<'_> {
    let prefix = prefix(key, entry);
    pieces(&entry.text).enumerate().map(move |(index, piece)| {
        let item = Item::from([
            (OURS.to_owned(), number(FORMAT)),
            (PART.to_owned(), text(piece)),
            (EXPIRES.to_owned(), number(key.expires(retention))),
        ]);
        (part_sort(&prefix, index), item)
    })
}

/// A text cut between characters.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, behind) = rest.split_at_checked(rest.floor_char_boundary(MOST))?;
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Where the text of an entry was put that does not stand in its item.
#[derive(Clone, Debug)]
pub(super) enum Elsewhere {
    /// In parts, which were stored for this key.
    Parts(Key),
    /// In the object of that name, by its digest.
    #[cfg(feature = "s3")]
    Object(String),
}

/// The item of an entry.
pub(super) fn item(key: Key, elsewhere: Option<&Elsewhere>, entry: &Line, retention: Span) -> Item {
    let head = &entry.head;
    let kind = match head.kind {
        Kind::Full => "full",
        _ => "delta",
    };
    let mut item = Item::from([
        (OURS.to_owned(), number(FORMAT)),
        (AT.to_owned(), number(head.at.as_millis())),
        (EXPIRES.to_owned(), number(key.expires(retention))),
        (WRITER.to_owned(), text(head.writer.as_str())),
        (N.to_owned(), number(head.n)),
        (SUM.to_owned(), text(head.sum.to_string())),
        // For people.
        ("time".to_owned(), text(&head.time)),
        ("kind".to_owned(), text(kind)),
        ("ended".to_owned(), text(truncated(&head.ended, 100))),
        ("actions".to_owned(), text(truncated(&head.actions.join("; "), 1_000))),
    ]);
    match elsewhere {
        None => {
            item.insert(LINE.to_owned(), text(&entry.text));
        }
        Some(Elsewhere::Parts(parts)) => {
            item.insert(PARTS.to_owned(), text(prefix(*parts, entry)));
            item.insert(COUNT.to_owned(), number(pieces(&entry.text).count()));
        }
        #[cfg(feature = "s3")]
        Some(Elsewhere::Object(name)) => {
            item.insert(OBJECT.to_owned(), text(name));
        }
    }
    item
}

fn as_text<'i>(item: &'i Item, name: &str) -> Option<&'i str> {
    match item.get(name) {
        Some(AttributeValue::S(text)) => Some(text),
        _ => None,
    }
}

fn as_number(item: &Item, name: &str) -> Option<u64> {
    match item.get(name) {
        Some(AttributeValue::N(number)) => number.parse().ok(),
        _ => None,
    }
}

/// The sort key of an item, for an error.
pub(super) fn name(item: &Item) -> String {
    truncated(as_text(item, "sk").unwrap_or("without a sort key"), 80)
}

/// Where the entry of an item stands, if the item is ours.
pub(super) fn key(item: &Item) -> Option<Key> {
    let ours = as_number(item, OURS) == Some(u64::from(FORMAT));
    Key::parse(as_text(item, "sk")?).filter(|_| ours)
}

/// Whether it was due to be removed at that time.
pub(super) fn is_expired(item: &Item, now: Timestamp) -> bool {
    let now = u64::try_from(now.as_millis()).unwrap_or(0) / 1_000;
    as_number(item, EXPIRES).is_some_and(|expires| expires <= now)
}

/// Where the text of an entry is.
pub(super) enum Kept<'i> {
    Here(&'i str),
    /// In so many parts, whose sort keys begin so.
    Parts(&'i str, usize),
    /// In an object; the time and the sum of its head are what it is found and checked by.
    Object(Box<Absent>),
    /// The item does not say.
    Nowhere,
}

pub(super) fn kept(item: &Item) -> Kept<'_> {
    let count = as_number(item, COUNT).and_then(|count| usize::try_from(count).ok());
    match (as_text(item, LINE), as_text(item, PARTS), count) {
        (Some(line), _, _) => Kept::Here(line),
        (None, Some(prefix), Some(count)) => Kept::Parts(prefix, count),
        _ => absent(item).map_or(Kept::Nowhere, |absent| Kept::Object(Box::new(absent))),
    }
}

/// What an item has of an entry that was handed to a bucket.
fn absent(item: &Item) -> Option<Absent> {
    let at = match item.get(AT) {
        Some(AttributeValue::N(at)) => Timestamp::from_millis(at.parse().ok()?),
        _ => return None,
    };
    Some(Absent {
        item: name(item),
        object: truncated(as_text(item, OBJECT)?, 1_100),
        writer: HolderId::new(as_text(item, WRITER)?).ok()?,
        n: as_number(item, N)?,
        at,
        sum: Sum::parse(as_text(item, SUM)?)?,
        why: Why::NoBucket,
    })
}

/// The text in a part.
pub(super) fn part(item: &Item) -> Option<&str> {
    as_text(item, PART)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_go_on_when_clocks_go_back() {
        let at = |ms| Timestamp::from_millis(ms);
        let one = Key::after(None, at(1_795_384_288_042));
        assert_eq!(one.sort(), "line#001795384288042");
        assert_eq!(Key::after(Some(one), at(5)).sort(), "line#001795384288043");
        assert_eq!(Key::after(Some(one), at(1_795_384_288_050)).sort(), "line#001795384288050");
        assert_eq!(Key::after(None, at(-5)), Key::FIRST);
        assert_eq!(Key::after(Some(Key::LAST), at(i64::MAX)), Key::LAST);
        for key in [Key::FIRST, one, Key::LAST] {
            assert_eq!(Key::parse(&key.sort()), Some(key));
        }
        for sort in ["", "line#", "line#1", "part#001795384288042", "line#+01795384288042"] {
            assert_eq!(Key::parse(sort), None, "{sort}");
        }
    }

    #[test]
    fn a_day_expires_as_one() {
        let retention = Span::from_secs(10);
        let (first, last) = (Key(20 * DAY), Key(21 * DAY - 1));
        assert_eq!(first.expires(retention), last.expires(retention));
        assert_eq!(first.expires(retention), 21 * 86_400 + 10);
        assert_eq!(Key(21 * DAY).expires(retention), 22 * 86_400 + 10);
    }

    proptest! {
        #[test]
        fn pieces_are_the_whole(text in ".{0,40}", times in 1_usize..20_000) {
            let text = text.repeat(times);
            let cut: Vec<&str> = pieces(&text).collect();
            prop_assert!(cut.iter().all(|piece| piece.len() <= MOST));
            prop_assert_eq!(cut.concat(), text);
        }
    }
}
