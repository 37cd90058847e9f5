//! A Prometheus with a certificate, a password, and one that asks for a certificate.

use autoscale_core::words::Unit;
use autoscale_kube::prometheus::{Prometheus, PrometheusBuilder, Series, Signal};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use super::real::{Folder, Programs, Real, Samples, now};
use super::{read, signal, value, why};

/// The password of the test, and what bcrypt makes of it.
const PASSWORD: &str = "made for the test";
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuuumg5zFmLW2ZGetu4QzNx8vggp3hLXwG";

fn authority() -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), Issuer::new(params, key))
}

/// A certificate and its key.
fn sign(issuer: &Issuer<'static, KeyPair>, name: &str, usage: ExtendedKeyUsagePurpose) -> (String, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}

#[tokio::test]
async fn a_password_and_both_certificates() {
    let Some(programs) = Programs::find() else { return };
    let (ca, issuer) = authority();
    let folder = Folder::new();
    folder.write("ca.pem", &ca);
    let (chain, key) = sign(&issuer, "localhost", ExtendedKeyUsagePurpose::ServerAuth);
    folder.write("cert.pem", &chain);
    folder.write("key.pem", &key);
    let web = format!(
        "tls_server_config: {{cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem, \
         client_auth_type: RequireAndVerifyClientCert}}\nbasic_auth_users: {{autoscale: \"{HASH}\"}}\n"
    );
    let web = folder.write("web.yml", &web);
    let mut samples = Samples::default();
    let now = now();
    samples.add("jobs", &[r#"pool="web""#], (now - 60, now + 300), |_, _| 12.0);
    let real = Real::start(&programs, folder, &samples, "", Some(&web));

    let jobs = Signal::metric(Unit::Count, "jobs", Series::One);
    let source = || {
        let source = Prometheus::builder(format!("https://localhost:{}", real.port)).with_loopback();
        source.with_ca_pem(&*ca).with_signal(signal("jobs"), jobs.clone())
    };
    let known = |source: PrometheusBuilder| {
        let (chain, key) = sign(&issuer, "autoscale", ExtendedKeyUsagePurpose::ClientAuth);
        source.with_identity_pem(chain, key)
    };
    let ask = async |source: PrometheusBuilder| read(&source.build().unwrap(), "web", "jobs").await;

    let reading = ask(known(source()).with_basic("autoscale", PASSWORD)).await;
    assert_eq!(value(&reading).0, 12.0);
    for refused in [
        known(source()),
        known(source()).with_basic("autoscale", "another"),
        known(source()).with_basic("somebody", PASSWORD),
        known(source()).with_bearer("made-for-the-test"),
    ] {
        assert_eq!(why(&ask(refused).await), "failed: Prometheus: not logged in (401)");
    }
    let unknown = why(&ask(source().with_basic("autoscale", PASSWORD)).await);
    assert!(unknown.starts_with("failed: Prometheus: no answer: "), "{unknown}");
    let stranger = why(&ask(known(source()).with_ca_pem(authority().0)).await);
    assert!(stranger.contains("invalid peer certificate"), "{stranger}");
}
