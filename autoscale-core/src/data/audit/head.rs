//! The readable part of a line.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use crate::words::{ClusterId, ContentHash, HolderId, Timestamp};

/// A SHA-256 sum, as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sum([u8; 32]);

impl Sum {
    pub(super) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: &u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut sum = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != sum.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in sum.iter_mut().zip(pairs) {
            *byte = digit(high)? << 4 | digit(low)?;
        }
        Some(Self(sum))
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a sum is 64 lower-case hexadecimal digits"))
    }
}

/// Whether an entry stands for itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// It does.
    Full,
    /// It is the difference to the entry that its writer wrote before.
    Delta,
}

/// What a store, and people, can read of a line without opening its body.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Head {
    /// The version of the line.
    pub v: u32,
    /// Who wrote it: one process, or one after a failure.
    pub writer: HolderId,
    /// Its number among the lines of this writer, from 1.
    pub n: u64,
    /// The sum of the line that this writer wrote before; of the newest one that it found, if this is its first; nothing if there
    /// was none.
    pub prev: Option<Sum>,
    /// Whether it stands for itself.
    pub kind: Kind,
    /// When the tick began, in milliseconds since 1970.
    pub at: Timestamp,
    /// The same for people.
    pub time: String,
    /// The cluster.
    pub cluster: ClusterId,
    /// The hash of the policy.
    pub policy: ContentHash,
    /// The tick that decided, if a decision was made.
    pub holder: Option<HolderId>,
    /// How the tick ended, in one word.
    pub ended: String,
    /// What was decided, in some words each.
    pub actions: Vec<String>,
    /// A digest of the verdict, without what moves from tick to tick.
    pub verdict: ContentHash,
    /// So many bytes are in the body, before they were compressed.
    pub bytes: u64,
    /// The sum of the line.
    #[serde(skip_serializing)]
    pub sum: Sum,
}
