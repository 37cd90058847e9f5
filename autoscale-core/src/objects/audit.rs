//! [`AuditLog`] in the objects below a prefix.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, PutMode, PutOptions};

use super::list::{Folder, Found};
use super::names::{self, Place};
use super::{answer, get, path_of};
use crate::data::audit::{Head, Kind, Line, MAX_LINE};
use crate::ports::{Appended, AuditLog, AuditPage, AuditRange, Error, ErrorKind, Result};
use crate::words::{HolderId, Timestamp};

/// How often a place is looked for that nobody else takes.
const TRIES: u32 = 8;

/// So many of the newest objects are looked at together.
const NEWEST: usize = 8;

/// So many objects are removed by one request, where the store can do that.
const REMOVED: usize = 250;

/// An [`AuditLog`] in an object store: one object for each entry, below a prefix of the log's own.
///
/// An entry is `<prefix>/<day>/<place>-<time>.jsonl`: a line of JSON and a line break, so that the objects of a log, one behind
/// the other by name, are what the `file` feature's log is. The place is the time of the tick in milliseconds, moved on where
/// it would not be the latest: clocks may go back and differ, the log goes on. Nothing is ever replaced: an object is created or
/// not. Two processes that write in the same moment may come to stand in either order.
///
/// The first entry of a writer on each day (UTC) is a full one, so that days can be removed one by one: by
/// [`prune`](Self::prune), or by a rule of the store that removes objects below the prefix after so many days. No other call
/// removes anything.
///
/// Appending lists the days and what has been added to the last one; reading lists a day at a time and gets up to eight objects
/// together. What stands below the prefix and is no entry is told in its place by [`read`](AuditLog::read), and never changed.
///
/// Take one value for each writer: a value remembers what its last writer wrote, and asks any other for a full entry.
pub struct AuditObjects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// Who wrote last through this value, and where.
    wrote: Mutex<Option<(HolderId, Place)>>,
}

/// Without what the store's own output would show of its client.
impl fmt::Debug for AuditObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = format_args!("{}", self.store);
        f.debug_struct("AuditObjects")
            .field("store", &store)
            .field("prefix", &self.prefix.as_ref())
            .finish_non_exhaustive()
    }
}

impl AuditObjects {
    /// A log below `prefix` (`clusters/shop.audit`), where nothing else should be.
    ///
    /// # Errors
    /// `Invalid` if `prefix` is no path: empty, empty parts, `.` or `..`, control characters.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: impl AsRef<str>) -> Result<Self> {
        let prefix = path_of(prefix.as_ref(), "keep the audit log below")?;
        Ok(Self { store, prefix, wrote: Mutex::default() })
    }

    /// Removes the days that ended before then, the oldest first; the newest day with an entry stays. Gives how many objects
    /// were removed. Only entries are: whatever else there is stays.
    ///
    /// # Errors
    /// `Denied`, `NotFound`, `Throttled`, `Unavailable`; some days may have been removed, and the next call goes on.
    pub async fn prune(&self, before: Timestamp) -> Result<u64> {
        let mut days = self.days().await?;
        // Days may be there that hold nothing.
        while let Some(day) = days.pop() {
            let newest = self.folder().newest(&day, None).await;
            if newest.map_err(|error| self.looking(error))?.is_some() {
                break;
            }
        }
        days.retain(|day| *day < names::day(before));
        let mut removed = 0_u64;
        for day in days {
            let mut behind: Option<String> = None;
            loop {
                let is_entry = |found: &Found| found.place.is_some();
                let found = self.folder().first(&day, behind.as_deref(), REMOVED, is_entry).await;
                let found = found.map_err(|error| self.looking(error))?;
                let Some(last) = found.last() else { break };
                behind = Some(last.name.clone());
                self.remove(found.iter().map(|found| self.folder().path(&found.name)).collect()).await?;
                removed = removed.saturating_add(found.len() as u64);
            }
        }
        Ok(removed)
    }

    async fn remove(&self, paths: Vec<Path>) -> Result<()> {
        let mut removed = self.store.delete_stream(stream::iter(paths).map(Ok).boxed());
        while let Some(done) = removed.next().await {
            match done {
                // Somebody else prunes as well.
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => {
                    let attempted = format!("remove old entries of {}", self.place());
                    return Err(answer::failed(error, &attempted, "the permission to delete objects"));
                }
            }
        }
        Ok(())
    }

    pub(super) fn folder(&self) -> Folder<'_> {
        Folder { store: &*self.store, prefix: &self.prefix }
    }

    /// The log, for an error.
    fn place(&self) -> String {
        format!("the audit log {} of {}", self.prefix, self.store)
    }

    /// Why something could not be looked at.
    pub(super) fn looking(&self, error: object_store::Error) -> Error {
        let attempted = format!("read {}", self.place());
        answer::failed(error, &attempted, "the permission to list the prefix and to read objects")
    }

    /// The days of the log, by name.
    async fn days(&self) -> Result<Vec<String>> {
        let units = self.folder().units().await.map_err(|error| self.looking(error))?;
        Ok(units.into_iter().filter(|unit| unit.is_day).map(|unit| unit.name).collect())
    }

    /// Who wrote last through this value, and where.
    fn wrote(&self) -> Option<(HolderId, Place)> {
        self.wrote.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the newest entry stands: never before what was written through this value.
    async fn newest_place(&self) -> Result<Option<Place>> {
        let wrote = self.wrote().map(|(_, place)| place);
        for day in self.days().await?.iter().rev() {
            let here = wrote.filter(|place| place.day() == *day);
            let newest = self.folder().newest(day, here).await.map_err(|error| self.looking(error))?;
            if newest.is_some() {
                return Ok(newest.max(wrote));
            }
        }
        Ok(wrote)
    }

    /// What the object of a name holds, without the line break at its end; `None` if it is gone.
    pub(super) async fn text(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let found = get(&*self.store, &self.folder().path(name), MAX_LINE).await;
        let found = found.map_err(|error| self.looking(error))?;
        Ok(found.map(|(_, mut text)| {
            if text.last() == Some(&b'\n') {
                text.pop();
            }
            text
        }))
    }
}

