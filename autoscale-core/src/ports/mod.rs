//! F3: the ports. Four traits that a provider implements, a clock, and one error; with the feature `audit` a log beside them.
//!
//! The traits have few methods and no default bodies. They are used as `Arc<dyn _>`. None of them waits: a call
//! asks or orders once and returns; what takes longer is state in the record, not an open call.

#[cfg(feature = "audit")]
mod audit_log;
mod clock;
mod drainer;
mod error;
mod metrics_source;
mod node_provider;
mod state_store;

#[cfg(feature = "audit")]
pub use audit_log::{Appended, AuditLog, AuditPage, AuditRange};
pub use clock::{Clock, Ids, RandomIds};
pub use drainer::Drainer;
pub use error::{Error, ErrorKind, Result};
pub use metrics_source::MetricsSource;
pub use node_provider::NodeProvider;
pub use state_store::{Expected, Loaded, Sealed, StateStore, Summary, Swapped, Version};
