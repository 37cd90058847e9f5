//! The server over plain HTTP/1.1, for tests with several processes.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use autoscale_core::words::Span;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::BodyExt;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::access::ADMIN;
use super::server::ApiServer;
use super::service::{Body, Front, call};

/// How often virtual time is brought up to the wall clock.
const STEP: Duration = Duration::from_millis(20);
/// No request of a client of these tests is longer.
const LONGEST: usize = 64 << 20;

/// How a server is reached over HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ServeOptions {
    /// Who asks without a token; `None`: nobody, so that such a request is refused.
    pub user: Option<String>,
    /// How many virtual milliseconds pass in one of the wall clock. Zero: time moves only by hand.
    pub speed: u32,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { user: Some(ADMIN.to_owned()), speed: 0 }
    }
}

impl ServeOptions {
    /// Who asks without a token.
    #[must_use]
    pub fn with_user(mut self, user: Option<String>) -> Self {
        self.user = user;
        self
    }

    /// Lets virtual time follow the wall clock, so many times as fast.
    #[must_use]
    pub const fn with_speed(mut self, speed: u32) -> Self {
        self.speed = speed;
        self
    }
}

/// A server that is reached over HTTP, until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it stops the server"]
pub struct Serving {
    address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Serving {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// As a client is told: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl ApiServer {
    /// Answers over plain HTTP as well, from the runtime that this is called in.
    ///
    /// # Errors
    /// If the listener does not know its address.
    pub fn serve(&self, listener: TcpListener, options: ServeOptions) -> io::Result<Serving> {
        let address = listener.local_addr()?;
        let front = Front { server: self.clone(), user: options.user };
        let accept = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let front = front.clone();
                // A connection that breaks is the client's to notice.
                connections.spawn(async move { drop(converse(stream, &front).await) });
                while connections.try_join_next().is_some() {}
            }
        });
        let mut tasks = vec![accept];
        if options.speed > 0 {
            let server = self.clone();
            tasks.push(tokio::spawn(follow(server, u64::from(options.speed))));
        }
        Ok(Serving { address, tasks })
    }
}

/// Lets virtual time follow the wall clock.
async fn follow(server: ApiServer, speed: u64) {
    let start = Instant::now();
    let mut done = 0;
    loop {
        tokio::time::sleep(STEP).await;
        let passed = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_mul(speed);
        server.advance(Span::from_millis(passed - done));
        done = passed;
    }
}

/// Answers the requests of a connection one after the other.
async fn converse(stream: TcpStream, front: &Front) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some((method, target, headers)) = read_head(&mut stream).await? {
        let length = headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let length = length.and_then(|text| text.parse::<usize>().ok()).unwrap_or_default();
        if length > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let (path, query) =
            target.split_once('?').map_or((target.as_str(), None), |(path, query)| (path, Some(query)));
        let call = call(method, path, query, &headers, body);
        // A lost answer is a connection that breaks.
        let answer = front.answer(call).await.map_err(io::Error::other)?;
        write(stream.get_mut(), answer).await?;
    }
    Ok(())
}

/// The line and the headers of a request; `None`: the client has gone.
async fn read_head(stream: &mut BufReader<TcpStream>) -> io::Result<Option<(String, String, HeaderMap)>> {
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) =
        (words.next().ok_or_else(bad)?.to_owned(), words.next().ok_or_else(bad)?.to_owned());
    let mut headers = HeaderMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(Some((method, target, headers)));
        }
        let (name, value) = line.split_once(':').ok_or_else(bad)?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        headers.insert(name, HeaderValue::from_str(value.trim()).map_err(|_| bad())?);
    }
}

/// Writes an answer in chunks, as it comes.
async fn write(stream: &mut TcpStream, answer: Response<Body>) -> io::Result<()> {
    let (head, mut body) = answer.into_parts();
    let reason = head.status.canonical_reason().unwrap_or_default();
    let mut text = format!("HTTP/1.1 {} {reason}\r\ntransfer-encoding: chunked\r\n", head.status.as_u16());
    for (name, value) in &head.headers {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes()).await?;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(io::Error::other)?;
        if let Some(bytes) = frame.data_ref().filter(|bytes| !bytes.is_empty()) {
            let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
            chunk.extend_from_slice(bytes);
            chunk.extend_from_slice(b"\r\n");
            stream.write_all(&chunk).await?;
        }
    }
    stream.write_all(b"0\r\n\r\n").await
}
