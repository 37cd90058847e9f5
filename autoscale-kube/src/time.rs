//! Times as they come over the wire.

use autoscale_core::words::Timestamp;

/// A time of an object, such as `2026-11-21T21:51:28Z`, also with fractions of a second.
pub(crate) fn rfc_3339(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}

/// As objects have it, with microseconds.
#[cfg(any(feature = "events", feature = "lease"))]
pub(crate) fn micros(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    format!("{at:.6}")
}

/// The `Date` of an HTTP answer, such as `Sat, 21 Nov 2026 21:51:28 GMT`.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    let at = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::from_millis(at.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms() {
        let at = Timestamp::from_millis(1_795_384_288_000);
        assert_eq!(rfc_3339("2026-11-22T21:51:28Z"), Some(at));
        assert_eq!(rfc_3339("2026-11-22T21:51:28.000123Z"), Some(at));
        assert_eq!(http_date("Sun, 22 Nov 2026 21:51:28 GMT"), Some(at));
        assert_eq!(http_date("yesterday"), None);
        assert_eq!(rfc_3339("2026-11-22"), None);
    }

    #[cfg(any(feature = "events", feature = "lease"))]
    #[test]
    fn times_are_written_with_microseconds() {
        assert_eq!(micros(Timestamp::from_millis(1_795_384_288_042)), "2026-11-22T21:51:28.042000Z");
    }
}
