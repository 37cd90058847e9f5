//! The lock between processes.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::{failed, write};
use crate::ports::{Error, ErrorKind, Result};
use crate::words::Span;

/// How often the lock is asked for, and how long is waited in between: 2 seconds in all. Whoever holds it longer is
/// stopped, not slow.
const TRIES: u32 = 4_000;
const PAUSE: Duration = Duration::from_micros(500);

/// The lock, held. The kernel releases it when the file is closed, also by the end of the process.
#[derive(Debug)]
pub(super) struct Locked(#[expect(dead_code, reason = "open for as long as the lock is held")] File);

impl Locked {
    /// Takes the lock; `Throttled` if somebody holds it for too long. Nothing was done then.
    pub(super) fn take(path: &Path) -> Result<Self> {
        for _ in 0..TRIES {
            let file = write::owners_only()
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .map_err(|error| failed(kind(&error), "open", path, error))?;
            match file.try_lock() {
                // Somebody may have deleted the file between the two: then the lock is nobody's.
                Ok(()) if is_at(&file, path) => return Ok(Self(file)),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
                Err(TryLockError::Error(error)) => {
                    return Err(failed(ErrorKind::Unavailable, "lock", path, error));
                }
            }
        }
        let kind = ErrorKind::Throttled { retry_after: Some(Span::from_secs(1)) };
        Err(Error::new(kind, format!("lock {}: another process holds it", path.display())))
    }
}

fn kind(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ErrorKind::Denied { action: "write".to_owned() }
        }
        _ => ErrorKind::Unavailable,
    }
}

/// Whether `file` is the one at `path`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(file), Ok(there)) => (file.dev(), file.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// A file that is open cannot be deleted here.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}