#[async_trait]
impl AuditLog for AuditObjects {
    async fn append(&self, line: &Line) -> Result<Appended> {
        let mut stored = Vec::with_capacity(line.text.len().saturating_add(1));
        stored.extend_from_slice(line.text.as_bytes());
        stored.push(b'\n');
        let stored = object_store::PutPayload::from(stored);
        for _ in 0..TRIES {
            let wrote = self.wrote();
            let Some(place) = Place::after(self.newest_place().await?, line.head.at) else {
                let attempted = format!("append to {}: an entry of the year 9999 is there", self.place());
                return Err(Error::new(ErrorKind::Invalid, attempted));
            };
            let has_base =
                |(writer, last): (HolderId, Place)| writer == line.head.writer && last.day() == place.day();
            if line.head.kind == Kind::Delta && !wrote.is_some_and(has_base) {
                return Ok(Appended::NeedsFull);
            }
            let name = place.name();
            let path = self.folder().path(&name);
            let put = self.store.put_opts(&path, stored.clone(), PutOptions::from(PutMode::Create)).await;
            let object = format!("the object {path} of {}", self.store);
            // A client that repeats requests may have met its own first copy.
            if answer::created(put, &object)? || self.is_there(&name, line).await? {
                let wrote = Some((line.head.writer.clone(), place));
                *self.wrote.lock().unwrap_or_else(PoisonError::into_inner) = wrote;
                return Ok(Appended::Stored);
            }
        }
        let attempted = format!("append to {}: others kept writing", self.place());
        Err(Error::new(ErrorKind::Throttled { retry_after: None }, attempted))
    }

    async fn read(&self, range: &AuditRange) -> Result<AuditPage> {
        self.page(range).await
    }

    async fn newest(&self) -> Result<Option<Head>> {
        let units = self.folder().units().await.map_err(|error| self.looking(error))?;
        let mut foreign = None;
        for unit in units.iter().rev() {
            if !unit.is_day {
                foreign.get_or_insert_with(|| unit.name.clone());
                continue;
            }
            let mut before: Option<String> = None;
            loop {
                let found = self.folder().last(&unit.name, before.as_deref(), NEWEST).await;
                let found = found.map_err(|error| self.looking(error))?;
                for object in &found {
                    if object.place.is_none() {
                        foreign.get_or_insert_with(|| object.name.clone());
                        continue;
                    }
                    // An entry that cannot be read is not the newest one.
                    let text = self.text(&object.name).await?;
                    if let Some(Ok(line)) = text.map(|text| Line::read(&text)) {
                        return Ok(Some(line.head));
                    }
                }
                match found.last() {
                    Some(last) => before = Some(last.name.clone()),
                    None => break,
                }
            }
        }
        foreign.map_or(Ok(None), |name| {
            let attempted = format!(
                "read {}: {name} is no entry, and nothing else is there. Configure another prefix, or move it away",
                self.place()
            );
            Err(Error::new(ErrorKind::Invalid, attempted))
        })
    }
}

impl AuditObjects {
    /// Whether the object of a name holds this line.
    ///
    /// # Errors
    /// `Unclear`: that cannot be seen.
    async fn is_there(&self, name: &str, line: &Line) -> Result<bool> {
        match self.text(name).await {
            Ok(text) => Ok(text.is_some_and(|text| text == line.text.as_bytes())),
            Err(error) => {
                let attempted =
                    format!("append to {}: the place was taken, perhaps by this entry", self.place());
                Err(Error::new(ErrorKind::Unclear, attempted).with_source(error))
            }
        }
    }
}
