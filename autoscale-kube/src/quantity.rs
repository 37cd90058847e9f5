//! Quantities as Kubernetes writes them: `250m`, `1.5`, `4Gi`, `1e3`.

/// What a suffix multiplies by, as a fraction.
const SUFFIXES: [(&str, u128, u128); 16] = [
    ("Ki", 1 << 10, 1),
    ("Mi", 1 << 20, 1),
    ("Gi", 1 << 30, 1),
    ("Ti", 1 << 40, 1),
    ("Pi", 1 << 50, 1),
    ("Ei", 1 << 60, 1),
    ("n", 1, 1_000_000_000),
    ("u", 1, 1_000_000),
    ("m", 1, 1_000),
    ("k", 1_000, 1),
    ("M", 1_000_000, 1),
    ("G", 1_000_000_000, 1),
    ("T", 1_000_000_000_000, 1),
    ("P", 1_000_000_000_000_000, 1),
    ("E", 1_000_000_000_000_000_000, 1),
    ("", 1, 1),
];

/// Thousandths, rounded up.
pub(crate) fn milli(text: &str) -> Option<u64> {
    scaled(text, 1_000)
}

/// Whole units, rounded up.
pub(crate) fn whole(text: &str) -> Option<u64> {
    scaled(text, 1)
}

/// So many times a quantity, rounded up; what is too much is the most there is. `None` when it is not one, or negative.
fn scaled(text: &str, times: u128) -> Option<u64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && part.is_empty() || part.contains('.') || part.len() > 18 {
        return None;
    }
    let mut value: u128 = format!("{whole}{part}").parse().ok()?;
    let mut below = 10_u128.pow(part.len() as u32);
    let signed = |rest: &&str| rest.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-');
    let exponent = suffix.strip_prefix(['e', 'E']).filter(signed);
    match exponent {
        Some(rest) => {
            let exponent: i32 = rest.parse().ok()?;
            let power = 10_u128.pow(exponent.unsigned_abs().min(18));
            if exponent < 0 { below *= power } else { value = value.saturating_mul(power) }
        }
        None => {
            let (_, up, down) = SUFFIXES.iter().find(|(name, ..)| *name == suffix)?;
            value = value.saturating_mul(*up);
            below = below.saturating_mul(*down);
        }
    }
    let value = value.saturating_mul(times).div_ceil(below);
    Some(u64::try_from(value).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_and_rounded_up() {
        for (text, milli_of, whole_of) in [
            ("1", 1_000, 1),
            ("250m", 250, 1),
            ("0.5", 500, 1),
            ("1.0005", 1_001, 2),
            ("1500u", 2, 1),
            ("100n", 1, 1),
            ("4Gi", 4_294_967_296_000, 4_294_967_296),
            ("1.5Ki", 1_536_000, 1_536),
            ("129M", 129_000_000_000, 129_000_000),
            ("1e3", 1_000_000, 1_000),
            ("12E-1", 1_200, 2),
            (
                "1E",
                1_000_000_000_000_000_000_000_u128.min(u64::MAX as u128) as u64,
                1_000_000_000_000_000_000,
            ),
            ("0", 0, 0),
            ("99999999999999Ei", u64::MAX, u64::MAX),
        ] {
            assert_eq!((milli(text), whole(text)), (Some(milli_of), Some(whole_of)), "{text}");
        }
        for text in ["", "-1", "1.2.3", "x", "1 Gi", "1GiB", "e3", ".", "NaN", "1e", "1e999999999999"] {
            assert_eq!(milli(text), None, "{text}");
        }
    }
}
