//! Quantities as people write them, and back. Reading and showing are inverse to each other.

use super::raw::Raw;
use crate::words::{Fixed, Span, Unit};

/// What was expected instead.
type Expected = String;

const RATIO: &str = "a percentage like 70%, or a fraction from 0 to 1";
const CPU: &str = "an amount of CPU, like 2, 0.5 or 500m";
const MEMORY: &str = "an amount of memory, like 8Gi, 512Mi or a number of bytes";
const SPAN: &str = "a length of time with a unit, like 90s, 10m or 1h30m";
const NUMBER: &str = "a number between -9.2e12 and 9.2e12";

const SIZES: [(&str, u64); 12] = [
    ("Pi", 1 << 50),
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
    ("P", 1_000_000_000_000_000),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
    ("K", 1_000),
    ("", 1),
];

/// A share: a bare number up to 1 is a fraction, `70%` a percentage, a bare number above 1 an error that says so.
pub(super) fn ratio(raw: &Raw) -> Result<Fixed, Expected> {
    let (value, percent) = match raw {
        Raw::Text(text) => match text.trim().strip_suffix('%') {
            Some(number) => (decimal(number.trim_end(), 10_000), true),
            None => (decimal(text.trim(), 1_000_000), false),
        },
        _ => (micros(raw), false),
    };
    match value {
        Some(micros @ 0..=1_000_000) => Ok(Fixed::from_micros(micros)),
        Some(1_000_001..) if percent => Err("at most 100%".to_owned()),
        Some(1_000_001..) => Err("at most 1 without a percent sign; 70 percent is written 70%".to_owned()),
        _ => Err(RATIO.to_owned()),
    }
}

pub(super) fn show_ratio(value: Fixed) -> Raw {
    Raw::text(format_args!("{}%", Fixed::from_micros(value.as_micros().saturating_mul(100))))
}

/// CPU in thousandths. Finer parts are rounded to the nearest.
pub(super) fn cpu(raw: &Raw) -> Result<u64, Expected> {
    let milli = match raw {
        Raw::Text(text) => match text.strip_suffix('m') {
            Some(number) => decimal(number, 1),
            None => decimal(text, 1_000),
        },
        _ => micros(raw).map(|micros| micros.saturating_add(500).div_euclid(1_000)),
    };
    milli.and_then(|milli| u64::try_from(milli).ok()).ok_or_else(|| CPU.to_owned())
}

pub(super) fn show_cpu(milli: u64) -> Raw {
    if milli.is_multiple_of(1_000) { Raw::whole(milli / 1_000) } else { Raw::text(format_args!("{milli}m")) }
}

/// Memory in bytes. Parts of a byte are rounded to the nearest.
pub(super) fn memory(raw: &Raw) -> Result<u64, Expected> {
    let bytes = match raw {
        Raw::Whole(bytes) => u64::try_from(*bytes).ok(),
        Raw::Text(text) => SIZES
            .iter()
            .find_map(|(suffix, size)| text.strip_suffix(suffix).map(|number| (number, *size)))
            .and_then(|(number, size)| wide_decimal(number, size))
            .and_then(|bytes| u64::try_from(bytes).ok()),
        _ => None,
    };
    bytes.ok_or_else(|| MEMORY.to_owned())
}

pub(super) fn show_memory(bytes: u64) -> Raw {
    let binary = SIZES.iter().filter(|(suffix, _)| suffix.ends_with('i'));
    match binary.into_iter().find(|(_, size)| bytes > 0 && bytes.is_multiple_of(*size)) {
        Some((suffix, size)) => Raw::text(format_args!("{}{suffix}", bytes / size)),
        None => Raw::whole(bytes),
    }
}

/// A length of time; a bare number is an error, because nobody knows its unit.
pub(super) fn span(raw: &Raw) -> Result<Span, Expected> {
    match raw {
        Raw::Text(text) => text.parse().map_err(|_| SPAN.to_owned()),
        _ => Err(SPAN.to_owned()),
    }
}

/// A threshold, read in the unit of its signal.
pub(super) fn threshold(unit: Unit, raw: &Raw) -> Result<Fixed, Expected> {
    match unit {
        Unit::Ratio => ratio(raw),
        Unit::Count | Unit::PerSecond => number(raw),
        Unit::Seconds => {
            let micros = match span(raw) {
                Ok(span) => i64::try_from(span.as_millis()).ok().and_then(|ms| ms.checked_mul(1_000)),
                Err(_) => micros(raw).filter(|micros| *micros >= 0),
            };
            micros.map(Fixed::from_micros).ok_or_else(|| format!("a number of seconds, or {SPAN}"))
        }
        Unit::Bytes => {
            let bytes = i64::try_from(memory(raw)?).ok().and_then(|bytes| bytes.checked_mul(1_000_000));
            bytes.map(Fixed::from_micros).ok_or_else(|| "at most 8Ti".to_owned())
        }
    }
}

