//! HTTPS to Azure, on the client that the rest of the workspace has.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use autoscale_core::ports::{Error, ErrorKind};
use autoscale_core::words::Span;
use azure::headers::{HeaderName, HeaderValue, Headers};
use azure_core_021 as azure;
use futures_util::TryStreamExt;

/// No connection came about: the request has certainly not left.
#[derive(Debug, thiserror::Error)]
#[error("no connection")]
pub(super) struct NotConnected(#[source] reqwest::Error);

/// One pool of connections; no redirects, because a token must not follow one, and no repeats.
#[derive(Debug)]
pub(super) struct Https(reqwest::Client);

impl Https {
    pub(super) fn new(timeout: Span) -> Result<Self, Error> {
        reqwest::Client::builder()
            .timeout(timeout.into())
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map(Self)
            .map_err(|error| Error::new(ErrorKind::Invalid, "set up an HTTPS client").with_source(error))
    }
}

#[async_trait]
impl azure::HttpClient for Https {
    async fn execute_request(&self, request: &azure::Request) -> azure::Result<azure::Response> {
        let other = azure::error::ErrorKind::Other;
        let method = reqwest::Method::from_bytes(request.method().as_ref().as_bytes())
            .map_err(|error| azure::Error::new(other.clone(), error))?;
        let mut outgoing = self.0.request(method, request.url().clone());
        for (name, value) in request.headers().iter() {
            outgoing = outgoing.header(name.as_str(), value.as_str());
        }
        let azure::Body::Bytes(body) = request.body() else {
            return Err(azure::Error::message(other, "a body that is a stream"));
        };
        let answer = outgoing.body(body.clone()).send().await.map_err(|error| {
            let io = azure::error::ErrorKind::Io;
            // Without the URL: it may hold what nobody should read.
            let error = error.without_url();
            if error.is_connect() {
                azure::Error::new(io, NotConnected(error))
            } else {
                azure::Error::new(io, error)
            }
        })?;
        let status = azure::StatusCode::try_from(answer.status().as_u16()).map_err(|_| {
            azure::Error::message(azure::error::ErrorKind::DataConversion, "an unknown status")
        })?;
        let headers = headers(answer.headers());
        let body =
            answer.bytes_stream().map_err(|error| azure::Error::new(azure::error::ErrorKind::Io, error));
        Ok(azure::Response::new(status, headers, Box::pin(body)))
    }
}

/// The headers that are text.
fn headers(found: &reqwest::header::HeaderMap) -> Headers {
    let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        let value = value.to_str().ok()?.to_owned();
        Some((HeaderName::from(name.as_str().to_owned()), HeaderValue::from(value)))
    };
    Headers::from(found.iter().filter_map(text).collect::<HashMap<_, _>>())
}
