//! What an unquoted word of YAML means, by the core schema of YAML 1.2: nothing of YAML 1.1, so `no` and `on` are texts,
//! and so are `1_000`, `1:30` and dates.

use crate::data::policy::raw::Raw;

pub(super) fn plain(text: &str) -> Raw {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Raw::Null,
        "true" | "True" | "TRUE" => Raw::Bool(true),
        "false" | "False" | "FALSE" => Raw::Bool(false),
        _ => number(text).unwrap_or_else(|| Raw::text(text)),
    }
}

fn number(text: &str) -> Option<Raw> {
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            // No sign here, which `from_str_radix` would take.
            let plain = digits.bytes().all(|b| b.is_ascii_alphanumeric());
            return i128::from_str_radix(digits, radix).ok().filter(|_| plain).map(Raw::Whole);
        }
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Raw::Real(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }));
    }
    let digits = unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits == unsigned.len() {
        // One that is too long is as wrong as a text as it would be as a number.
        return text.parse().ok().map(Raw::Whole);
    }
    let numeral =
        unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'));
    let begins = digits > 0
        || unsigned.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    (numeral && begins).then(|| text.parse().ok().map(Raw::Real)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema_and_nothing_else() {
        for text in [
            "yes",
            "no",
            "on",
            "off",
            "y",
            "n",
            "Yes",
            "tRUE",
            "nULL",
            "1_000",
            "0b1",
            "1:30",
            "2026-01-01",
            "0o8",
            "0o",
            "0x",
            "0x+1",
            "0o-7",
            "-0x1",
            "inf",
            "nan",
            "-.nan",
            ".",
            "e1",
            "-",
            "+",
            "--1",
            "1e",
            "1.2.3",
            "4Gi",
            "70%",
            "10m",
            "500m",
            "infinity",
            "1e5m",
            ".e1",
            "9999999999999999999999999999999999999999",
        ] {
            assert_eq!(plain(text), Raw::text(text), "{text}");
        }
        for (text, raw) in [
            ("", Raw::Null),
            ("~", Raw::Null),
            ("null", Raw::Null),
            ("True", Raw::Bool(true)),
            ("FALSE", Raw::Bool(false)),
            ("12", Raw::Whole(12)),
            ("-12", Raw::Whole(-12)),
            ("+12", Raw::Whole(12)),
            ("010", Raw::Whole(10)),
            ("0o17", Raw::Whole(15)),
            ("0xfF", Raw::Whole(255)),
            (".5", Raw::Real(0.5)),
            ("-.5", Raw::Real(-0.5)),
            ("1.", Raw::Real(1.0)),
            ("0.70", Raw::Real(0.7)),
            ("1e3", Raw::Real(1000.0)),
            ("1E-3", Raw::Real(0.001)),
            (".inf", Raw::Real(f64::INFINITY)),
            ("-.INF", Raw::Real(f64::NEG_INFINITY)),
            ("1e999", Raw::Real(f64::INFINITY)),
        ] {
            assert_eq!(plain(text), raw, "{text}");
        }
    }
}
