//! Identifiers: one newtype each, with one parser each.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::truncated;

/// A text that is not an identifier of the wanted kind.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{kind} \"{value}\": expected {expected}")]
#[non_exhaustive]
pub struct IdError {
    /// What was being read.
    pub kind: &'static str,
    /// The text, escaped and cut after 80 characters.
    pub value: String,
    /// What would have been accepted.
    pub expected: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            #[doc = concat!("Reads ", $kind, ": ", $expected, ".")]
            ///
            /// # Errors
            /// Anything else is refused, with the value and what was expected.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref();
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(Arc::from(text)))
                } else {
                    Err(IdError { kind: $kind, value: truncated(text, 80), expected: $expected })
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

fn made_of(text: &str, max: usize, allowed: fn(u8) -> bool) -> bool {
    !text.is_empty() && text.len() <= max && text.bytes().all(allowed)
}

fn lower_dash(text: &str, max: usize) -> bool {
    made_of(text, max, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// DNS-1123 subdomain: labels of `[a-z0-9-]` joined by dots, at most 253 characters.
fn dns_1123(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(|label| lower_dash(label, 63))
}

fn printable(text: &str, max: usize) -> bool {
    made_of(text, max, |b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\' | b'`' | b'$'))
}

text_id!(
    /// The cluster a record, a tag and a node belong to.
    ClusterId, "cluster id", "1 to 32 characters of a-z, 0-9 and inner dashes",
    |text| lower_dash(text, 32)
);
text_id!(
    /// A pool of interchangeable worker nodes.
    PoolName, "pool name", "1 to 63 characters of a-z, 0-9 and inner dashes",
    |text| lower_dash(text, 63)
);
text_id!(
    /// A failure domain of a region, as the cloud names it.
    Zone, "zone", "1 to 63 characters of a-z, 0-9 and inner dashes",
    |text| lower_dash(text, 63)
);
text_id!(
    /// A machine type, as the cloud names it.
    ShapeName, "shape name", "1 to 63 characters of letters, digits, dots, dashes and underscores",
    |text| made_of(text, 63, |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
);
text_id!(
    /// A named number that rules look at.
    SignalName, "signal name", "1 to 63 characters of a-z, 0-9, underscores and dashes, starting with a letter",
    |text| made_of(text, 63, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
        && text.starts_with(|c: char| c.is_ascii_lowercase())
);
text_id!(
    /// What the cloud runs. For Azure this is the machine's resource id, which is long and has slashes.
    InstanceId, "instance id", "1 to 512 printable ASCII characters without quotes, backslashes, backquotes and $",
    |text| printable(text, 512)
);
text_id!(
    /// The name of what the orchestrator schedules on.
    NodeName, "node name", "a DNS-1123 name of at most 253 characters",
    dns_1123
);
text_id!(
    /// The uid of one Node object; a node that is made again under the same name has another.
    NodeUid, "node uid", "1 to 128 characters of letters, digits, dots, colons, dashes and underscores",
    |text| made_of(text, 128, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'_'))
);
text_id!(
    /// The uid of one pod.
    PodUid, "pod uid", "1 to 128 characters of letters, digits, dots, colons, dashes and underscores",
    |text| made_of(text, 128, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'_'))
);
text_id!(
    /// One run of one driver: the holder of a lease. Never reused.
    HolderId, "holder id", "1 to 128 characters of letters, digits, dots, dashes, underscores and slashes",
    |text| made_of(text, 128, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'/'))
);
text_id!(
    /// The name of one attempt to write the record. Never reused.
    WriteId, "write id", "1 to 64 letters, digits and dashes",
    |text| made_of(text, 64, |b| b.is_ascii_alphanumeric() || b == b'-')
);
text_id!(
    /// The incarnation of a record: drawn at random when it is created.
    Inc, "incarnation", "4 to 16 lower-case letters and digits",
    |text| text.len() >= 4 && made_of(text, 16, |b| b.is_ascii_lowercase() || b.is_ascii_digit())
);
text_id!(
    /// The name of one launch attempt, `<inc>-<seq>-<slot>-<attempt>`. The same token buys the same instance.
    Token, "token", "at most 64 letters, digits and dashes",
    |text| made_of(text, 64, |b| b.is_ascii_alphanumeric() || b == b'-')
);

/// What a [`Token`] of this library says.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub struct TokenParts {
    /// Of which record.
    pub inc: Inc,
    /// Of which action.
    pub seq: u64,
    /// Which instance of the action.
    pub slot: u32,
    /// Which attempt, from 1.
    pub attempt: u32,
}

impl Token {
    /// The token of one attempt.
    pub fn of(inc: &Inc, seq: u64, slot: u32, attempt: u32) -> Self {
        // 16 + 20 + 10 + 10 characters and three dashes: always below 64.
        Self(Arc::from(format!("{inc}-{seq}-{slot}-{attempt}")))
    }

    /// The parts, if this library made the token.
    pub fn parts(&self) -> Option<TokenParts> {
        let mut parts = self.0.split('-');
        let (inc, seq, slot, attempt) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        Some(TokenParts {
            inc: Inc::new(inc).ok()?,
            seq: seq.parse().ok()?,
            slot: slot.parse().ok()?,
            attempt: attempt.parse().ok()?,
        })
    }
}

/// The version of a record: one more with every write. Also the stamp of a cordon.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ver(u64);

impl Ver {
    /// Before any write.
    pub const ZERO: Self = Self(0);

    /// From its number.
    pub const fn new(ver: u64) -> Self {
        Self(ver)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The version after this one, saturating.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Ver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_the_value_and_what_was_expected() {
        let error = ClusterId::new("Shop\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"cluster id "Shop\u{a}": expected 1 to 32 characters of a-z, 0-9 and inner dashes"#
        );
    }

    #[test]
    fn accepts_and_refuses() {
        assert!(NodeName::new("ip-10-0-0-1.eu-west-1.compute.internal").is_ok());
        for name in ["", "-a", "a..b", "A", "a_b", "a/../b", "a b"] {
            assert!(NodeName::new(name).is_err(), "{name}");
        }
        assert!(InstanceId::new("/subscriptions/0/resourceGroups/w/providers/x/virtualMachines/n1").is_ok());
        assert!(InstanceId::new("i-$(reboot)").is_err());
        assert!(Inc::new("abc").is_err());
    }

    proptest! {
        #[test]
        fn a_token_says_its_parts(inc in "[a-z0-9]{4,16}", seq: u64, slot: u32, attempt: u32) {
            let inc = Inc::new(inc).unwrap();
            let token = Token::of(&inc, seq, slot, attempt);
            prop_assert!(Token::new(token.as_str()).is_ok());
            prop_assert_eq!(token.parts(), Some(TokenParts { inc, seq, slot, attempt }));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = (NodeName::new(&text), InstanceId::new(&text), Token::new(&text).map(|t| t.parts()));
        }
    }
}
