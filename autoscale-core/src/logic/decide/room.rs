//! How much room a record has left.

use crate::data::record::{MAX_BYTES, Record};

/// Nothing that has to go on growing fills a record beyond this; the rest is for what its operations come to.
const FULL: usize = MAX_BYTES / 5 * 4;

/// The length of a record, measured again only when its operations have become more or others.
pub(crate) struct RecordRoom {
    ops: usize,
    len: usize,
}

impl RecordRoom {
    pub(crate) fn of(record: &Record) -> Self {
        Self { ops: record.ops.len(), len: encoded_len(record) }
    }

    /// Whether there is room for so many bytes more, which are then taken.
    pub(crate) const fn takes(&mut self, bytes: usize) -> bool {
        let fits = self.len.saturating_add(bytes) < FULL;
        if fits {
            self.len += bytes;
        }
        fits
    }

    /// Whether another operation may be begun.
    pub(crate) fn is_left(&mut self, record: &Record) -> bool {
        if record.ops.len() != self.ops {
            *self = Self::of(record);
        }
        self.len < FULL
    }
}

/// How long a record is when it is stored, in bytes.
pub(crate) fn encoded_len(record: &Record) -> usize {
    serde_json::to_vec(record).map_or(usize::MAX, |bytes| bytes.len())
}
