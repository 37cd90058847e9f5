//! Entries of the audit log that are handed to a bucket.

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_aws::dynamodb::{AuditTable, Stored, Why};
use autoscale_aws::s3::{BucketStore, S3Config};
use autoscale_core::conformance::{self, AuditStage};
use autoscale_core::data::audit::Line;
use autoscale_core::objects::LargeLines;
use autoscale_core::ports::{Appended, AuditLog, AuditRange, ErrorKind};
use autoscale_core::words::{ClusterId, HolderId, Timestamp};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::json;

use crate::stub::{Answer, Stub};
use crate::tables::{Tables, client};
use crate::wire::{Fault, Wire};

/// A table, and a bucket for entries of more than so many bytes.
struct Stage {
    wire: Wire<Tables>,
    bucket: Arc<InMemory>,
    above: usize,
}

impl Stage {
    fn new(above: usize) -> Self {
        Self { wire: Wire::new(Tables::new()), bucket: Arc::default(), above }
    }

    fn table(&self) -> AuditTable {
        AuditTable::new(client(&self.wire), "logs", &ClusterId::new("shop").unwrap())
    }

    fn large(&self) -> LargeLines {
        LargeLines::new(self.bucket.clone(), "autoscale/shop.large").unwrap()
    }

    fn whole(&self) -> AuditTable {
        self.table().with_overflow(self.above, self.large())
    }

    async fn objects(&self) -> Vec<Path> {
        let found =
            self.bucket.list_with_delimiter(Some(&Path::from("autoscale/shop.large/2026-11-22"))).await;
        found.unwrap().objects.into_iter().map(|object| object.location).collect()
    }
}

#[async_trait]
impl AuditStage for Stage {
    fn log(&self) -> Arc<dyn AuditLog> {
        Arc::new(self.whole())
    }

    fn other(&self) -> Arc<dyn AuditLog> {
        self.log()
    }

    async fn lose_answer(&self) -> bool {
        self.wire.plan("PutItem", Fault::AnswerLost);
        true
    }

    async fn leave_a_part(&self, line: &Line) -> bool {
        // What a writer leaves behind that is ended between the bucket and the table.
        self.large().put(line).await.is_ok()
    }

    async fn spoil(&self) -> bool {
        let theirs = json!({ "pk": { "S": "asc#shop" }, "sk": { "S": "line#001795384288999" }, "note": { "S": "mine" } });
        self.wire.service.place("logs", theirs);
        true
    }
}

#[tokio::test]
async fn keeps_the_contract_with_every_entry_in_the_bucket() {
    let verdicts = conformance::audit(async || Stage::new(0)).await;
    println!("{verdicts}");
    verdicts.assert_all();
    assert_eq!(verdicts.not_applicable(), Vec::<&str>::new());
}

#[tokio::test]
async fn keeps_the_contract_with_large_entries_in_the_bucket() {
    let verdicts = conformance::audit(async || Stage::new(300 << 10)).await;
    println!("{verdicts}");
    verdicts.assert_all();
    assert_eq!(verdicts.not_applicable(), Vec::<&str>::new());
}

fn line(n: u64, ms: i64) -> Line {
    conformance::audit_line(&HolderId::new("w").unwrap(), n, Timestamp::from_millis(ms))
}

const NOW: i64 = 1_795_384_288_042;

#[tokio::test]
async fn only_what_is_larger_is_handed_over_and_a_digest_is_left() {
    let one = line(1, NOW);
    let stage = Stage::new(one.text.len());
    assert_eq!(stage.whole().append(&one).await.unwrap(), Appended::Stored);
    assert_eq!(stage.objects().await, []);
    // One byte more, by its number.
    let ten = line(10, NOW);
    assert!(ten.text.len() > one.text.len());
    assert_eq!(stage.whole().append(&ten).await.unwrap(), Appended::Stored);
    let path = format!("autoscale/shop.large/2026-11-22/{}.jsonl", ten.head.sum);
    assert_eq!(stage.objects().await, [Path::from(path.clone())]);
    let items = stage.wire.service.items("logs");
    assert_eq!(items[0]["line"]["S"], one.text);
    assert_eq!(items[1]["object"]["S"], path);
    assert_eq!(items[1]["sum"]["S"], ten.head.sum.to_string());
    assert!(items[1]["line"].is_null() && items[1]["parts"].is_null(), "{}", items[1]);
    let page = stage.whole().read(&AuditRange::all()).await.unwrap();
    assert_eq!(page.lines, [one.text.into_bytes(), ten.text.into_bytes()]);
}

