//! Queries as they are sent: pure.

use autoscale_core::words::{Span, Timestamp};
use reqwest::Url;

use super::signal::PLACE;

/// A label matcher: a valid name, any value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) value: String,
}

/// The matchers as PromQL writes them. Values are quoted, and whatever could end a quotation is escaped.
pub(super) fn matchers<'m>(all: impl Iterator<Item = &'m Matcher>) -> String {
    let one = |matcher: &Matcher| format!("{}=\"{}\"", matcher.label, quoted(&matcher.value));
    all.map(one).collect::<Vec<_>>().join(",")
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '"' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// A query with the matchers in the places for them. Where there are none, the comma behind such a place goes too.
pub(super) fn filled(query: &str, matchers: &str) -> String {
    let mut parts = query.split(PLACE);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for rest in parts {
        out.push_str(matchers);
        let rest =
            if matchers.is_empty() { rest.trim_start().strip_prefix(',').unwrap_or(rest) } else { rest };
        out.push_str(rest);
    }
    out
}

/// Whether a name is that of a label: letters, digits and underscores, not first a digit.
pub(super) fn is_label(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    plain && name.len() <= 128 && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// The value now.
pub(super) fn instant(base: &Url, query: &str) -> Url {
    with(base, "query", &[("query", query)])
}

/// A value for each step from `from` to `to`, both included.
pub(super) fn range(base: &Url, query: &str, from: Timestamp, to: Timestamp, step: Span) -> Url {
    let seconds = |at: Timestamp| seconds(i128::from(at.as_millis()));
    let step = self::seconds(i128::from(step.as_millis()));
    with(
        base,
        "query_range",
        &[("query", query), ("start", &seconds(from)), ("end", &seconds(to)), ("step", &step)],
    )
}

fn seconds(millis: i128) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03}", millis / 1_000, millis % 1_000)
}

/// The same origin, always: only the path and the query are made here.
fn with(base: &Url, call: &str, query: &[(&str, &str)]) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/api/v1/{call}", base.path().trim_end_matches('/')));
    url.query_pairs_mut().clear().extend_pairs(query);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(label: &str, value: &str) -> Matcher {
        Matcher { label: label.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn matchers_stay_within_their_quotes() {
        let all = [matcher("cluster", r#"a"} or vector(1) or x{y="\"#), matcher("pool", "web\n2")];
        let text = matchers(all.iter());
        assert_eq!(text, r#"cluster="a\"} or vector(1) or x{y=\"\\",pool="web\u000a2""#);
    }

    #[test]
    fn places_are_filled_and_empty_ones_leave_no_comma() {
        for (query, with, without) in [
            ("up{$labels}", r#"up{p="w"}"#, "up{}"),
            (r#"a{x="1",$labels} / b{$labels}"#, r#"a{x="1",p="w"} / b{p="w"}"#, r#"a{x="1",} / b{}"#),
            (r#"a{$labels , x="1"}"#, r#"a{p="w" , x="1"}"#, r#"a{ x="1"}"#),
            ("vector(1)", "vector(1)", "vector(1)"),
        ] {
            assert_eq!(filled(query, r#"p="w""#), with);
            assert_eq!(filled(query, ""), without);
        }
    }

    #[test]
    fn urls_stay_on_the_same_origin() {
        for (base, expected) in [
            ("https://p.example", "https://p.example/api/v1/query?query=up%7Ba%3D%22b%26c%22%7D"),
            (
                "https://p.example:9/x/y/",
                "https://p.example:9/x/y/api/v1/query?query=up%7Ba%3D%22b%26c%22%7D",
            ),
        ] {
            assert_eq!(instant(&base.parse().unwrap(), r#"up{a="b&c"}"#).as_str(), expected);
        }
        let (from, to) = (Timestamp::from_millis(-1_500), Timestamp::from_millis(1_700_000_000_042));
        let url = range(&"http://p/".parse().unwrap(), "up", from, to, Span::from_millis(500));
        let expected = "http://p/api/v1/query_range?query=up&start=-1.500&end=1700000000.042&step=0.500";
        assert_eq!(url.as_str(), expected);
    }

    #[test]
    fn labels_are_told_from_other_names() {
        for (name, good) in
            [("pool", true), ("_x1", true), ("1x", false), ("a-b", false), ("", false), ("a\"", false)]
        {
            assert_eq!(is_label(name), good, "{name}");
        }
    }
}
