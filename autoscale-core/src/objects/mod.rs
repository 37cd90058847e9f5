//! F5: the record and, with the feature `audit`, the audit log in an object store, through the [`object_store`] crate: S3
//! and what speaks its language, Azure Blob, Google Cloud Storage.
//!
//! A swap is one conditional put: `If-None-Match: *` for the first, `If-Match` with the ETag that was loaded for every
//! other. A store that cannot put under a condition is refused by the first swap that needs it: among them is
//! `object_store`'s folder on a local disk, which can create under a condition but not replace. For a local folder take
//! the `file` feature's store.
//!
//! The store is the one type of another crate in this library's API: you make it, with its credentials, and hand it in.
//! Make it without retries (`RetryConfig { max_retries: 0, .. }`), so that an error is an error of the only copy, and
//! with a timeout shorter than a tick's calls. Retries cost no safety: an applied swap whose second copy then loses is
//! recognised by the driver.
//!
//! | | one object | what the store has to do |
//! |---|---|---|
//! | `ObjectsStore` | the record | read, create and replace under a condition |
//! | `AuditObjects` | each entry, below a prefix of the log's own | read, list, create under a condition; a local folder will do |
//! | `LargeLines` | each entry that is too large for another log, by its digest | read, put |

mod answer;
#[cfg(feature = "audit")]
mod audit;
#[cfg(feature = "audit")]
mod large;
#[cfg(feature = "audit")]
mod list;
#[cfg(feature = "audit")]
mod names;
#[cfg(feature = "audit")]
mod read;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, PutMode, PutOptions, UpdateVersion};

use crate::envelope::{self, MAX_STORED};
use crate::ports::{Error, ErrorKind, Expected, Loaded, Result, Sealed, StateStore, Swapped};

#[cfg(feature = "audit")]
pub use audit::AuditObjects;
#[cfg(feature = "audit")]
pub use large::{Fetched, LargeLines};

use answer::Put;

/// A [`StateStore`] in one object.
#[derive(Clone)]
pub struct ObjectsStore {
    store: Arc<dyn ObjectStore>,
    path: Path,
}

/// Without what the store's own output would show of its client.
impl fmt::Debug for ObjectsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = format_args!("{}", self.store);
        f.debug_struct("ObjectsStore")
            .field("store", &store)
            .field("path", &self.path.as_ref())
            .finish_non_exhaustive()
    }
}

impl ObjectsStore {
    /// A store in the object `path` (`clusters/shop.record`). The object is made by the first swap.
    ///
    /// # Errors
    /// `Invalid` if `path` is no path of an object: empty parts, `.` or `..`, control characters.
    pub fn new(store: Arc<dyn ObjectStore>, path: impl AsRef<str>) -> Result<Self> {
        Ok(Self { store, path: path_of(path.as_ref(), "keep the record in the object")? })
    }

    /// The object, for an error.
    fn place(&self) -> String {
        format!("the object {} of {}", self.path, self.store)
    }

    /// What a put that was not applied lost against, and whether that is still what was expected.
    async fn lost(&self, expected: &Expected) -> Swapped {
        let current = self.load().await.ok().flatten();
        let unchanged = match expected {
            Expected::Absent => false,
            Expected::At(version) => current.as_ref().is_some_and(|current| current.version == *version),
        };
        // S3 answers so while another put is under way: which of them stays is open.
        if unchanged {
            let why = format!("{} refused the put, and has not changed", self.place());
            return Swapped::Unknown { why };
        }
        Swapped::Lost(current)
    }
}

#[async_trait]
impl StateStore for ObjectsStore {
    async fn load(&self) -> Result<Option<Loaded>> {
        let found = get(&*self.store, &self.path, MAX_STORED).await;
        let found = found.map_err(|error| answer::load_error(error, &self.place()))?;
        let Some((tag, stored)) = found else { return Ok(None) };
        let version = answer::version(&tag).ok_or_else(|| answer::no_tag(&self.place()))?;
        let (_, bytes) = envelope::unwrap(&stored, &self.place())?;
        Ok(Some(Loaded::new(version, bytes)))
    }

    async fn swap(&self, expected: &Expected, sealed: &Sealed) -> Result<Swapped> {
        let mode = match expected {
            Expected::Absent => PutMode::Create,
            Expected::At(version) => match answer::tag(version) {
                Some(tag) => PutMode::Update(tag),
                // No version of this store was ever called that.
                None => return Ok(self.lost(expected).await),
            },
        };
        let stored = envelope::wrap(sealed.ver.get(), sealed)?;
        let put = self.store.put_opts(&self.path, stored.into(), PutOptions::from(mode)).await;
        match answer::put(put, expected, &self.place())? {
            Put::Done(version) => Ok(Swapped::Applied(version)),
            Put::Lost => Ok(self.lost(expected).await),
            Put::Unknown(why) => Ok(Swapped::Unknown { why }),
        }
    }
}

/// A path that is one, and not the root.
fn path_of(path: &str, what: &str) -> Result<Path> {
    let invalid = || Error::new(ErrorKind::Invalid, format!("{what} {path}"));
    let parsed = Path::parse(path).map_err(|error| invalid().with_source(error))?;
    if parsed.as_ref().is_empty() { Err(invalid()) } else { Ok(parsed) }
}

/// What an object holds, and its state; `None` if there is none. Of a larger one the beginning, with more than `most` bytes.
async fn get(
    store: &dyn ObjectStore,
    path: &Path,
    most: usize,
) -> object_store::Result<Option<(UpdateVersion, Vec<u8>)>> {
    let found = match store.get_opts(path, GetOptions::default()).await {
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        found => found?,
    };
    let tag = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
    let (mut stored, mut parts) = (Vec::new(), found.into_stream());
    while let Some(part) = parts.next().await {
        stored.extend_from_slice(&part?);
        if stored.len() > most {
            break;
        }
    }
    Ok(Some((tag, stored)))
}
