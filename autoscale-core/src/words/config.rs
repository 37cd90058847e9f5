//! What is wrong with a configuration: everything at once, each with its field, its value and what was expected.

use std::fmt;
use std::ops::RangeInclusive;

use super::Span;
use super::text::truncated;

/// One thing that is wrong: `url: "ftp://x": expected https://`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {value}: expected {expected}")]
#[non_exhaustive]
pub struct ConfigError {
    /// What it is about, such as `signals.cpu.value`.
    pub field: String,
    /// What was said, escaped and cut, or a description of it; never a secret.
    pub value: String,
    /// What would have been accepted.
    pub expected: String,
}

/// Everything that is wrong with a configuration. `Display` prints one line for each thing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConfigErrors {
    errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// Nothing is wrong yet.
    pub const fn new() -> Self {
        Self { errors: Vec::new() }
    }

    /// The errors in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.errors.iter()
    }

    /// Whether nothing is wrong.
    pub const fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// Adds one about a text that may be shown: escaped, cut after 80 characters, in quotes.
    pub fn wrong(&mut self, field: impl Into<String>, value: &str, expected: impl Into<String>) {
        self.described(field, format!("\"{}\"", truncated(value, 80)), expected);
    }

    /// The same unless `holds`.
    pub fn check(&mut self, holds: bool, field: &str, value: &str, expected: &str) {
        if !holds {
            self.wrong(field, value, expected);
        }
    }

    /// Checks a path that objects of a store are below: at most 512 bytes, parts of letters, digits, dots, dashes and underscores, none
    /// of them `.` or `..`, with slashes between.
    pub fn check_prefix(&mut self, field: &str, prefix: &str) {
        let part = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        let holds = prefix.len() <= 512 && prefix.split('/').all(part);
        let expected = "parts of letters, digits, dots, dashes and underscores, with slashes between";
        self.check(holds, field, prefix, expected);
    }

    /// Checks an endpoint: `https://` and a host, with a port or without, and nothing behind it but slashes.
    pub fn check_https(&mut self, field: &str, endpoint: &str) {
        let host = endpoint.strip_prefix("https://").map(|host| host.trim_end_matches('/'));
        let holds = host.is_some_and(|host| {
            !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':'))
        });
        self.check(holds, field, endpoint, "https and a host");
    }

    /// Checks a length of time, which may be either end of the range.
    pub fn check_span(&mut self, field: &str, span: Span, range: RangeInclusive<Span>) {
        let expected = format!("{} to {}", range.start(), range.end());
        self.check(range.contains(&span), field, &span.to_string(), &expected);
    }

    /// Adds one about something that is described, not shown: several values, none, a secret.
    pub fn described(
        &mut self,
        field: impl Into<String>,
        value: impl Into<String>,
        expected: impl Into<String>,
    ) {
        let (field, value, expected) = (field.into(), value.into(), expected.into());
        self.errors.push(ConfigError { field, value, expected });
    }

    /// `value`, if nothing is wrong.
    ///
    /// # Errors
    /// All that was added.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.errors.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(error, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_is_told_a_line_each_and_nothing_leaves_its_line() {
        assert_eq!(ConfigErrors::default().or(7), Ok(7));
        let mut errors = ConfigErrors::default();
        errors.check(true, "name", "web", "a name");
        errors.check(false, "name", "a\nb", "one line");
        errors.wrong("url", &"x".repeat(100), "https://");
        errors.described("password", "9 characters", "12 or more");
        assert_eq!(errors.iter().count(), 3);
        let text = errors.or(()).map_err(|errors| errors.to_string());
        let expected = format!(
            "name: \"a\\u{{a}}b\": expected one line\nurl: \"{}…\": expected https://\n\
             password: 9 characters: expected 12 or more",
            "x".repeat(80)
        );
        assert_eq!(text, Err(expected));
    }
}
