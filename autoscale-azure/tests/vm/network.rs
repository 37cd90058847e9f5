//! Over a real socket of this machine: the transport that ships, and what it keeps to itself.

use std::sync::{Arc, Mutex};

use autoscale_azure::fake::{Arm, ArmSettings, Fault, Requests, ServeOptions, Trouble};
use autoscale_azure::vm::Vms;
use autoscale_core::data::view::Phase;
use autoscale_core::driver::SystemClock;
use autoscale_core::ports::{ErrorKind, NodeProvider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::stage::{config, end, order};

const CANARY: &str = "canary-4711-token";
const SCOPE: &str = "https://management.azure.com/.default";

fn vms(arm: &Arm, port: u16) -> Vms {
    let endpoint = format!("http://127.0.0.1:{port}").parse().unwrap();
    let config = config().with_endpoint(endpoint, SCOPE).build().unwrap();
    Vms::new(config, arm.credential(CANARY), Arc::new(SystemClock::new())).unwrap()
}

#[tokio::test]
async fn a_machine_lives_and_ends_over_http() {
    let arm = Arm::new(ArmSettings::default().with_page(1));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let serving = arm.serve(listener, ServeOptions::default()).unwrap();
    let vms = vms(&arm, serving.address().port());
    let bought = vms.launch(&order(1, 1)).await.unwrap().instance;
    vms.launch(&order(2, 1)).await.unwrap();
    assert_eq!(vms.launch(&order(1, 1)).await.unwrap().instance, bought);
    arm.settle();
    let listing = vms.list().await.unwrap();
    assert!(listing.complete && listing.instances.len() == 2, "{listing:?}");
    vms.terminate(&end(&bought)).await.unwrap();
    arm.settle();
    let listing = vms.list().await.unwrap();
    let ended: Vec<_> =
        listing.instances.iter().filter(|i| i.phase == Phase::Terminated).map(|i| &i.id).collect();
    assert_eq!((listing.instances.len(), ended), (2, vec![&bought]));
    assert!(arm.log().iter().any(|entry| entry.query.contains("skiptoken")));
}

#[tokio::test]
async fn a_connection_that_breaks_is_unclear_and_one_that_never_was_is_not_sent() {
    let arm = Arm::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let serving = arm.serve(listener, ServeOptions::default()).unwrap();
    let vms = vms(&arm, serving.address().port());
    arm.add_fault(Fault::once(Requests::any().method("PUT"), Trouble::AnswerLost));
    assert_eq!(*vms.launch(&order(1, 1)).await.unwrap_err().kind(), ErrorKind::Unclear);
    let sent = arm.log().iter().filter(|entry| entry.method == "PUT").count();
    assert_eq!((sent, arm.truth().len()), (1, 1), "one copy, and it was carried out");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = self::vms(&arm, closed.local_addr().unwrap().port());
    drop(closed);
    assert_eq!(*nobody.launch(&order(2, 1)).await.unwrap_err().kind(), ErrorKind::NotSent);
    assert_eq!(*nobody.list().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_a_token() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, to) = (listener.local_addr().unwrap().port(), trap.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = vec![0; 4_096];
        let many = stream.read(&mut read).await.unwrap();
        let answer =
            format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{to}/\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&read[..many]).into_owned()
    });
    let error = vms(&Arm::default(), port).list().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unavailable);
    let sent = server.await.unwrap();
    assert!(sent.contains(CANARY), "the token goes where it is configured to go: {sent}");
    let followed = tokio::time::timeout(std::time::Duration::from_millis(50), trap.accept()).await;
    assert!(followed.is_err(), "the redirect was followed");
}

/// Everything that any crate tells, at every level.
#[derive(Default)]
struct Told(Mutex<String>);

impl tracing::field::Visit for Told {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        let text = self.0.get_mut().unwrap();
        text.push_str(&format!("{field}={value:?}\n"));
    }
}

struct Listener(Arc<Told>);

impl tracing::Subscriber for Listener {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut told = Told::default();
        event.record(&mut told);
        self.0.0.lock().unwrap().push_str(told.0.get_mut().unwrap());
    }

    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// The crates of the SDK print whole requests at the level `debug`, with the one header that they should hide.
#[tokio::test]
async fn no_log_of_any_crate_shows_a_token() {
    let told = Arc::new(Told::default());
    let _guard = tracing::subscriber::set_default(Listener(Arc::clone(&told)));
    let arm = Arm::default();
    let config = config().with_custom_data("canary-4712-script").build().unwrap();
    let vms = Vms::with_transport(config, arm.credential(CANARY), arm.clock(), arm.transport());
    let bought = vms.launch(&order(1, 1)).await.unwrap().instance;
    vms.list().await.unwrap();
    vms.terminate(&end(&bought)).await.unwrap();
    let told = told.0.lock().unwrap();
    assert!(told.contains("set-later"), "the SDK prints what it was given: {told}");
    assert!(!told.contains("canary-4711"), "{told}");
}

#[tokio::test]
async fn no_error_and_no_debug_output_shows_a_token() {
    let arm = Arm::default();
    let script = "#!/bin/sh\n# canary-4712-script\n";
    let build = || config().with_custom_data(script).build().unwrap();
    let vms = Vms::with_transport(build(), arm.credential(CANARY), arm.clock(), arm.transport());
    let mut shown = vec![format!("{vms:?}"), format!("{:?}", build())];
    for trouble in [
        Trouble::AnswerLost,
        Trouble::RequestLost,
        Trouble::Throttled(1),
        Trouble::Refused(403, "AuthorizationFailed".to_owned()),
        Trouble::Refused(500, "InternalServerError".to_owned()),
        Trouble::Garbled,
    ] {
        arm.add_fault(Fault::once(Requests::any(), trouble));
        let error = vms.list().await.unwrap_err();
        shown.push(format!("{error:?} {}", error.chain()));
    }
    let mut late = order(1, 1);
    late.not_after = autoscale_core::words::Deadline::from_millis(0);
    shown.push(vms.launch(&late).await.unwrap_err().chain());
    for text in shown {
        assert!(!text.contains("canary"), "{text}");
    }
}
