//! F2: the decision, as pure functions. No I/O, no async, no clock, no randomness.
//!
//! [`claim`] judges a loaded record, [`wanted`] says what to look at, [`plan`] decides, [`due`] names the effects that
//! a stored record authorises, [`settle`] writes down what became of them. The same bytes in give the same bytes out.

#[cfg(feature = "audit")]
mod audit;
mod decide;
mod due;
mod fit;
mod lease;
mod marks;
mod movable;
mod operate;
mod owners;
mod settle;
#[cfg(test)]
pub(crate) mod testing;
mod wanted;

use crate::data::record::IncomingNotice;
use crate::words::{HolderId, Span, WriteId};

#[cfg(feature = "audit")]
pub use audit::{
    Answer, Differs, Explainer, NoAnswer, NodeAnswer, PoolAnswer, Question, Replayed, Standing, Wait, replay,
};
pub use decide::{Halt, Planned, Purchase, Removable, Sizing, plan, removable, sizing};
pub use due::due;
pub use lease::{Claim, claim};
pub use operate::{OperateError, Operation, Status, operate};
pub use settle::{append_notices, released, settle};
pub use wanted::wanted;

/// What one tick brings to a decision, besides policy, record and view.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Tick {
    /// The tick: who will hold the lease.
    pub holder: HolderId,
    /// The name of the next write.
    pub write_id: WriteId,
    /// `D`: how long a launch request signed before may still be accepted by the cloud. 7 minutes for EC2, 0 where
    /// the machine's name makes it unique.
    pub launch_delay: Span,
    /// Notices that came with the trigger.
    pub notices: Vec<IncomingNotice>,
}

impl Tick {
    /// A tick without notices.
    pub const fn new(holder: HolderId, write_id: WriteId, launch_delay: Span) -> Self {
        Self { holder, write_id, launch_delay, notices: Vec::new() }
    }

    /// The same tick with notices to store.
    #[must_use]
    pub fn with_notices(mut self, notices: Vec<IncomingNotice>) -> Self {
        self.notices = notices;
        self
    }

    /// The same tick, about to make another write.
    #[must_use]
    pub fn with_write_id(mut self, write_id: WriteId) -> Self {
        self.write_id = write_id;
        self
    }
}
