//! A place in a policy as written, and what can be read there. Whatever is wrong goes to one list of errors.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::error::{PolicyError, PolicyErrors};
use super::names::{Named, nearest};
use super::raw::Raw;
use super::taint::MAX_KEY;
use super::units;
use crate::words::{IdError, Span, truncated};

/// No length of time in a policy is longer.
pub(super) const MAX_SPAN: Span = Span::from_mins(7 * 24 * 60);

/// Everything wrong so far.
#[derive(Default)]
pub(super) struct Sink(RefCell<Option<PolicyErrors>>);

impl Sink {
    fn add(&self, path: &str, value: String, expected: String) {
        let path = if path.is_empty() { "policy" } else { path }.to_owned();
        let error = PolicyError { path, value, expected };
        let mut all = self.0.borrow_mut();
        match all.as_mut() {
            Some(errors) => errors.push(error),
            None => *all = Some(PolicyErrors::one(error)),
        }
    }

    fn is_full(&self) -> bool {
        self.0.borrow().as_ref().is_some_and(PolicyErrors::is_full)
    }

    /// What was read, if nothing is wrong.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, PolicyErrors> {
        match (self.0.into_inner(), read) {
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
    sink: &'a Sink,
}

impl<'a> At<'a> {
    pub(super) const fn root(raw: &'a Raw, sink: &'a Sink) -> Self {
        Self { path: String::new(), raw: Some(raw), sink }
    }

    fn under(&self, key: &str, raw: Option<&'a Raw>) -> Self {
        let plain = (1..=63).contains(&key.len())
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        let path = match (plain, self.path.is_empty()) {
            (true, true) => key.to_owned(),
            (true, false) => format!("{}.{key}", self.path),
            (false, _) => format!("{}[\"{}\"]", self.path, truncated(key, 80)),
        };
        Self { path, raw, sink: self.sink }
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
        self.sink.add(&self.path, value, expected.to_string());
        None
    }

    /// What stands here, or its default, goes against something else in the policy.
    pub(super) fn clash(&self, value: impl fmt::Display, expected: impl fmt::Display) {
        let value = self.raw.map_or_else(|| format!("{value} (default)"), Raw::shown);
        self.sink.add(&self.path, value, expected.to_string());
    }

    /// The default where nothing stands, else what `read` finds.
    pub(super) fn or<T>(self, default: T, read: impl FnOnce(&Self) -> Option<T>) -> Option<T> {
        if self.is_given() { read(&self) } else { Some(default) }
    }

    /// `None` where nothing or `false` stands, else what `read` finds.
    pub(super) fn unless_false<T>(&self, read: impl FnOnce(&Self) -> Option<T>) -> Option<Option<T>> {
        match self.raw {
            None | Some(Raw::Bool(false)) => Some(None),
            Some(_) => read(self).map(Some),
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

    pub(super) fn whole(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let wide = u64::from(*range.start())..=u64::from(*range.end());
        u32::try_from(self.amount(wide)?).ok()
    }

    /// A whole number that may be larger than a `u32`.
    pub(super) fn amount(&self, range: RangeInclusive<u64>) -> Option<u64> {
        match self.raw {
            Some(Raw::Whole(value)) => u64::try_from(*value).ok(),
            _ => None,
        }
        .filter(|value| range.contains(value))
        .or_else(|| self.wrong(format_args!("a whole number from {} to {}", range.start(), range.end())))
    }

    /// A length of time from `least` to `most`.
    pub(super) fn span(&self, least: Span, most: Span) -> Option<Span> {
        match self.read("a length of time", units::span)? {
            span if span < least => self.wrong(format_args!("at least {least}")),
            span if span > most => self.wrong(format_args!("at most {most}")),
            span => Some(span),
        }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        match self.raw {
            Some(Raw::Bool(value)) => Some(*value),
            _ => self.wrong("true or false"),
        }
    }

    /// Printable ASCII, at most `most` characters.
    pub(super) fn printable(&self, most: usize) -> Option<String> {
        match self.raw {
            Some(Raw::Text(text)) if text.len() <= most && text.bytes().all(|b| b.is_ascii_graphic()) => {
                Some(text.clone())
            }
            _ => self.wrong(format_args!("at most {most} printable ASCII characters without spaces")),
        }
    }

    /// The key of this place, if it is one that a label, a taint or a resource may have.
    pub(super) fn key(&self, key: &str) -> Option<String> {
        if (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) {
            return Some(key.to_owned());
        }
        let expected = format!("a key of 1 to {MAX_KEY} printable ASCII characters without spaces");
        self.sink.add(&self.path, format!("\"{}\"", truncated(key, 80)), expected);
        None
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
            Err(error) => {
                self.sink.add(&self.path, format!("\"{}\"", truncated(key, 80)), error.expected.to_owned());
                None
            }
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

    /// The items of a list, at most `most`.
    pub(super) fn list(&self, kind: &str, most: usize) -> Option<Vec<Self>> {
        match self.raw {
            Some(Raw::List(items)) if items.len() > most => self.wrong(format_args!("at most {most} {kind}")),
            Some(Raw::List(items)) => {
                let at = |(index, raw)| Self {
                    path: format!("{}[{index}]", self.path),
                    raw: Some(raw),
                    sink: self.sink,
                };
                Some(items.iter().enumerate().map(at).collect())
            }
            _ => self.wrong(format_args!("a list of {kind}")),
        }
    }

    /// The entries of a map with free keys, at most `most`; repeated keys are errors.
    pub(super) fn entries(&self, kind: &str, most: usize) -> Option<BTreeMap<&'a str, Self>> {
        let Some(Raw::Map(entries)) = self.raw else {
            return self.wrong(format_args!("a map of {kind}"));
        };
        if entries.len() > most {
            return self.wrong(format_args!("at most {most} {kind}"));
        }
        let mut found = BTreeMap::new();
        for (key, raw) in entries {
            let at = self.under(key, Some(raw));
            if found.contains_key(key.as_str()) {
                let _: Option<()> = at.wrong("each key once");
            } else {
                found.insert(key.as_str(), at);
            }
        }
        Some(found)
    }

    /// The fields of a map with known keys; other keys are errors that name the nearest known one.
    pub(super) fn fields(&self, kind: &str, known: &[&str]) -> Option<Fields<'a>> {
        let Some(Raw::Map(_)) = self.raw else {
            return self.wrong(kind);
        };
        let found = self.entries("keys", usize::MAX)?;
        for (key, at) in found.iter().filter(|(key, _)| !known.contains(*key)) {
            let hint = if self.sink.is_full() { String::new() } else { nearest(key, known) };
            let _: Option<()> = at.wrong(format_args!("a known key, {hint}"));
        }
        Some(Fields { at: self.clone(), found })
    }
}

/// A map with known keys.
pub(super) struct Fields<'a> {
    at: At<'a>,
    found: BTreeMap<&'a str, At<'a>>,
}

impl<'a> Fields<'a> {
    /// The place of one key, whether or not something stands there.
    pub(super) fn get(&self, key: &str) -> At<'a> {
        self.found.get(key).cloned().unwrap_or_else(|| self.at.under(key, None))
    }
}
