//! The time of this world as a clock.

use async_trait::async_trait;
use autoscale_core::ports::Clock;
use autoscale_core::words::{Deadline, Span, Timestamp};

use super::Arm;

#[derive(Debug)]
pub(super) struct ArmClock(pub(super) Arm);

#[async_trait]
impl Clock for ArmClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn boot(&self) -> Deadline {
        Deadline::from_millis(self.0.now().as_millis().unsigned_abs())
    }

    async fn sleep(&self, span: Span) {
        self.0.advance(span);
    }
}
