//! Entries of the audit log whose text is in a bucket and could not be had.

use std::fmt;

use autoscale_core::data::audit::{Broken, Sum};
use autoscale_core::words::{HolderId, Timestamp};

/// Some entries of a log, oldest first: [`AuditTable::entries`](super::AuditTable::entries).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct TablePage {
    /// The entries.
    pub entries: Vec<Stored>,
    /// Where the next page begins, if there is more: for [`AuditRange::after`](autoscale_core::ports::AuditRange::after). Opaque.
    pub next: Option<String>,
}

/// One entry of a log, as far as it can be had.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Stored {
    /// Its line, without a line break; also what should be a line and is none.
    Line(Vec<u8>),
    /// It is in a bucket, and what the table keeps of it is all there is here.
    Absent(Box<Absent>),
}

/// What a table keeps of an entry that was handed to a bucket, unchecked: [`Reader::absent`](autoscale_core::data::audit::Reader::absent)
/// goes on behind it, and checks that the writer's next line fits.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Absent {
    /// The sort key of the item, for people and errors.
    pub item: String,
    /// The object that the entry was put into.
    pub object: String,
    /// Who wrote it.
    pub writer: HolderId,
    /// Its number among the lines of this writer.
    pub n: u64,
    /// When its tick began.
    pub at: Timestamp,
    /// The sum of its line.
    pub sum: Sum,
    /// Why it is not here.
    pub why: Why,
}

/// Why an entry that was handed to a bucket is not here.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Why {
    /// The log was not given the bucket: nobody has looked.
    NoBucket,
    /// The bucket has no such object.
    Gone,
    /// The object is not what was put: no line, or its digest is not the one that the table keeps.
    Damaged(Broken),
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { item, object, why, .. } = self;
        match why {
            Why::NoBucket => {
                write!(f, "the entry of item {item} was handed to a bucket, as the object {object}")
            }
            Why::Gone => write!(f, "item {item}: the object {object} is gone"),
            Why::Damaged(broken) => {
                write!(f, "item {item}: the object {object} is not what was put: {broken}")
            }
        }
    }
}
