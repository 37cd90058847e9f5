//! Scheduled events of the machine this runs on, as notices.
//!
//! Azure announces them only to the machine itself, at an address that no other can reach, so that something has to run there: an agent that reads
//! the document every second or so ([`Metadata`]), turns what changed into notices ([`Watch`]) and hands them on. What it needs is nothing
//! but the way to that address: no identity, no rights. Times are at least 30 s ahead for `Preempt`, 5 to 15 minutes for `Terminate`, about 15 for the
//! rest; an event may be withdrawn, and an announced end may never come.
//!
//! | event | becomes |
//! |---|---|
//! | `Preempt`, `Terminate` | an interruption, with its time |
//! | `Redeploy`, `Reboot` | a rebalance recommendation: the machine comes back, what runs there does not; [`Treat`] says otherwise |
//! | `Freeze` | nothing: the machine stands still for seconds |
//! | one that is gone from the document | its interruption is withdrawn, unless another one is still announced |
//!
//! Where an agent has no way to the record it leaves what is announced as [`Marks`] where a driver's program finds them, such as in an
//! annotation of its node; that program turns them into notices, and notes beside them what it has stored.
//!
//! An event that is [approved](Metadata::approve) begins at once: only when the node is empty.

mod document;
mod marks;
mod metadata;
mod watch;

pub use document::{Document, DocumentError, EventKind, ScheduledEvent};
pub use marks::{Due, Mark, Marks, MarksError};
pub use metadata::Metadata;
pub use watch::{EventRules, Treat, Watch};
