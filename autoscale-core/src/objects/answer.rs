//! What the object store's answers mean. Pure.

use object_store::{Error as Cause, PutResult, UpdateVersion};

use crate::ports::{Error, ErrorKind, Expected, Result, Version};
use crate::words::truncated;

/// What became of a conditional put.
#[derive(Debug)]
pub(super) enum Put {
    Done(Version),
    /// A condition was not met.
    Lost,
    /// It may have been carried out, or may yet be.
    Unknown(String),
}

/// A state of the object, as one text: its ETag, and after a space its version where it has one.
pub(super) fn version(tag: &UpdateVersion) -> Option<Version> {
    let e_tag = tag.e_tag.as_deref().filter(|e_tag| !e_tag.is_empty())?;
    Some(match &tag.version {
        Some(version) => Version::new(format!("{e_tag} {version}")),
        None => Version::new(e_tag),
    })
}

/// The state that a version names. An ETag has no space in it.
pub(super) fn tag(version: &Version) -> Option<UpdateVersion> {
    let (e_tag, version) = match version.as_str().split_once(' ') {
        Some((e_tag, version)) => (e_tag, Some(version.to_owned())),
        None => (version.as_str(), None),
    };
    (!e_tag.is_empty()).then(|| UpdateVersion { e_tag: Some(e_tag.to_owned()), version })
}

/// The store names no states, so that there is nothing to compare.
pub(super) fn no_tag(place: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("read {place}: it has no ETag, so that it cannot be swapped"))
}

/// Why a load failed.
pub(super) fn load_error(cause: Cause, place: &str) -> Error {
    failed(
        cause,
        &format!("read {place}"),
        "the permission to read the object, and to list what is beside it",
    )
}

/// Why something failed that changes nothing, or may be done twice; `permission` is what it needs.
pub(super) fn failed(cause: Cause, attempted: &str, permission: &str) -> Error {
    let kind = refusal(&cause, permission).unwrap_or_else(|| looked(&cause, permission));
    Error::new(kind, attempted).with_source(cause)
}

/// What the status says of a request that only looked, or may be sent again. Where the client has no kind for it, as for every
/// refused listing, the status stands in its words alone.
fn looked(cause: &Cause, permission: &str) -> ErrorKind {
    let text = match cause {
        Cause::NotFound { .. } => return ErrorKind::NotFound,
        Cause::Generic { source, .. } => source.to_string(),
        _ => return ErrorKind::Unavailable,
    };
    let status = text.split_once(" status code: ").and_then(|(_, status)| status.get(..3));
    match status {
        Some("401") => ErrorKind::Denied { action: "valid credentials".to_owned() },
        Some("403") => ErrorKind::Denied { action: permission.to_owned() },
        Some("404") => ErrorKind::NotFound,
        Some("429" | "503") => ErrorKind::Throttled { retry_after: None },
        _ => ErrorKind::Unavailable,
    }
}

/// What a put's answer means.
///
/// # Errors
/// Only for what was certainly refused, or never sent.
pub(super) fn put(answer: Result<PutResult, Cause>, expected: &Expected, place: &str) -> Result<Put> {
    let cause = match answer {
        Ok(done) => {
            let tag = UpdateVersion { e_tag: done.e_tag, version: done.version };
            // Done, but to which state is not said: a load tells.
            let unnamed = || Put::Unknown(format!("{place} was put, and its ETag is not said"));
            return Ok(version(&tag).map_or_else(unnamed, Put::Done));
        }
        Err(cause) => cause,
    };
    let kind = match (&cause, expected) {
        (Cause::AlreadyExists { .. } | Cause::Precondition { .. } | Cause::NotModified { .. }, _) => {
            return Ok(Put::Lost);
        }
        // The object that should be replaced is not there.
        (Cause::NotFound { .. }, Expected::At(_)) => return Ok(Put::Lost),
        // What it should be created in is not there.
        (Cause::NotFound { .. }, Expected::Absent) => ErrorKind::NotFound,
        _ => match refusal(&cause, PUT) {
            Some(kind) => kind,
            None => return Ok(Put::Unknown(truncated(&format!("put {place}: {cause}"), 500))),
        },
    };
    Err(refused(kind, cause, place))
}

fn refused(kind: ErrorKind, cause: Cause, place: &str) -> Error {
    let attempted = match kind {
        ErrorKind::Invalid => format!("put {place} under a condition, which this kind of store cannot do"),
        _ => format!("put {place}"),
    };
    Error::new(kind, attempted).with_source(cause)
}

/// Whether an object was created: `false` if there is one, or another put is under way.
///
/// # Errors
/// `Unclear` if it may have been created; else what was certainly refused, or never sent.
#[cfg(feature = "audit")]
pub(super) fn created(answer: Result<PutResult, Cause>, place: &str) -> Result<bool> {
    let cause = match answer {
        Ok(_) => return Ok(true),
        Err(cause) => cause,
    };
    let kind = match &cause {
        Cause::AlreadyExists { .. } | Cause::Precondition { .. } | Cause::NotModified { .. } => {
            return Ok(false);
        }
        Cause::NotFound { .. } => ErrorKind::NotFound,
        _ => refusal(&cause, PUT).unwrap_or(ErrorKind::Unclear),
    };
    Err(refused(kind, cause, place))
}

