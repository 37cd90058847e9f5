//! Who logs in how, and that no text shows with what.

use std::path::PathBuf;

use autoscale_core::words::Unit;
use autoscale_kube::prometheus::{Prometheus, PrometheusBuilder, Series, Signal};

use super::server::{Reply, Server};
use super::{query, read, signal};

const MARKER: &str = "marker-of-a-secret";

fn builder(server: &Server) -> PrometheusBuilder {
    let x = Signal::metric(Unit::Count, "x", Series::One);
    Prometheus::builder(server.http()).insecure().with_loopback().with_signal(signal("x"), x)
}

async fn server() -> Server {
    Server::new(|_| Reply::value(1_700_000_000)).await
}

/// What the requests of one sample carried.
async fn carried(builder: impl FnOnce(PrometheusBuilder) -> PrometheusBuilder) -> Vec<Option<String>> {
    let server = server().await;
    let source = builder(self::builder(&server)).build().unwrap();
    assert!(!format!("{source:?}").contains(MARKER));
    read(&source, &query("web", "x")).await;
    server.asked().iter().map(|asked| asked.headers.get("authorization").cloned()).collect()
}

#[tokio::test]
async fn each_way_is_in_the_header() {
    let twice = |text: &str| vec![Some(text.to_owned()); 2];
    assert_eq!(carried(|source| source).await, [None, None]);
    assert_eq!(carried(|source| source.with_bearer(MARKER)).await, twice(&format!("Bearer {MARKER}")));
    assert_eq!(carried(|source| source.with_basic("me", "pass:word")).await, twice("Basic bWU6cGFzczp3b3Jk"));
}

/// A file of its own, gone with the test.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("autoscale-kube-{}-{name}", std::process::id())))
    }

    fn write(&self, text: impl AsRef<[u8]>) {
        std::fs::write(&self.0, text).unwrap();
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_token_that_is_renewed_is_read_anew() {
    let (server, file) = (server().await, File::new("token"));
    let source = builder(&server).with_bearer_file(&file.0).build().unwrap();
    let x = query("web", "x");
    let text = read(&source, &x).await;
    assert!(
        text.starts_with("failed: Prometheus: the token cannot be read: ")
            && text.ends_with(": entity not found"),
        "{text}"
    );
    for token in ["first", "second"] {
        file.write(format!("{token}\n"));
        assert_eq!(read(&source, &x).await, "1700000000, 0s old");
        let last = server.asked().pop().unwrap();
        assert_eq!(last.headers["authorization"], format!("Bearer {token}"));
    }
    let asked = server.asked().len();
    for (content, why) in [
        (b"".to_vec(), "empty"),
        (b" \n".to_vec(), "empty"),
        (vec![0xff, 0xfe], "not text"),
        (vec![b'x'; (64 << 10) + 1], "more than 64 KiB"),
        (format!("{MARKER}\r\nHost: x").into_bytes(), "it has characters that no header can have"),
    ] {
        file.write(&content);
        let text = read(&source, &x).await;
        assert!(text.ends_with(why) && !text.contains(MARKER), "{text}");
    }
    assert_eq!(server.asked().len(), asked, "nobody is asked without a token");
}

/// Whatever goes wrong, no reading and no error has the marker in it.
#[tokio::test]
async fn no_text_shows_a_secret() {
    for reply in [
        Reply::Whole(401, "text/plain", "no".to_owned()),
        Reply::Whole(302, "text/plain", String::new()),
        Reply::Whole(500, "application/json", "{".to_owned()),
        Reply::Raw(Vec::new()),
    ] {
        let server = Server::new(move |_| reply.clone()).await;
        for source in [builder(&server).with_bearer(MARKER), builder(&server).with_basic("me", MARKER)] {
            assert!(!format!("{source:?}").contains(MARKER));
            let source = source.build().unwrap();
            let x = query("web", "x");
            let text = read(&source, &x).await;
            assert!(text.starts_with("failed: ") && !text.contains(MARKER), "{text}");
            let (from, step) = (Default::default(), autoscale_core::words::Span::from_secs(1));
            let error = source.history(&x, from, from, step).await.unwrap_err();
            assert!(!error.chain().contains(MARKER) && !format!("{error:?}").contains(MARKER), "{error:?}");
        }
    }
}
