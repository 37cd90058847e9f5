//! Dates as Azure writes them.

use ::time::OffsetDateTime;
use autoscale_core::words::Timestamp;
use azure_core_021::date::{parse_rfc1123, parse_rfc3339};

fn stamp(time: OffsetDateTime) -> Option<Timestamp> {
    let ms = time.unix_timestamp_nanos() / 1_000_000;
    i64::try_from(ms).ok().map(Timestamp::from_millis)
}

/// The time of a `Date` header.
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    parse_rfc1123(text).ok().and_then(stamp)
}

/// The time in a body.
pub(super) fn rfc3339(text: &str) -> Option<Timestamp> {
    parse_rfc3339(text).ok().and_then(stamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        let at = Some(Timestamp::from_millis(1_795_305_599_000));
        assert_eq!(http_date("Sat, 21 Nov 2026 23:59:59 GMT"), at);
        assert_eq!(rfc3339("2026-11-21T23:59:59.0000000+00:00"), at);
        assert_eq!(rfc3339("2026-11-22T01:59:59+02:00"), at);
        for text in ["", "yesterday", "2026-13-01T00:00:00Z", "Sat, 99 Nov 2026 23:59:59 GMT"] {
            assert_eq!((http_date(text), rfc3339(text)), (None, None), "{text}");
        }
    }
}
