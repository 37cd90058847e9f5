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

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Tree { depth: 0, left: &Cell::new(MAX_SIZE) }.deserialize(deserializer)
    }
}

/// Reads one value at a depth, with what is left of the size.
#[derive(Clone, Copy)]
struct Tree<'a> {
    depth: u32,
    left: &'a Cell<usize>,
}

impl Tree<'_> {
    fn spend<E: de::Error>(self, bytes: usize) -> Result<(), E> {
        match self.left.get().checked_sub(bytes.saturating_add(1)) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(E::custom(format_args!("more than {MAX_SIZE} bytes"))),
        }
    }

    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
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
