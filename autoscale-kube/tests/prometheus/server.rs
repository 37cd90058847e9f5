//! A server of HTTP/1.1 that answers as a test says, one request for each connection.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A code, a content type, and a body.
    Whole(u16, &'static str, String),
    /// These bytes, as they are; then the end.
    Raw(Vec<u8>),
    /// The beginning of a body without an end, again and again.
    Endless,
    /// Nothing, and the connection stays.
    Nothing,
}

impl Reply {
    pub(crate) fn json(body: impl Into<String>) -> Self {
        Self::Whole(200, "application/json", body.into())
    }

    /// A result of a query.
    pub(crate) fn data(kind: &str, result: impl std::fmt::Display) -> Self {
        Self::json(format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#))
    }

    /// One series with one value, evaluated at 1,700,000,000.
    pub(crate) fn value(value: impl std::fmt::Display) -> Self {
        Self::data("vector", format!(r#"[{{"metric":{{}},"value":[1700000000,"{value}"]}}]"#))
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Whole(code, kind, body) => {
                let head = format!(
                    "HTTP/1.1 {code} x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close",
                    body.len()
                );
                format!("{head}\r\nlocation: http://127.0.0.1:1/\r\nretry-after: 7\r\n\r\n{body}")
                    .into_bytes()
            }
            Self::Raw(bytes) => bytes.clone(),
            Self::Endless | Self::Nothing => Vec::new(),
        }
    }
}

type Answer = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) at: SocketAddr,
    log: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn new(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(None, answer).await
    }

    pub(crate) async fn start(
        tls: Option<ServerConfig>,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (at, log) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (answer, noted): (Answer, _) = (Arc::new(answer), log.clone());
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (answer, noted, tls) = (answer.clone(), noted.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &answer, &noted).await,
                        // Whoever is not let in is not answered.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &answer, &noted).await;
                            }
                        }
                    }
                });
            }
        });
        Self { at, log, task }
    }

    pub(crate) fn http(&self) -> String {
        format!("http://{}", self.at)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    /// The texts of the queries, sorted.
    pub(crate) fn texts(&self) -> Vec<String> {
        let mut texts: Vec<String> =
            self.asked().iter().map(|asked| asked.query.get("query").cloned().unwrap_or_default()).collect();
        texts.sort();
        texts
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &Answer, log: &Mutex<Vec<Asked>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) if head.len() < 64 << 10 => head.push(byte),
            _ => return,
        }
    }
    let asked = read(&String::from_utf8(head).unwrap());
    let reply = answer(&asked);
    log.lock().unwrap().push(asked);
    match reply {
        Reply::Nothing => std::future::pending().await,
        Reply::Endless => {
            let head = b"HTTP/1.1 200 x\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
            let mut sent = stream.write_all(head).await;
            while sent.is_ok() {
                sent = stream.write_all(&[b' '; 64 << 10]).await;
            }
        }
        reply => {
            let _ = stream.write_all(&reply.bytes()).await;
            let _ = stream.shutdown().await;
        }
    }
}

fn read(head: &str) -> Asked {
    let mut lines = head.lines();
    let target = lines.next().unwrap().split(' ').nth(1).unwrap();
    let url: reqwest::Url = format!("http://x{target}").parse().unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    Asked {
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers: lines.filter_map(header).collect(),
    }
}
