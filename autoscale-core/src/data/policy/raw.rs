//! A policy as written: a loosely typed tree that keeps what was there, so that everything wrong with it can be
//! reported together. Files and the builder both end here.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::words::truncated;

/// Greatest size of a policy: bytes of text, and one for each value.
pub(super) const MAX_SIZE: usize = 1 << 20;
const MAX_DEPTH: u32 = 16;

/// One value. A map keeps its order and its repeated keys.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Raw {
    Null,
    Bool(bool),
    Whole(i128),
    Real(f64),
    Text(String),
    List(Vec<Raw>),
    Map(Vec<(String, Raw)>),
}

impl Raw {
    pub(super) fn text(value: impl fmt::Display) -> Self {
        Self::Text(value.to_string())
    }

    pub(super) fn whole(value: impl Into<i128>) -> Self {
        Self::Whole(value.into())
    }

    /// Counts a tree once more.
    #[cfg(feature = "yaml")]
    pub(super) fn spend(&self, limits: Limits<'_>) -> Result<(), String> {
        match self {
            Self::Text(text) => limits.spend(text.len()),
            Self::Null | Self::Bool(_) | Self::Whole(_) | Self::Real(_) => limits.spend(0),
            Self::List(list) => {
                limits.spend(0)?;
                let inner = limits.deeper()?;
                list.iter().try_for_each(|item| item.spend(inner))
            }
            Self::Map(map) => {
                limits.spend(0)?;
                let inner = limits.deeper()?;
                map.iter().try_for_each(|(key, value)| {
                    inner.spend(key.len())?;
                    value.spend(inner)
                })
            }
        }
    }

    /// As an operator would write it, without quotes.
    pub(super) fn plain(self) -> String {
        match self {
            Self::Text(text) => text,
            other => other.shown(),
        }
    }

    /// As shown in an error.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Whole(value) => value.to_string(),
            Self::Real(value) => format!("{value:?}"),
            Self::Text(text) => format!("\"{}\"", truncated(text, 80)),
            Self::List(list) if list.is_empty() => "an empty list".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(map) if map.is_empty() => "an empty map".to_owned(),
            Self::Map(_) => "a map".to_owned(),
        }
    }
}

/// How deep a value stands, and what is left of the size.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    depth: u32,
    left: &'a Cell<usize>,
}

impl<'a> Limits<'a> {
    pub(super) const fn new(left: &'a Cell<usize>) -> Self {
        Self { depth: 0, left }
    }

    /// For a value and so many bytes of text.
    pub(super) fn spend(self, bytes: usize) -> Result<(), String> {
        let left = self.left.get().checked_sub(bytes.saturating_add(1));
        self.left.set(left.ok_or_else(|| format!("more than {MAX_SIZE} bytes"))?);
        Ok(())
    }

    /// For what stands in a list or a map.
    pub(super) fn deeper(self) -> Result<Self, String> {
        if self.depth >= MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Tree(Limits::new(&Cell::new(MAX_SIZE))).deserialize(deserializer)
    }
}

/// Reads one value within limits.
#[derive(Clone, Copy)]
struct Tree<'a>(Limits<'a>);

impl Tree<'_> {
    fn spend<E: de::Error>(self, bytes: usize) -> Result<(), E> {
        self.0.spend(bytes).map_err(E::custom)
    }

    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        self.0.deeper().map(Self).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Raw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map, a list, a text, a number or a truth value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        self.spend(0).map(|()| Raw::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw, E> {
        self.spend(0).map(|()| Raw::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
        self.spend(0).map(|()| Raw::whole(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
        self.spend(0).map(|()| Raw::whole(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
        self.spend(0).map(|()| Raw::Real(value))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Raw, E> {
        self.spend(text.len()).map(|()| Raw::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        self.spend(0)?;
        let (inner, mut list) = (self.deeper()?, Vec::new());
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        self.spend(0)?;
        let (inner, mut map) = (self.deeper()?, Vec::new());
        while let Some(key) = entries.next_key::<String>()? {
            self.spend(key.len())?;
            map.push((key, entries.next_value_seed(inner)?));
        }
        Ok(Raw::Map(map))
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Whole(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => serializer.serialize_u64(value),
                (_, Ok(value)) => serializer.serialize_i64(value),
                _ => serializer.serialize_i128(*value),
            },
            Self::Real(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => serializer.collect_seq(list),
            Self::Map(map) => serializer.collect_map(map.iter().map(|(key, value)| (key, value))),
        }
    }
}
