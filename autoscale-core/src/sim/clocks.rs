//! The clock of one process: it may be off, run fast or slow, jump, or stand still (F10).

use crate::memory::{Rng, boot};
use crate::words::{Deadline, Span, Timestamp};

use super::faults::Chaos;
use super::odds;

/// How far a driver's clock may be from the server's before a provider refuses to send a launch.
pub(super) const MOST_SKEW: Span = Span::from_secs(30);

const YEAR_MS: i64 = 365 * 24 * 3_600_000;

/// How the clock of one process runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProcessClock {
    began: Timestamp,
    /// How far it is off, in milliseconds.
    skew: i64,
    /// How much too fast it runs, in millionths.
    fast: i64,
    /// It jumps so far, after so long.
    jump: Option<(i64, i64)>,
    frozen: bool,
}

impl ProcessClock {
    /// A clock that is right.
    pub(super) fn right(now: Timestamp) -> Self {
        Self { began: now, ..Self::default() }
    }

    /// A clock as the seed has it.
    pub(super) fn draw(chaos: &mut Chaos, now: Timestamp) -> Self {
        let mut clock = Self::right(now);
        if chaos.hit(odds::CLOCK_SKEW) {
            clock.skew = far(&mut chaos.rng);
        }
        if chaos.hit(odds::CLOCK_DRIFT) {
            clock.fast = chaos.rng.below(1_000_001) as i64 - 500_000;
        }
        if chaos.hit(odds::CLOCK_JUMP) {
            let after = chaos.rng.below(10_000) as i64;
            clock.jump = Some((after, far(&mut chaos.rng)));
        }
        clock.frozen = chaos.hit(odds::CLOCK_FROZEN);
        clock
    }

    /// A clock that is a day ahead.
    pub(super) fn ahead(now: Timestamp) -> Self {
        Self { skew: 24 * 3_600_000, ..Self::right(now) }
    }

    fn lived(&self, now: Timestamp) -> i64 {
        let lived = now.since(self.began).as_millis() as i64;
        lived + lived * self.fast / 1_000_000
    }

    /// The wall clock, when it is `now` in truth.
    pub(super) fn wall(&self, now: Timestamp) -> Timestamp {
        let lived = self.lived(now);
        let jump = self.jump.filter(|(after, _)| lived >= *after).map_or(0, |(_, by)| by);
        let own = if self.frozen { 0 } else { lived };
        Timestamp::from_millis(self.began.as_millis() + self.skew + own + jump)
    }

    /// The clock that never jumps; it may still drift.
    pub(super) fn boot(&self, now: Timestamp) -> Deadline {
        let began = boot(self.began);
        began.after(Span::from_millis(self.lived(now).max(0).unsigned_abs()))
    }

    /// How long a sleep by this clock takes in truth.
    pub(super) fn true_span(&self, span: Span) -> Span {
        span.times(1_000_000).divided((1_000_000 + self.fast).max(1).unsigned_abs())
    }

    /// Whether a provider would refuse to send a launch.
    pub(super) fn is_far_off(&self, now: Timestamp) -> bool {
        let wall = self.wall(now);
        wall.since(now) > MOST_SKEW || now.since(wall) > MOST_SKEW
    }
}

/// 1 s to 10 years, either way, small as often as large.
fn far(rng: &mut Rng) -> i64 {
    let most = [5_000, 60_000, 3_600_000, 24 * 3_600_000, 10 * YEAR_MS];
    let most = rng.pick(&most).copied().unwrap_or(1_000);
    let by = 1_000 + rng.below(most.unsigned_abs()) as i64;
    if rng.chance(500_000) { by } else { -by }
}
