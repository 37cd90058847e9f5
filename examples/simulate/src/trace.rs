//! A real load: a file of `timestamp,value`, read strictly.

use std::path::Path;

use autoscale_core::sim::LoadPoint;
use autoscale_core::words::{Span, truncated};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::bad::Bad;
use crate::table::{self, Reasons};

/// What one node offers, in thousandths of a CPU: the scale of every trace.
pub(crate) const NODE_CPU_MILLI: u64 = 4_000;

/// The first line of every trace.
const HEADER: &str = "timestamp,value";

/// A load over time, in whatever unit it was measured.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Trace {
    /// Each value, and when it begins, since the first.
    points: Vec<(Span, f64)>,
    /// From the first row to the end of the last.
    pub(crate) length: Span,
}

impl Trace {
    /// Reads a file.
    ///
    /// # Errors
    /// Every row that is not a time and a value, with its line.
    pub(crate) fn read(path: &Path) -> Result<Self, Bad> {
        table::read(path, Self::parse)
    }

    /// Reads the content of a file.
    fn parse(bytes: &[u8]) -> Result<Self, Reasons> {
        let (_, lines) = table::lines(bytes, &[HEADER])?;
        let (mut rows, mut bad) = (Vec::new(), Vec::new());
        for (number, line) in lines {
            match row(line).and_then(|row| later(row, rows.last())) {
                Ok((at, value)) => rows.push((number, at, value)),
                Err(reason) => bad.push((Some(number), reason)),
            }
        }
        if bad.is_empty() { Self::of(&rows).map_err(|reason| vec![(None, reason)]) } else { Err(bad) }
    }

    fn of(rows: &[(usize, i64, f64)]) -> Result<Self, String> {
        let mut steps: Vec<u64> =
            rows.iter().zip(rows.iter().skip(1)).map(|((_, a, _), (_, b, _))| b.abs_diff(*a)).collect();
        steps.sort_unstable();
        let (Some((_, start, _)), Some(typical)) = (rows.first(), steps.get(steps.len() / 2)) else {
            return Err("expected at least two rows: one alone has no length".to_owned());
        };
        if !rows.iter().any(|(_, _, value)| *value > 0.0) {
            return Err("every value is 0: nothing to scale".to_owned());
        }
        let points: Vec<_> =
            rows.iter().map(|(_, at, value)| (Span::from_millis(at.abs_diff(*start)), *value)).collect();
        let last = points.last().map_or(Span::ZERO, |(at, _)| *at);
        Ok(Self { points, length: last.plus(Span::from_millis(*typical)) })
    }

    /// The load, such that its highest value uses up `nodes` nodes.
    pub(crate) fn scaled_to(&self, nodes: u32) -> Vec<LoadPoint> {
        let peak = self.points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        let top = f64::from(nodes) * NODE_CPU_MILLI as f64;
        let scaled = |value: f64| (value / peak * top).round() as u64;
        self.points.iter().map(|(at, value)| LoadPoint::new(*at, scaled(*value))).collect()
    }
}

/// Milliseconds since 1970, and the value.
fn row(line: &str) -> Result<(i64, f64), String> {
    if line.trim().is_empty() {
        return Err("empty row".to_owned());
    }
    let mut columns = line.split(',').map(str::trim);
    let (Some(at), Some(value)) = (columns.next(), columns.next()) else {
        return Err("missing column: expected timestamp,value".to_owned());
    };
    match columns.count() {
        0 => Ok((time(at)?, number(value)?)),
        more => Err(format!("{} columns: expected timestamp,value", more + 2)),
    }
}

/// The row, if it lies after the one before.
fn later((at, value): (i64, f64), before: Option<&(usize, i64, f64)>) -> Result<(i64, f64), String> {
    match before {
        Some((line, last, _)) if at == *last => Err(format!("duplicate: the time of line {line} again")),
        Some((line, last, _)) if at < *last => {
            Err(format!("time not increasing: before that of line {line}"))
        }
        _ => Ok((at, value)),
    }
}

fn time(text: &str) -> Result<i64, String> {
    let unreadable = || format!("timestamp \"{}\" unreadable", truncated(text, 40));
    let decimal = text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let at = if decimal {
        let millis = text.parse::<f64>().map_err(|_| unreadable())? * 1_000.0;
        // Rounding to a whole number saturates, and what saturates is out of range.
        Timestamp::from_millisecond(millis.round() as i64).ok()
    } else {
        let civil = || DateTime::strptime("%Y-%m-%d %H:%M:%S%.f", text).ok();
        let utc = || civil()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
        text.parse::<Timestamp>().ok().or_else(utc)
    };
    at.map(Timestamp::as_millisecond).ok_or_else(unreadable)
}

fn number(text: &str) -> Result<f64, String> {
    let shown = truncated(text, 40);
    match text.parse::<f64>() {
        _ if text.is_empty() => Err("value missing".to_owned()),
        Err(_) => Err(format!("value \"{shown}\" is not a number")),
        Ok(value) if value.is_nan() => Err("value is NaN".to_owned()),
        Ok(value) if value.is_infinite() => Err(format!("value \"{shown}\" is infinite")),
        Ok(value) if value < 0.0 => Err(format!("value {shown} is negative")),
        Ok(value) => Ok(value),
    }
}

#[cfg(test)]
mod tests;
