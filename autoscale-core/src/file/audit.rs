//! The audit log in a local file of JSON lines, with a bounded number of older files beside it.

use std::fs::{File, remove_file, rename};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::lock::Locked;
use super::place::Place;
use super::{beside, failed, write};
use crate::data::audit::{Head, Kind, Line, MAX_LINE, Sum};
use crate::ports::{Appended, AuditLog, AuditPage, AuditRange, Error, ErrorKind, Result};
use crate::words::HolderId;

/// What is looked at first to find the last line; more if that does not have it whole.
const LAST: u64 = 64 << 10;

/// [`TORN`](crate::data::audit::TORN) and a line break.
const TORN_LINE: &str = " #torn\n";

/// An [`AuditLog`] in a local file: one line of JSON for each entry.
///
/// A file that would exceed its limit is renamed to `<file>.1`, that one to `<file>.2`, and so on; the oldest is removed. Each
/// file begins with a full entry and can be read alone. Appending takes a lock on `<file>.lock`, so that the lines of several
/// processes of one host stay whole, and is one write. A line that a killed process left half-written stays, marked as
/// torn by whoever writes next.
///
/// Take one value for each writer: a value remembers where its last writer wrote, and asks any other for a full entry.
///
/// Calls block as those of [`FileStore`](super::FileStore) do, and the same file systems are refused.
#[derive(Debug)]
pub struct AuditFile {
    place: Place,
    limit: u64,
    files: u32,
    sync: bool,
    /// Who wrote last through this value, and the sum of the first line of the file it wrote to.
    wrote: Mutex<Option<(HolderId, Sum)>>,
}

impl AuditFile {
    /// A log in the file `path`, whose folder must exist: at most 64 MiB in each of 9 files, synced at every entry. The file is
    /// made by the first entry, readable and writable by its owner only.
    ///
    /// # Errors
    /// As [`FileStore::open`](super::FileStore::open).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let place = Place::new(path.as_ref(), "the audit log")?;
        Ok(Self { place, limit: 64 << 20, files: 8, sync: true, wrote: Mutex::default() })
    }

    /// Begins a new file before one exceeds so many bytes, and keeps so many older ones. A single entry may be larger.
    #[must_use]
    pub const fn with_rotation(mut self, bytes: u64, older: u32) -> Self {
        (self.limit, self.files) = (bytes, older);
        self
    }

    /// Leaves it to the operating system when entries get to the disk: quicker, and a crash of the machine loses the last of them.
    #[must_use]
    pub const fn without_sync(mut self) -> Self {
        self.sync = false;
        self
    }

    /// The file that is written.
    pub fn path(&self) -> &Path {
        &self.place.file
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                ErrorKind::Denied { action: what.to_owned() }
            }
            _ => ErrorKind::Unavailable,
        };
        failed(kind, what, &self.place.file, error)
    }

    /// Makes room for a new file. The lock is held.
    fn rotate(&self) -> io::Result<()> {
        let older = |number: u32| beside(&self.place.file, &format!(".{number}"));
        let gone = |done: io::Result<()>| match done {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        };
        if self.files == 0 {
            return gone(remove_file(&self.place.file));
        }
        for number in (1..self.files).rev() {
            gone(rename(older(number), older(number.saturating_add(1))))?;
        }
        gone(rename(&self.place.file, older(1)))
    }

    /// Whether a difference of this writer has what it differs from in the file that begins with this line.
    fn has_base(&self, writer: &HolderId, first: Option<Sum>) -> bool {
        let wrote = self.wrote.lock().unwrap_or_else(PoisonError::into_inner);
        wrote.as_ref().is_some_and(|(last, sum)| last == writer && Some(*sum) == first)
    }
}

/// What has to stand between the end of a file and the next line: nothing, or the end of a line that somebody left unfinished.
fn mend(file: &mut File, length: u64) -> io::Result<&'static [u8]> {
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub(Line::END as u64)))?;
    file.take(Line::END as u64).read_to_end(&mut end)?;
    Ok(match end.last() {
        Some(b'\n') => b"",
        _ if Line::is_end(&end) => b"\n",
        _ => TORN_LINE.as_bytes(),
    })
}

/// The files of a log that are there, the oldest first, `path` last. Those between must all be there.
pub fn audit_files(path: &Path) -> Vec<PathBuf> {
    let older =
        (1..).map(|number: u32| beside(path, &format!(".{number}"))).take_while(|path| path.is_file());
    let mut files: Vec<PathBuf> = older.collect();
    files.reverse();
    files.push(path.to_owned());
    files
}

/// The sum of the first line of a file.
fn first_sum(path: &Path) -> Option<Sum> {
    let mut first = Vec::new();
    BufReader::new(File::open(path).ok()?).take(MAX_LINE as u64).read_until(b'\n', &mut first).ok()?;
    Line::read(first.strip_suffix(b"\n")?).ok().map(|line| line.head.sum)
}

