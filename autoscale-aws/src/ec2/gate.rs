//! Whether a signed request may still leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use autoscale_core::ports::Clock;
use autoscale_core::words::{Deadline, Timestamp};

use crate::watch::{Gate, Watch};

/// No launch is sent when the clocks differ by more, in milliseconds.
const MOST: i64 = 30_000;

/// How far EC2's clock is ahead of ours, as of its last answer, in milliseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Ahead(Arc<AtomicI64>);

impl Ahead {
    /// Learns from an answer. It tells whole seconds.
    pub(super) fn learn(&self, watch: &Watch, now: Timestamp) {
        if let Some(date) = watch.date() {
            self.0.store(date.as_millis().saturating_sub(now.as_millis()), Ordering::Release);
        }
    }

    fn get(&self) -> i64 {
        self.0.load(Ordering::Acquire)
    }
}

/// The gate of one order.
#[derive(Debug)]
pub(super) struct InTime {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) not_after: Deadline,
    /// For requests that could buy twice.
    pub(super) ahead: Option<Ahead>,
}

impl Gate for InTime {
    fn closed(&self) -> Option<String> {
        let (now, not_after) = (self.clock.boot(), self.not_after);
        if now > not_after {
            return Some(format!("its time was up {} ago", now.since(not_after)));
        }
        let ahead = self.ahead.as_ref().map_or(0, Ahead::get);
        (ahead.abs() > MOST).then(|| {
            let (seconds, which) = (ahead.abs() / 1_000, if ahead > 0 { "behind" } else { "ahead of" });
            format!("this machine's clock is {seconds} s {which} EC2's: set it right")
        })
    }
}
