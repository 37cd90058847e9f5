//! How the modules of this crate reach an API server.

use std::fmt;

use autoscale_core::ports::{Error, ErrorKind};
use autoscale_core::words::{Span, Timestamp};
use http::{Request, Response, header};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use kube::{Client, Config};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

#[cfg(feature = "drain")]
use crate::lines::Lines;

/// No answer is read beyond this: a page of 500 large pods is far below it.
const MAX_BODY: usize = 64 << 20;

/// A `Status` is never longer: what comes under the code of a success and is, is the object that was asked for, and is not
/// looked through twice.
const MAX_STATUS: usize = 64 << 10;

/// A way to an API server, with credentials. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    client: Client,
}

impl Connection {
    /// Connects as a configuration says, in the cluster or from a kubeconfig, and **without the client's own repeats**: a
    /// pod that a budget protects is answered with 429, and a client that repeats it does not return for a minute. The
    /// driver repeats what has to be repeated.
    ///
    /// # Errors
    /// `Invalid`: the configuration cannot be used, such as a certificate that cannot be read.
    pub fn new(mut config: Config) -> Result<Self, Error> {
        config.default_retry = false;
        let attempted = "set up a client of the Kubernetes API";
        let client = Client::try_from(config)
            .map_err(|error| Error::new(ErrorKind::Invalid, attempted).with_source(error))?;
        Ok(Self { client })
    }

    /// Uses a client that is there already. It must not repeat requests by itself: make it from a `kube::Config` with
    /// `default_retry` off, or use [`new`](Self::new).
    pub const fn from_client(client: Client) -> Self {
        Self { client }
    }

    /// Sends one request, once.
    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Result<Answer, Silence> {
        let request = request.map(Body::from);
        let response = self.client.send(request).await.map_err(|error| Silence(Box::new(error)))?;
        Answer::read(response).await
    }

    /// Begins a request whose answer goes on and on, line by line.
    #[cfg(feature = "drain")]
    pub(crate) async fn open(&self, request: Request<Vec<u8>>) -> Result<Opened, Silence> {
        let request = request.map(Body::from);
        let response = self.client.send(request).await.map_err(|error| Silence(Box::new(error)))?;
        if response.status().is_success() {
            return Ok(Opened::Lines(Lines::new(response.into_body())));
        }
        Answer::read(response).await.map(Opened::Refused)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("namespace", &self.client.default_namespace())
            .finish_non_exhaustive()
    }
}

/// The beginning of an answer that goes on.
#[cfg(feature = "drain")]
#[derive(Debug)]
pub(crate) enum Opened {
    Lines(Lines),
    Refused(Answer),
}

/// No answer came, or not a whole one: the request may have been carried out.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
pub(crate) struct Silence(#[source] pub(crate) Box<dyn std::error::Error + Send + Sync>);

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    /// The API server's clock, to the second.
    pub(crate) date: Option<Timestamp>,
    retry_after: Option<Span>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    async fn read(response: Response<Body>) -> Result<Self, Silence> {
        let (head, body) = response.into_parts();
        let text = |name: header::HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        let seconds = |text: &str| text.trim().parse().ok().map(Span::from_secs);
        let body = Limited::new(body, MAX_BODY).collect().await.map_err(Silence)?;
        Ok(Self {
            code: head.status.as_u16(),
            date: text(header::DATE).and_then(crate::time::http_date),
            retry_after: text(header::RETRY_AFTER).and_then(seconds),
            body: body.to_bytes().into(),
        })
    }

    /// Whether the code says that all is well. Nothing here follows a redirect: one is no success, whoever sent it.
    const fn is_success(&self) -> bool {
        matches!(self.code, 200..300)
    }

    /// What the API server says went wrong: also in an answer whose code says that all is well.
    pub(crate) fn failure(&self) -> Option<Failure> {
        if self.is_success() && self.body.len() > MAX_STATUS {
            return None;
        }
        let status: Option<Failure> = serde_json::from_slice(&self.body).ok();
        match status.filter(|status| status.kind == "Status") {
            Some(mut status) if status.status == "Failure" || !self.is_success() => {
                if status.code == 0 || !self.is_success() {
                    status.code = self.code;
                }
                status.retry_after = self.retry_after.or_else(|| {
                    Some(Span::from_secs(status.details.retry_after_seconds))
                        .filter(|after| *after > Span::ZERO)
                });
                Some(status)
            }
            _ if self.is_success() => None,
            _ => {
                let message =
                    String::from_utf8_lossy(self.body.get(..200).unwrap_or(&self.body)).into_owned();
                let retry_after = self.retry_after;
                Some(Failure { code: self.code, message, retry_after, ..Failure::default() })
            }
        }
    }

    /// The object in it.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// A `null` is as good as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A `Status` that says what went wrong.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Failure {
    #[serde(deserialize_with = "or_default")]
    kind: String,
    #[serde(deserialize_with = "or_default")]
    status: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) code: u16,
    #[serde(deserialize_with = "or_default")]
    pub(crate) reason: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) message: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) details: Details,
    #[serde(skip)]
    retry_after: Option<Span>,
}

