//! The record: the one versioned value in the state store. Lease, operations, notices, marks.

mod marks;
mod notice;
mod op;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::words::{ContentHash, Elapsed, HolderId, Inc, PoolName, Span, Timestamp, Ver, WriteId};

pub use marks::{Backoff, Mark, NodeBackoff, OfferingBackoff, PoolMarks, Wish};
pub use notice::{IncomingNotice, Notice, NoticeKind, Replacement};
pub use op::{
    Attempt, Cause, KeptAside, Launch, LaunchState, Op, OpKind, Remove, RemoveState, RemoveWhy, Rollback,
};

/// The schema this version writes.
pub const SCHEMA: u32 = 1;

/// Largest record, in bytes: all annotations of one Kubernetes object share 256 KiB.
pub const MAX_BYTES: usize = 200 * 1024;

/// Most notices kept at a time.
pub const MAX_NOTICES: usize = 256;

/// Most closed notices kept, to know late copies of them.
pub const MAX_CLOSED_NOTICES: usize = 64;

/// Most nodes per pool whose failed removal is remembered.
pub const MAX_NODE_BACKOFFS: usize = 64;

/// The longest step that one tick may move a record's timeline (rule R13).
pub const MAX_STEP: Span = Span::from_mins(15);

/// Whose record it is: cluster, and the account, region and tags the provider works in. Never the policy.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(ContentHash);

impl Fingerprint {
    /// Of a cluster and the scope its provider works in, such as account and region.
    pub fn of(cluster: &crate::words::ClusterId, scope: &str) -> Self {
        Self(ContentHash::of(format!("{cluster}\n{scope}").as_bytes()))
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The record's timeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Time {
    /// The wall clock of the last write.
    pub last_now: Timestamp,
    /// What ticks have lived through, up to the last write.
    pub elapsed: Elapsed,
    /// Until when nothing is launched or removed after a rebuild (rule R14).
    pub quiet_until: Elapsed,
}

/// Who works on the record now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lease {
    /// The tick that holds it.
    pub holder: HolderId,
    /// Until when, by the holder's wall clock.
    pub until: Timestamp,
}

/// A pause asked for by a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Pause {
    /// Who asked.
    pub who: String,
    /// Why.
    pub why: String,
    /// Until when; `None` until resumed.
    pub until: Option<Elapsed>,
}

/// The one versioned value in the state store.
///
/// Field order is the order in JSON. Every number is an integer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// The schema it was written in.
    pub schema: u32,
    /// The lowest schema a reader must know.
    pub min_reader: u32,
    /// Whose it is.
    pub fingerprint: Fingerprint,
    /// Drawn at random when it was created.
    pub inc: Inc,
    /// One more with every write.
    pub ver: Ver,
    /// The name of the write that made this version.
    pub write_id: WriteId,
    /// Its timeline.
    pub time: Time,
    /// Who works on it now.
    pub lease: Option<Lease>,
    /// The number of the next action; never reused within `inc`.
    pub next_seq: u64,
    /// Open operations, by action and slot.
    pub ops: Vec<Op>,
    /// Open notices, in the order of their arrival.
    pub notices: Vec<Notice>,
    /// Marks of each pool.
    pub pools: BTreeMap<PoolName, PoolMarks>,
    /// A pause asked for by a person.
    pub paused: Option<Pause>,
}

impl Record {
    /// A record that has not been stored yet: version zero, nothing in it.
    pub const fn founding(fingerprint: Fingerprint, inc: Inc, write_id: WriteId, now: Timestamp) -> Self {
        Self {
            schema: SCHEMA,
            min_reader: SCHEMA,
            fingerprint,
            inc,
            ver: Ver::ZERO,
            write_id,
            time: Time { last_now: now, elapsed: Elapsed::ZERO, quiet_until: Elapsed::ZERO },
            lease: None,
            next_seq: 1,
            ops: Vec::new(),
            notices: Vec::new(),
            pools: BTreeMap::new(),
            paused: None,
        }
    }

    /// Whether it has never been stored.
    pub fn is_founding(&self) -> bool {
        self.ver == Ver::ZERO
    }

    /// The number of the scaling action that is open, if one is.
    pub fn open_action(&self) -> Option<u64> {
        self.ops.iter().find(|op| op.cause == Cause::Scale && !op.is_set_aside()).map(|op| op.seq)
    }

    /// The record's timeline at `now`: the last written point and what has passed since, at most 15 minutes.
    pub fn elapsed_at(&self, now: Timestamp) -> Elapsed {
        let step = now.since(self.time.last_now).min(MAX_STEP);
        self.time.elapsed.after(step)
    }

    /// The marks of a pool, empty ones if it has none yet.
    pub fn marks(&self, pool: &PoolName) -> std::borrow::Cow<'_, PoolMarks> {
        match self.pools.get(pool) {
            Some(marks) => std::borrow::Cow::Borrowed(marks),
            None => std::borrow::Cow::Owned(PoolMarks::default()),
        }
    }

    /// The open operation on an instance, if there is one.
    pub fn op_on(&self, instance: &crate::words::InstanceId) -> Option<&Op> {
        self.ops.iter().find(|op| op.instance() == Some(instance))
    }
}
