//! What can be wrong with an answer, each by its name.

use autoscale_core::data::view::Reading;
use autoscale_core::ports::{Error, ErrorKind};
use autoscale_core::words::{FixedError, Span, truncated};

use super::address::Refused;

/// Why there is no number.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Trouble {
    // The server has not answered the question.
    #[error("no answer in time")]
    Late,
    #[error("no answer: {0}")]
    Silent(String),
    #[error("{0}")]
    Refused(#[from] Refused),
    #[error("the token cannot be read: {0}")]
    Token(String),
    #[error("the answer has more than {} MiB", .0 >> 20)]
    Huge(usize),
    #[error("redirected with {0}, which is not followed")]
    Redirected(u16),
    #[error("not logged in ({0})")]
    Unauthorized(u16),
    #[error("too many requests (429)")]
    TooMany(Option<Span>),
    #[error("the query is not valid ({code}): {text}")]
    BadQuery { code: u16, text: String },
    #[error("the query could not be evaluated ({code}): {text}")]
    NotEvaluated { code: u16, text: String },
    #[error("the server cannot answer ({code}): {text}")]
    Ill { code: u16, text: String },
    #[error("the answer is no JSON but {0}")]
    NotJson(String),
    #[error("the answer is not what Prometheus answers: {0}")]
    Malformed(String),
    #[error("the query gives a {0}, expected an instant vector or a scalar")]
    Shape(String),
    #[error("the query gives a histogram, expected a number")]
    Histogram,
    // It has answered, and there is no such number.
    #[error("empty result")]
    Empty,
    #[error("{0} series where one is expected")]
    Several(usize),
    #[error("{0}")]
    Number(#[from] FixedError),
    #[error("a negative value, {0}, which its unit does not have")]
    Negative(String),
    #[error("the server warned: {0}")]
    Warned(String),
    #[error("when it was measured: {0}")]
    Measured(Box<Self>),
    #[error("measured {0} in the future")]
    Future(Span),
}

impl Trouble {
    /// Whether the server has answered, and there is no such number.
    fn is_missing(&self) -> bool {
        match self {
            Self::Empty | Self::Several(_) | Self::Number(_) | Self::Negative(_) | Self::Warned(_) => true,
            Self::Future(_) => true,
            Self::Measured(inner) => inner.is_missing(),
            Self::Late | Self::Silent(_) | Self::Refused(_) | Self::Token(_) | Self::Huge(_) => false,
            Self::Redirected(_) | Self::Unauthorized(_) | Self::TooMany(_) | Self::BadQuery { .. } => false,
            Self::NotEvaluated { .. } | Self::Ill { .. } | Self::NotJson(_) | Self::Malformed(_) => false,
            Self::Shape(_) | Self::Histogram => false,
        }
    }

    /// As the reading of a signal.
    pub(super) fn into_reading(self) -> Reading {
        let why = format!("Prometheus: {self}");
        if self.is_missing() { Reading::Missing { why } } else { Reading::Failed { why } }
    }

    /// As the error of a call.
    pub(super) fn into_error(self, attempted: &str) -> Error {
        let kind = match &self {
            Self::Unauthorized(_) => ErrorKind::Denied { action: "query".to_owned() },
            Self::TooMany(retry_after) => ErrorKind::Throttled { retry_after: *retry_after },
            Self::BadQuery { .. } | Self::Shape(_) | Self::Histogram | Self::Several(_) => ErrorKind::Invalid,
            Self::Refused(_) | Self::Redirected(_) => ErrorKind::Invalid,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, attempted).with_source(self)
    }
}

/// An error and its causes on one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    truncated(&text, 300)
}
