//! F5: the record in a local file, atomic between the processes of one host.
//!
//! The default for small tools: no service, one file to look at. For several hosts take a store that all of them reach.
//!
//! A swap takes a lock on a second file (`<file>.lock`), reads, compares, writes aside (`<file>.new`), syncs it, renames
//! it over the file and syncs the folder. A process that is killed leaves the old value or the new one, never a part,
//! and its lock is the kernel's to release. A load takes no lock.
//!
//! File locks and renames are only as good as the file system. On Linux a network or user-space file system (NFS, SMB,
//! 9P, FUSE …) is refused when the store is opened; on other systems that is not looked at, and up to you.
//!
//! Calls block for as long as the disk takes to sync, as a rule some milliseconds, and at most 2 seconds for the lock.

#[cfg(feature = "audit")]
mod audit;
mod lock;
mod place;
mod write;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::envelope::{self, MAX_STORED};
use crate::ports::{Error, ErrorKind, Expected, Loaded, Result, Sealed, StateStore, Swapped, Version};

#[cfg(feature = "audit")]
pub use audit::{AuditFile, audit_files};
use lock::Locked;
use place::Place;

/// A [`StateStore`] in one local file.
#[derive(Clone, Debug)]
pub struct FileStore {
    place: Place,
}

impl FileStore {
    /// A store in the file `path`, whose folder must exist. The file is made by the first swap, readable and writable
    /// by its owner only.
    ///
    /// # Errors
    /// `Invalid` if the folder does not exist or is on a network or user-space file system, or if there is something
    /// at `path` that is no regular file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Self { place: Place::new(path.as_ref(), "the record")? })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.place.file
    }

    fn read(&self) -> Result<Option<(u64, Loaded)>> {
        let path = self.path();
        let unavailable = |error| failed(ErrorKind::Unavailable, "read", path, error);
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(failed(ErrorKind::Denied { action: "read".to_owned() }, "read", path, error));
            }
            file => file.map_err(unavailable)?,
        };
        let mut stored = Vec::new();
        file.take(MAX_STORED as u64 + 1).read_to_end(&mut stored).map_err(unavailable)?;
        let (head, bytes) = envelope::unwrap(&stored, &path.display().to_string())?;
        let version = version(head.count, &head.write_id);
        Ok(Some((head.count, Loaded::new(version, bytes))))
    }
}

/// The count of writes, and the name of the last: a file that was deleted and made again counts anew.
fn version(count: u64, write_id: &crate::words::WriteId) -> Version {
    Version::new(format!("{count}.{write_id}"))
}

fn failed(kind: ErrorKind, what: &str, path: &Path, error: io::Error) -> Error {
    Error::new(kind, format!("{what} {}", path.display())).with_source(error)
}

#[async_trait]
impl StateStore for FileStore {
    async fn load(&self) -> Result<Option<Loaded>> {
        Ok(self.read()?.map(|(_, loaded)| loaded))
    }

    async fn swap(&self, expected: &Expected, sealed: &Sealed) -> Result<Swapped> {
        let _locked = Locked::take(&self.place.lock)?;
        let (count, current) = self.read()?.map_or((0, None), |(count, loaded)| (count, Some(loaded)));
        let as_expected = match (expected, &current) {
            (Expected::Absent, None) => true,
            (Expected::At(version), Some(current)) => *version == current.version,
            (Expected::Absent, Some(_)) | (Expected::At(_), None) => false,
        };
        if !as_expected {
            return Ok(Swapped::Lost(current));
        }
        let count = count.saturating_add(1);
        let stored = envelope::wrap(count, sealed)?;
        write::aside(&self.place.new, &stored)?;
        // From here on the value may have changed.
        match write::publish(&self.place) {
            Ok(()) => Ok(Swapped::Applied(version(count, &sealed.write_id))),
            Err(error) => Ok(Swapped::Unknown { why: format!("replace {}: {error}", self.path().display()) }),
        }
    }
}

/// The paths of a store, as [`FileStore`] keeps them.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
