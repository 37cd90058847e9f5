//! Settings that cannot be used, and everything that is wrong with them.

use std::fmt;

use autoscale_core::data::policy::PolicyErrors;
use autoscale_core::words::truncated;

/// Lines that are shown; the rest are counted.
const SHOWN: usize = 40;

/// Everything that is wrong, one line each. Values that may be secrets are never in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bad(Vec<String>);

impl Bad {
    /// One thing.
    pub fn of(what: impl Into<String>) -> Self {
        Self(vec![what.into()])
    }

    /// A setting: its name, its value, and what was expected.
    pub fn setting(name: &str, value: &str, expected: impl fmt::Display) -> Self {
        Self::of(format!("{name}: \"{}\": expected {expected}", truncated(value, 80)))
    }

    /// A variable that is not there, and what was expected in it.
    pub fn missing(name: &str, expected: impl fmt::Display) -> Self {
        Self::of(format!("{name}: missing: expected {expected}"))
    }

    /// What is wrong with a policy, under the name of the variable that it comes from; variables of the reference stand for
    /// themselves.
    pub fn policy(source: Option<&str>, errors: &PolicyErrors) -> Self {
        let line = |error: &autoscale_core::data::policy::PolicyError| {
            let place = error.place.map(|(line, column)| format!("{line}:{column}: ")).unwrap_or_default();
            let source = source.map(|source| format!("{source}: ")).unwrap_or_default();
            format!("{source}{place}{}: {}: expected {}", error.path, error.value, error.expected)
        };
        let mut lines: Vec<String> = errors.iter().map(line).collect();
        if let more @ 1.. = errors.count().saturating_sub(lines.len()) {
            lines.push(format!("{}: and {more} more", source.unwrap_or("the policy")));
        }
        Self(lines)
    }

    /// These too.
    pub fn add(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// The value, unless something is wrong with it, which is added here.
    pub fn take<T>(&mut self, value: Result<T, Self>) -> Option<T> {
        value.map_err(|bad| self.add(bad)).ok()
    }

    /// Nothing, if nothing is wrong.
    ///
    /// # Errors
    /// All of it.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<&str> = self.0.iter().take(SHOWN).map(String::as_str).collect();
        f.write_str(&shown.join("\n"))?;
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Bad {}