/// What it is about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Details {
    #[serde(deserialize_with = "or_default")]
    pub(crate) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) kind: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) causes: Vec<Cause>,
    #[serde(deserialize_with = "or_default")]
    retry_after_seconds: u64,
}

/// One reason among several.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Cause {
    #[serde(deserialize_with = "or_default")]
    pub(crate) reason: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) message: String,
}

impl Failure {
    /// As an error of a port. `action` is the permission that the request needs; `wrote` tells a request that changes
    /// something from one that only looks.
    pub(crate) fn into_error(self, attempted: &str, action: &str, wrote: bool) -> Error {
        let kind = match self.code {
            // A token that has run out is renewed: nothing was done, and later it will be. Nor does a redirect do anything: what
            // sends one is something before the API server.
            401 | 300..400 => ErrorKind::Unavailable,
            403 => ErrorKind::Denied { action: action.to_owned() },
            404 => ErrorKind::NotFound,
            429 => ErrorKind::Throttled { retry_after: self.retry_after },
            400 | 405 | 406 | 409 | 413 | 415 | 422 => ErrorKind::Invalid,
            // Its storage may have taken the write before the time was up.
            _ if wrote => ErrorKind::Unclear,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, attempted).with_source(Said { code: self.code, message: self.message })
    }
}

/// What the API server said, as the cause of an error.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
struct Said {
    code: u16,
    message: String,
}

/// An error for a request that was not answered.
pub(crate) fn silent(silence: Silence, attempted: &str, wrote: bool) -> Error {
    let kind = if wrote { ErrorKind::Unclear } else { ErrorKind::Unavailable };
    Error::new(kind, attempted).with_source(silence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u16, body: &str) -> Answer {
        Answer { code, date: None, retry_after: Some(Span::from_secs(3)), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn failures_are_told_from_successes() {
        for (code, body, expected) in [
            (200, r#"{"kind":"Node","status":{}}"#, None),
            (201, r#"{"kind":"Status","status":"Success"}"#, None),
            (201, "", None),
            (201, r#"{"kind":"Status","status":"Failure","code":429,"message":"m"}"#, Some((429, "m"))),
            (429, r#"{"kind":"Status","status":"Failure","message":"m"}"#, Some((429, "m"))),
            (
                200,
                r#"{"kind":"Status","status":"Failure","code":500,"message":"m","reason":null,"details":null}"#,
                Some((500, "m")),
            ),
            (502, "<html>bad gateway</html>", Some((502, "<html>bad gateway</html>"))),
            (500, "", Some((500, ""))),
            (199, "", Some((199, ""))),
            (301, "moved", Some((301, "moved"))),
            (307, r#"{"kind":"Node","status":{}}"#, Some((307, r#"{"kind":"Node","status":{}}"#))),
            (302, r#"{"kind":"Status","status":"Success","message":"m"}"#, Some((302, "m"))),
            (304, "", Some((304, ""))),
        ] {
            let found = answer(code, body).failure();
            assert_eq!(found.as_ref().map(|f| (f.code, f.message.as_str())), expected, "{code} {body}");
        }
    }

    #[test]
    fn a_whole_page_is_not_looked_through_for_a_failure() {
        let failure = r#"{"kind":"Status","status":"Failure","code":500,"message":"m"}"#;
        let padded = |bytes: usize| format!("{failure}{}", " ".repeat(bytes - failure.len()));
        assert!(answer(200, &padded(MAX_STATUS)).failure().is_some());
        assert!(answer(200, &padded(MAX_STATUS + 1)).failure().is_none());
        assert!(answer(500, &padded(MAX_STATUS + 1)).failure().is_some(), "a code that says no is looked at");
    }

    #[test]
    fn what_may_have_been_written_is_unclear() {
        for (code, wrote, kind) in [
            // Whoever redirects is no API server: nothing reached one.
            (302, true, ErrorKind::Unavailable),
            (308, false, ErrorKind::Unavailable),
            (500, true, ErrorKind::Unclear),
            (504, true, ErrorKind::Unclear),
            (500, false, ErrorKind::Unavailable),
            (401, true, ErrorKind::Unavailable),
            (403, true, ErrorKind::Denied { action: "patch nodes".to_owned() }),
            (404, false, ErrorKind::NotFound),
            (422, true, ErrorKind::Invalid),
            (429, true, ErrorKind::Throttled { retry_after: Some(Span::from_secs(3)) }),
        ] {
            let failure =
                answer(code, r#"{"kind":"Status","status":"Failure","message":"m"}"#).failure().unwrap();
            assert_eq!(*failure.into_error("cordon n", "patch nodes", wrote).kind(), kind, "{code}");
        }
    }
}
