//! Times as HTTP writes them.

use autoscale_core::words::Timestamp;

/// As in the `Date` header: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn http(time: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let weekday = time.as_millis().div_euclid(86_400_000).rem_euclid(7);
    let day = DAYS.get(weekday as usize).copied().unwrap_or_default();
    let text = time.to_string();
    let (date, clock) = text.trim_end_matches('Z').split_once('T').unwrap_or_default();
    let mut parts = date.rsplitn(3, '-');
    let (of_month, month) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let month = month.parse::<usize>().ok().and_then(|month| MONTHS.get(month.wrapping_sub(1)).copied());
    let year = parts.next().unwrap_or_default();
    format!("{day}, {of_month} {} {year} {clock} GMT", month.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard() {
        assert_eq!(http(Timestamp::from_millis(784_111_777_000)), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
