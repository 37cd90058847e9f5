//! Entries that are too large for another log, in objects of their own.

use std::fmt;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, PutOptions};

use super::{answer, get, names, path_of};
use crate::data::audit::{Broken, Line, MAX_LINE, Sum};
use crate::ports::Result;
use crate::words::Timestamp;

/// Entries of an audit log that are too large for it: each in an object called by its digest, `<prefix>/<day>/<sum>.jsonl`. The log
/// keeps the digest, and the time that gives the day (UTC).
///
/// Nothing is removed here. A rule of the store may do that, by the prefix, later than the log removes its digests.
#[derive(Clone)]
pub struct LargeLines {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

/// What became of an entry that was kept by its digest.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fetched {
    /// It is there, and is what was stored.
    Whole(Box<Line>),
    /// It is not there.
    Gone,
    /// What is there is not what was stored.
    Damaged(Broken),
}

/// Without what the store's own output would show of its client.
impl fmt::Debug for LargeLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = format_args!("{}", self.store);
        f.debug_struct("LargeLines")
            .field("store", &store)
            .field("prefix", &self.prefix.as_ref())
            .finish_non_exhaustive()
    }
}

impl LargeLines {
    /// Entries below `prefix` (`clusters/shop.large`), where nothing else should be.
    ///
    /// # Errors
    /// `Invalid` if `prefix` is no path: empty, empty parts, `.` or `..`, control characters.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: impl AsRef<str>) -> Result<Self> {
        Ok(Self { store, prefix: path_of(prefix.as_ref(), "keep large entries below")? })
    }

    /// The object of an entry, for people and errors.
    pub fn path(&self, at: Timestamp, sum: Sum) -> String {
        format!("{}/{}/{sum}.jsonl", self.prefix, names::day(at))
    }

    /// Stores an entry, to be found by the time and the sum in its head. The same entry may be stored again.
    ///
    /// # Errors
    /// `Denied`, `Invalid`, `NotFound`, `Throttled`, `Unavailable`. It may be there all the same, and is no entry before a log says so.
    pub async fn put(&self, line: &Line) -> Result<()> {
        let path = Path::from(self.path(line.head.at, line.head.sum));
        let stored = format!("{}\n", line.text);
        // What is there under this name is the same, or damaged.
        let put = self.store.put_opts(&path, stored.into(), PutOptions::default()).await;
        put.map(|_| ()).map_err(|error| {
            let attempted = format!("put the object {path} of {}", self.store);
            answer::failed(error, &attempted, "the permission to put objects")
        })
    }

    /// Reads an entry and checks it against its digest.
    ///
    /// # Errors
    /// `Denied`, `Throttled`, `Unavailable`.
    pub async fn get(&self, at: Timestamp, sum: Sum) -> Result<Fetched> {
        let path = Path::from(self.path(at, sum));
        let found = get(&*self.store, &path, MAX_LINE).await;
        let found = found
            .map_err(|error| answer::load_error(error, &format!("the object {path} of {}", self.store)))?;
        let Some((_, text)) = found else { return Ok(Fetched::Gone) };
        Ok(match Line::read(text.strip_suffix(b"\n").unwrap_or(&text)) {
            Ok(line) if line.head.sum == sum => Fetched::Whole(Box::new(line)),
            // Another entry: whole, and not the one that was put here.
            Ok(line) => Fetched::Damaged(Broken::Changed { said: sum, found: line.head.sum }),
            Err(broken) => Fetched::Damaged(broken),
        })
    }
}
