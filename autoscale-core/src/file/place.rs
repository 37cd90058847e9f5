//! Where the file is, and whether the file system there can be trusted with it.

use std::io;
use std::path::{Path, PathBuf};

use super::{beside, failed};
use crate::ports::{Error, ErrorKind, Result};

/// The paths of one store.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) file: PathBuf,
    pub(super) lock: PathBuf,
    pub(super) new: PathBuf,
}

impl Place {
    /// `what` is kept in the file, in words.
    pub(super) fn new(path: &Path, what: &str) -> Result<Self> {
        let invalid =
            |why: &str| Error::new(ErrorKind::Invalid, format!("keep {what} in {}: {why}", path.display()));
        let name = path.file_name().ok_or_else(|| invalid("it names no file"))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Absolute and without links, so that the working folder may change and all processes mean the same.
        let folder = folder.canonicalize().map_err(|error| {
            failed(ErrorKind::Invalid, &format!("find the folder of {what},"), folder, error)
        })?;
        let file = folder.join(name);
        match file.symlink_metadata() {
            Ok(found) if !found.is_file() => return Err(invalid("there is something else than a file")),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(ErrorKind::Unavailable, "look at", &file, error));
            }
            Ok(_) | Err(_) => {}
        }
        if let Some(kind) = remote(&folder)? {
            let why = format!(
                "the folder is on {kind}, where locks and renames do not hold between hosts; \
                 name one on a local disk, or take a store that is made for several hosts"
            );
            return Err(invalid(&why));
        }
        let (lock, new) = (beside(&file, ".lock"), beside(&file, ".new"));
        Ok(Self { folder, file, lock, new })
    }
}

/// The network or user-space file system that `folder` is on, if it is on one.
#[cfg(target_os = "linux")]
fn remote(folder: &Path) -> Result<Option<&'static str>> {
    let found = rustix::fs::statfs(folder).map_err(|error| {
        failed(ErrorKind::Unavailable, "ask for the file system of", folder, error.into())
    })?;
    // The kernel's numbers have 32 bits; the field's width and sign differ between machines.
    Ok(remote_kind(found.f_type as u64 & 0xffff_ffff))
}

#[cfg(not(target_os = "linux"))]
fn remote(_: &Path) -> Result<Option<&'static str>> {
    Ok(None)
}

/// By the numbers of `linux/magic.h`, and of the file systems' own sources where they are not there.
#[cfg(target_os = "linux")]
const fn remote_kind(magic: u64) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x0102_1997 => "9P",
        // SSHFS, S3 mounts, GlusterFS and virtiofs look all the same from here.
        0x6573_5546 => "a FUSE file system",
        0x00c3_6400 => "CephFS",
        0x0bd0_0bd0 => "Lustre",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x0116_1970 => "GFS2",
        0x7461_636f => "OCFS2",
        0x4750_4653 => "GPFS",
        0x564c => "NCP",
        0x786f_4256 => "a VirtualBox shared folder",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn network_file_systems_are_known() {
        for (magic, kind) in
            [(0x6969, Some("NFS")), (0xff53_4d42, Some("SMB")), (0x6573_5546, Some("a FUSE file system"))]
        {
            assert_eq!(remote_kind(magic), kind);
        }
        // ext4, XFS, Btrfs, tmpfs, overlayfs, ZFS.
        for magic in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1] {
            assert_eq!(remote_kind(magic), None, "{magic:x}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_place_is_a_file_in_a_folder_that_exists() {
        for (path, why) in [
            ("/", "names no file"),
            ("/no/such/folder/x", "find the folder"),
            ("/dev/null", "something else"),
        ] {
            let error = Place::new(Path::new(path), "the record").unwrap_err();
            assert!(
                *error.kind() == ErrorKind::Invalid && error.to_string().contains(why),
                "{path}: {error}"
            );
        }
        assert!(Place::new(Path::new("Cargo.toml"), "the record").unwrap().file.is_absolute());
    }
}