pub(super) fn show_threshold(unit: Unit, value: Fixed) -> Raw {
    let micros = value.as_micros();
    match (unit, u64::try_from(micros / 1_000)) {
        (Unit::Ratio, _) => show_ratio(value),
        (Unit::Seconds, Ok(ms)) if micros % 1_000 == 0 => Raw::text(Span::from_millis(ms)),
        (Unit::Bytes, _) => show_memory(u64::try_from(micros / 1_000_000).unwrap_or(0)),
        _ if micros % 1_000_000 == 0 => Raw::whole(micros / 1_000_000),
        _ => Raw::text(value),
    }
}

/// A plain number.
pub(super) fn number(raw: &Raw) -> Result<Fixed, Expected> {
    micros(raw).map(Fixed::from_micros).ok_or_else(|| NUMBER.to_owned())
}

/// A plain number in millionths, rounded to the nearest.
fn micros(raw: &Raw) -> Option<i64> {
    match raw {
        Raw::Whole(value) => i64::try_from(value.checked_mul(1_000_000)?).ok(),
        Raw::Real(value) => Fixed::from_f64(*value).ok().map(Fixed::as_micros),
        Raw::Text(text) => decimal(text.trim(), 1_000_000),
        Raw::Null | Raw::Bool(_) | Raw::List(_) | Raw::Map(_) => None,
    }
}

fn decimal(text: &str, factor: u64) -> Option<i64> {
    wide_decimal(text, factor).and_then(|value| i64::try_from(value).ok())
}

/// `-12.5` times `factor`, exact up to one rounding to the nearest, halves away from zero.
fn wide_decimal(text: &str, factor: u64) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if text.len() > 24 || !all_digits(whole) || !all_digits(part) {
        return None;
    }
    // At most 24 digits times a factor: the part is computed apart so that nothing overflows.
    let (whole, scale) = (whole.parse::<i128>().ok()?, 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?);
    let factor = i128::from(factor);
    let part = part.parse::<i128>().ok()?.checked_mul(factor)?;
    let rounded = part.checked_add(scale / 2)? / scale;
    let value = whole.checked_mul(factor)?.checked_add(rounded)?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ratios() {
        for (raw, micros) in [
            (Raw::Real(0.7), Some(700_000)),
            (Raw::text("70%"), Some(700_000)),
            (Raw::text("72.5 %"), Some(725_000)),
            (Raw::text("0.7"), Some(700_000)),
            (Raw::Whole(1), Some(1_000_000)),
            (Raw::text("0.00004%"), Some(0)),
            (Raw::text("0.00005%"), Some(1)),
            (Raw::Whole(70), None),
            (Raw::text("70"), None),
            (Raw::text("101%"), None),
            (Raw::text("-1%"), None),
            (Raw::text("%"), None),
            (Raw::text("1e2%"), None),
            (Raw::Real(f64::NAN), None),
        ] {
            assert_eq!(ratio(&raw).ok().map(Fixed::as_micros), micros, "{raw:?}");
        }
    }

    #[test]
    fn cpu_and_memory() {
        for (text, milli) in
            [("500m", Some(500)), ("2", Some(2_000)), ("1.5", Some(1_500)), ("-1", None), ("2 m", None)]
        {
            assert_eq!(cpu(&Raw::text(text)).ok(), milli, "{text}");
        }
        for (text, bytes) in [
            ("4Gi", Some(4 << 30)),
            ("1.5Gi", Some(3 << 29)),
            ("1G", Some(1_000_000_000)),
            ("17", Some(17)),
            ("16383Pi", Some(16_383 << 50)),
            ("16384Pi", None),
            ("500m", None),
            ("4gb", None),
            ("Gi", None),
            ("", None),
        ] {
            assert_eq!(memory(&Raw::text(text)).ok(), bytes, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(amount: u64, micros in any::<i64>(), share in 0..=1_000_000_i64) {
            prop_assert_eq!(cpu(&show_cpu(amount >> 11)), Ok(amount >> 11));
            prop_assert_eq!(memory(&show_memory(amount)), Ok(amount));
            let (value, share) = (Fixed::from_micros(micros), Fixed::from_micros(share));
            prop_assert_eq!(threshold(Unit::Count, &show_threshold(Unit::Count, value)), Ok(value));
            prop_assert_eq!(threshold(Unit::Ratio, &show_threshold(Unit::Ratio, share)), Ok(share));
            let positive = Fixed::from_micros(micros & i64::MAX);
            prop_assert_eq!(threshold(Unit::Seconds, &show_threshold(Unit::Seconds, positive)), Ok(positive));
            let whole = Fixed::from_int((micros & i64::MAX) / 1_000_000);
            prop_assert_eq!(threshold(Unit::Bytes, &show_threshold(Unit::Bytes, whole)), Ok(whole));
        }
    }
}
