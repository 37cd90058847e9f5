//! F0: the words everything else is said in. Time, identifiers, quantities, hashes.
//!
//! Nothing here reads a clock, a random number or the environment.

mod config;
mod extended;
mod hash;
mod ids;
mod quantity;
mod text;
mod time;

pub use config::{ConfigError, ConfigErrors};
pub use extended::Extended;
pub use hash::{ContentHash, Fnv128};
pub use ids::{
    ClusterId, HolderId, IdError, Inc, InstanceId, NodeName, NodeUid, PodUid, PoolName, ShapeName,
    SignalName, Token, TokenParts, Ver, WriteId, Zone,
};
pub use quantity::{Fixed, FixedError, Ratio, Resources, Unit};
pub use text::{escape, one_line, truncated};
pub use time::{Deadline, Elapsed, Span, SpanError, Timestamp};
