//! The record and the audit log in another S3: the server that `AUTOSCALE_TEST_S3` names, such as moto on this machine, one request
//! at a time. `.ci/moto` starts it and runs this.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod contest;
mod real;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use autoscale_aws::s3::{BucketStore, S3Config};
use autoscale_core::conformance::{self, AuditStage, StoreStage};
use autoscale_core::data::audit::Line;
use autoscale_core::objects::Fetched;
use autoscale_core::ports::{Appended, AuditLog, AuditRange, StateStore};
use autoscale_core::words::{ClusterId, HolderId, Span, Timestamp};
use contest::{CONTENDERS, contend};
use object_store::ObjectStoreExt;
use object_store::path::Path;

/// How often they contend: the server answers one request at a time, and not quickly.
const ROUNDS: u64 = 100;

/// The port of the server, which has a bucket for this then.
fn port() -> Option<u16> {
    let endpoint = real::endpoint("AUTOSCALE_TEST_S3", ".ci/moto")?;
    let port = endpoint.strip_prefix("http://127.0.0.1:").unwrap().trim_end_matches('/').parse().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!(
        "PUT /{BUCKET} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    // Made twice, in this region, it is the same one.
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Some(port)
}

const BUCKET: &str = "autoscale-test";

struct Stage {
    port: u16,
    prefix: String,
}

impl Stage {
    fn new(port: u16) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        Self { port, prefix: format!("run-{}-{number}", std::process::id()) }
    }

    fn bucket(&self) -> BucketStore {
        let config = S3Config::new(ClusterId::new("shop").unwrap(), BUCKET, "us-east-1")
            .with_prefix(&self.prefix)
            // Many contend on a machine that may be busy with more: an answer that comes late is no loss here.
            .with_timeout(Span::from_secs(60));
        BucketStore::on_emulator(config.build().unwrap(), self.port).unwrap()
    }

    async fn put(&self, name: &str, text: &str) -> bool {
        let path = Path::from(format!("{}/{name}", self.prefix));
        self.bucket().objects().put(&path, text.to_owned().into()).await.is_ok()
    }
}

#[async_trait]
impl StoreStage for Stage {
    fn store(&self) -> Arc<dyn StateStore> {
        Arc::new(self.bucket())
    }

    fn other(&self) -> Arc<dyn StateStore> {
        self.store()
    }

    async fn erase(&self) -> bool {
        let path = Path::from(format!("{}/shop.record", self.prefix));
        self.bucket().objects().delete(&path).await.is_ok()
    }
}

#[async_trait]
impl AuditStage for Stage {
    fn log(&self) -> Arc<dyn AuditLog> {
        Arc::new(self.bucket().audit().unwrap())
    }

    fn other(&self) -> Arc<dyn AuditLog> {
        AuditStage::log(self)
    }

    async fn leave_a_part(&self, line: &Line) -> bool {
        let half = &line.text[..line.text.len() / 2];
        self.put("shop.audit/2026-11-22/001795384288999-001795384288999.jsonl", half).await
    }

    async fn spoil(&self) -> bool {
        self.put("shop.audit/2026-11-22/notes.txt", "nothing of ours\n").await
    }
}

#[tokio::test]
async fn the_record_keeps_the_contract() {
    let Some(port) = port() else { return };
    let verdicts = conformance::store(async || Stage::new(port)).await;
    println!("{verdicts}");
    verdicts.assert_all();
    // S3 names a state by its content: a record that was deleted and put again byte for byte is the same state.
    assert_eq!(verdicts.not_applicable(), ["a_lost_answer_is_unknown", "nothing_expires"]);
}

#[tokio::test]
async fn the_audit_log_keeps_the_contract() {
    let Some(port) = port() else { return };
    let verdicts = conformance::audit(async || Stage::new(port)).await;
    println!("{verdicts}");
    verdicts.assert_all();
    assert_eq!(verdicts.not_applicable(), ["a_lost_answer_is_unclear"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_32_contenders_wins_each_round() {
    let Some(port) = port() else { return };
    let stage = Stage::new(port);
    let stores = (0..CONTENDERS).map(|_| stage.store()).collect();
    contend(stores, ROUNDS).await.unwrap();
}

fn line(n: u64, ms: i64) -> Line {
    conformance::audit_line(&HolderId::new("w").unwrap(), n, Timestamp::from_millis(ms))
}

#[tokio::test]
async fn old_days_go_and_large_entries_are_found() {
    const DAY: i64 = 24 * 60 * 60 * 1_000;
    let Some(port) = port() else { return };
    let (stage, now) = (Stage::new(port), 1_795_384_288_042);
    let log = stage.bucket().audit().unwrap();
    for (n, after) in [(1, 0), (2, 1), (3, DAY), (4, 2 * DAY)] {
        assert_eq!(log.append(&line(n, now + after)).await.unwrap(), Appended::Stored);
    }
    assert_eq!(log.prune(Timestamp::from_millis(now + DAY)).await.unwrap(), 2);
    let page = log.read(&AuditRange::all()).await.unwrap();
    let left: Vec<u64> = page.lines.iter().map(|line| Line::read(line).unwrap().head.n).collect();
    assert_eq!(left, [3, 4]);
    let (large, one) = (stage.bucket().large().unwrap(), line(1, now));
    large.put(&one).await.unwrap();
    assert_eq!(large.get(one.head.at, one.head.sum).await.unwrap(), Fetched::Whole(Box::new(one)));
    let two = line(2, now);
    assert_eq!(large.get(two.head.at, two.head.sum).await.unwrap(), Fetched::Gone);
}
