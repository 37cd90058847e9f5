//! The server as a service: requests of a client in, answers out.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame};
use serde_json::Value;
use tower::BoxError;

use super::api::{Call, Reply};
use super::faults::Trouble;
use super::journal::Entry;
use super::refusal::Refusal;
use super::route::{Query, Route};
use super::server::ApiServer;
use super::watch::Watch;
use super::world::World;

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// The service behind a client. `user` is who asks without a token.
#[derive(Clone, Debug)]
pub(super) struct Front {
    pub(super) server: ApiServer,
    pub(super) user: Option<String>,
}

impl tower::Service<Request<kube::client::Body>> for Front {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let front = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect_bytes().await?.to_vec();
            let method = head.method.as_str().to_owned();
            let call = call(method, head.uri.path(), head.uri.query(), &head.headers, body);
            front.answer(call).await
        })
    }
}

/// A request in the server's own words.
pub(super) fn call(
    method: String,
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Vec<u8>,
) -> Call {
    let text = |name: header::HeaderName| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let token = text(header::AUTHORIZATION).strip_prefix("Bearer ").map(str::to_owned);
    let (content_type, agent) = (text(header::CONTENT_TYPE), text(header::USER_AGENT));
    Call {
        method,
        path: path.to_owned(),
        query: query.unwrap_or_default().to_owned(),
        content_type,
        agent,
        token,
        body,
    }
}

fn broken() -> BoxError {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "connection reset by the fake").into()
}

/// An answer before it is sent.
struct Sent {
    code: u16,
    plain: bool,
    retry_after: Option<u32>,
    bytes: Vec<u8>,
    watch: Option<Box<Watch>>,
}

impl From<Box<Refusal>> for Sent {
    fn from(refusal: Box<Refusal>) -> Self {
        let plain = refusal.body.as_str().map(|text| text.as_bytes().to_vec());
        let json = || serde_json::to_vec(&refusal.body).unwrap_or_default();
        Self {
            code: refusal.code,
            plain: plain.is_some(),
            retry_after: refusal.retry_after,
            bytes: plain.unwrap_or_else(json),
            watch: None,
        }
    }
}

impl From<Reply> for Sent {
    fn from(reply: Reply) -> Self {
        let (code, bytes, watch) = match reply {
            Reply::Json(code, bytes) => (code, bytes, None),
            Reply::Watch(watch) => (200, Vec::new(), Some(watch)),
        };
        let plain = bytes == b"ok";
        Self { code, plain, retry_after: None, bytes, watch }
    }
}

impl Front {
    /// Answers a request, or breaks the connection.
    pub(super) async fn answer(&self, call: Call) -> Result<Response<Body>, BoxError> {
        let (mut entry, known, trouble) = {
            let mut world = self.server.lock();
            let user = match &call.token {
                Some(token) => world.access.user(token).map(str::to_owned),
                None => self.user.clone(),
            };
            let entry = entry(&world, &call, user.as_deref().unwrap_or_default());
            let trouble = world.faults.strike(&entry);
            (entry, user.is_some(), trouble)
        };
        let refuse = match &trouble {
            Some(Trouble::Delayed(span)) => {
                self.server.sleep(*span).await;
                None
            }
            Some(Trouble::RequestLost) => {
                self.server.lock().journal.note(entry);
                return Err(broken());
            }
            Some(Trouble::TooMany(seconds)) => {
                let message = "the server has received too many requests and has asked us to try again later";
                Some(Refusal::too_many(message, *seconds))
            }
            Some(Trouble::Internal) => Some(Refusal::internal("the fake was told to fail")),
            Some(Trouble::Unavailable) => Some(Refusal::unavailable()),
            Some(Trouble::Denied(why)) => Some(Refusal::denied(why)),
            Some(Trouble::Expired) if call.query.contains("continue=") => {
                Some(super::list::expired_token(&later(&call.query)))
            }
            Some(Trouble::Expired) => {
                Some(Refusal::expired("The resourceVersion for the provided watch is too old."))
            }
            Some(Trouble::FailureAsSuccess) => {
                let mut refusal = Refusal::internal("the fake was told to fail");
                refusal.code = 200;
                Some(refusal)
            }
            _ => None,
        };
        let mut world = self.server.lock();
        let sent: Sent = match (known, refuse) {
            (false, _) => Refusal::unauthorized().into(),
            (true, Some(refusal)) => refusal.into(),
            (true, None) => match world.serve(&call, &entry.user) {
                Ok(reply) => reply.into(),
                Err(refusal) => refusal.into(),
            },
        };
        entry.bytes = sent.bytes.len() as u64;
        if trouble != Some(Trouble::AnswerLost) {
            entry.status = sent.code;
        }
        let number = world.journal.note(entry);
        let head = head(&mut world, &sent);
        world.run();
        drop(world);
        self.server.changed();
        match trouble {
            Some(Trouble::AnswerLost) => Err(broken()),
            Some(Trouble::Truncated) if sent.watch.is_none() => Ok(head.body(half(sent.bytes))?),
            _ => Ok(head.body(self.body(sent, number))?),
        }
    }

