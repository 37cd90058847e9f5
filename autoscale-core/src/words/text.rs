//! Foreign text made fit for a log line, an error or a report.

/// Characters that change how a line looks and are not seen themselves.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `text` with control characters and bidirectional marks escaped, so that it stays on one line; quotes stay as they are.
pub fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// `text` with control characters, bidirectional marks and quotes escaped, so that it stays on one line and
/// cannot be mistaken for anything else.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '"' => out.extend(['\\', c]),
            c if is_hidden(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// `text` escaped as by [`escape`] and cut after `max` characters, with `…` where something was cut.
pub fn truncated(text: &str, max: usize) -> String {
    let mut out = escape(&text.chars().take(max).collect::<String>());
    if text.chars().nth(max).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_nothing_and_stays_on_one_line() {
        for (raw, shown) in [
            ("plain", "plain"),
            ("a\nb\u{1b}[31m", "a\\u{a}b\\u{1b}[31m"),
            ("rtl\u{202e}gpj.exe", "rtl\\u{202e}gpj.exe"),
            ("q\"$()", "q\\\"$()"),
        ] {
            assert_eq!(escape(raw), shown);
        }
        assert_eq!(one_line("\"a\\b\"\n"), "\"a\\b\"\\u{a}");
        assert_eq!(truncated("abcdef", 3), "abc…");
        assert_eq!(truncated("abc", 3), "abc");
    }
}
