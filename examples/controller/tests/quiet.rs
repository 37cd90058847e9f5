//! A watch in which nothing happens for a while is not cut off by its client.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::time::Duration;

use controller::setup::limit;
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{pause, resume, sleep};

/// API servers tell a quiet watch about once a minute how far it has come; the cache waits for two and a half.
const QUIET: Duration = Duration::from_secs(149);

/// One watch: a line at once, another when it has been quiet for so long. Time is passed over while nobody sends anything.
async fn serve(listener: TcpListener, quiet: Duration) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = [0; 4096];
    assert!(stream.read(&mut request).await.unwrap() > 0);
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).await.unwrap();
    stream.write_all(b"6\r\nfirst\n\r\n").await.unwrap();
    pause();
    sleep(quiet).await;
    resume();
    // Who has given up is not there any more.
    let _ = stream.write_all(b"7\r\nsecond\n\r\n0\r\n\r\n").await;
}

/// What a client with the limits of this program hears.
async fn heard(quiet: Duration) -> Result<String, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(serve(listener, quiet));
    let mut config = kube::Config::new(format!("http://{address}").parse().unwrap());
    limit(&mut config);
    let client = kube::Client::try_from(config).unwrap();
    let watch = http::Request::get("/api/v1/nodes?watch=1").body(Body::empty()).unwrap();
    let mut body = client.send(watch).await.unwrap().into_body();
    let (mut text, mut ended) = (Vec::new(), Ok(()));
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => text.extend(frame.into_data().unwrap_or_default()),
            Err(error) => {
                ended = Err(error.to_string());
                break;
            }
        }
    }
    drop(body);
    serving.await.unwrap();
    ended.map(|()| String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn a_quiet_watch_goes_on_and_a_dead_one_ends() {
    assert_eq!(heard(QUIET).await, Ok("first\nsecond\n".to_owned()));
    let dead = heard(Duration::from_secs(600)).await;
    assert!(dead.is_err(), "a server that says nothing for ten minutes is gone: {dead:?}");
}
