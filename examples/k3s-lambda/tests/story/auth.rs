//! The login to the Kubernetes API: a token in Parameter Store, which nothing shows.

use std::io::Write;
use std::sync::{Arc, Mutex};

use autoscale_aws::ssm::SecretParameter;
use autoscale_core::data::view::Scope;
use autoscale_core::driver::SystemClock;
use autoscale_core::ports::{Drainer, ErrorKind};
use autoscale_kube::Connection;
use autoscale_kube::drain::{Drain, DrainConfig};
use autoscale_kube::fake::{ApiServer, ServeOptions, Settings};
use k3s_lambda::cluster::authenticated;
use tracing_subscriber::fmt::MakeWriter;

use crate::parameters::{Parameters, ssm};
use crate::wire::Wire;

const TOKEN: &str = "/shop/k8s/token";

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_token_that_was_rotated_is_picked_up_and_never_shown() {
    let log = Log::default();
    // As the program logs when it is asked for everything.
    let filter = k3s_lambda::telemetry::filter("trace").unwrap();
    let subscriber =
        tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(log.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let server = ApiServer::new(Settings::default());
    server.add_token("canary-new", "function");
    server.add_to_group("function", "system:masters");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let serving = server.serve(listener, ServeOptions::default().with_user(None)).unwrap();
    let parameters = Wire::new(Parameters::default());
    let put = |value: &str| parameters.service.0.lock().unwrap().insert(TOKEN.to_owned(), value.to_owned());
    put("canary-old");
    let clock = Arc::new(SystemClock::new());
    let token = SecretParameter::new(ssm(&parameters), TOKEN, clock.clone()).unwrap();
    let mut config = kube::Config::new(serving.url().parse().unwrap());
    config.default_retry = false;
    let client = authenticated(kube::Client::try_from(config).unwrap(), token);
    let drain = Drain::new(Connection::from_client(client), DrainConfig::new(), clock);
    // The old one is refused, and there is no other one.
    let refused = drain.survey(&Scope::Everything).await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::Unavailable, "{}", refused.chain());
    put("canary-new");
    let seen = drain.survey(&Scope::Everything).await;
    assert!(seen.is_ok(), "{:?}", seen.err().map(|error| error.chain()));
    let before = parameters.sent("GetParameter");
    drain.survey(&Scope::Everything).await.unwrap();
    assert_eq!(parameters.sent("GetParameter"), before, "fetched again though it is at hand");
    drop(guard);
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!logged.is_empty(), "nothing was looked at");
    for text in [logged, format!("{drain:?}"), refused.chain()] {
        assert!(!text.contains("canary"), "a secret is shown: {text}");
    }
}
