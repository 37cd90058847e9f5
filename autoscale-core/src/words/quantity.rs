//! Numbers with a unit: fixed-point values, ratios, resources.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A signed fixed-point number with six decimal places; range about ±9.2 × 10¹².
///
/// A signal is never kept as a bare `f64`: NaN, infinities and numbers outside the range are refused at the
/// boundary by [`Fixed::from_f64`]. Serialised as the integer number of millionths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fixed(i64);

/// A floating-point number that is no measurement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FixedError {
    /// NaN.
    #[error("not a number")]
    NotANumber,
    /// Plus or minus infinity.
    #[error("infinite")]
    Infinite,
    /// Beyond ±9.2 × 10¹².
    #[error("outside the range of ±9.2e12")]
    OutOfRange,
}

impl Fixed {
    /// Zero.
    pub const ZERO: Self = Self(0);
    const SCALE: i64 = 1_000_000;

    /// From millionths.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From a whole number, saturating.
    pub const fn from_int(value: i64) -> Self {
        Self(value.saturating_mul(Self::SCALE))
    }

    /// Rounded to the nearest millionth.
    ///
    /// # Errors
    /// Refuses NaN, infinities and numbers outside the range.
    pub fn from_f64(value: f64) -> Result<Self, FixedError> {
        if value.is_nan() {
            return Err(FixedError::NotANumber);
        }
        if value.is_infinite() {
            return Err(FixedError::Infinite);
        }
        let scaled = (value * 1e6).round();
        if scaled.abs() > 9.2e18 {
            return Err(FixedError::OutOfRange);
        }
        Ok(Self(scaled as i64))
    }

    /// `part / whole`, rounded towards zero; `None` when `whole` is zero.
    pub fn fraction(part: u64, whole: u64) -> Option<Self> {
        let micros = (u128::from(part) * 1_000_000).checked_div(u128::from(whole))?;
        Some(Self(i64::try_from(micros).unwrap_or(i64::MAX)))
    }

    /// Millionths.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// As floating point, for people and charts only.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// `self × numerator / denominator`, rounded towards zero and saturating; `None` when `denominator` is zero.
    pub fn scaled(self, numerator: u64, denominator: u64) -> Option<Self> {
        let product = i128::from(self.0).saturating_mul(i128::from(numerator));
        let value = product.checked_div(i128::from(denominator))?;
        Some(Self(i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })))
    }
}

/// Without trailing zeros: `0.725`, `12`, `-3.000001`.
impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0.unsigned_abs() / 1_000_000, self.0.unsigned_abs() % 1_000_000);
        let sign = if self.0 < 0 { "-" } else { "" };
        if part == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{part:06}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// What a signal counts, for printing and for reading thresholds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unit {
    /// A share of a whole, 1 = all of it; printed in percent.
    #[default]
    Ratio,
    /// A plain number.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Events in a second.
    PerSecond,
}

impl Unit {
    /// Whether the quantity spreads over the nodes of a pool, so that fewer nodes mean a higher value.
    pub const fn is_share(self) -> bool {
        matches!(self, Self::Ratio)
    }

    /// `value` in this unit, as people write it.
    pub fn show(self, value: Fixed) -> String {
        match self {
            Self::Ratio => format!("{:.1} %", value.as_f64() * 100.0),
            Self::Count => value.to_string(),
            Self::Seconds => format!("{value} s"),
            Self::Bytes => format!("{value} B"),
            Self::PerSecond => format!("{value}/s"),
        }
    }
}

/// A share of a whole in millionths, from 0 to 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Ratio(u32);

impl TryFrom<u32> for Ratio {
    type Error = &'static str;

    fn try_from(micros: u32) -> Result<Self, Self::Error> {
        Self::from_micros(micros).ok_or("expected at most 1000000 millionths")
    }
}

impl From<Ratio> for u32 {
    fn from(ratio: Ratio) -> Self {
        ratio.0
    }
}

impl Ratio {
    /// From whole percent; more than 100 becomes 100.
    pub const fn percent(percent: u32) -> Self {
        Self(if percent > 100 { 1_000_000 } else { percent * 10_000 })
    }

    /// From millionths; `None` above one.
    pub const fn from_micros(micros: u32) -> Option<Self> {
        if micros > 1_000_000 { None } else { Some(Self(micros)) }
    }

    /// Millionths.
    pub const fn as_micros(self) -> u32 {
        self.0
    }

    /// The same number as a [`Fixed`].
    pub const fn as_fixed(self) -> Fixed {
        Fixed(self.0 as i64)
    }

    /// Whether `part` is strictly more than this share of `whole`.
    pub const fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        part as u128 * 1_000_000 > whole as u128 * self.0 as u128
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", Fixed(i64::from(self.0) * 100))
    }
}

/// What a pod asks for or a node offers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Resources {
    /// Thousandths of a CPU.
    pub cpu_milli: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Pods: 1 for a pod, the greatest number for a node.
    pub pods: u32,
}

impl Resources {
    /// All three at once: thousandths of a CPU, bytes, pods.
    pub const fn new(cpu_milli: u64, memory: u64, pods: u32) -> Self {
        Self { cpu_milli, memory, pods }
    }

    /// Whether `self` is nowhere more than `room`.
    pub const fn fits(&self, room: &Self) -> bool {
        self.cpu_milli <= room.cpu_milli && self.memory <= room.memory && self.pods <= room.pods
    }

    /// The sum, saturating.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.saturating_add(other.cpu_milli),
            memory: self.memory.saturating_add(other.memory),
            pods: self.pods.saturating_add(other.pods),
        }
    }

    /// The difference, zero where `other` is more.
    #[must_use]
    pub const fn minus(&self, other: &Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.saturating_sub(other.cpu_milli),
            memory: self.memory.saturating_sub(other.memory),
            pods: self.pods.saturating_sub(other.pods),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_no_measurement() {
        assert_eq!(Fixed::from_f64(f64::NAN), Err(FixedError::NotANumber));
        assert_eq!(Fixed::from_f64(f64::NEG_INFINITY), Err(FixedError::Infinite));
        assert_eq!(Fixed::from_f64(1e308), Err(FixedError::OutOfRange));
        assert_eq!(Fixed::from_f64(-0.0), Ok(Fixed::ZERO));
        assert_eq!(Fixed::from_f64(0.3), Ok(Fixed::from_micros(300_000)));
    }

    #[test]
    fn prints_for_people() {
        assert_eq!(Fixed::from_micros(725_000).to_string(), "0.725");
        assert_eq!(Fixed::from_micros(-3_000_001).to_string(), "-3.000001");
        assert_eq!(Unit::Ratio.show(Fixed::from_micros(725_000)), "72.5 %");
        assert_eq!(Ratio::percent(70).to_string(), "70%");
    }

    #[test]
    fn a_share_is_exceeded_strictly() {
        assert!(!Ratio::percent(45).is_exceeded_by(45, 100));
        assert!(Ratio::percent(45).is_exceeded_by(46, 100));
    }

    proptest! {
        #[test]
        fn no_float_panics(value in any::<f64>()) {
            let _ = Fixed::from_f64(value);
        }

        #[test]
        fn scaling_keeps_the_sign(value in any::<i64>(), num in any::<u64>(), den in any::<u64>()) {
            if let Some(scaled) = Fixed::from_micros(value).scaled(num, den) {
                prop_assert!(scaled == Fixed::ZERO || (scaled < Fixed::ZERO) == (value < 0));
            }
        }
    }
}
