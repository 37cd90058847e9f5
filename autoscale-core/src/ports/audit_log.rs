//! Where the audit log is kept.

use std::fmt::Debug;

use async_trait::async_trait;

use super::Result;
use crate::data::audit::{Head, Line};
use crate::words::Timestamp;

/// What became of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a line may not have been stored"]
#[non_exhaustive]
pub enum Appended {
    /// It is stored.
    Stored,
    /// It is not: it is a difference, and what it differs from is not in the part of the log that is written now, or soon will not
    /// be. Append the entry again as a full one.
    NeedsFull,
}

/// Which lines to read.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct AuditRange {
    /// Of ticks that began then or later.
    pub from: Option<Timestamp>,
    /// Of ticks that began then or earlier.
    pub until: Option<Timestamp>,
    /// Where the page before has ended.
    pub after: Option<String>,
    /// At most so many lines on a page, at least one.
    pub most: usize,
}

impl AuditRange {
    /// All of them, a hundred on a page.
    pub const fn all() -> Self {
        Self { from: None, until: None, after: None, most: 100 }
    }
}

/// Some lines.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct AuditPage {
    /// The lines as they were stored, without line breaks; also what should be a line and is none.
    pub lines: Vec<Vec<u8>>,
    /// Where the next page begins, if there is more: for [`AuditRange::after`]. Opaque.
    pub next: Option<String>,
}

impl AuditPage {
    /// Some lines, and where the next page begins.
    pub const fn new(lines: Vec<Vec<u8>>, next: Option<String>) -> Self {
        Self { lines, next }
    }
}

/// Where the audit log is kept: a file, a table, an object store.
///
/// # Contract
/// - A line that is `Stored` stays, and comes back byte for byte, until the store's own bound removes it with everything
///   older.
/// - Lines of one writer come back in the order of their numbers; others may stand between them. Oldest first.
/// - `newest` is the head of a line that was stored last, by whomever; a line that is only partly there is not one.
/// - A store with a limit below [`MAX_LINE`](crate::data::audit::MAX_LINE) cuts a line into pieces, or puts it elsewhere and leaves a digest.
/// - `NeedsFull` is never the answer to a full line.
/// - It looks into nothing but the head.
///
/// # Idempotency
/// None is asked for: nobody appends a line twice. After an unclear answer a writer goes on under another name.
#[async_trait]
pub trait AuditLog: Debug + Send + Sync + 'static {
    /// Stores one line behind the others.
    ///
    /// # Errors
    /// `Unclear` if it may be stored; `Throttled`, `Denied`, `Invalid` or `Unavailable` if it certainly is not.
    async fn append(&self, line: &Line) -> Result<Appended>;

    /// Reads lines, oldest first, a page at a time. [`Line::missing`] stands for an entry that is there and cannot be had.
    ///
    /// # Errors
    /// `Throttled`, `Denied`, `Unavailable`; `Invalid` for an `after` that is not from here.
    async fn read(&self, range: &AuditRange) -> Result<AuditPage>;

    /// The head of the newest line; `None` if there is none.
    ///
    /// # Errors
    /// `Throttled`, `Denied` or `Unavailable`; `Invalid` if what is there is no audit log.
    async fn newest(&self) -> Result<Option<Head>>;
}