/// What a put needs.
const PUT: &str = "the permission to read and put the object";

/// What is refused for certain, whatever was asked.
fn refusal(cause: &Cause, permission: &str) -> Option<ErrorKind> {
    let denied = |action: &str| Some(ErrorKind::Denied { action: action.to_owned() });
    match cause {
        Cause::PermissionDenied { .. } => denied(permission),
        Cause::Unauthenticated { .. } => denied("valid credentials"),
        Cause::NotImplemented { .. }
        | Cause::NotSupported { .. }
        | Cause::InvalidPath { .. }
        | Cause::UnknownConfigurationKey { .. } => Some(ErrorKind::Invalid),
        // `Generic` is everything from a refused connection to a lost answer.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn because() -> Box<dyn std::error::Error + Send + Sync> {
        "because".into()
    }

    #[test]
    fn versions_name_tags() {
        for (e_tag, version_of, text) in
            [("\"0x8D\"", None, "\"0x8D\""), ("\"5d41\"", Some("v 1"), "\"5d41\" v 1")]
        {
            let update = UpdateVersion { e_tag: Some(e_tag.into()), version: version_of.map(str::to_owned) };
            let named = version(&update).unwrap();
            assert_eq!((named.as_str(), tag(&named)), (text, Some(update)));
        }
        assert_eq!(version(&UpdateVersion { e_tag: None, version: Some("3".into()) }), None);
        assert_eq!(tag(&Version::new("")), None);
    }

    #[test]
    fn only_a_certain_no_is_an_error() {
        let path = || "p".to_owned();
        let at = Expected::At(Version::new("\"1\""));
        let put = |cause, expected: &Expected| put(Err(cause), expected, "p");
        for cause in [
            Cause::AlreadyExists { path: path(), source: because() },
            Cause::Precondition { path: path(), source: because() },
            Cause::NotFound { path: path(), source: because() },
        ] {
            assert!(matches!(put(cause, &at), Ok(Put::Lost)));
        }
        let lost = Cause::Generic { store: "S3", source: because() };
        assert!(matches!(put(lost, &at), Ok(Put::Unknown(why)) if why.contains("because")));
        let no_bucket = Cause::NotFound { path: path(), source: because() };
        assert_eq!(*put(no_bucket, &Expected::Absent).unwrap_err().kind(), ErrorKind::NotFound);
        let forbidden = Cause::PermissionDenied { path: path(), source: because() };
        assert!(matches!(put(forbidden, &at).unwrap_err().kind(), ErrorKind::Denied { .. }));
        let local = Cause::NotImplemented { operation: "put".to_owned(), implementer: "folder".to_owned() };
        let error = put(local, &at).unwrap_err();
        assert!(
            *error.kind() == ErrorKind::Invalid && error.to_string().contains("under a condition"),
            "{error}"
        );
    }

    #[cfg(feature = "audit")]
    #[test]
    fn what_may_have_been_created_is_unclear() {
        let path = || "p".to_owned();
        let created = |cause| created(Err(cause), "p");
        assert!(matches!(created(Cause::AlreadyExists { path: path(), source: because() }), Ok(false)));
        for (cause, kind) in [
            (Cause::Generic { store: "S3", source: because() }, ErrorKind::Unclear),
            (Cause::NotFound { path: path(), source: because() }, ErrorKind::NotFound),
            (
                Cause::PermissionDenied { path: path(), source: because() },
                ErrorKind::Denied { action: PUT.to_owned() },
            ),
        ] {
            assert_eq!(*created(cause).unwrap_err().kind(), kind);
        }
    }

    #[test]
    fn a_refused_listing_is_told_by_its_status() {
        let text = |status: &str| {
            format!(
                "Error performing list request: Error performing GET http://h/b in 1ms - Server returned non-2xx \
                 status code: {status}: <Error> status code: 404 </Error>"
            )
        };
        let denied = |action: &str| ErrorKind::Denied { action: action.to_owned() };
        for (status, kind) in [
            ("403 Forbidden", denied("to list")),
            ("401 Unauthorized", denied("valid credentials")),
            ("404 Not Found", ErrorKind::NotFound),
            ("503 Service Unavailable", ErrorKind::Throttled { retry_after: None }),
            ("500 Internal Server Error", ErrorKind::Unavailable),
            ("", ErrorKind::Unavailable),
        ] {
            let cause = Cause::Generic { store: "S3", source: text(status).into() };
            assert_eq!(*failed(cause, "list", "to list").kind(), kind, "{status}");
        }
        let gone = Cause::Generic { store: "S3", source: because() };
        assert_eq!(*failed(gone, "list", "to list").kind(), ErrorKind::Unavailable);
    }
}
