//! The audit log.

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::conformance::{self, AuditStage};
use autoscale_core::data::audit::Line;
use autoscale_core::ports::{Appended, AuditLog, AuditRange, ErrorKind};
use autoscale_core::words::{HolderId, Timestamp};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::{ALONE, CONTAINER, Stage, port};

struct Audit(Stage);

impl Audit {
    async fn put(&self, name: &str, text: &str) -> bool {
        let path = Path::from(format!("{}/shop.audit/{name}", self.0.prefix));
        self.0.client().put(&path, text.to_owned().into()).await.is_ok()
    }
}

#[async_trait]
impl AuditStage for Audit {
    fn log(&self) -> Arc<dyn AuditLog> {
        Arc::new(self.0.store_in(CONTAINER).audit().unwrap())
    }

    fn other(&self) -> Arc<dyn AuditLog> {
        self.log()
    }

    async fn leave_a_part(&self, line: &Line) -> bool {
        let (half, _) = line.text.split_at(line.text.len() / 2);
        self.put("2026-11-22/001795384288999-001795384288999.jsonl", half).await
    }

    async fn spoil(&self) -> bool {
        self.put("2026-11-22/notes.txt", "nothing of ours\n").await
    }
}

#[tokio::test]
async fn the_contract_of_an_audit_log_is_kept() {
    let Some(port) = port() else { return };
    let _alone = ALONE.lock().await;
    let verdicts = conformance::audit(async || Audit(Stage::new(port))).await;
    println!("{verdicts}");
    verdicts.assert_all();
    assert_eq!(verdicts.not_applicable(), ["a_lost_answer_is_unclear"]);
}

#[tokio::test]
async fn it_lies_beside_the_record_and_old_days_go() {
    let Some(port) = port() else { return };
    let _alone = ALONE.lock().await;
    let stage = Stage::new(port);
    let (store, day) = (stage.store_in(CONTAINER), 24 * 60 * 60 * 1_000);
    let log = store.audit().unwrap();
    let writer = HolderId::new("w").unwrap();
    let now = Timestamp::from_millis(1_795_384_288_042);
    for (n, after) in [(1, 0), (2, 1), (3, day), (4, 2 * day)] {
        let at = Timestamp::from_millis(now.as_millis() + after);
        let line = conformance::audit_line(&writer, n, at);
        assert_eq!(log.append(&line).await.unwrap(), Appended::Stored);
    }
    assert_eq!(log.prune(Timestamp::from_millis(now.as_millis() + day)).await.unwrap(), 2);
    let page = log.read(&AuditRange::all()).await.unwrap();
    let left: Vec<u64> = page.lines.iter().map(|line| Line::read(line).unwrap().head.n).collect();
    assert_eq!(left, [3, 4]);
    let elsewhere = stage.store_in("nowhere-to-be-found").audit().unwrap();
    let error = elsewhere.append(&conformance::audit_line(&writer, 1, now)).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound, "{error}");
}
