//! Load over time: integer curves, the same on every machine.

use crate::memory::Rng;
use crate::words::Span;

use super::config::{LoadPoint, Scenario};

const HOUR: u64 = 3_600_000;
const MINUTE: u64 = 60_000;

/// A web shop's day, hour by hour, in thousandths of its peak: quiet at night, busy from 9 to 21 h.
const DAY: [u64; 24] = [
    220, 180, 150, 140, 140, 160, 220, 340, 520, 720, 800, 840, 880, 860, 820, 820, 850, 900, 960, 1_000,
    980, 760, 480, 320,
];

/// Monday to Sunday, in thousandths.
const WEEK: [u64; 7] = [900, 880, 900, 920, 1_000, 1_150, 1_100];

/// A peak: so much more, in thousandths of the base, from and until.
#[derive(Clone, Copy, Debug)]
struct Peak {
    from: u64,
    until: u64,
    more: u64,
}

/// What the load uses at any time, in thousandths of a CPU.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    base: Base,
    /// Where in the week the run begins.
    offset: u64,
    peaks: Vec<Peak>,
    /// From when on the load stays as it is.
    held_from: u64,
    noise: u64,
}

#[derive(Clone, Debug)]
enum Base {
    Flat(u64),
    Days { peak: u64, weekly: bool },
    Given(Vec<LoadPoint>),
}

impl Curve {
    /// The curve of a scenario, or the given one. Under faults peaks come often and the run begins anywhere in the week.
    pub(super) fn new(
        scenario: Scenario,
        given: Option<&[LoadPoint]>,
        until: Span,
        busy: bool,
        held_from: Span,
        mut rng: Rng,
    ) -> Self {
        let noise = rng.draw();
        let (base, every, more) = match scenario {
            Scenario::Shop => (Base::Days { peak: 11_000, weekly: true }, 40 * HOUR, (500, 1_000)),
            Scenario::Steady => (Base::Flat(6_000), 0, (0, 0)),
            Scenario::Diurnal => (Base::Days { peak: 10_000, weekly: false }, 0, (0, 0)),
            Scenario::FlashSale => (Base::Flat(3_000), 4 * HOUR, (1_500, 3_500)),
            Scenario::SpotStorm | Scenario::ZoneOutage => (Base::Flat(8_000), 6 * HOUR, (200, 500)),
            Scenario::ThousandNodes => (Base::Days { peak: 11_500, weekly: false }, 0, (0, 0)),
            Scenario::MetricsOutage => (Base::Days { peak: 10_000, weekly: false }, 0, (0, 0)),
        };
        let (every, more) = if busy { (2 * HOUR, (200, 1_200)) } else { (every, more) };
        let mut peaks = Vec::new();
        let mut at = every / 2;
        while every > 0 && at < until.as_millis() && given.is_none() {
            let from = at + rng.below(every / 2);
            let length = 20 * MINUTE + rng.below(40 * MINUTE);
            peaks.push(Peak { from, until: from + length, more: more.0 + rng.below(more.1 - more.0 + 1) });
            at += every;
        }
        let base = given.map_or(base, |points| Base::Given(points.to_vec()));
        let offset = if busy { rng.below(7 * 24) * HOUR } else { 0 };
        Self { base, offset, peaks, held_from: held_from.as_millis(), noise }
    }

    /// From then on the load stays as it is.
    pub(super) fn hold_from(&mut self, at: Span) {
        self.held_from = self.held_from.min(at.as_millis());
    }

    /// The load, so long after the start of the run.
    pub(super) fn at(&self, at: Span) -> u64 {
        let at = at.as_millis().min(self.held_from);
        let time = at + self.offset;
        let base = match &self.base {
            Base::Flat(level) => *level,
            Base::Days { peak, weekly } => {
                let (hour, part) = ((time / HOUR % 24) as usize, time % HOUR);
                let level = |hour: usize| DAY.get(hour % 24).copied().unwrap_or(0);
                let day = (level(hour) * (HOUR - part) + level(hour + 1) * part) / HOUR;
                let week = if *weekly { WEEK.get((time / (24 * HOUR) % 7) as usize).copied() } else { None };
                peak * day * week.unwrap_or(1_000) / 1_000_000
            }
            Base::Given(points) => {
                let after = points.partition_point(|point| point.at.as_millis() <= at);
                return after
                    .checked_sub(1)
                    .and_then(|last| points.get(last))
                    .map_or(0, |point| point.cpu_milli);
            }
        };
        // Peaks are in the order of time, and none is longer than the distance of three.
        let begun = self.peaks.partition_point(|peak| peak.from <= at);
        let more: u64 = self.peaks.iter().take(begun).rev().take(4).map(|peak| peak.height(at)).sum();
        // Up to 3 % either way, another step every minute.
        let wobble = Rng::new(self.noise ^ (at / MINUTE)).below(61);
        base * (1_000 + more) / 1_000 * (970 + wobble) / 1_000
    }
}

impl Peak {
    /// Up within 3 minutes, down within 5.
    fn height(&self, at: u64) -> u64 {
        if at < self.from || at >= self.until {
            return 0;
        }
        let up = (at - self.from).min(3 * MINUTE) * self.more / (3 * MINUTE);
        let down = (self.until - at).min(5 * MINUTE) * self.more / (5 * MINUTE);
        up.min(down)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shop_sleeps_at_night_and_a_trace_is_a_staircase() {
        let week = Span::from_mins(7 * 24 * 60);
        let curve = Curve::new(Scenario::Shop, None, week, false, week, Rng::new(1));
        assert!(curve.at(Span::from_mins(3 * 60)) * 3 < curve.at(Span::from_mins(19 * 60)));
        let points = [LoadPoint::new(Span::ZERO, 5), LoadPoint::new(Span::from_secs(60), 9)];
        let curve = Curve::new(Scenario::Shop, Some(&points), week, false, week, Rng::new(1));
        assert_eq!([59, 60, 61].map(|at| curve.at(Span::from_secs(at))), [5, 9, 9]);
    }
}
