//! Certificates that are made for the test: who is trusted, and who is let in.

use std::sync::Arc;

use autoscale_core::words::Unit;
use autoscale_kube::prometheus::{Prometheus, PrometheusBuilder, Series, Signal};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::server::{Reply, Server};
use super::{query, read, signal};

/// An authority.
struct Authority {
    pem: String,
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().to_vec(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for names, with its key.
    fn sign(&self, names: &[&str], usage: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// A server with a certificate for names; with `clients` only whom that authority knows is let in.
    async fn server(&self, names: &[&str], clients: Option<&Self>) -> Server {
        let (certificate, key) = self.sign(names, ExtendedKeyUsagePurpose::ServerAuth);
        let provider = Arc::new(default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der.clone().into()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                config.with_client_cert_verifier(verifier)
            }
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        Server::start(Some(config), |_| Reply::value(1_700_000_000)).await
    }
}

fn builder(url: String) -> PrometheusBuilder {
    Prometheus::builder(url).with_signal(signal("x"), Signal::metric(Unit::Count, "x", Series::One))
}

async fn outcome(source: PrometheusBuilder) -> String {
    read(&source.build().unwrap(), &query("web", "x")).await
}

const GOOD: &str = "1700000000, 0s old";

#[tokio::test]
async fn only_the_configured_authority_is_trusted() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = ours.server(&["localhost", "127.0.0.1"], None).await;
    for host in ["localhost", "127.0.0.1"] {
        let url = || format!("https://{host}:{}", server.at.port());
        assert_eq!(outcome(builder(url()).with_loopback().with_ca_pem(&*ours.pem)).await, GOOD);
        let both = format!("{}{}", other.pem, ours.pem);
        assert_eq!(outcome(builder(url()).with_loopback().with_ca_pem(both)).await, GOOD);
        let before = server.asked().len();
        let text = outcome(builder(url()).with_loopback().with_ca_pem(&*other.pem)).await;
        assert!(
            text.starts_with("failed: Prometheus: no answer: ") && text.contains("invalid peer certificate"),
            "{text}"
        );
        assert_eq!(server.asked().len(), before, "no login reaches a server that is not trusted");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_taken() {
    let ours = Authority::new();
    let server = ours.server(&["prometheus.example"], None).await;
    let url = format!("https://localhost:{}", server.at.port());
    let text = outcome(builder(url).with_loopback().with_ca_pem(&*ours.pem)).await;
    assert!(text.contains("not valid for name"), "{text}");
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn a_name_that_stands_for_this_machine_has_to_be_allowed() {
    let ours = Authority::new();
    let server = ours.server(&["localhost"], None).await;
    let url = format!("https://localhost:{}", server.at.port());
    let text = outcome(builder(url).with_ca_pem(&*ours.pem)).await;
    let refused = "failed: Prometheus: localhost is a loopback address, which is not allowed";
    assert!(text.starts_with(refused) && text.ends_with("it is not connected to"), "{text}");
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn a_server_may_ask_for_a_certificate() {
    let (ours, clients) = (Authority::new(), Authority::new());
    let server = ours.server(&["localhost"], Some(&clients)).await;
    let url = || format!("https://localhost:{}", server.at.port());
    let source = || builder(url()).with_loopback().with_ca_pem(&*ours.pem);
    let identity = |authority: &Authority| {
        let (certificate, key) = authority.sign(&["autoscale"], ExtendedKeyUsagePurpose::ClientAuth);
        (certificate.pem(), key.serialize_pem())
    };
    let (chain, key) = identity(&clients);
    assert_eq!(outcome(source().with_identity_pem(chain, key)).await, GOOD);
    let text = outcome(source()).await;
    assert!(text.starts_with("failed: Prometheus: no answer: "), "{text}");
    let (chain, key) = identity(&ours);
    let text = outcome(source().with_identity_pem(chain, key)).await;
    assert!(text.starts_with("failed: Prometheus: no answer: "), "{text}");
    let (chain, _) = identity(&clients);
    let (_, key) = identity(&clients);
    let error = source().with_identity_pem(chain, key.clone()).build().unwrap_err().to_string();
    assert!(error.starts_with("tls: ") && !error.contains(&key), "{error}");
}

/// Plain text on a port that is asked for TLS, and TLS on one that is asked for plain text.
#[tokio::test]
async fn the_scheme_is_not_negotiated() {
    let ours = Authority::new();
    let plain = Server::new(|_| Reply::value(1)).await;
    let url = format!("https://{}", plain.at);
    let text = outcome(builder(url).with_loopback().with_ca_pem(&*ours.pem)).await;
    assert!(text.starts_with("failed: Prometheus: no answer"), "{text}");
    assert_eq!(plain.asked().len(), 0);
    let tls = ours.server(&["localhost"], None).await;
    let url = format!("http://localhost:{}", tls.at.port());
    let text = outcome(builder(url).with_loopback().insecure()).await;
    assert!(text.starts_with("failed: Prometheus: no answer"), "{text}");
    assert_eq!(tls.asked().len(), 0);
}
