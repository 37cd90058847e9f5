//! Writing an audit log of a run, and reading one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use autoscale_core::data::audit::{Broken, Entry, Head, MAX_LINE, Read, Reader};
use autoscale_core::driver::{Auditor, Report as TickReport};
use autoscale_core::file::{AuditFile, audit_files};
use autoscale_core::ports::AuditLog;
use autoscale_core::sim::{self, Fleet, Happening, Observer, Report};
use autoscale_core::words::{HolderId, Span, escape};

use crate::args::Job;
use crate::bad::Bad;

/// Whose lines those of the simulator are.
const WRITER: &str = "simulate";

/// Runs the job and writes an audit log of it.
///
/// # Errors
/// The file is there already, or cannot be written.
pub(crate) fn run(job: &Job, path: &Path, everything: bool, then: &mut dyn Observer) -> Result<Report, Bad> {
    if path.symlink_metadata().is_ok() {
        return Err(Bad::whole(path, "is there already: name a file that is not, or remove it".to_owned()));
    }
    let log = AuditFile::open(path).map_err(|error| Bad::whole(path, error.chain()))?;
    // A run can be repeated: a crash of the machine loses nothing. One file holds all of it.
    let log = Arc::new(log.without_sync().with_rotation(u64::MAX, 0));
    let mut recorder = Recorder::new(log, everything, then);
    let report = sim::run(&job.config, &mut recorder);
    recorder.ends().map_or(Ok(report), |why| Err(Bad::whole(path, why)))
}

/// Hands every report to an auditor.
#[derive(Debug)]
pub(crate) struct Recorder<'a> {
    auditor: Option<Auditor>,
    then: &'a mut dyn Observer,
    failed: Option<String>,
}

impl<'a> Recorder<'a> {
    /// To a log, and to another observer.
    pub(crate) fn new(log: Arc<dyn AuditLog>, everything: bool, then: &'a mut dyn Observer) -> Self {
        let auditor = HolderId::new(WRITER).map(|name| Auditor::new(log, name));
        let auditor = auditor.map(|auditor| if everything { auditor.with_everything() } else { auditor });
        let failed = auditor.as_ref().err().map(ToString::to_string);
        Self { auditor: auditor.ok(), then, failed }
    }

    /// Why the log is not whole, if it is not.
    pub(crate) fn ends(self) -> Option<String> {
        self.failed
    }
}

impl Observer for Recorder<'_> {
    fn reached(&mut self, passed: Span) {
        self.then.reached(passed);
    }

    fn ticked(&mut self, report: &TickReport) {
        if let (Some(auditor), None) = (&mut self.auditor, &self.failed) {
            // A file and memory answer at once.
            let recorded = pin!(auditor.record(report)).poll_once();
            self.failed = match recorded {
                Some(recorded) => recorded.err().map(|error| error.to_string()),
                None => Some("the log did not answer at once".to_owned()),
            };
        }
        self.then.ticked(report);
    }

    fn happened(&mut self, at: Span, what: &Happening) {
        self.then.happened(at, what);
    }

    fn counted(&mut self, fleet: &Fleet<'_>) {
        self.then.counted(fleet);
    }
}

/// A future that is ready at once.
trait PollOnce: Future {
    /// What it gives, if it is ready.
    fn poll_once(self: std::pin::Pin<&mut Self>) -> Option<Self::Output>;
}

impl<F: Future + ?Sized> PollOnce for F {
    fn poll_once(self: std::pin::Pin<&mut Self>) -> Option<F::Output> {
        match self.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}

/// Why a log could not be read to its end.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// It is no audit log.
    Foreign(Bad),
    /// It was damaged.
    Damaged(Bad),
}

/// What was in a log besides entries.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How many lines were entries.
    pub(crate) entries: u64,
    /// Lines whose writer died.
    pub(crate) torn: u64,
    /// Differences to entries that are not there.
    pub(crate) baseless: u64,
    /// Entries of a table that are in a bucket which was not named: where each is.
    pub(crate) elsewhere: Vec<String>,
    /// So many of the differences are to those.
    pub(crate) lost: u64,
}

impl Seen {
    /// What was left out because it is in a bucket, and how it is read.
    pub(crate) fn left_out(&self, path: &Path) -> Option<Bad> {
        let entries = match self.elsewhere.len() {
            0 => return None,
            1 => "1 entry is in a bucket and was".to_owned(),
            many => format!("{many} entries are in a bucket and were"),
        };
        let lost = match self.lost {
            0 => String::new(),
            lost => format!(", with {lost} that say only what is different from them"),
        };
        let first = format!("{entries} left out{lost}: --large s3://BUCKET/PATH reads them");
        let rows = std::iter::once(&first).chain(&self.elsewhere).map(|row| (None, row.clone()));
        Some(Bad::of(path, rows.collect()))
    }
}

/// Reads a log and the older files beside it, oldest first. `see` is told file, line, head and entry, and stops by an answer.
///
/// # Errors
/// [`Stopped`], with file and line.
pub(crate) fn read<T>(
    path: &Path,
    mut see: impl FnMut(&Path, usize, Head, Entry<'static>) -> Option<T>,
) -> Result<Result<Seen, T>, Stopped> {
    let mut reader = Reader::new();
    let mut seen = Seen::default();
    let files = audit_files(path);
    for (file, number) in files.iter().zip(1..) {
        let newest = number == files.len();
        let read = |error: io::Error| Stopped::Foreign(Bad::whole(file, format!("cannot read: {error}")));
        let mut from = BufReader::new(File::open(file).map_err(read)?);
        let mut text = Vec::new();
        for line in 1.. {
            text.clear();
            let size = from.by_ref().take(MAX_LINE as u64 + 2).read_until(b'\n', &mut text).map_err(read)?;
            if size == 0 {
                break;
            }
            let found = match text.strip_suffix(b"\n") {
                Some(text) => reader.line(text),
                None if newest && size <= MAX_LINE => reader.tail(&text),
                None => reader.line(&text),
            };
            match found.map_err(|broken| stopped(file, line, &broken))? {
                Read::Entry(entry) => {
                    seen.entries += 1;
                    let (head, entry) = *entry;
                    if let Some(stop) = see(file, line, head, entry) {
                        return Ok(Err(stop));
                    }
                }
                Read::Torn => seen.torn += 1,
                _ => seen.baseless += 1,
            }
        }
    }
    reader.finish().map_err(|broken| Stopped::Damaged(Bad::whole(path, broken.to_string())))?;
    if seen.entries + seen.baseless == 0 {
        return Err(Stopped::Foreign(Bad::whole(path, "no entry of an audit log in it".to_owned())));
    }
    Ok(Ok(seen))
}

fn stopped(file: &Path, line: usize, broken: &Broken) -> Stopped {
    let bad = Bad::of(file, vec![(Some(line), broken.to_string())]);
    if broken.is_foreign() { Stopped::Foreign(bad) } else { Stopped::Damaged(bad) }
}

/// A path as it is printed.
pub(crate) fn shown(path: &Path) -> String {
    escape(&PathBuf::from(path).to_string_lossy())
}
