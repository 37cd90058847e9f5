//! How a tick ended.

use serde::{Deserialize, Serialize};

use crate::words::{HolderId, Timestamp};

/// How a tick ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ended {
    /// Nothing more was due, or the time was up; what is left is in the record.
    Done,
    /// Another tick holds the lease. Notices were stored all the same.
    Busy {
        /// Who.
        holder: HolderId,
        /// Until when, by its clock.
        until: Timestamp,
    },
    /// The record cannot be read or is not ours: nothing was written, nothing was done. A person has to look.
    Halted {
        /// What is wrong and what to do.
        why: String,
    },
    /// The store did not answer or others kept winning: nothing was done.
    NoAuthority {
        /// In words.
        why: String,
    },
}

impl Ended {
    /// A short name that stays the same from version to version, for logs and metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Busy { .. } => "busy",
            Self::Halted { .. } => "halted",
            Self::NoAuthority { .. } => "no_authority",
        }
    }
}
