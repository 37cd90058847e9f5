//! What is wrong with a policy: everything at once.

use std::fmt;

/// One thing that is wrong with a policy: `line 7, column 9: pools.web.min: 12: expected at most max, which is 10`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PolicyError {
    /// The line and the column in the text, in characters, both from 1; `None` where there is no text, as with the
    /// builder. Where something is missing it is the place of what it is missing from.
    pub place: Option<(u32, u32)>,
    /// Where, like `pools.web.up[0].above`; `policy` for the whole; or the name of an environment variable.
    pub path: String,
    /// What stands there, escaped and cut after 80 characters. Texts are in quotes.
    pub value: String,
    /// What would have been accepted.
    pub expected: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, path, value, expected } = self;
        if let Some((line, column)) = place {
            write!(f, "line {line}, column {column}: ")?;
        }
        write!(f, "{path}: {value}: expected {expected}")
    }
}

impl std::error::Error for PolicyError {}

/// Everything that is wrong with a policy, at least one thing. `Display` prints one line for each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyErrors {
    first: PolicyError,
    more: Vec<PolicyError>,
    left_out: usize,
}

impl PolicyErrors {
    /// So many errors are kept; of the rest only the number.
    pub const KEPT: usize = 100;

    /// One error.
    pub(super) const fn one(first: PolicyError) -> Self {
        Self { first, more: Vec::new(), left_out: 0 }
    }

    /// All of these, and so many that were only counted.
    pub(super) fn all(errors: impl IntoIterator<Item = PolicyError>, left_out: usize) -> Option<Self> {
        let mut errors = errors.into_iter();
        let mut all = Self { left_out, ..Self::one(errors.next()?) };
        errors.for_each(|error| all.push(error));
        Some(all)
    }

    /// One error about the whole policy.
    pub(super) fn whole(value: String, expected: String) -> Self {
        Self::one(PolicyError { place: None, path: "policy".to_owned(), value, expected })
    }

    /// One error about a place in the text of a policy.
    pub(super) fn at(place: (u32, u32), value: String, expected: String) -> Self {
        Self::one(PolicyError { place: Some(place), path: "policy".to_owned(), value, expected })
    }

    /// Adds one error, or counts it when there are many.
    pub(super) fn push(&mut self, error: PolicyError) {
        if self.is_full() {
            self.left_out = self.left_out.saturating_add(1);
        } else {
            self.more.push(error);
        }
    }

    /// Whether further errors are only counted.
    pub(super) const fn is_full(&self) -> bool {
        self.more.len() + 1 >= Self::KEPT
    }

    /// The errors in the order in which they were found, at most [`KEPT`](Self::KEPT).
    pub fn iter(&self) -> impl Iterator<Item = &PolicyError> {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// How many there are, with those that were not kept.
    pub fn count(&self) -> usize {
        self.more.len().saturating_add(1).saturating_add(self.left_out)
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.first, f)?;
        for error in &self.more {
            write!(f, "\n{error}")?;
        }
        match self.left_out {
            0 => Ok(()),
            left_out => write!(f, "\nand {left_out} more"),
        }
    }
}

impl std::error::Error for PolicyErrors {}
