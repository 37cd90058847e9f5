//! Where the record lives.

use std::fmt::Debug;

use async_trait::async_trait;

use super::Result;
use crate::words::{HolderId, Inc, Timestamp, Ver, WriteId};

/// A backend's name for one state of its value: a version number, an ETag, a resource version. Opaque.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version(String);

impl Version {
    /// A backend's own name for a state.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As the backend wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is stored now.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The state to name in the next swap.
    pub version: Version,
    /// The bytes, as they were swapped in.
    pub bytes: Vec<u8>,
    /// The store's own clock, where it tells it.
    pub store_time: Option<Timestamp>,
}

impl Loaded {
    /// Bytes at a version.
    pub const fn new(version: Version, bytes: Vec<u8>) -> Self {
        Self { version, bytes, store_time: None }
    }
}

/// What a swap expects to replace.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Expected {
    /// Nothing is stored.
    Absent,
    /// Exactly this state is stored.
    At(Version),
}

/// For people who look at the store: never read by the library.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Who works on it.
    pub holder: Option<HolderId>,
    /// Open operations.
    pub operations: u32,
    /// Workers that were listed in the round of this write; `None` if none were listed.
    pub workers: Option<u32>,
    /// When the last scale-up or scale-down of any pool was finished.
    pub last_scaled: Option<Timestamp>,
    /// What is under way, in words.
    pub text: String,
}

/// A record ready to be stored.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Sealed {
    /// The record's incarnation.
    pub inc: Inc,
    /// The record's version.
    pub ver: Ver,
    /// The name of this write.
    pub write_id: WriteId,
    /// For people.
    pub summary: Summary,
    /// The record.
    pub bytes: Vec<u8>,
}

impl Sealed {
    /// A record ready to be stored.
    pub const fn new(inc: Inc, ver: Ver, write_id: WriteId, summary: Summary, bytes: Vec<u8>) -> Self {
        Self { inc, ver, write_id, summary, bytes }
    }
}

/// What became of a swap.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "only `Applied` gives authority to act"]
#[non_exhaustive]
pub enum Swapped {
    /// The value was replaced.
    Applied(Version),
    /// Something else was stored; this is it, where the store tells it.
    Lost(Option<Loaded>),
    /// The request may have left, and no definite answer came.
    Unknown {
        /// In words.
        why: String,
    },
}

/// Where the record lives: DynamoDB, a Kubernetes Lease, an object store, a file, memory.
///
/// # Contract
/// - `load` is strongly consistent: it reports the last applied swap.
/// - `swap` replaces the value only if what is stored is exactly what is expected; of any number of racing swaps
///   over one expected state at most one is applied.
/// - `bytes` are UTF-8, at most 200 KiB, and come back as they were given. The backend does not look into them, and does not judge `write_id`.
/// - A swap that may have left the process is never an error: it is `Unknown`.
/// - There is no lock, no unlock, no expiry.
///
/// # Idempotency
/// A repeated swap over the same expected state loses against its own first copy; the driver tells by `write_id`.
#[async_trait]
pub trait StateStore: Debug + Send + Sync + 'static {
    /// What is stored now.
    ///
    /// # Errors
    /// `Unavailable`, `Throttled`, `Denied`, `NotFound` when there is no such table, bucket or folder, or `Invalid` for a
    /// value that is not ours.
    async fn load(&self) -> Result<Option<Loaded>>;

    /// Replaces it.
    ///
    /// # Errors
    /// Only when the request has certainly not been sent or has certainly been refused.
    async fn swap(&self, expected: &Expected, sealed: &Sealed) -> Result<Swapped>;
}
