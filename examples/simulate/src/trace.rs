//! A real load: a file of `timestamp,value`, read strictly.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use autoscale_core::sim::LoadPoint;
use autoscale_core::words::{Span, truncated};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// What one node offers, in thousandths of a CPU: the scale of every trace.
pub(crate) const NODE_CPU_MILLI: u64 = 4_000;

/// The first line of every trace.
const HEADER: &str = "timestamp,value";

/// A file larger than this is no load series.
const LARGEST: u64 = 256 << 20;

/// Bad rows that are shown; the rest are counted.
const SHOWN: usize = 20;

/// A load over time, in whatever unit it was measured.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Trace {
    /// Each value, and when it begins, since the first.
    points: Vec<(Span, f64)>,
    /// From the first row to the end of the last.
    pub(crate) length: Span,
}

/// A file that is no trace, and everything that is wrong with it.
#[derive(Debug)]
pub(crate) struct Bad {
    path: PathBuf,
    /// Line and reason; no line where the file as a whole is meant.
    rows: Vec<(Option<usize>, String)>,
}

impl Trace {
    /// Reads a file.
    ///
    /// # Errors
    /// Every row that is not a time and a value, with its line.
    pub(crate) fn read(path: &Path) -> Result<Self, Bad> {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
        if let Err(error) = read {
            return Err(Bad::whole(path, format!("cannot read: {error}")));
        }
        if bytes.len() as u64 > LARGEST {
            return Err(Bad::whole(path, format!("larger than {} MiB", LARGEST >> 20)));
        }
        Self::parse(&bytes).map_err(|rows| Bad { path: path.to_owned(), rows })
    }

    /// Reads the content of a file.
    fn parse(bytes: &[u8]) -> Result<Self, Vec<(Option<usize>, String)>> {
        let text = text_of(bytes).map_err(|(line, reason)| vec![(Some(line), reason)])?;
        let mut lines = (1..).zip(text.lines());
        match lines.next() {
            None => return Err(vec![(Some(1), "empty file".to_owned())]),
            Some((_, header)) if header.trim_end() != HEADER => {
                let reason = format!("expected the header {HEADER}, found \"{}\"", truncated(header, 40));
                return Err(vec![(Some(1), reason)]);
            }
            Some(_) => {}
        }
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

/// The text of a file, without a byte-order mark.
fn text_of(bytes: &[u8]) -> Result<&str, (usize, String)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let line_of = |at: usize| 1 + bytes.iter().take(at).filter(|byte| **byte == b'\n').count();
    let text = std::str::from_utf8(bytes)
        .map_err(|error| (line_of(error.valid_up_to()), "not UTF-8 text".to_owned()))?;
    match text.find('\0') {
        Some(at) => Err((line_of(at), "a zero byte: not a text file".to_owned())),
        None => Ok(text),
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

impl Bad {
    /// Something wrong with the file as a whole.
    pub(crate) fn whole(path: &Path, reason: String) -> Self {
        Self { path: path.to_owned(), rows: vec![(None, reason)] }
    }
}

/// One line for each bad row, as compilers print them: `FILE:LINE: reason`.
impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.path.display();
        for (index, (line, reason)) in self.rows.iter().take(SHOWN).enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            match line {
                Some(line) => write!(f, "{end}{file}:{line}: {reason}")?,
                None => write!(f, "{end}{file}: {reason}")?,
            }
        }
        match self.rows.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

#[cfg(test)]
mod tests;
