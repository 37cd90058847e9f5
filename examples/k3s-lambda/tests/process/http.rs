//! Servers on this machine.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// An answer; without one the connection breaks.
pub(crate) type Reply = Option<Response<Full<Bytes>>>;

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
    Some(Response::builder().status(code).body(Full::from(body.into())).unwrap())
}

/// What becomes of a connection.
async fn converse<F>(stream: impl AsyncRead + AsyncWrite + Unpin, answer: impl Fn(Request<Bytes>) -> F)
where
    F: Future<Output = Reply>,
{
    let service = service_fn(|request: Request<Incoming>| {
        let answer = &answer;
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            answer(Request::from_parts(head, body)).await.ok_or_else(|| "lost".to_owned())
        }
    });
    // A connection that breaks is the client's to notice.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

/// Answers as it is told, on a port of its own.
pub(crate) async fn serve<A, F>(at: IpAddr, tls: Option<ServerConfig>, answer: A) -> Server
where
    A: Fn(Request<Bytes>) -> F + Clone + Send + Sync + 'static,
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
