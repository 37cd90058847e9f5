//! The record.

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_aws::dynamodb::TableStore;
use autoscale_core::conformance::{self, StoreStage};
use autoscale_core::ports::{ErrorKind, Expected, Loaded, StateStore, Swapped, Version};
use autoscale_core::words::ClusterId;
use serde_json::json;

use crate::contest::{CONTENDERS, ROUNDS, contend, sealed};
use crate::tables::{Tables, client};
use crate::wire::{Fault, Wire};

const ITEM: &str = "asc#shop";

struct Stage(Wire<Tables>);

impl Stage {
    fn new() -> Self {
        Self(Wire::new(Tables::new()))
    }

    fn at(&self, table: &str) -> TableStore {
        TableStore::new(client(&self.0), table, &ClusterId::new("shop").unwrap())
    }
}

#[async_trait]
impl StoreStage for Stage {
    fn store(&self) -> Arc<dyn StateStore> {
        Arc::new(self.at("state"))
    }

    fn other(&self) -> Arc<dyn StateStore> {
        self.store()
    }

    async fn erase(&self) -> bool {
        self.0.service.erase("state", ITEM, "")
    }

    async fn lose_answer(&self) -> bool {
        self.0.plan("PutItem", Fault::AnswerLost);
        true
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    let verdicts = conformance::store(async || Stage::new()).await;
    println!("{verdicts}");
    verdicts.assert_all();
    // Nothing here has a time to live.
    assert_eq!(verdicts.not_applicable(), ["nothing_expires"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_contenders_wins_each_round() {
    let stage = Stage::new();
    contend((0..CONTENDERS).map(|_| stage.store()).collect(), ROUNDS).await.unwrap();
}

#[tokio::test]
async fn contenders_that_share_nothing_are_found_out() {
    let wrong = contend((0..4).map(|_| Stage::new().store()).collect(), 3).await.unwrap_err();
    assert!(wrong.contains("3 rounds were won 12 times"), "{wrong}");
}

async fn first(stage: &Stage) -> Version {
    match stage.store().swap(&Expected::Absent, &sealed(1, "w-1")).await.unwrap() {
        Swapped::Applied(version) => version,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_request_is_sent_once_and_judged_by_its_answer() {
    let throttled = || ErrorKind::Throttled { retry_after: None };
    let denied = |action: &str| ErrorKind::Denied { action: action.to_owned() };
    let unauthorised =
        "User: u is not authorized to perform: dynamodb:PutItem on resource: r because no policy allows it";
    for (fault, expected) in [
        (Fault::AnswerLost, None),
        (Fault::RequestLost, None),
        (Fault::AnswerCut, None),
        (Fault::Gateway(502), None),
        (Fault::Refused(500, "InternalServerError", "internal"), None),
        (Fault::Refused(400, "ProvisionedThroughputExceededException", "slow"), Some(throttled())),
        (Fault::Refused(400, "ThrottlingException", "slow"), Some(throttled())),
        (Fault::Refused(400, "RequestLimitExceeded", "slow"), Some(throttled())),
        (Fault::Refused(400, "TransactionConflictException", "conflict"), Some(throttled())),
        (Fault::Refused(400, "AccessDeniedException", unauthorised), Some(denied("dynamodb:PutItem"))),
        (Fault::Refused(400, "ExpiredTokenException", "expired"), Some(ErrorKind::Unavailable)),
        (Fault::Refused(400, "ValidationException", "wrong"), Some(ErrorKind::Invalid)),
        (Fault::Refused(400, "ResourceNotFoundException", "none"), Some(ErrorKind::NotFound)),
    ] {
        let stage = Stage::new();
        let one = first(&stage).await;
        stage.0.plan("PutItem", fault.clone());
        let answer = stage.store().swap(&Expected::At(one), &sealed(2, "w-2")).await;
        match expected {
            None => assert!(matches!(answer, Ok(Swapped::Unknown { .. })), "{fault:?}: {answer:?}"),
            Some(kind) => assert_eq!(*answer.unwrap_err().kind(), kind, "{fault:?}"),
        }
        assert_eq!(stage.0.sent("PutItem"), 2, "{fault:?}");
        let carried_out = matches!(fault, Fault::AnswerLost | Fault::AnswerCut);
        let stored = stage.store().load().await.unwrap().unwrap();
        assert_eq!(stored.bytes, if carried_out { b"2 w-2" } else { b"1 w-1" }, "{fault:?}");
    }
}

#[tokio::test]
async fn a_load_that_fails_is_never_an_empty_place() {
    let denied = ErrorKind::Denied { action: "dynamodb:GetItem".to_owned() };
    for (fault, kind) in [
        (Fault::RequestLost, ErrorKind::Unavailable),
        (Fault::AnswerCut, ErrorKind::Unavailable),
        (Fault::Gateway(503), ErrorKind::Unavailable),
        (Fault::Refused(400, "ThrottlingException", "slow"), ErrorKind::Throttled { retry_after: None }),
        (Fault::Refused(400, "AccessDeniedException", "no"), denied),
    ] {
        let stage = Stage::new();
        first(&stage).await;
        stage.0.plan("GetItem", fault.clone());
        let error = stage.store().load().await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{fault:?}: {error}");
        assert_eq!(stage.0.sent("GetItem"), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_missing_or_wrong_table_says_what_to_make() {
    let stage = Stage::new();
    for (table, kind) in [("elsewhere", ErrorKind::NotFound), ("logs", ErrorKind::Invalid)] {
        let store = stage.at(table);
        let load = store.load().await.unwrap_err();
        let swap = store.swap(&Expected::Absent, &sealed(1, "w-1")).await.unwrap_err();
        for error in [load, swap] {
            assert_eq!(*error.kind(), kind);
            assert!(error.to_string().contains("whose only key is the text attribute pk"), "{error}");
        }
    }
}

#[test]
fn the_key_may_have_another_name_but_not_one_of_ours() {
    let stage = Stage::new();
    assert!(stage.at("state").with_key_attribute("cluster").is_ok());
    for name in ["", "record", "scalingInProgress"] {
        let error = stage.at("state").with_key_attribute(name).unwrap_err();
        assert!(error.to_string().contains("expected 1 to 255 bytes"), "{error}");
    }
}

#[tokio::test]
async fn a_swap_that_lost_carries_what_is_stored_and_when() {
    let stage = Stage::new();
    let one = first(&stage).await;
    let lost = stage.store().swap(&Expected::Absent, &sealed(1, "w-late")).await.unwrap();
    let Swapped::Lost(Some(Loaded { version, bytes, store_time, .. })) = lost else { panic!("{lost:?}") };
    assert_eq!((version, bytes), (one, b"1 w-1".to_vec()));
    assert!(store_time.is_some_and(|at| at.as_millis() > 1_700_000_000_000), "{store_time:?}");
    assert_eq!(stage.0.sent("GetItem"), 0);
}

#[tokio::test]
async fn an_item_that_is_not_ours_is_left_alone() {
    let stage = Stage::new();
    let theirs = json!({ "pk": { "S": ITEM }, "scalingInProgress": { "BOOL": false } });
    stage.0.service.place("state", theirs.clone());
    let error = stage.store().load().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Invalid);
    for said in ["item asc#shop of table state", "configure another table", "move it away"] {
        assert!(error.to_string().contains(said), "{error}");
    }
    for expected in [Expected::Absent, Expected::At(Version::new("1.w-1")), Expected::At(Version::new("x"))] {
        let swapped = stage.store().swap(&expected, &sealed(1, "w-1")).await.unwrap();
        assert_eq!(swapped, Swapped::Lost(None));
    }
    assert_eq!(stage.0.service.items("state"), [theirs]);
}

#[tokio::test]
async fn a_record_that_was_edited_by_hand_is_not_used() {
    let stage = Stage::new();
    first(&stage).await;
    let mut item = stage.0.service.items("state").remove(0);
    item["record"] = json!({ "S": "1 w-2" });
    stage.0.service.place("state", item);
    let error = stage.store().load().await.unwrap_err();
    assert!(error.to_string().contains("changed after it was written"), "{error}");
}
