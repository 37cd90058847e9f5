//! The object store, over the in-memory store of the `object_store` crate.
#![cfg(all(feature = "objects", feature = "conformance"))]
#![allow(clippy::unwrap_used, clippy::panic)]

mod objects;
mod store_crowd;

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::conformance::{self, StoreStage};
use autoscale_core::objects::ObjectsStore;
use autoscale_core::ports::{ErrorKind, Expected, StateStore, Swapped};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use objects::{Fault, Line};
use store_crowd::{CONTENDERS, ROUNDS, contend, sealed};

struct Stage(Arc<Line>);

impl Stage {
    fn new() -> Self {
        Self(Line::new(InMemory::new()))
    }
}

#[async_trait]
impl StoreStage for Stage {
    fn store(&self) -> Arc<dyn StateStore> {
        Arc::new(ObjectsStore::new(self.0.clone(), "clusters/shop.record").unwrap())
    }

    fn other(&self) -> Arc<dyn StateStore> {
        self.store()
    }

    async fn erase(&self) -> bool {
        self.0.delete(&Path::from("clusters/shop.record")).await.is_ok()
    }

    async fn lose_answer(&self) -> bool {
        self.0.plan(Fault::AnswerLost);
        true
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    let verdicts = conformance::store(async || Stage::new()).await;
    println!("{verdicts}");
    verdicts.assert_all();
    assert_eq!(verdicts.not_applicable(), ["nothing_expires"]);
}

#[test]
fn one_of_many_contenders_wins_each_round() {
    let stage = Stage::new();
    contend((0..CONTENDERS).map(|_| stage.store()).collect(), ROUNDS).unwrap();
}

#[test]
fn contenders_that_share_nothing_are_found_out() {
    let apart = |_| Stage::new().store();
    let wrong = contend((0..4).map(apart).collect(), 3).unwrap_err();
    assert!(wrong.contains("round 1: won by 4"), "{wrong}");
}

#[tokio::test]
async fn an_object_that_is_not_ours_is_left_alone() {
    let stage = Stage::new();
    let path = Path::from("clusters/shop.record");
    stage.0.put(&path, "somebody's".into()).await.unwrap();
    let error = stage.store().load().await.unwrap_err();
    assert!(*error.kind() == ErrorKind::Invalid && error.to_string().contains("move it away"), "{error}");
    let swapped = stage.store().swap(&Expected::Absent, &sealed(1, "w-1")).await.unwrap();
    assert_eq!(swapped, Swapped::Lost(None));
    assert_eq!(stage.0.get(&path).await.unwrap().bytes().await.unwrap(), "somebody's");
    for path in ["", "/", "a/../b", "a//b"] {
        let error = ObjectsStore::new(stage.0.clone(), path).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Invalid, "{path}");
    }
}
