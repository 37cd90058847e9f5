//! The resource manager as a transport of the SDK, and its users.

use std::fmt;

use async_trait::async_trait;
use azure::headers::Headers;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core_021 as azure;
use bytes::Bytes;

use super::Arm;
use super::answer::http_date;
use super::faults::Heard;
use super::route::Call;

/// Requests without a network between.
pub(super) struct InProcess(pub(super) Arm);

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

#[async_trait]
impl azure::HttpClient for InProcess {
    async fn execute_request(&self, request: &azure::Request) -> azure::Result<azure::Response> {
        let header = |name: &'static str| {
            request
                .headers()
                .get_optional_str(&azure::headers::HeaderName::from_static(name))
                .map(str::to_owned)
        };
        let body = match request.body() {
            azure::Body::Bytes(bytes) => bytes.to_vec(),
            azure::Body::SeekableStream(_) => Vec::new(),
        };
        let call = Call {
            method: request.method().as_ref().to_owned(),
            url: request.url().clone(),
            token: header("authorization").and_then(|text| text.strip_prefix("Bearer ").map(str::to_owned)),
            if_none_match: header("if-none-match"),
            body,
        };
        let (heard, now) = {
            let mut world = self.0.lock();
            (world.arrive(&call), world.now)
        };
        let nothing = || azure::Error::message(azure::error::ErrorKind::Io, "connection reset");
        let (reply, body) = match heard {
            Heard::Reply(reply) => (reply.clone(), reply.bytes()),
            Heard::Garbled(reply) => (reply, b"<html>".to_vec()),
            Heard::Nothing => return Err(nothing()),
        };
        let mut headers = Headers::new();
        headers.insert("date", http_date(now));
        headers.insert("content-type", "application/json; charset=utf-8");
        for (name, value) in reply.headers {
            headers.insert(name, value);
        }
        let status = azure::StatusCode::try_from(reply.status).map_err(|_| nothing())?;
        let body = futures_util::stream::once(async move { Ok(Bytes::from(body)) });
        Ok(azure::Response::new(status, headers, Box::pin(body)))
    }
}

/// Somebody whose token is their name.
#[derive(Debug)]
pub(super) struct User(pub(super) String);

#[async_trait]
impl TokenCredential for User {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let later = time::OffsetDateTime::now_utc() + time::Duration::hours(1);
        Ok(AccessToken::new(self.0.clone(), later))
    }
}