/// The last whole line of a file.
fn last_line(path: &Path) -> io::Result<Option<Line>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let length = file.metadata()?.len();
    let mut size = LAST;
    loop {
        let from = length.saturating_sub(size);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        (&file).take(size).read_to_end(&mut bytes)?;
        // The first piece may be the end of a longer line, unless everything is here.
        let skip = usize::from(from > 0);
        let whole =
            bytes.split(|byte| *byte == b'\n').skip(skip).filter_map(|line| Line::read(line).ok()).last();
        if whole.is_some() || from == 0 {
            return Ok(whole);
        }
        size = size.saturating_mul(4);
    }
}

#[async_trait]
impl AuditLog for AuditFile {
    async fn append(&self, line: &Line) -> Result<Appended> {
        let _locked = Locked::take(&self.place.lock)?;
        let path = &self.place.file;
        let length = match path.symlink_metadata() {
            Ok(found) => found.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(self.failed("look at", error)),
        };
        let size = line.text.len() as u64 + 1;
        let full = length > 0 && length.saturating_add(size) > self.limit;
        let mut first = if full || length == 0 { None } else { first_sum(path) };
        if line.head.kind == Kind::Delta && !self.has_base(&line.head.writer, first) {
            return Ok(Appended::NeedsFull);
        }
        if full {
            self.rotate().map_err(|error| self.failed("rotate", error))?;
        }
        let mut bytes = Vec::with_capacity(line.text.len() + TORN_LINE.len() + 1);
        let mut file = write::owners_only()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|error| self.failed("open", error))?;
        if !full && length > 0 {
            bytes.extend_from_slice(mend(&mut file, length).map_err(|error| self.failed("read", error))?);
        }
        bytes.extend_from_slice(line.text.as_bytes());
        bytes.push(b'\n');
        // From here on it may be stored.
        let unclear = |error| failed(ErrorKind::Unclear, "append to", path, error);
        file.write_all(&bytes).map_err(unclear)?;
        if self.sync {
            file.sync_data().map_err(unclear)?;
            if length == 0 || full {
                File::open(&self.place.folder).and_then(|folder| folder.sync_all()).map_err(unclear)?;
            }
        }
        first = first.or_else(|| (length == 0 || full).then_some(line.head.sum));
        *self.wrote.lock().unwrap_or_else(PoisonError::into_inner) =
            first.map(|first| (line.head.writer.clone(), first));
        Ok(Appended::Stored)
    }

    async fn read(&self, range: &AuditRange) -> Result<AuditPage> {
        let _locked = Locked::take(&self.place.lock)?;
        read(&self.place.file, range).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => failed(ErrorKind::Invalid, "read", &self.place.file, error),
            _ => self.failed("read", error),
        })
    }

    async fn newest(&self) -> Result<Option<Head>> {
        for path in audit_files(&self.place.file).iter().rev() {
            let last = last_line(path).map_err(|error| self.failed("read", error))?;
            if let Some(line) = last {
                return Ok(Some(line.head));
            }
        }
        Ok(None)
    }
}

/// Where a page ended: in the file that begins with this line, behind so many bytes.
fn place(after: &str) -> Option<(Sum, u64)> {
    let (sum, at) = after.split_once(':')?;
    Some((Sum::parse(sum)?, at.parse().ok()?))
}

fn read(path: &Path, range: &AuditRange) -> io::Result<AuditPage> {
    let bad = || io::Error::new(io::ErrorKind::InvalidInput, "not a place that this log has named");
    let after = range.after.as_deref().map(|after| place(after).ok_or_else(bad)).transpose()?;
    let files = audit_files(path);
    // A file that has been removed meanwhile: what is left begins behind it.
    let begin =
        after.and_then(|(sum, at)| Some((files.iter().position(|file| first_sum(file) == Some(sum))?, at)));
    let (skip, mut at) = begin.unwrap_or((0, 0));
    let mut page = AuditPage::default();
    for path in files.iter().skip(skip) {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        file.seek(SeekFrom::Start(at))?;
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let size = file.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line)?;
            if size == 0 {
                break;
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            if wanted(text, range) {
                if page.lines.len() >= range.most.max(1) {
                    page.next = first_sum(path).map(|sum| format!("{sum}:{at}"));
                    return Ok(page);
                }
                page.lines.push(text.to_vec());
            }
            at = at.saturating_add(size as u64);
        }
        at = 0;
    }
    Ok(page)
}

/// What cannot be read is in every range: whoever asks has to see it.
fn wanted(line: &[u8], range: &AuditRange) -> bool {
    let Ok(Line { head, .. }) = Line::read(line) else { return true };
    range.from.is_none_or(|from| head.at >= from) && range.until.is_none_or(|until| head.at <= until)
}
