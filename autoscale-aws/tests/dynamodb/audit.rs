//! The audit log.

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_aws::dynamodb::AuditTable;
use autoscale_core::conformance::{self, AuditStage};
use autoscale_core::data::audit::Line;
use autoscale_core::ports::{Appended, AuditLog, AuditRange, ErrorKind};
use autoscale_core::words::{ClusterId, HolderId, Span, Timestamp};
use serde_json::json;

use crate::tables::{Tables, client};
use crate::wire::{Fault, Wire};

struct Stage(Wire<Tables>);

impl Stage {
    fn new() -> Self {
        Self(Wire::new(Tables::new()))
    }

    fn table(&self, name: &str) -> AuditTable {
        AuditTable::new(client(&self.0), name, &ClusterId::new("shop").unwrap())
    }
}

#[async_trait]
impl AuditStage for Stage {
    fn log(&self) -> Arc<dyn AuditLog> {
        Arc::new(self.table("logs"))
    }

    fn other(&self) -> Arc<dyn AuditLog> {
        self.log()
    }

    async fn lose_answer(&self) -> bool {
        self.0.plan("PutItem", Fault::AnswerLost);
        true
    }

    async fn leave_a_part(&self, _: &Line) -> bool {
        // What a writer leaves behind that is ended before the last item.
        let part = json!({
            "pk": { "S": "asc#shop" }, "sk": { "S": "part#001795384288043#ended#1#000000" },
            "autoscaleLine": { "N": "1" }, "part": { "S": "{\"v\":1" }, "expires": { "N": "9999999999" },
        });
        self.0.service.place("logs", part);
        true
    }

    async fn spoil(&self) -> bool {
        let theirs = json!({ "pk": { "S": "asc#shop" }, "sk": { "S": "line#001795384288999" }, "note": { "S": "mine" } });
        self.0.service.place("logs", theirs);
        true
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    let verdicts = conformance::audit(async || Stage::new()).await;
    println!("{verdicts}");
    verdicts.assert_all();
    assert_eq!(verdicts.not_applicable(), Vec::<&str>::new());
}

/// A line as an auditor writes it.
fn line(n: u64, at: Timestamp) -> Line {
    by("w", n, at)
}

fn by(writer: &str, n: u64, at: Timestamp) -> Line {
    conformance::audit_line(&HolderId::new(writer).unwrap(), n, at)
}

const DAY: i64 = 24 * 60 * 60 * 1_000;

#[tokio::test]
async fn what_has_expired_is_not_read_and_a_day_goes_as_one() {
    let stage = Stage::new();
    let log = stage.table("logs").with_retention(Span::from_mins(60));
    // The service's clock is the real one; whatever is of the day before yesterday expired an hour into yesterday.
    let now = jiff::Timestamp::now().as_millisecond();
    let old = [now - 3 * DAY, now - 2 * DAY - 1, now];
    for (n, at) in (1..).zip(old) {
        let _ = log.append(&line(n, Timestamp::from_millis(at))).await.unwrap();
    }
    let page = log.read(&AuditRange::all()).await.unwrap();
    let times: Vec<_> = page.lines.iter().map(|line| Line::read(line).unwrap().head.n).collect();
    assert_eq!(times, [3], "the service has all three still: {}", stage.0.service.items("logs").len());
    assert_eq!(log.newest().await.unwrap().unwrap().n, 3);
    assert_eq!(stage.0.service.items("logs").len(), 3);
}

#[tokio::test]
async fn what_another_process_wrote_meanwhile_is_not_overwritten() {
    let stage = Stage::new();
    let (one, two) = (stage.log(), stage.log());
    let at = stage.now();
    // Both at once, and at the same time by their clocks: one of them finds its place taken.
    for n in 1..=10 {
        let (mine, theirs) = (by("one", n, at), by("two", n, at));
        let (mine, theirs) = tokio::join!(one.append(&mine), two.append(&theirs));
        assert_eq!((mine.unwrap(), theirs.unwrap()), (Appended::Stored, Appended::Stored));
    }
    assert!(stage.0.sent("PutItem") > 20, "nobody was in another's way: {}", stage.0.sent("PutItem"));
    let page = one.read(&AuditRange::all()).await.unwrap();
    let heads: Vec<_> = page.lines.iter().map(|line| Line::read(line).unwrap().head).collect();
    assert_eq!(heads.len(), 20);
    for writer in ["one", "two"] {
        let numbers: Vec<_> =
            heads.iter().filter(|head| head.writer.as_str() == writer).map(|head| head.n).collect();
        assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn refusals_are_told_from_silence() {
    for (fault, kind) in [
        (Fault::AnswerLost, ErrorKind::Unclear),
        (Fault::Gateway(502), ErrorKind::Unclear),
        (Fault::Refused(400, "ThrottlingException", "slow"), ErrorKind::Throttled { retry_after: None }),
        (
            Fault::Refused(400, "AccessDeniedException", "no"),
            ErrorKind::Denied { action: "dynamodb:PutItem".to_owned() },
        ),
        (Fault::Refused(400, "ResourceNotFoundException", "none"), ErrorKind::NotFound),
    ] {
        let stage = Stage::new();
        let log = stage.log();
        stage.0.plan("PutItem", fault.clone());
        let error = log.append(&line(1, stage.now())).await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{fault:?}");
        assert_eq!(stage.0.sent("PutItem"), 1, "{fault:?}");
    }
    let error = Stage::new().table("elsewhere").newest().await.unwrap_err();
    assert!(error.to_string().contains("whose key is the text attributes pk and sk"), "{error}");
}

#[tokio::test]
async fn people_can_read_the_items() {
    let stage = Stage::new();
    let _ = stage.log().append(&line(1, stage.now())).await.unwrap();
    let item = stage.0.service.items("logs").remove(0);
    assert_eq!(item["sk"]["S"], "line#001795384288042");
    assert_eq!(item["actions"]["S"], "the 1. of w");
    assert_eq!(item["kind"]["S"], "full");
    assert!(item["sum"]["S"].as_str().is_some_and(|sum| sum.len() == 64));
}
