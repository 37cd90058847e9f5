//! A place in a policy as written, and what can be read there. Whatever is wrong goes to one list of errors.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::error::{PolicyError, PolicyErrors};
use super::keys::{self, Kind, MAX_KEY};
use super::mark::{Mark, Source, place};
use super::names::{Named, nearest};
use super::raw::Raw;
use super::units;
use crate::words::{IdError, Span, truncated};

/// Everything wrong so far, and the text that it is in.
pub(super) struct Sink<'a> {
    text: Option<&'a str>,
    errors: RefCell<Option<PolicyErrors>>,
}

impl<'a> Sink<'a> {
    pub(super) const fn new(text: Option<&'a str>) -> Self {
        Self { text, errors: RefCell::new(None) }
    }

    fn add(&self, path: &str, offset: usize, value: String, expected: String) {
        let path = if path.is_empty() { "policy" } else { path }.to_owned();
        // Of the errors that are only counted nobody asks where they are.
        let place = self.text.filter(|_| !self.is_full()).map(|text| place(text, offset));
        let error = PolicyError { place, path, value, expected };
        let mut all = self.errors.borrow_mut();
        match all.as_mut() {
            Some(errors) => errors.push(error),
            None => *all = Some(PolicyErrors::one(error)),
        }
    }

    fn is_full(&self) -> bool {
        self.errors.borrow().as_ref().is_some_and(PolicyErrors::is_full)
    }

    /// What was read, if nothing is wrong.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, PolicyErrors> {
        match (self.errors.into_inner(), read) {
            (Some(errors), _) => Err(errors),
            (None, Some(read)) => Ok(read),
            (None, None) => Err(PolicyErrors::whole("unreadable".to_owned(), "a policy".to_owned())),
        }
    }
}

/// One place. `None` as a result means that the reason is among the errors.
#[derive(Clone)]
pub(super) struct At<'a> {
    path: String,
    raw: Option<&'a Raw>,
    /// What may stand here.
    kind: &'static Kind,
    /// Where the value stands; of what is missing, where it is missing from.
    mark: Option<&'a Mark>,
    offset: usize,
    sink: &'a Sink<'a>,
}

impl<'a> At<'a> {
    pub(super) fn root(raw: &'a Raw, source: Option<Source<'a>>, sink: &'a Sink<'a>) -> Self {
        let mark = source.map(|source| source.mark);
        let offset = mark.map_or(0, |mark| mark.value);
        Self { path: String::new(), raw: Some(raw), kind: &keys::POLICY, mark, offset, sink }
    }

