//! How marks move: since when something has been seen without a break.

use crate::data::record::{Backoff, Mark};
use crate::words::{Elapsed, Span};

/// A mark after the thing was seen again at `now`.
///
/// A gap longer than `gap` starts it anew. `last` is refreshed only when `refresh` has passed, so that a quiet tick
/// need not write.
pub(crate) fn seen(mark: Option<Mark>, now: Elapsed, gap: Span, refresh: Span) -> Mark {
    match mark {
        Some(Mark { since, last }) if now.since(last) <= gap => {
            Mark { since, last: if now.since(last) >= refresh { now } else { last } }
        }
        _ => Mark::at(now),
    }
}

/// A backoff after another failure: `initial` at first, doubling up to `max`.
///
/// A failure that comes later than twice `max` after the last backoff ended counts as the first.
pub(crate) fn failed(previous: Option<Backoff>, now: Elapsed, initial: Span, max: Span) -> Backoff {
    let forgotten = |b: &Backoff| now.since(b.until) > max.times(2);
    let failures = previous.filter(|b| !forgotten(b)).map_or(1, |b| b.failures.saturating_add(1));
    let doubled = initial.times(1_u64 << failures.saturating_sub(1).min(20));
    Backoff { until: now.after(doubled.min(max)), failures }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Elapsed {
        Elapsed::from_millis(secs * 1_000)
    }

    #[test]
    fn a_mark_survives_short_gaps_only() {
        let (gap, refresh) = (Span::from_secs(300), Span::from_secs(150));
        let mark = seen(None, at(10), gap, refresh);
        assert_eq!((mark.since, mark.last), (at(10), at(10)));
        let kept = seen(Some(mark), at(100), gap, refresh);
        assert_eq!((kept.since, kept.last), (at(10), at(10)), "not refreshed before a quarter");
        let refreshed = seen(Some(mark), at(200), gap, refresh);
        assert_eq!((refreshed.since, refreshed.last), (at(10), at(200)));
        let restarted = seen(Some(mark), at(311), gap, refresh);
        assert_eq!((restarted.since, restarted.last), (at(311), at(311)));
    }

    #[test]
    fn backoffs_double_up_to_the_limit_and_are_forgotten() {
        let (initial, max) = (Span::from_mins(5), Span::from_mins(30));
        let mut backoff = None;
        let mut waits = Vec::new();
        let mut now = at(0);
        for _ in 0..5 {
            let next = failed(backoff, now, initial, max);
            waits.push(next.until.since(now).as_secs() / 60);
            now = next.until;
            backoff = Some(next);
        }
        assert_eq!(waits, [5, 10, 20, 30, 30]);
        assert_eq!(failed(backoff, now.after(Span::from_mins(61)), initial, max).failures, 1);
    }
}
