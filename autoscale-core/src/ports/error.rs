//! The one public error of all ports. Its kind says what the caller does next.

use std::error::Error as StdError;
use std::fmt;

use crate::data::order::Offering;
use crate::words::{Span, truncated};

/// The result of a port call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller does next.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request may have been carried out, or may yet be. Ask again, do not conclude anything.
    Unclear,
    /// Nothing was done; come back later.
    Throttled {
        /// After how long, where the service says so.
        retry_after: Option<Span>,
    },
    /// Nothing was bought: no capacity, or a quota is used up.
    NoCapacity {
        /// What was asked for.
        offering: Offering,
    },
    /// What it is about does not exist, or is not what the order says (another uid).
    NotFound,
    /// Refused for good: a permission is missing, or a protection is on.
    Denied {
        /// The missing action or the protection.
        action: String,
    },
    /// The request itself is wrong; the same request will never do.
    Invalid,
    /// The token was used for an instance that is gone.
    TokenSpent,
    /// The token was used with other parameters.
    TokenMismatch,
    /// The request was not sent: its `not_after` has passed, or the clocks differ too much.
    NotSent,
    /// The service did not answer, and nothing was ordered by the request.
    Unavailable,
}

/// An error of a port: what was attempted, what to do next, and the cause as [`source`](StdError::source).
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    attempted: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of a kind, with what was attempted; control characters are escaped, 500 characters are kept.
    pub fn new(kind: ErrorKind, attempted: impl AsRef<str>) -> Self {
        Self { kind, attempted: truncated(attempted.as_ref(), 500), source: None }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller does next.
    pub const fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The error and its causes on one line, at most 500 characters, for an explanation.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = StdError::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        truncated(&text, 500)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attempted)?;
        match &self.kind {
            ErrorKind::Unclear => f.write_str(" (unclear whether it was done)"),
            ErrorKind::Throttled { retry_after: Some(after) } => {
                write!(f, " (throttled, retry after {after})")
            }
            ErrorKind::Throttled { retry_after: None } => f.write_str(" (throttled)"),
            ErrorKind::NoCapacity { offering } => write!(f, " (no capacity for {offering})"),
            ErrorKind::NotFound => f.write_str(" (not found)"),
            ErrorKind::Denied { action } => write!(f, " (denied: {})", truncated(action, 200)),
            ErrorKind::Invalid => f.write_str(" (invalid request)"),
            ErrorKind::TokenSpent => f.write_str(" (the token's instance is gone)"),
            ErrorKind::TokenMismatch => f.write_str(" (the token was used with other parameters)"),
            ErrorKind::NotSent => f.write_str(" (not sent)"),
            ErrorKind::Unavailable => f.write_str(" (unavailable)"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_attempted_and_keeps_the_cause_apart() {
        let cause = std::io::Error::other("connection\nreset");
        let error = Error::new(ErrorKind::Unclear, "launch i-1").with_source(cause);
        assert_eq!(error.to_string(), "launch i-1 (unclear whether it was done)");
        assert_eq!(error.chain(), "launch i-1 (unclear whether it was done): connection\\u{a}reset");
    }
}