    fn body(&self, sent: Sent, number: usize) -> Body {
        let Some(watch) = sent.watch else {
            return Full::new(Bytes::from(sent.bytes)).map_err(|never| match never {}).boxed_unsync();
        };
        let server = self.server.clone();
        let seen = server.subscribe();
        let lines = stream::unfold((server, seen, watch), move |(server, mut seen, mut watch)| async move {
            loop {
                seen.borrow_and_update();
                let lines = watch.next(&server.lock())?;
                if !lines.is_empty() {
                    server.lock().journal.grow(number, lines.len() as u64);
                    let frame = Frame::data(Bytes::from(lines));
                    return Some((Ok::<_, BoxError>(frame), (server, seen, watch)));
                }
                seen.changed().await.ok()?;
            }
        });
        StreamBody::new(lines).boxed_unsync()
    }
}

/// A token for the rest of a list, as it is then.
fn later(query: &str) -> String {
    let query = Query::parse(query);
    let last = query.get("continue").and_then(|token| token.splitn(3, '.').nth(2)).unwrap_or("/");
    format!("0.0.{last}")
}

/// The first half, and then nothing more.
fn half(mut bytes: Vec<u8>) -> Body {
    bytes.truncate(bytes.len() / 2);
    let frames = [Ok(Frame::data(Bytes::from(bytes))), Err(broken())];
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

fn head(world: &mut World, sent: &Sent) -> http::response::Builder {
    let kind = if sent.plain { "text/plain; charset=utf-8" } else { "application/json" };
    let mut head = Response::builder()
        .status(sent.code)
        .header("Audit-Id", world.rng.uid())
        .header(header::CACHE_CONTROL, "no-cache, private")
        .header(header::CONTENT_TYPE, kind)
        .header(header::DATE, super::date::http(world.now));
    if let Some(seconds) = sent.retry_after {
        head = head.header(header::RETRY_AFTER, seconds);
    }
    head
}

fn entry(world: &World, call: &Call, user: &str) -> Entry {
    let route = Route::parse(&call.path).unwrap_or_default();
    let query = Query::parse(&call.query);
    let name = route.name.clone().or_else(|| {
        let body: Value = serde_json::from_slice(&call.body).ok()?;
        super::json::text(&body, "/metadata/name").map(str::to_owned)
    });
    Entry {
        at: world.now,
        user: user.to_owned(),
        verb: route.verb(&call.method, &query).unwrap_or_default().to_owned(),
        group: route.group,
        resource: route.resource,
        subresource: route.subresource,
        namespace: route.namespace,
        name,
        query: call.query.clone(),
        status: 0,
        bytes: 0,
    }
}