    fn under(&self, key: &str, kind: &'static Kind, found: Option<(usize, &'a Raw)>) -> Self {
        let plain = (1..=63).contains(&key.len())
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        let path = match (plain, self.path.is_empty()) {
            (true, true) => key.to_owned(),
            (true, false) => format!("{}.{key}", self.path),
            (false, _) => format!("{}[\"{}\"]", self.path, truncated(key, 80)),
        };
        let mark = found.and_then(|(index, _)| self.mark?.parts.get(index));
        let offset = mark.map_or_else(|| self.key_offset(), |mark| mark.value);
        Self { path, raw: found.map(|(_, raw)| raw), kind, mark, offset, sink: self.sink }
    }

    /// What stands under a key of a map, before anything else of the map is looked at.
    pub(super) fn given(&self, key: &str) -> Option<Self> {
        let Some(Raw::Map(entries)) = self.raw else { return None };
        let (index, (_, raw)) = entries.iter().enumerate().find(|(_, (name, _))| name == key)?;
        Some(self.under(key, self.kind, Some((index, raw))))
    }

    /// Where the key of this place stands.
    fn key_offset(&self) -> usize {
        self.mark.map_or(self.offset, |mark| mark.key)
    }

    /// The same place, read as something else.
    fn as_kind(&self, kind: &'static Kind) -> Self {
        Self { kind, ..self.clone() }
    }

    pub(super) const fn is_given(&self) -> bool {
        self.raw.is_some()
    }

    pub(super) fn raw(&self) -> Option<&'a Raw> {
        self.raw
    }

    /// What stands here is not what was expected.
    pub(super) fn wrong<T>(&self, expected: impl fmt::Display) -> Option<T> {
        let value = self.raw.map_or_else(|| "missing".to_owned(), Raw::shown);
        self.sink.add(&self.path, self.offset, value, expected.to_string());
        None
    }

    /// The key of this place is not what was expected.
    fn wrong_key<T>(&self, value: String, expected: impl fmt::Display) -> Option<T> {
        self.sink.add(&self.path, self.key_offset(), value, expected.to_string());
        None
    }

    /// What stands here, or its default, goes against something else in the policy.
    pub(super) fn clash(&self, value: impl fmt::Display, expected: impl fmt::Display) {
        let value = self.raw.map_or_else(|| format!("{value} (default)"), Raw::shown);
        self.sink.add(&self.path, self.offset, value, expected.to_string());
    }

    /// The default where nothing stands, else what `read` finds.
    pub(super) fn or<T>(self, default: T, read: impl FnOnce(&Self) -> Option<T>) -> Option<T> {
        if self.is_given() { read(&self) } else { Some(default) }
    }

    /// `None` where nothing or `false` stands, else what `read` finds.
    pub(super) fn unless_false<T>(&self, read: impl FnOnce(&Self) -> Option<T>) -> Option<Option<T>> {
        let inner = if let Kind::OrFalse(inner) = self.kind { inner } else { self.kind };
        match self.raw {
            None | Some(Raw::Bool(false)) => Some(None),
            Some(_) => read(&self.as_kind(inner)).map(Some),
        }
    }

    /// One of the words of this place, or what `read` finds in a list.
    pub(super) fn word_or<T>(
        &self,
        word: impl FnOnce(&str) -> Option<T>,
        read: impl FnOnce(&Self) -> Option<T>,
    ) -> Option<T> {
        let Kind::WordOr(words, list) = self.kind else { return self.wrong("something else") };
        match self.raw {
            Some(Raw::Text(text)) if words.contains(&text.as_str()) => word(text),
            Some(Raw::List(_)) => read(&self.as_kind(list)),
            _ => self.wrong(format_args!("one of {}, or a list of pools", words.join(", "))),
        }
    }

    fn read<T>(&self, kind: &str, read: impl FnOnce(&Raw) -> Result<T, String>) -> Option<T> {
        match self.raw {
            None => self.wrong(kind),
            Some(raw) => read(raw).or_else(|expected| self.wrong(expected).ok_or(())).ok(),
        }
    }

    pub(super) fn quantity<T>(&self, kind: &str, read: fn(&Raw) -> Result<T, String>) -> Option<T> {
        self.read(kind, read)
    }

    pub(super) fn whole(&self) -> Option<u32> {
        u32::try_from(self.amount()?).ok()
    }

    /// A whole number that may be larger than a `u32`.
    pub(super) fn amount(&self) -> Option<u64> {
        let Kind::Whole(least, most) = self.kind else { return self.wrong("something else") };
        match self.raw {
            Some(Raw::Whole(value)) => u64::try_from(*value).ok(),
            _ => None,
        }
        .filter(|value| (least..=most).contains(&value))
        .or_else(|| self.wrong(format_args!("a whole number from {least} to {most}")))
    }

    /// The greatest price.
    pub(super) fn most_price(&self) -> Option<u32> {
        let Kind::Price(most) = self.kind else { return self.wrong("something else") };
        Some(*most)
    }

    /// A length of time.
    pub(super) fn span(&self) -> Option<Span> {
        let Kind::Span(least, most) = self.kind else { return self.wrong("something else") };
        match self.read("a length of time", units::span)? {
            span if span < *least => self.wrong(format_args!("at least {least}")),
            span if span > *most => self.wrong(format_args!("at most {most}")),
            span => Some(span),
        }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        match self.raw {
            Some(Raw::Bool(value)) => Some(*value),
            _ => self.wrong("true or false"),
        }
    }

    /// Printable ASCII.
    pub(super) fn printable(&self) -> Option<String> {
        let Kind::Text(most) = self.kind else { return self.wrong("something else") };
        match self.raw {
            Some(Raw::Text(text)) if text.len() <= *most && text.bytes().all(|b| b.is_ascii_graphic()) => {
                Some(text.clone())
            }
            Some(Raw::Bool(_) | Raw::Whole(_) | Raw::Real(_)) => {
                self.wrong("a text; what looks like something else needs quotes")
            }
            _ => self.wrong(format_args!("at most {most} printable ASCII characters without spaces")),
        }
    }

    /// The key of this place, if it is one that a label, a taint or a resource may have.
    pub(super) fn key(&self, key: &str) -> Option<String> {
        if (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) {
            return Some(key.to_owned());
        }
        let expected = format_args!("a key of 1 to {MAX_KEY} printable ASCII characters without spaces");
        self.wrong_key(format!("\"{}\"", truncated(key, 80)), expected)
    }

    pub(super) fn id<T: FromStr<Err = IdError>>(&self) -> Option<T> {
        match self.raw {
            Some(Raw::Text(text)) => {
                text.parse::<T>().or_else(|error: IdError| self.wrong(error.expected).ok_or(())).ok()
            }
            _ => self.wrong("a text"),
        }
    }

    /// An identifier that is the key of this place.
    pub(super) fn name<T: FromStr<Err = IdError>>(&self, key: &str) -> Option<T> {
        match key.parse::<T>() {
            Ok(name) => Some(name),
            Err(error) => self.wrong_key(format!("\"{}\"", truncated(key, 80)), error.expected),
        }
    }

    pub(super) fn word<T: Named>(&self) -> Option<T> {
        let found = match self.raw {
            Some(Raw::Text(text)) => T::ALL.iter().find(|word| word.name() == text),
            _ => None,
        };
        found.copied().or_else(|| {
            let names: Vec<_> = T::ALL.iter().map(|word| word.name()).collect();
            self.wrong(format_args!("one of {}", names.join(", ")))
        })
    }

    /// The items of a list.
    pub(super) fn list(&self) -> Option<Vec<Self>> {
        let Kind::List(kind) = self.kind else { return self.wrong("something else") };
        match (self.raw, kind.one) {
            (Some(Raw::List(items)), _) if items.len() > kind.most => {
                self.wrong(format_args!("at most {} {}", kind.most, kind.name))
            }
            (Some(Raw::List(items)), Some(one)) if items.is_empty() => {
                self.wrong(format_args!("at least one {one}"))
            }
            (Some(Raw::List(items)), _) => {
                let at = |(index, raw)| {
                    let mark = self.mark.and_then(|mark| mark.parts.get(index));
                    Self {
                        path: format!("{}[{index}]", self.path),
                        raw: Some(raw),
                        kind: kind.of,
                        mark,
                        offset: mark.map_or(self.offset, |mark| mark.value),
                        sink: self.sink,
                    }
                };
                Some(items.iter().enumerate().map(at).collect())
            }
            _ => self.wrong(format_args!("a list of {}", kind.name)),
        }
    }

    /// The entries of a map with free keys; repeated keys are errors.
    pub(super) fn entries(&self) -> Option<BTreeMap<&'a str, Self>> {
        let Kind::Map(kind) = self.kind else { return self.wrong("something else") };
        match (self.raw, kind.one) {
            (Some(Raw::Map(entries)), _) if entries.len() > kind.most => {
                self.wrong(format_args!("at most {} {}", kind.most, kind.name))
            }
            (Some(Raw::Map(entries)), Some(one)) if entries.is_empty() => {
                self.wrong(format_args!("at least one {one}"))
            }
            (Some(Raw::Map(entries)), _) => Some(self.each(entries, |_| Some(kind.of))),
            _ => self.wrong(format_args!("a map of {}", kind.name)),
        }
    }

    /// The fields of a map with known keys; other keys are errors that name the nearest known one.
    pub(super) fn fields(&self) -> Option<Fields<'a>> {
        let Kind::Fields(kind) = self.kind else { return self.wrong("something else") };
        let Some(Raw::Map(entries)) = self.raw else {
            return self.wrong(kind.words);
        };
        let kind_of = |name: &str| kind.keys.iter().find(|key| key.name == name).map(|key| &key.kind);
        let found = self.each(entries, kind_of);
        for (key, at) in found.iter().filter(|(key, _)| kind_of(key).is_none()) {
            let known: Vec<_> = kind.keys.iter().map(|key| key.name).collect();
            let hint = if self.sink.is_full() { String::new() } else { nearest(key, &known) };
            let value = at.raw.map(Raw::shown).unwrap_or_default();
            let _: Option<()> = at.wrong_key(value, format_args!("a known key, {hint}"));
        }
        Some(Fields { at: self.clone(), kind, found })
    }

    /// The entries of a map, each of its kind; repeated keys are errors.
    fn each(
        &self,
        entries: &'a [(String, Raw)],
        kind_of: impl Fn(&str) -> Option<&'static Kind>,
    ) -> BTreeMap<&'a str, Self> {
        let mut found = BTreeMap::new();
        for (index, (key, raw)) in entries.iter().enumerate() {
            let at = self.under(key, kind_of(key).unwrap_or(self.kind), Some((index, raw)));
            if found.contains_key(key.as_str()) {
                let _: Option<()> = at.wrong_key(raw.shown(), "each key once");
            } else {
                found.insert(key.as_str(), at);
            }
        }
        found
    }
}

/// A map with known keys.
pub(super) struct Fields<'a> {
    at: At<'a>,
    kind: &'static keys::Fields,
    found: BTreeMap<&'a str, At<'a>>,
}

impl<'a> Fields<'a> {
    /// The place of one key, whether or not something stands there.
    pub(super) fn get(&self, key: &str) -> At<'a> {
        let known = self.kind.keys.iter().find(|known| known.name == key);
        let kind = known.map_or(self.at.kind, |known| &known.kind);
        self.found.get(key).cloned().unwrap_or_else(|| self.at.under(key, kind, None))
    }

    /// The one of two keys of which exactly one has to be there, and whether it is the first.
    pub(super) fn either(&self) -> Option<(At<'a>, bool)> {
        let (first, second) = self.kind.either.unwrap_or_default();
        match (self.get(first), self.get(second)) {
            (one, other) if one.is_given() && !other.is_given() => Some((one, true)),
            (one, other) if other.is_given() && !one.is_given() => Some((other, false)),
            _ => self.at.wrong(format_args!("exactly one of {first}, {second}")),
        }
    }
}
