//! The store of one value with a version counter.

use crate::ports::{Expected, Loaded, Sealed, Swapped, Version};
use crate::words::Timestamp;

/// A strongly consistent store of one value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    version: u64,
    bytes: Option<Vec<u8>>,
}

impl Store {
    /// What is stored now.
    pub(crate) fn load(&self, now: Timestamp) -> Option<Loaded> {
        let bytes = self.bytes.clone()?;
        Some(Loaded { version: self.name(), bytes, store_time: Some(now) })
    }

    /// Replaces the value if it is the expected one.
    pub(crate) fn swap(&mut self, expected: &Expected, sealed: &Sealed, now: Timestamp) -> Swapped {
        let as_expected = match expected {
            Expected::Absent => self.bytes.is_none(),
            Expected::At(version) => self.bytes.is_some() && *version == self.name(),
        };
        if !as_expected {
            return Swapped::Lost(self.load(now));
        }
        self.version += 1;
        self.bytes = Some(sealed.bytes.clone());
        Swapped::Applied(self.name())
    }

    /// Somebody deletes the value. Its versions are not used again.
    #[cfg(all(test, any(feature = "conformance", feature = "sim")))]
    pub(crate) fn erase(&mut self) {
        self.bytes = None;
    }

    /// Puts something else there, past every rule.
    #[cfg(feature = "sim")]
    pub(crate) fn put(&mut self, bytes: Option<Vec<u8>>) {
        self.version += 1;
        self.bytes = bytes;
    }

    fn name(&self) -> Version {
        Version::new(self.version.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Summary;
    use crate::words::{Inc, Ver, WriteId};

    fn sealed(name: &str) -> Sealed {
        let (inc, id) = (Inc::new("abcd").unwrap(), WriteId::new(name).unwrap());
        Sealed::new(inc, Ver::new(1), id, Summary::default(), name.as_bytes().to_vec())
    }

    #[test]
    fn only_what_is_expected_is_replaced() {
        let (mut store, now) = (Store::default(), Timestamp::from_millis(5));
        assert_eq!(store.load(now), None);
        let Swapped::Applied(first) = store.swap(&Expected::Absent, &sealed("a"), now) else { panic!() };
        let Swapped::Lost(Some(current)) = store.swap(&Expected::Absent, &sealed("b"), now) else { panic!() };
        assert_eq!((current.bytes.as_slice(), current.store_time), (b"a".as_slice(), Some(now)));
        assert!(matches!(store.swap(&Expected::At(first.clone()), &sealed("b"), now), Swapped::Applied(_)));
        assert!(matches!(store.swap(&Expected::At(first), &sealed("c"), now), Swapped::Lost(Some(_))));
    }
}
