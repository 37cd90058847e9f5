//! Points in time and spans, in whole milliseconds, saturating everywhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A reading of a wall clock: milliseconds since 1970-01-01T00:00:00Z.
///
/// A wall clock may be wrong by years. It is used to compare facts that carry a wall time and to judge a
/// lease; every timer runs on [`Elapsed`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The time `span` later, saturating.
    #[must_use]
    pub const fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add_unsigned(span.0))
    }

    /// The time `span` earlier, saturating.
    #[must_use]
    pub const fn before(self, span: Span) -> Self {
        Self(self.0.saturating_sub_unsigned(span.0))
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    pub const fn since(self, earlier: Self) -> Span {
        let ms = self.0.saturating_sub(earlier.0);
        Span(if ms < 0 { 0 } else { ms.unsigned_abs() })
    }

    /// Year, month and day of the proleptic Gregorian calendar in UTC.
    ///
    /// The method is Howard Hinnant's `civil_from_days`.
    fn civil(self) -> (i64, i64, i64) {
        let z = self.0.div_euclid(86_400_000) + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        (yoe + era * 400 + i64::from(month <= 2), month, day)
    }
}

/// RFC 3339 in UTC, to the second.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        let secs = self.0.div_euclid(1_000).rem_euclid(86_400);
        let (h, m, s) = (secs / 3_600, secs / 60 % 60, secs % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z")
    }
}

/// A point on a record's own timeline: milliseconds that ticks have lived through since the record began.
///
/// Each tick adds `clamp(now - last_now, 0, 15 min)`, so that no jump of a clock fires or starves a timer
/// (rule R13 of the protocol).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Elapsed(u64);

impl Elapsed {
    /// The beginning of a record.
    pub const ZERO: Self = Self(0);

    /// From milliseconds since the record began.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the record began.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The point `span` later, saturating.
    #[must_use]
    pub const fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// How far `self` lies behind `earlier`; zero when it lies before it.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

/// A reading of the process's boot clock (one that also counts suspended time), in milliseconds.
///
/// Orders carry one as `not_after`; it means nothing outside the process that made it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Deadline(u64);

impl Deadline {
    /// A reading that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// From milliseconds on the boot clock.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds on the boot clock.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The reading `span` later, saturating.
    #[must_use]
    pub const fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The reading `span` earlier, saturating at zero.
    #[must_use]
    pub const fn before(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// How far `self` lies behind `earlier`; zero when it lies before it.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

/// A length of time in whole milliseconds. Reads and prints as `90s`, `10m`, `1h30m`, `7d`, `250ms`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Span(u64);

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From milliseconds.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    /// From seconds, saturating.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// From minutes, saturating.
    pub const fn from_mins(mins: u64) -> Self {
        Self(mins.saturating_mul(60_000))
    }

    /// Milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000
    }

    /// Without the milliseconds, for people; less than a second stays as it is.
    #[must_use]
    pub const fn rounded(self) -> Self {
        Self(if self.0 < 1_000 { self.0 } else { self.0 - self.0 % 1_000 })
    }

    /// The sum, saturating.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, zero when `other` is longer.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `factor` times as long, saturating.
    #[must_use]
    pub const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// One `part`-th, rounded down; zero for `part == 0`.
    #[must_use]
    pub const fn divided(self, part: u64) -> Self {
        Self(match self.0.checked_div(part) {
            Some(ms) => ms,
            None => 0,
        })
    }
}

impl From<Span> for std::time::Duration {
    fn from(span: Span) -> Self {
        Self::from_millis(span.0)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, size) in UNITS {
            if rest >= size {
                write!(f, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

/// A text that is not a length of time.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected a length of time with a unit, like 90s, 10m or 1h30m")]
#[non_exhaustive]
pub struct SpanError;

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let mut rest = text.trim();
        let (mut total, mut last) = (0_u64, u64::MAX);
        if rest.is_empty() || rest.len() > 64 {
            return Err(SpanError);
        }
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, tail) = rest.split_at_checked(digits).ok_or(SpanError)?;
            let letters = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
            let (unit, tail) = tail.split_at_checked(letters).ok_or(SpanError)?;
            let size =
                UNITS.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size).ok_or(SpanError)?;
            if size >= last {
                return Err(SpanError);
            }
            let number: u64 = number.parse().map_err(|_| SpanError)?;
            total = number.checked_mul(size).and_then(|ms| total.checked_add(ms)).ok_or(SpanError)?;
            (last, rest) = (size, tail);
        }
        Ok(Self(total))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn timestamps_print_as_rfc_3339() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_795_305_599_999, "2026-11-21T23:59:59Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp::from_millis(ms).to_string(), text);
        }
    }

    #[test]
    fn spans_read_and_print() {
        for (text, ms) in
            [("90s", 90_000), ("1h30m", 5_400_000), ("250ms", 250), ("7d", 604_800_000), ("0s", 0)]
        {
            assert_eq!(text.parse(), Ok(Span::from_millis(ms)), "{text}");
        }
        for text in ["", "10", "m", "10x", "-5s", "5s1h", "1.5h", "99999999999999999999d", "5 s", "1m1m"] {
            assert_eq!(text.parse::<Span>(), Err(SpanError), "{text}");
        }
        assert_eq!(Span::from_secs(5_400).to_string(), "1h30m");
    }

    proptest! {
        #[test]
        fn a_printed_span_reads_back(ms in any::<u64>()) {
            let span = Span::from_millis(ms);
            prop_assert_eq!(span.to_string().parse::<Span>(), Ok(span));
        }

        #[test]
        fn arithmetic_saturates(ms in any::<i64>(), span in any::<u64>()) {
            let (at, span) = (Timestamp::from_millis(ms), Span::from_millis(span));
            prop_assert!(at.after(span) >= at && at.before(span) <= at);
            let _ = at.to_string();
        }
    }
}
