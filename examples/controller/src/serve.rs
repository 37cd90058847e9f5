//! `/healthz`, `/readyz`, `/metrics` and `/decisions` over HTTP: read-only, bounded in everything, without secrets.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::board::Board;
use crate::telemetry::Telemetry;

/// Connections at the same time; more wait.
const CONNECTIONS: usize = 32;
/// Answers with decisions that are under way at the same time. More are refused, so that those who ask for them never take the
/// places of probes.
const DECISIONS: usize = 2;
/// How long a request may take to come.
const REQUEST: Duration = Duration::from_secs(5);
/// How long a connection may last, whatever it does.
const CONNECTION: Duration = Duration::from_secs(60);
/// How long a request may be: no route reads a body.
const LONGEST: usize = 8 << 10;

/// What is shown.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Shown {
    /// What the replica knows of itself.
    pub board: Arc<Board>,
    /// Its metrics, where this process counts them.
    pub telemetry: Option<Telemetry>,
    decisions: Arc<Semaphore>,
}

impl Shown {
    /// What a replica knows, and its metrics.
    pub fn new(board: Arc<Board>, telemetry: Option<Telemetry>) -> Self {
        Self { board, telemetry, decisions: Arc::new(Semaphore::new(DECISIONS)) }
    }
}

/// Answers until it is dropped.
pub async fn serve(listener: TcpListener, shown: Shown) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // Dropping it ends all connections.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Such as too many open files: it passes, and asking again at once does not help.
                tracing::warn!(error = error.to_string(), "cannot take a connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let shown = shown.clone();
        connections.spawn(async move {
            // What the answer under way holds: until the next request, or the end of the connection.
            let holds = Mutex::new(None);
            let service = service_fn(|request: Request<Incoming>| {
                let (answer, held) = answer(&request, &shown);
                *holds.lock().unwrap_or_else(PoisonError::into_inner) = held;
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(REQUEST)
                .max_buf_size(LONGEST)
                .max_headers(64)
                .serve_connection(TokioIo::new(stream), service);
            // A connection that breaks is the client's to notice.
            let _ = tokio::time::timeout(CONNECTION, connection).await;
            drop(place);
        });
    }
}

/// The answer to a request, whose body is not looked at, and what it holds until it is sent.
pub fn answer<B>(
    request: &Request<B>,
    shown: &Shown,
) -> (Response<Full<Bytes>>, Option<OwnedSemaphorePermit>) {
    let mut held = None;
    let probe = |state: Result<(), String>| match state {
        Ok(()) => (StatusCode::OK, "application/json", json!({"ok": true}).to_string()),
        Err(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "application/json",
            json!({"ok": false, "why": why}).to_string(),
        ),
    };
    let (code, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/healthz") => probe(shown.board.alive()),
        (&Method::GET | &Method::HEAD, "/readyz") => probe(shown.board.ready()),
        (&Method::GET | &Method::HEAD, "/metrics") => {
            let text = shown.telemetry.as_ref().map(Telemetry::render).unwrap_or_default();
            (StatusCode::OK, "text/plain; version=0.0.4", text)
        }
        (&Method::GET | &Method::HEAD, "/decisions") => match most(request.uri().query()) {
            Some(most) => match shown.decisions.clone().try_acquire_owned() {
                Ok(place) => {
                    held = Some(place);
                    (StatusCode::OK, "application/json", decisions(shown, most))
                }
                Err(_) => {
                    (StatusCode::TOO_MANY_REQUESTS, "text/plain", "others are being answered\n".to_owned())
                }
            },
            None => {
                (StatusCode::BAD_REQUEST, "text/plain", "limit: expected a number from 1 on\n".to_owned())
            }
        },
        (&Method::GET | &Method::HEAD, _) => (
            StatusCode::NOT_FOUND,
            "text/plain",
            "there are /healthz, /readyz, /metrics, /decisions\n".to_owned(),
        ),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    // Who waits with the next request keeps no place meanwhile.
    if held.is_some() || code == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    }
    if code == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    if code == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
    }
    (response, held)
}

fn decisions(shown: &Shown, most: usize) -> String {
    let refused = serde_json::Value::from(shown.board.policy_refused());
    format!("{{\"policy_refused\":{refused},\"decisions\":{}}}\n", shown.board.decisions(most))
}

/// How many are asked for; all of them, if nothing is said. `None`: it is no number.
fn most(query: Option<&str>) -> Option<usize> {
    match query.unwrap_or_default().split('&').find_map(|part| part.strip_prefix("limit=")) {
        None => Some(usize::MAX),
        Some(text) => text.parse().ok().filter(|most| *most > 0),
    }
}
