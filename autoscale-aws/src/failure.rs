//! What an answer of the SDK that is no success means, for every service alike.

use autoscale_core::ports::{Error, ErrorKind};
use autoscale_core::words::{Span, truncated};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::watch::Watch;

/// Asked too often: refused before anything was done.
const THROTTLED: [&str; 12] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// A permission is missing.
const DENIED: [&str; 4] = ["AccessDenied", "AccessDeniedException", "OptInRequired", "UnauthorizedOperation"];

/// The signature or the credentials were not accepted: nothing was done, and with fresh ones it will be.
const CREDENTIALS: [&str; 12] = [
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Why a request did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.text())]
pub(crate) struct Failure {
    /// The service's own word for it, if it answered with one.
    pub(crate) code: Option<String>,
    /// In words, at most 400 characters.
    pub(crate) message: String,
    status: Option<u16>,
    left: bool,
    retry_after: Option<Span>,
}

/// What a failure means, whatever the service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// It never left this process.
    NotSent,
    /// Refused: too many requests.
    Throttled,
    /// Refused: this action is not permitted.
    Denied(String),
    /// Refused: the credentials.
    Credentials,
    /// Refused for a reason of its own.
    Refused,
    /// The service failed, or did not answer: it may have been carried out.
    Unclear,
}

impl Failure {
    pub(crate) fn new<E>(error: &SdkError<E, HttpResponse>, watch: &Watch) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let service = error.as_service_error();
        let raw = error.raw_response();
        let code = service.and_then(ProvideErrorMetadata::code).map(|code| truncated(code, 100));
        let said = service.and_then(ProvideErrorMetadata::message);
        let seconds = |text: &str| text.trim().parse().ok().map(Span::from_secs);
        Self {
            code,
            message: said.map_or_else(|| chain(error), |said| truncated(said, 400)),
            status: raw.map(|raw| raw.status().as_u16()),
            left: watch.left(),
            retry_after: raw.and_then(|raw| raw.headers().get("retry-after")).and_then(seconds),
        }
    }

    fn text(&self) -> String {
        match (&self.code, self.status) {
            (Some(code), _) => format!("{code}: {}", self.message),
            (None, Some(status)) => format!("HTTP {status}: {}", self.message),
            (None, None) => self.message.clone(),
        }
    }

    fn has(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// What it means; `action` is the permission that the request needs, if the answer names no other.
    pub(crate) fn class(&self, action: &str) -> Class {
        match self.status {
            _ if !self.left => Class::NotSent,
            None => Class::Unclear,
            Some(_) if self.has(&THROTTLED) => Class::Throttled,
            Some(_) if self.has(&DENIED) => Class::Denied(self.missing(action)),
            Some(_) if self.has(&CREDENTIALS) => Class::Credentials,
            Some(429) => Class::Throttled,
            // A code of the service in a 4xx: its own definite no. Without one somebody in between may have answered.
            Some(400..=499) if self.code.is_some() => Class::Refused,
            Some(_) => Class::Unclear,
        }
    }

    /// The action that the answer says is not permitted.
    fn missing(&self, action: &str) -> String {
        let said = self.message.split_once("not authorized to perform: ").map(|(_, rest)| rest);
        let word = said.and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
        let is_action = word.split_once(':').is_some_and(|(service, name)| {
            let letters = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
            letters(service) && letters(name)
        });
        if is_action { word.to_owned() } else { action.to_owned() }
    }

    /// As an error of a request that only looks.
    pub(crate) fn looking(self, attempted: &str, action: &str) -> Error {
        let kind = match self.class(action) {
            Class::Throttled => ErrorKind::Throttled { retry_after: self.retry_after },
            Class::Denied(action) => ErrorKind::Denied { action },
            Class::Refused => ErrorKind::Invalid,
            Class::NotSent | Class::Credentials | Class::Unclear => ErrorKind::Unavailable,
        };
        Error::new(kind, attempted).with_source(self)
    }

    /// As an error of a request that changes something, if it was certainly not carried out.
    pub(crate) fn certain(&self, action: &str) -> Option<ErrorKind> {
        match self.class(action) {
            Class::NotSent => Some(ErrorKind::NotSent),
            Class::Throttled => Some(ErrorKind::Throttled { retry_after: self.retry_after }),
            Class::Denied(action) => Some(ErrorKind::Denied { action }),
            Class::Refused => Some(ErrorKind::Invalid),
            Class::Credentials => Some(ErrorKind::Unavailable),
            Class::Unclear => None,
        }
    }
}

/// An error and its causes, without what a response's `Debug` would show.
fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    truncated(&text, 400)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: Option<u16>, code: Option<&str>, message: &str) -> Failure {
        let (code, message) = (code.map(str::to_owned), message.to_owned());
        Failure { code, message, status, left: true, retry_after: Some(Span::from_secs(3)) }
    }

    #[test]
    fn only_a_certain_no_is_certain() {
        let denied = |action: &str| Some(ErrorKind::Denied { action: action.to_owned() });
        let throttled = Some(ErrorKind::Throttled { retry_after: Some(Span::from_secs(3)) });
        let user = "User: arn:aws:sts::1:assumed-role/f/f is not authorized to perform: ";
        for (status, code, message, expected) in [
            (None, None, "connection reset", None),
            (Some(500), None, "<html>", None),
            (Some(500), Some("InternalError"), "", None),
            (Some(503), Some("Unavailable"), "", None),
            (Some(200), None, "cut off", None),
            (Some(404), None, "<html>", None),
            (Some(400), Some("ThrottlingException"), "", throttled.clone()),
            (Some(503), Some("RequestLimitExceeded"), "", throttled.clone()),
            (Some(429), None, "", throttled),
            (Some(403), Some("UnauthorizedOperation"), "", denied("x:Do")),
            (
                Some(403),
                Some("UnauthorizedOperation"),
                &format!("{user}iam:PassRole on resource: r"),
                denied("iam:PassRole"),
            ),
            (Some(400), Some("AccessDeniedException"), &format!("{user}$(reboot) on"), denied("x:Do")),
            (Some(403), Some("AuthFailure"), "", Some(ErrorKind::Unavailable)),
            (Some(400), Some("ValidationException"), "", Some(ErrorKind::Invalid)),
        ] {
            assert_eq!(failure(status, code, message).certain("x:Do"), expected, "{status:?} {code:?}");
        }
        let kept = Failure { left: false, ..failure(None, None, "no credentials") };
        assert_eq!(kept.certain("x:Do"), Some(ErrorKind::NotSent));
        assert_eq!(*kept.looking("look", "x:Do").kind(), ErrorKind::Unavailable);
    }
}
