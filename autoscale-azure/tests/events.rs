//! The metadata service over a socket of this machine.
#![cfg(feature = "events")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use autoscale_azure::events::{EventRules, Metadata, Watch};
use autoscale_core::data::record::NoticeKind;
use autoscale_core::ports::ErrorKind;
use autoscale_core::words::{InstanceId, Span, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Answers one request on each connection, in order, and gives what was asked.
async fn service(answers: Vec<String>) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            // The head, and as much of a body as it announces.
            loop {
                let mut part = [0; 1_024];
                let many = stream.read(&mut part).await.unwrap();
                text.push_str(&String::from_utf8_lossy(part.get(..many).unwrap()));
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    break;
                }
            }
            asked.push(text);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    });
    (port, task)
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

const DOCUMENT: &str = r#"{"DocumentIncarnation":2,"Events":[{"EventId":"E-1","EventStatus":"Scheduled",
    "EventType":"Preempt","ResourceType":"VirtualMachine","Resources":["n1"],"NotBefore":"Mon, 11 Apr 2022 22:26:58 GMT"}]}"#;

#[tokio::test]
async fn a_preemption_is_read_told_and_approved() {
    let (port, asked) = service(vec![answer("200 OK", DOCUMENT), answer("200 OK", "")]).await;
    let metadata = Metadata::on_port(port, Span::from_secs(5)).unwrap();
    let document = metadata.read().await.unwrap();
    let instance = InstanceId::new("/subscriptions/s/n1").unwrap();
    let mut watch = Watch::new("n1", instance, EventRules::default());
    let notices = watch.update(&document, Timestamp::from_millis(1_649_715_988_000));
    assert_eq!(
        notices.iter().map(|n| (n.kind, n.time_left)).collect::<Vec<_>>(),
        [(NoticeKind::Interruption, Span::from_secs(30))]
    );
    metadata.approve(&watch.interruptions()).await.unwrap();
    let asked = asked.await.unwrap();
    let (read, approved) = (asked.first().unwrap(), asked.last().unwrap());
    assert!(read.starts_with("GET /metadata/scheduledevents?api-version=2020-07-01 "), "{read}");
    assert!(read.to_lowercase().contains("\r\nmetadata: true\r\n"), "{read}");
    assert!(
        approved.starts_with("POST ") && approved.ends_with(r#"{"StartRequests":[{"EventId":"E-1"}]}"#),
        "{approved}"
    );
}

#[tokio::test]
async fn what_is_no_document_is_no_withdrawal() {
    let redirect = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let long = format!("{{\"DocumentIncarnation\":1,\"Events\":[]}}{}", " ".repeat(300 << 10));
    for (told, kind) in [
        (answer("500 Internal Server Error", ""), ErrorKind::Unavailable),
        (answer("429 Too Many Requests", ""), ErrorKind::Throttled { retry_after: None }),
        (answer("200 OK", "<html>"), ErrorKind::Unavailable),
        (answer("200 OK", ""), ErrorKind::Unavailable),
        (answer("200 OK", &long), ErrorKind::Unavailable),
        (redirect.to_owned(), ErrorKind::Unavailable),
        (String::new(), ErrorKind::Unavailable),
    ] {
        let (port, _asked) = service(vec![told.clone()]).await;
        let metadata = Metadata::on_port(port, Span::from_secs(5)).unwrap();
        let error = metadata.read().await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{:.60}", told);
    }
}

#[tokio::test]
async fn nothing_to_approve_asks_nobody() {
    let metadata = Metadata::on_port(1, Span::from_secs(1)).unwrap();
    metadata.approve(&[]).await.unwrap();
    assert_eq!(*metadata.approve(&["E-1".to_owned()]).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_machine_knows_its_name() {
    let (port, asked) = service(vec![answer("200 OK", "as-abcd-1-0\n")]).await;
    assert_eq!(Metadata::on_port(port, Span::from_secs(5)).unwrap().machine().await.unwrap(), "as-abcd-1-0");
    let asked = asked.await.unwrap();
    let head = asked.first().unwrap();
    assert!(
        head.starts_with("GET /metadata/instance/compute/name?api-version=2021-02-01&format=text "),
        "{head}"
    );
    assert!(head.to_lowercase().contains("\r\nmetadata: true\r\n"), "{head}");
    for told in ["", "<html>", "a b", "\u{e9}"] {
        let (port, _asked) = service(vec![answer("200 OK", told)]).await;
        let error = Metadata::on_port(port, Span::from_secs(5)).unwrap().machine().await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unavailable, "{told}");
    }
}
