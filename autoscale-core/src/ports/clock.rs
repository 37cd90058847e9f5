//! Time and randomness, as the driver is given them.

use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use crate::words::{Deadline, HolderId, Inc, Span, Timestamp, WriteId};

/// The driver's clock. The only one that anything in this crate reads.
///
/// # Contract
/// - `now` is the wall clock; it may jump.
/// - `boot` never goes back, and counts the time in which the machine or the process was suspended.
/// - `sleep` ends when `boot` has advanced by at least `span`.
#[async_trait]
pub trait Clock: Debug + Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// The boot clock.
    fn boot(&self) -> Deadline;
    /// Waits.
    async fn sleep(&self, span: Span);
}

/// Where the driver gets names that nobody else has.
///
/// # Contract
/// - No two calls, in any process, give the same name.
pub trait Ids: Debug + Send + Sync + 'static {
    /// The name of one tick: the holder of a lease.
    fn holder(&self) -> HolderId;
    /// The name of one write.
    fn write_id(&self) -> WriteId;
    /// The incarnation of a new record.
    fn inc(&self) -> Inc;
}

/// Random names from the operating system's randomness, through the standard library's hasher keys, mixed with
/// the process id, the time and a counter.
#[derive(Debug)]
pub struct RandomIds {
    name: String,
    drawn: AtomicU64,
}

impl RandomIds {
    /// With a name for people, such as the pod's; characters that a holder id cannot have are left out.
    pub fn new(name: impl AsRef<str>) -> Self {
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let name = name.as_ref().chars().filter(allowed).take(60).collect();
        Self { name, drawn: AtomicU64::new(0) }
    }

    fn draw(&self) -> u128 {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed);
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = (count, std::process::id(), since_1970.map_or(0, |since| since.as_nanos()));
        let (high, low) = (RandomState::new().hash_one(seed), RandomState::new().hash_one(seed));
        u128::from(high) << 64 | u128::from(low)
    }
}

impl Ids for RandomIds {
    fn holder(&self) -> HolderId {
        let (name, drawn) = (if self.name.is_empty() { "driver" } else { &self.name }, self.draw());
        HolderId::new(format!("{name}.{:016x}", drawn as u64))
            .expect("filtered characters and a short number")
    }

    fn write_id(&self) -> WriteId {
        WriteId::new(format!("{:032x}", self.draw())).expect("32 hexadecimal digits")
    }

    fn inc(&self) -> Inc {
        Inc::new(format!("{:016x}", self.draw() as u64)).expect("16 hexadecimal digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ() {
        let ids = RandomIds::new("pod \"x\"\n");
        assert_ne!(ids.write_id(), ids.write_id());
        assert_ne!(ids.holder(), RandomIds::new("").holder());
        assert!(ids.holder().as_str().starts_with("podx."));
    }
}
