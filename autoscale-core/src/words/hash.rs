//! A stable content hash. It names content; it does not protect against forgery.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The 128-bit FNV-1a hash, fed piece by piece.
///
/// Source of the constants: the FNV reference of Fowler, Noll and Vo. The same bytes give the same hash on
/// every machine and in every version of this crate.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fnv128(u128);

impl Default for Fnv128 {
    fn default() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Fnv128 {
    /// Adds bytes.
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
        self
    }

    /// The hash of everything added.
    pub fn finish(self) -> u128 {
        self.0
    }
}

/// A content hash as 32 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentHash(String);

impl ContentHash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(format!("{:032x}", Fnv128::default().with(bytes).finish()))
    }

    /// All 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first 12 digits, enough for people.
impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get(..12).unwrap_or(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_published_values() {
        assert_eq!(Fnv128::default().finish(), 0x6c62272e07bb014262b821756295c58d);
        assert_eq!(Fnv128::default().with(b"a").finish(), 0xd228cb696f1a8caf78912b704e4a8964);
        assert_eq!(ContentHash::of(b"a").to_string(), "d228cb696f1a");
    }
}
