//! From points to the one number of a signal: pure.

use autoscale_core::words::{Fixed, FixedError, Span, Timestamp, Unit};

use super::error::Trouble;
use super::response::Point;
use super::signal::{Series, Signal};

/// Clocks of exporters may be ahead by so much; what is further ahead was not measured.
const AHEAD: Span = Span::from_mins(1);

/// One number of several; NaN or an infinity among them is one of the whole.
fn joined(series: Series, values: &[f64]) -> Result<f64, Trouble> {
    for value in values {
        Fixed::from_f64(*value)?;
    }
    let count = values.len();
    let [first, ..] = values else { return Err(Trouble::Empty) };
    match series {
        Series::One if count > 1 => Err(Trouble::Several(count)),
        Series::One => Ok(*first),
        Series::Sum => Ok(values.iter().sum()),
        Series::Average => Ok(values.iter().sum::<f64>() / count as f64),
        Series::Least => Ok(values.iter().copied().fold(*first, f64::min)),
        Series::Greatest => Ok(values.iter().copied().fold(*first, f64::max)),
    }
}

/// The value of a signal from what its series show at one time.
pub(super) fn value(signal: &Signal, values: &[f64]) -> Result<Fixed, Trouble> {
    let value = Fixed::from_f64(joined(signal.series, values)?)?;
    match signal.unit {
        Unit::Ratio | Unit::Seconds | Unit::Bytes if value < Fixed::ZERO => {
            Err(Trouble::Negative(value.to_string()))
        }
        _ => Ok(value),
    }
}

/// How old a signal is: the oldest time that was found, by the server's clock.
pub(super) fn age(points: &[Point]) -> Result<Span, Trouble> {
    let age = |point: &Point| {
        let millis = point.value * 1_000.0;
        if millis.is_nan() {
            return Err(Trouble::Number(FixedError::NotANumber));
        }
        if !(0.0..9e15).contains(&millis) {
            return Err(Trouble::Number(FixedError::OutOfRange));
        }
        let measured = Timestamp::from_millis(millis as i64);
        let ahead = measured.since(point.at);
        if ahead > AHEAD { Err(Trouble::Future(ahead)) } else { Ok(point.at.since(measured)) }
    };
    let ages = points.iter().map(age).collect::<Result<Vec<Span>, Trouble>>()?;
    ages.into_iter().max().ok_or(Trouble::Empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(unit: Unit, series: Series) -> Signal {
        Signal::metric(unit, "x", series)
    }

    fn shown(result: Result<Fixed, Trouble>) -> String {
        result.map_or_else(|trouble| trouble.to_string(), |value| value.to_string())
    }

    #[test]
    fn several_series_become_one_number() {
        for (series, values, expected) in [
            (Series::One, &[0.5][..], "0.5"),
            (Series::One, &[0.5, 0.5], "2 series where one is expected"),
            (Series::One, &[], "empty result"),
            (Series::Sum, &[1.0, 2.0, 4.0], "7"),
            (Series::Sum, &[], "empty result"),
            (Series::Average, &[1.0, 2.0, 6.0], "3"),
            (Series::Least, &[3.0, 1.0, 2.0], "1"),
            (Series::Greatest, &[1.0, 3.0, 2.0], "3"),
            (Series::Greatest, &[1.0, f64::NAN], "not a number"),
            (Series::Least, &[f64::INFINITY, 1.0], "infinite"),
            (Series::Sum, &[f64::NEG_INFINITY, f64::INFINITY], "infinite"),
            (Series::One, &[1e308], "outside the range of ±9.2e12"),
            (Series::Sum, &[9e12, 9e12], "outside the range of ±9.2e12"),
            (Series::One, &[-0.0], "0"),
        ] {
            assert_eq!(shown(value(&signal(Unit::Count, series), values)), expected, "{series:?} {values:?}");
        }
    }

    #[test]
    fn a_share_is_not_negative_and_a_count_may_be() {
        for (unit, expected) in [
            (Unit::Ratio, "a negative value, -0.5, which its unit does not have"),
            (Unit::Bytes, "a negative value, -0.5, which its unit does not have"),
            (Unit::Count, "-0.5"),
        ] {
            assert_eq!(shown(value(&signal(unit, Series::One), &[-0.5])), expected);
        }
    }

    #[test]
    fn the_oldest_measurement_counts() {
        let at = Timestamp::from_millis(1_700_000_000_000);
        let age = |measured: &[f64]| {
            let points: Vec<Point> = measured.iter().map(|value| Point { at, value: *value }).collect();
            age(&points).map_or_else(|trouble| trouble.to_string(), |age| age.to_string())
        };
        for (measured, expected) in [
            (&[1_699_999_958.0][..], "42s"),
            (&[1_699_999_990.0, 1_699_999_700.0, 1_700_000_000.0], "5m"),
            (&[1_700_000_059.0], "0s"),
            (&[1_700_000_120.0], "measured 2m in the future"),
            (&[], "empty result"),
            (&[f64::NAN], "not a number"),
            (&[-1.0], "outside the range of ±9.2e12"),
            (&[f64::INFINITY], "outside the range of ±9.2e12"),
        ] {
            assert_eq!(age(measured), expected, "{measured:?}");
        }
    }
}
