//! What the API server's refusals mean to a provider.

use autoscale_core::ports::{Error, ErrorKind};
use autoscale_core::words::Span;

/// The error of a request. `action` is the permission that it needs; `wrote` tells a request that changes something from
/// one that only looks: a write without a definite answer is unclear.
pub(super) fn from_kube(error: kube::Error, attempted: &str, action: &str, wrote: bool) -> Error {
    let silence = if wrote { ErrorKind::Unclear } else { ErrorKind::Unavailable };
    let kind = match &error {
        kube::Error::Api(status) => match status.code {
            // A token that has run out is renewed: nothing was done, and later it will be.
            401 => ErrorKind::Unavailable,
            403 => ErrorKind::Denied { action: action.to_owned() },
            404 => ErrorKind::NotFound,
            429 => {
                let after = status.details.as_ref().map(|details| details.retry_after_seconds);
                let after = after.filter(|seconds| *seconds > 0).map(|s| Span::from_secs(u64::from(s)));
                ErrorKind::Throttled { retry_after: after }
            }
            // Somebody else wrote in between, and this was refused for it.
            409 => ErrorKind::Throttled { retry_after: None },
            400 | 405 | 406 | 413 | 415 | 422 => ErrorKind::Invalid,
            _ => silence,
        },
        _ => silence,
    };
    Error::new(kind, attempted).with_source(error)
}

/// Whether the API server said exactly this code.
pub(super) fn has_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}
