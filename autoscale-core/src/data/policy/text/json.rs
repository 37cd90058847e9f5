//! JSON: the tree from serde_json, and where its parts stand from a scan of the same text.

use crate::data::policy::error::PolicyErrors;
use crate::data::policy::mark::Mark;
use crate::data::policy::raw::Raw;
use crate::words::truncated;

pub(super) fn read(text: &str) -> Result<(Raw, Mark), PolicyErrors> {
    let raw = serde_json::from_str(text).map_err(|error| {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).max(1);
        let place = (count(error.line()), count(error.column()));
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        PolicyErrors::at(place, "unreadable".to_owned(), format!("JSON, but {}", truncated(message, 200)))
    })?;
    Ok((raw, Scan { bytes: text.as_bytes(), at: 0 }.value()))
}

/// Goes through JSON that is known to be correct, and no deeper than a policy may be.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn value(&mut self) -> Mark {
        self.space();
        let mut mark = Mark::at(self.at);
        match self.peek() {
            Some(b'{') => mark.parts = self.parts(b'}', Self::entry),
            Some(b'[') => mark.parts = self.parts(b']', Self::value),
            Some(b'"') => self.text(),
            _ => self.skip(|byte| !b",]} \t\r\n".contains(&byte)),
        }
        mark
    }

    /// What stands between two brackets.
    fn parts(&mut self, end: u8, one: fn(&mut Self) -> Mark) -> Vec<Mark> {
        let mut parts = Vec::new();
        self.at += 1;
        loop {
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(byte) if byte != end => parts.push(one(self)),
                _ => break,
            }
        }
        self.at += 1;
        parts
    }

    fn entry(&mut self) -> Mark {
        let key = self.at;
        self.text();
        self.space();
        // The colon.
        self.at += 1;
        self.value().under(key)
    }

    /// A text in quotes.
    fn text(&mut self) {
        self.at += 1;
        loop {
            self.skip(|byte| !matches!(byte, b'"' | b'\\'));
            match self.peek() {
                Some(b'\\') => self.at += 2,
                _ => break,
            }
        }
        self.at += 1;
    }

    fn space(&mut self) {
        self.skip(|byte| b" \t\r\n".contains(&byte));
    }

    fn skip(&mut self, whether: fn(u8) -> bool) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|byte| whether(**byte)).count();
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The tree as the marks see it: each value that is no list and no map, read again where it is said to stand.
    fn agrees(raw: &Raw, mark: &Mark, text: &str) {
        let rest = &text[mark.value..];
        let read = |rest: &str| serde_json::Deserializer::from_str(rest).into_iter::<Raw>().next();
        assert_eq!(read(rest).and_then(Result::ok).as_ref(), Some(raw), "{rest}");
        match raw {
            Raw::List(list) => {
                assert_eq!(list.len(), mark.parts.len());
                list.iter().zip(&mark.parts).for_each(|(raw, mark)| agrees(raw, mark, text));
            }
            Raw::Map(map) => {
                assert_eq!(map.len(), mark.parts.len());
                for ((key, raw), mark) in map.iter().zip(&mark.parts) {
                    assert_eq!(read(&text[mark.key..]).and_then(Result::ok), Some(Raw::text(key)));
                    agrees(raw, mark, text);
                }
            }
            _ => assert!(mark.parts.is_empty()),
        }
    }

    fn any_value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i32>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
            prop::sample::select(vec!["\\", "\"", "a\\\"b", "{[", "]}", ",:"]).prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(serde_json::Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn each_part_is_found_where_it_stands(value in any_value(), pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let text = text.unwrap();
            let (raw, mark) = read(&text).unwrap();
            agrees(&raw, &mark, &text);
        }
    }
}
