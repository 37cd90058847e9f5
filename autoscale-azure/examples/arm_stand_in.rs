//! The resource manager in memory over HTTPS, for clients of other languages: prints its port, and writes its certificate.
//!
//! `cargo run -p autoscale-azure --features fake --example arm_stand_in -- <file for the certificate>`
//!
//! It serves until its standard input ends. What a client cannot reach by the service's own API is set by the name of a machine type:
//! `Standard_D4s_v5` is refused with `SkuNotAvailable` in zone 3, and accepted and failing with `AllocationFailed` in zone 2.
//! A machine whose name begins with `locked` cannot be deleted.

use std::error::Error;
use std::io::Read;
use std::sync::Arc;

use autoscale_azure::fake::{Arm, ArmSettings, ServeOptions, Shortage};
use autoscale_core::words::Span;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("expected the file to write the certificate to")?;
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    std::fs::write(file, made.cert.pem())?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    let tls = TlsAcceptor::from(Arc::new(config));

    let settings = ArmSettings::default().with_page(2).with_times(Span::from_secs(2), Span::from_secs(2));
    let arm = Arm::new(settings);
    let large = |shortage: Shortage, zone: &str| shortage.of("Standard_D4s_v5", Some(zone.to_owned()));
    arm.add_shortage(large(Shortage::at_once("SkuNotAvailable"), "3"));
    arm.add_shortage(large(Shortage::late("AllocationFailed"), "2"));
    arm.lock_machine("locked");

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let serving = async {
        while let Ok((stream, _)) = listener.accept().await {
            let (arm, tls) = (arm.clone(), tls.clone());
            tokio::spawn(async move {
                let Ok(stream) = tls.accept(stream).await else { return };
                arm.serve_one(stream, ServeOptions::default().with_https()).await;
            });
        }
    };
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        () = serving => {}
        read = ended => {
            read??;
        }
    }
    Ok(())
}
