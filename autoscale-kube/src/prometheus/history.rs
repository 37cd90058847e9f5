//! What a signal was, step by step.

use autoscale_core::data::view::SignalQuery;
use autoscale_core::ports::{Error, ErrorKind};
use autoscale_core::words::{Fixed, Span, Timestamp};

use super::error::Trouble;
use super::response::Point;
use super::signal::Signal;
use super::{Prometheus, client, number, request};

/// Prometheus answers no range with more points.
const MAX_POINTS: u64 = 11_000;

/// No history has more: two years, minute by minute.
const MAX_HISTORY: u64 = 1_048_576;

/// What a signal was at one time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PastValue {
    /// When.
    pub at: Timestamp,
    /// In the signal's unit; `None` where there was none, or none that counts: a gap, NaN, contradictory series.
    pub value: Option<Fixed>,
}

impl Prometheus {
    /// What a signal was at `from` and after each step until `to`, as rules over it would have seen it. Asked for in parts of at
    /// most 11,000 points. A gap shows as one only five minutes after the last sample: Prometheus looks back so long.
    ///
    /// # Errors
    /// `Invalid` for a signal that is not set, a step of zero, an end before the beginning, more than 1,048,576 steps, or a
    /// query that gives no series of numbers; `Denied`, `Throttled` and `Unavailable` as the server answers, or warns.
    pub async fn history(
        &self,
        query: &SignalQuery,
        from: Timestamp,
        to: Timestamp,
        step: Span,
    ) -> Result<Vec<PastValue>, Error> {
        let attempted = format!("read the history of the signal {} of pool {}", query.signal, query.pool);
        let invalid = |why: &str| Error::new(ErrorKind::Invalid, format!("{attempted}: {why}"));
        let signal = self.signals.get(&query.signal).ok_or_else(|| invalid("no query is set for it"))?;
        if step == Span::ZERO || to < from {
            return Err(invalid("expected a step above zero, and an end that is not before the beginning"));
        }
        let points = to.since(from).as_millis() / step.as_millis() + 1;
        if points > MAX_HISTORY {
            return Err(invalid("more than 1048576 steps"));
        }
        let text = self.text(&signal.value, signal, &query.pool);
        let mut past = Vec::new();
        for first in (0..points).step_by(MAX_POINTS as usize) {
            let count = MAX_POINTS.min(points - first);
            let part = self.part(signal, &text, from.after(step.times(first)), count, step);
            past.extend(part.await.map_err(|trouble| trouble.into_error(&attempted))?);
        }
        Ok(past)
    }

    /// So many points in one request.
    async fn part(
        &self,
        signal: &Signal,
        text: &str,
        from: Timestamp,
        count: u64,
        step: Span,
    ) -> Result<Vec<PastValue>, Trouble> {
        let last = from.after(step.times(count.saturating_sub(1)));
        let login = self.login.header().await?;
        let answer =
            client::get(&self.client, request::range(&self.base, text, from, last, step), login).await?;
        laid_out(signal, &answer.range()?, from, count, step)
    }
}

/// Points of several series on the grid that was asked for.
fn laid_out(
    signal: &Signal,
    series: &[Vec<Point>],
    from: Timestamp,
    count: u64,
    step: Span,
) -> Result<Vec<PastValue>, Trouble> {
    let mut grid: Vec<Vec<f64>> = vec![Vec::new(); usize::try_from(count).unwrap_or(usize::MAX)];
    for point in series.iter().flatten() {
        let index = point.at.since(from).as_millis() / step.as_millis().max(1);
        let place = usize::try_from(index).ok().and_then(|index| grid.get_mut(index));
        match place {
            Some(place) if point.at == from.after(step.times(index)) => place.push(point.value),
            _ => return Err(Trouble::Malformed(format!("a point at {}, which is not a step", point.at))),
        }
    }
    let value = |(index, values): (usize, Vec<f64>)| PastValue {
        at: from.after(step.times(index as u64)),
        value: number::value(signal, &values).ok(),
    };
    Ok(grid.into_iter().enumerate().map(value).collect())
}

#[cfg(test)]
mod tests {
    use super::super::Series;
    use super::*;
    use autoscale_core::words::Unit;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn points_are_laid_out_on_the_steps() {
        let point = |seconds, value| Point { at: at(seconds), value };
        let series = [vec![point(100, 1.0), point(110, 2.0)], vec![point(110, 3.0), point(130, f64::NAN)]];
        let step = Span::from_secs(10);
        let shown = |kind: Series| -> String {
            let signal = Signal::metric(Unit::Count, "x", kind);
            let past = laid_out(&signal, &series, at(100), 4, step).unwrap();
            let shown = past.iter().map(|past| past.value.map_or("-".to_owned(), |value| value.to_string()));
            assert_eq!(past.last().unwrap().at, at(130));
            shown.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown(Series::Sum), "1 5 - -");
        assert_eq!(shown(Series::One), "1 - - -");
        let signal = Signal::metric(Unit::Count, "x", Series::One);
        for odd in [point(99, 1.0), point(105, 1.0), point(140, 1.0)] {
            assert!(laid_out(&signal, &[vec![odd]], at(100), 4, step).is_err(), "{odd:?}");
        }
    }
}
