//! Notices: what the cloud announces about an instance.

use serde::{Deserialize, Serialize};

use crate::words::{Elapsed, InstanceId, Span, truncated};

/// What is announced.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoticeKind {
    /// The cloud will take the instance.
    Interruption,
    /// The instance is at a raised risk; no deadline.
    Rebalance,
    /// An earlier announcement no longer holds.
    Withdrawn,
}

/// A notice as it arrives with a tick's trigger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IncomingNotice {
    /// The sender's id for it, printable and at most 80 characters; the same id is the same notice.
    pub id: String,
    /// Whom it is about.
    pub instance: InstanceId,
    /// What is announced.
    pub kind: NoticeKind,
    /// How long until it happens. 2 minutes for a spot interruption.
    pub time_left: Span,
}

impl IncomingNotice {
    /// A notice about an instance.
    pub fn new(id: impl AsRef<str>, instance: InstanceId, kind: NoticeKind, time_left: Span) -> Self {
        Self { id: truncated(id.as_ref(), 80), instance, kind, time_left }
    }
}

/// Whether a doomed instance has been replaced.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Replacement {
    /// Not yet decided, or no room below `max` yet.
    Wanted,
    /// Launched under this number.
    Bought(u64),
    /// None is wanted: the pool was shrinking, a scale-down was recalled instead, or the setting says so.
    Unwanted,
}

/// A stored notice.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Notice {
    /// The sender's id for it.
    pub id: String,
    /// Whom it is about.
    pub instance: InstanceId,
    /// What is announced.
    pub kind: NoticeKind,
    /// When it was stored.
    pub received: Elapsed,
    /// When it happens, for an interruption.
    pub deadline: Option<Elapsed>,
    /// Whether the drain of the instance has been put into an operation.
    pub draining: bool,
    /// Whether it has been replaced.
    pub replacement: Replacement,
    /// Whether all is done. It is kept for 6 hours, so that a late copy of it is known.
    pub closed: bool,
}
