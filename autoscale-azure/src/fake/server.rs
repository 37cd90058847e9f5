//! The resource manager over HTTP, for clients that are not in this process.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use super::Arm;
use super::answer::http_date;
use super::faults::Heard;
use super::route::Call;

const MAX_BODY: usize = 4 << 20;

/// How it is served.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ServeOptions {
    /// How many seconds of this world pass in a second; default 1.
    pub speed: u64,
    /// Whether addresses in answers begin with `https`, because something in front speaks TLS; default false.
    pub https: bool,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { speed: 1, https: false }
    }
}

impl ServeOptions {
    /// So many seconds of this world in a second.
    #[must_use]
    pub const fn with_speed(mut self, speed: u64) -> Self {
        self.speed = speed;
        self
    }

    /// Addresses in answers begin with `https`.
    #[must_use]
    pub const fn with_https(mut self) -> Self {
        self.https = true;
        self
    }
}

/// A server that stops when this is dropped.
#[derive(Debug)]
pub struct Serving {
    task: JoinHandle<()>,
    address: SocketAddr,
}

impl Serving {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Arm {
    /// Answers HTTP on a listener until the result is dropped.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn serve(&self, listener: TcpListener, options: ServeOptions) -> io::Result<Serving> {
        let (arm, address) = (self.clone(), listener.local_addr()?);
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (arm, options) = (arm.clone(), options.clone());
                tokio::spawn(async move { arm.serve_one(stream, options).await });
            }
        });
        Ok(Serving { task, address })
    }

    /// Answers one connection, such as one that was decrypted, until it ends.
    pub async fn serve_one<S>(&self, stream: S, options: ServeOptions)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let answer = service_fn(|request: Request<Incoming>| {
            self.lock().pass(options.speed);
            self.answer(request, options.https)
        });
        // A connection that breaks is the client's to notice.
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(Io(stream), answer).await;
    }

    async fn answer(&self, request: Request<Incoming>, https: bool) -> io::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let text =
            |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let bad = |why: &'static str| io::Error::new(io::ErrorKind::InvalidData, why);
        let host = text("host").ok_or_else(|| bad("no host"))?;
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let scheme = if https { "https" } else { "http" };
        let url = Url::parse(&format!("{scheme}://{host}{path}")).map_err(|_| bad("no path"))?;
        let body = Limited::new(body, MAX_BODY).collect().await.map_err(|_| bad("no body"))?;
        let call = Call {
            method: head.method.as_str().to_owned(),
            url,
            token: text("authorization").and_then(|text| text.strip_prefix("Bearer ").map(str::to_owned)),
            if_none_match: text("if-none-match"),
            body: body.to_bytes().to_vec(),
        };
        let (heard, now) = {
            let mut world = self.lock();
            (world.arrive(&call), world.now)
        };
        let (reply, body) = match heard {
            Heard::Reply(reply) => (reply.clone(), reply.bytes()),
            Heard::Garbled(reply) => (reply, b"<html>".to_vec()),
            // The connection ends without an answer.
            Heard::Nothing => return Err(bad("lost")),
        };
        let mut response = Response::builder()
            .status(reply.status)
            .header("date", http_date(now))
            .header("content-type", "application/json; charset=utf-8")
            .header("x-ms-request-id", "00000000-0000-0000-0000-000000000000");
        for (name, value) in reply.headers {
            response = response.header(name, value);
        }
        response.body(Full::new(Bytes::from(body))).map_err(|_| bad("a header that is none"))
    }
}

/// A stream of tokio's as one of hyper's.
struct Io<S>(S);

impl<S: AsyncRead + Unpin> Read for Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0_u8; 8_192];
        let room = buf.remaining().min(bytes.len());
        let Some(part) = bytes.get_mut(..room) else { return Poll::Ready(Ok(())) };
        let mut read = ReadBuf::new(part);
        match Pin::new(&mut self.0).poll_read(cx, &mut read) {
            Poll::Ready(Ok(())) => {
                buf.put_slice(read.filled());
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}

impl<S: AsyncWrite + Unpin> Write for Io<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
