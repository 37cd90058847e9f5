//! A server on this machine that answers as planned, and remembers what it was asked.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A status and an XML body.
    Status(u16, &'static str),
    /// A status, an ETag and a body.
    Object(&'static str, Vec<u8>),
    /// The request arrives, and the connection is closed.
    Closed,
}

/// A request: its first line, its headers in lower case, its body.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Line {
    answers: VecDeque<Answer>,
    asked: Vec<Asked>,
}

/// The server. It is gone with the test.
pub(crate) struct Stub {
    pub(crate) port: u16,
    line: Arc<Mutex<Line>>,
}

impl Stub {
    /// One that gives these answers, one after the other, and closes every further connection.
    pub(crate) async fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let line = Arc::new(Mutex::new(Line { answers: answers.into_iter().collect(), asked: Vec::new() }));
        let shared = line.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(asked) = request(&mut stream).await else { continue };
                let answer = {
                    let mut line = shared.lock().unwrap();
                    line.asked.push(asked);
                    line.answers.pop_front()
                };
                let bytes = match answer {
                    None | Some(Answer::Closed) => continue,
                    Some(Answer::Status(status, body)) => response(status, "", body.as_bytes()),
                    Some(Answer::Object(tag, body)) => {
                        let headers =
                            format!("etag: {tag}\r\nlast-modified: Sun, 22 Nov 2026 21:51:28 GMT\r\n");
                        response(200, &headers, &body)
                    }
                };
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { port, line }
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.line.lock().unwrap().asked.clone()
    }
}

fn response(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

async fn request(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, length)| length.parse().unwrap());
    while bytes.len() < end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Asked { line, headers, body: bytes[end + 4..].to_vec() })
}
