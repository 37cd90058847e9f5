//! Writing aside, and putting it in place.

use std::fs::{File, OpenOptions, remove_file, rename};
use std::io::{self, Write};
use std::path::Path;

use super::failed;
use super::place::Place;
use crate::ports::{ErrorKind, Result};

/// Files that are made are their owner's only, and no link is followed.
pub(super) fn owners_only() -> OpenOptions {
    #[allow(unused_mut, reason = "where there are no modes")]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    #[cfg(target_os = "linux")]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NOFOLLOW.bits().cast_signed(),
    );
    options
}

/// Writes the new value beside the old one. An error has changed nothing that counts.
pub(super) fn aside(path: &Path, stored: &[u8]) -> Result<()> {
    let unavailable = |error| failed(ErrorKind::Unavailable, "write", path, error);
    // One that a killed process left behind; the lock is ours.
    match remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unavailable(error)),
        Ok(()) | Err(_) => {}
    }
    let mut file = owners_only().write(true).create_new(true).open(path).map_err(unavailable)?;
    file.write_all(stored).map_err(unavailable)?;
    file.sync_all().map_err(unavailable)
}

/// Puts the new value in the place of the old one. After an error nobody knows which of the two will stay.
pub(super) fn publish(place: &Place) -> io::Result<()> {
    rename(&place.new, &place.file)?;
    if cfg!(unix) {
        File::open(&place.folder)?.sync_all()?;
    }
    Ok(())
}
