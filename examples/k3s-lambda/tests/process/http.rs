//! Servers on this machine.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A request that has come in whole.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) code: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Without an answer the connection breaks.
pub(crate) type Reply = Option<Told>;

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) at: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn reply(code: u16, body: impl Into<String>) -> Reply {
    Some(Told { code, headers: Vec::new(), body: body.into() })
}

/// Answers the requests of a connection one after the other.
async fn converse<F>(stream: impl AsyncRead + AsyncWrite + Unpin, answer: impl Fn(Asked) -> F)
where
    F: Future<Output = Reply>,
{
    let mut stream = BufReader::new(stream);
    // A connection that breaks is the client's to notice.
    while let Ok(Some(asked)) = read(&mut stream).await {
        let Some(Told { code, headers, body }) = answer(asked).await else { return };
        let mut text = format!("HTTP/1.1 {code} x\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if stream.write_all(format!("{text}\r\n{body}").as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Asked>> {
    let first = line(stream).await?;
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut asked =
        Asked { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: Vec::new() };
    loop {
        let line = line(stream).await?;
        let Some((name, value)) = line.split_once(':') else { break };
        asked.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let length: Option<usize> = asked.header("content-length").map(|length| length.parse().unwrap());
    let part = |size| vec![0_u8; size];
    match length {
        Some(length) => {
            asked.body = part(length);
            stream.read_exact(&mut asked.body).await?;
        }
        None if asked.header("transfer-encoding").is_some_and(|how| how.contains("chunked")) => loop {
            let size = usize::from_str_radix(&line(stream).await?, 16).map_err(io::Error::other)?;
            let mut chunk = part(size);
            stream.read_exact(&mut chunk).await?;
            line(stream).await?;
            asked.body.extend(chunk);
            if size == 0 {
                break;
            }
        },
        None => {}
    }
    Ok(Some(asked))
}

/// Answers as it is told, on a port of its own.
pub(crate) async fn serve<A, F>(at: IpAddr, tls: Option<ServerConfig>, answer: A) -> Server
where
    A: Fn(Asked) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Reply> + Send,
{
    accept(at, tls, move |stream| {
        let answer = answer.clone();
        async move { converse(stream, answer).await }
    })
    .await
}

/// Hands connections on to a server without TLS.
pub(crate) async fn front(at: IpAddr, tls: ServerConfig, behind: SocketAddr) -> Server {
    accept(at, Some(tls), move |mut stream| async move {
        let Ok(mut there) = TcpStream::connect(behind).await else { return };
        drop(tokio::io::copy_bidirectional(&mut stream, &mut there).await);
    })
    .await
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn accept<A, F>(at: IpAddr, tls: Option<ServerConfig>, each: A) -> Server
where
    A: Fn(Box<dyn Stream>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind((at, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let (each, tls) = (each.clone(), tls.clone());
            connections.spawn(async move {
                match tls {
                    None => each(Box::new(stream)).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            each(Box::new(stream)).await;
                        }
                    }
                }
            });
        }
    });
    Server { at, task }
}

/// An authority, and a certificate of it for an address.
pub(crate) struct Trust {
    pub(crate) pem: String,
    config: ServerConfig,
}

impl Trust {
    pub(crate) fn new(address: IpAddr) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let mut params = CertificateParams::new(vec![address.to_string()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            );
        Self { pem, config: config.unwrap() }
    }

    pub(crate) fn config(&self) -> ServerConfig {
        self.config.clone()
    }
}

/// A private address of this machine, which is the only kind that the function connects to. Nothing is sent to find it.
pub(crate) fn private_address() -> Option<IpAddr> {
    [("0.0.0.0:0", "10.255.255.255:9"), ("[::]:0", "[fd00::ffff]:9")].into_iter().find_map(|(own, far)| {
        let socket = UdpSocket::bind(own).ok()?;
        socket.connect(far).ok()?;
        let address = socket.local_addr().ok()?.ip();
        k3s_lambda::cluster::refused_address(address).is_none().then_some(address)
    })
}
