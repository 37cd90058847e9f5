//! How the objects of an audit log are called. Pure.

use crate::words::{Span, Timestamp};

/// The last millisecond of the year 9999: all days have ten characters.
const LAST: u64 = 253_402_300_799_999;

/// What the name of an entry ends with.
const ENDING: &str = ".jsonl";

/// What a place for the next page begins with.
const BEHIND: &str = "behind:";

/// Where an entry stands, and the time of its tick: milliseconds since 1970.
///
/// They differ only where a clock went back: the place is later than all before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    key: u64,
    at: u64,
}

/// A time as it stands in a name.
fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0).min(LAST)
}

/// The day (UTC) of a time, such as `2026-11-22`.
pub(super) fn day(at: Timestamp) -> String {
    day_of(millis(at))
}

fn day_of(millis: u64) -> String {
    let mut text = Timestamp::from_millis(0).after(Span::from_millis(millis)).to_string();
    text.truncate(10);
    text
}

/// Whether it is the name of a day.
pub(super) fn is_day(name: &str) -> bool {
    let digits = |at: usize| if matches!(at, 4 | 7) { b'-' } else { b'0' };
    name.len() == 10
        && name.bytes().enumerate().all(|(at, byte)| match digits(at) {
            b'0' => byte.is_ascii_digit(),
            dash => byte == dash,
        })
}

impl Place {
    /// Of an entry of that time, behind another. `None`: there is no later one.
    pub(super) fn after(newest: Option<Self>, at: Timestamp) -> Option<Self> {
        let at = millis(at);
        let next = newest.map_or(0, |newest| newest.key.saturating_add(1));
        Some(Self { key: at.max(next), at }).filter(|place| place.key <= LAST)
    }

    /// The day it is of.
    pub(super) fn day(self) -> String {
        day_of(self.key)
    }

    /// The name below the log's prefix.
    pub(super) fn name(self) -> String {
        format!("{}/{:015}-{:015}{ENDING}", self.day(), self.key, self.at)
    }

    /// From a name below the log's prefix, if it is one of ours.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (_, file) = name.split_once('/')?;
        let (key, at) = file.strip_suffix(ENDING)?.split_once('-')?;
        let place = Self { key: key.parse().ok()?, at: at.parse().ok()? };
        (place.key <= LAST && place.at <= place.key && place.name() == name).then_some(place)
    }

    /// Whether its tick began in the range, both ends included.
    pub(super) fn is_in(self, from: Option<Timestamp>, until: Option<Timestamp>) -> bool {
        from.is_none_or(|from| self.at >= millis(from)) && until.is_none_or(|until| self.at <= millis(until))
    }
}

/// Where the page behind a name begins.
pub(super) fn cursor(name: &str) -> String {
    format!("{BEHIND}{name}")
}

/// The name that a page ended with.
pub(super) fn behind(cursor: &str) -> Option<&str> {
    cursor
        .strip_prefix(BEHIND)
        .filter(|name| !name.is_empty() && name.split('/').all(|part| !part.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn names_go_on_when_clocks_go_back() {
        let one = Place::after(None, at(1_795_384_288_042)).unwrap();
        assert_eq!(one.name(), "2026-11-22/001795384288042-001795384288042.jsonl");
        let back = Place::after(Some(one), at(5)).unwrap();
        assert_eq!(back.name(), "2026-11-22/001795384288043-000000000000005.jsonl");
        let on = Place::after(Some(back), at(1_795_384_288_050)).unwrap();
        assert_eq!(on.name(), "2026-11-22/001795384288050-001795384288050.jsonl");
        assert!(one.name() < back.name() && back.name() < on.name());
        let last = Place::after(None, at(i64::MAX)).unwrap();
        assert_eq!(last.name(), "9999-12-31/253402300799999-253402300799999.jsonl");
        assert_eq!(Place::after(Some(last), at(5)), None);
        for place in [one, back, on, last, Place::after(None, at(-5)).unwrap()] {
            assert_eq!(Place::parse(&place.name()), Some(place));
            assert!(is_day(&place.day()), "{}", place.day());
        }
    }

    #[test]
    fn only_our_names_are_ours() {
        for name in [
            "",
            "2026-11-22",
            "notes.txt",
            "2026-11-22/notes.jsonl",
            "2026-11-22/1-1.jsonl",
            "2026-11-22/001795384288042-001795384288042.json",
            "2026-11-22/+01795384288042-001795384288042.jsonl",
            // Of another day, and of a tick that began later than its place.
            "2026-11-23/001795384288042-001795384288042.jsonl",
            "2026-11-22/001795384288042-001795384288043.jsonl",
            "2026-11-22/more/001795384288042-001795384288042.jsonl",
            "x/999999999999999-000000000000005.jsonl",
        ] {
            assert_eq!(Place::parse(name), None, "{name}");
        }
        for name in ["", "2026-11-2", "2026-11-222", "2026.11.22", "notes.txt1", "20261-1-22"] {
            assert!(!is_day(name), "{name}");
        }
    }

    #[test]
    fn a_range_is_of_ticks_and_a_day_of_places() {
        let one = Place::after(None, at(1_795_384_288_042)).unwrap();
        let back = Place::after(Some(one), at(1_000)).unwrap();
        assert!(back.is_in(None, Some(at(1_000))) && !back.is_in(Some(at(1_001)), None));
        assert!(!one.is_in(None, Some(at(1_000))) && one.is_in(Some(at(1_001)), None));
        assert_eq!((back.day(), day(at(1_000))), ("2026-11-22".to_owned(), "1970-01-01".to_owned()));
    }

    #[test]
    fn places_for_pages_come_from_here() {
        let name = "2026-11-22/001795384288042-001795384288042.jsonl";
        assert_eq!(behind(&cursor(name)), Some(name));
        for cursor in ["", "nowhere at all", "behind:", "behind:a//b", "behind:/a"] {
            assert_eq!(behind(cursor), None, "{cursor}");
        }
    }
}