#[tokio::test]
async fn what_is_in_the_bucket_has_to_be_what_was_put() {
    let (one, two) = (line(1, NOW), line(2, NOW + 1));
    let other = line(2, NOW + 2);
    for (found, why) in [
        (None, "is gone"),
        (Some(two.text.replace("of w", "of W")), "is not what was put: the line was changed"),
        // Whole and right, and another entry.
        (Some(other.text), "is not what was put: the line was changed"),
    ] {
        let stage = Stage::new(0);
        let log = stage.whole();
        for line in [&one, &two] {
            assert_eq!(log.append(line).await.unwrap(), Appended::Stored);
        }
        let path = Path::from(stage.large().path(two.head.at, two.head.sum));
        match found {
            None => stage.bucket.delete(&path).await.unwrap(),
            Some(text) => drop(stage.bucket.put(&path, text.into()).await.unwrap()),
        }
        let lines = log.read(&AuditRange::all()).await.unwrap().lines;
        let told = String::from_utf8(lines[1].clone()).unwrap();
        assert!(lines[0] == one.text.as_bytes() && told.contains(why), "{told}");
        assert!(told.contains("line#001795384288043") && told.contains(path.as_ref()), "{told}");
        assert_eq!(log.newest().await.unwrap().unwrap().n, 1);
        let entries = log.entries(&AuditRange::all()).await.unwrap().entries;
        assert_eq!(entries[0], Stored::Line(one.text.clone().into_bytes()));
        let Stored::Absent(absent) = &entries[1] else { panic!("{entries:?}") };
        assert_eq!(told, format!("no entry: {absent}"));
        assert_eq!(absent.why == Why::Gone, why == "is gone", "{absent:?}");
    }
}

#[tokio::test]
async fn whoever_has_no_bucket_is_told_where_the_entry_is() {
    let stage = Stage::new(0);
    assert_eq!(stage.whole().append(&line(1, NOW)).await.unwrap(), Appended::Stored);
    for error in
        [stage.table().read(&AuditRange::all()).await.unwrap_err(), stage.table().newest().await.unwrap_err()]
    {
        let said = error.to_string();
        assert_eq!(*error.kind(), ErrorKind::Invalid);
        assert!(
            said.contains("autoscale/shop.large/2026-11-22/") && said.contains("Give this log"),
            "{said}"
        );
    }
    // It may write all the same.
    assert_eq!(stage.table().append(&line(2, NOW + 1)).await.unwrap(), Appended::Stored);
}

#[tokio::test]
async fn whoever_has_no_bucket_can_go_on_behind_the_entry() {
    let (stage, writer) = (Stage::new(0), HolderId::new("w").unwrap());
    let lines = [line(1, NOW), line(2, NOW + 1), line(3, NOW + 2)];
    let logs = [stage.table(), stage.whole(), stage.table()];
    for (log, line) in logs.iter().zip(&lines) {
        assert_eq!(log.append(line).await.unwrap(), Appended::Stored);
    }
    let mut range = AuditRange::all();
    range.most = 2;
    let first = stage.table().entries(&range).await.unwrap();
    range.after = first.next;
    let last = stage.table().entries(&range).await.unwrap();
    let text = |at: usize| Stored::Line(lines[at].text.clone().into_bytes());
    assert_eq!((&first.entries[0], &last.entries[..], last.next), (&text(0), &[text(2)][..], None));
    let [_, Stored::Absent(absent)] = &first.entries[..] else { panic!("{:?}", first.entries) };
    let head = &lines[1].head;
    assert_eq!((&absent.writer, absent.n, absent.at, absent.sum), (&writer, 2, head.at, head.sum));
    assert_eq!((absent.item.as_str(), &absent.why), ("line#001795384288043", &Why::NoBucket));
    assert_eq!(stage.objects().await, [Path::from(absent.object.clone())]);
    // An item that does not say whose entry it is has none.
    let mut item = stage.wire.service.items("logs")[1].clone();
    item["writer"] = json!({ "S": "" });
    stage.wire.service.place("logs", item);
    let entries = stage.table().entries(&AuditRange::all()).await.unwrap().entries;
    assert_eq!(
        entries[1],
        Stored::Line(b"no entry: item line#001795384288043: no text, no parts and no object".to_vec())
    );
}

#[tokio::test]
async fn nothing_is_named_that_is_not_in_the_bucket() {
    let stage = Stage::new(0);
    let stub = Stub::new([Answer::Status(403, "<Error><Code>AccessDenied</Code></Error>")]).await;
    let config = S3Config::new(ClusterId::new("shop").unwrap(), "state", "eu-central-1").build().unwrap();
    let large = BucketStore::on_emulator(config, stub.port).unwrap().large().unwrap();
    let error = stage.table().with_overflow(0, large).append(&line(1, NOW)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Denied { .. }), "{error}");
    assert_eq!(stage.wire.sent("PutItem"), 0);
    assert!(stage.whole().newest().await.unwrap().is_none());
}
