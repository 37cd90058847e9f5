//! The record in Azurite, where one is there: `.ci/azurite` starts one and sets the variable.
#![cfg(feature = "blob")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use autoscale_azure::blob::{BlobConfig, BlobStore};
use autoscale_core::conformance::{self, StoreStage};
use autoscale_core::ports::{ErrorKind, Expected, Loaded, Sealed, StateStore, Summary, Swapped};
use autoscale_core::words::{ClusterId, Inc, Ver, WriteId};
use object_store::ObjectStoreExt;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::path::Path;
use tokio::sync::Barrier;

const CONTENDERS: usize = 32;
const ROUNDS: u64 = 1_000;
const VARIABLE: &str = "AUTOSCALE_TEST_AZURITE";
/// A container that `.ci/azurite` has made.
const CONTAINER: &str = "autoscale-test";

/// The emulator's port; `None` where there is none, which in CI is a failure.
fn port() -> Option<u16> {
    match std::env::var(VARIABLE) {
        Ok(port) => Some(port.parse().expect("the port of Azurite on this machine")),
        Err(_) if std::env::var_os("CI").is_some() => {
            panic!("{VARIABLE} is not set, and in CI it has to be: run .ci/azurite")
        }
        Err(_) => {
            println!("SKIPPED: blobs on Azurite. Run .ci/azurite, or set {VARIABLE} to the port of one.");
            None
        }
    }
}

static PLACES: AtomicU32 = AtomicU32::new(0);

struct Stage {
    port: u16,
    prefix: String,
}

impl Stage {
    fn new(port: u16) -> Self {
        let number = PLACES.fetch_add(1, Ordering::SeqCst);
        Self { port, prefix: format!("run-{}-{number}", std::process::id()) }
    }

    fn store_in(&self, container: &str) -> BlobStore {
        let cluster = ClusterId::new("shop").unwrap();
        let config = BlobConfig::new(cluster, "devstoreaccount1", container).with_prefix(&self.prefix);
        BlobStore::on_emulator(config.build().unwrap(), self.port).unwrap()
    }
}

#[async_trait]
impl StoreStage for Stage {
    fn store(&self) -> Arc<dyn StateStore> {
        Arc::new(self.store_in(CONTAINER))
    }

    fn other(&self) -> Arc<dyn StateStore> {
        self.store()
    }

    async fn erase(&self) -> bool {
        let store = MicrosoftAzureBuilder::new()
            .with_account("devstoreaccount1")
            .with_access_key(
                "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
            )
            .with_endpoint(format!("http://127.0.0.1:{}/devstoreaccount1", self.port))
            .with_container_name(CONTAINER)
            .with_allow_http(true)
            .build()
            .unwrap();
        store.delete(&Path::from(format!("{}/shop.record", self.prefix))).await.is_ok()
    }
}

#[tokio::test]
async fn the_contract_is_kept() {
    let Some(port) = port() else { return };
    let verdicts = conformance::store(async || Stage::new(port)).await;
    println!("{verdicts}");
    verdicts.assert_all();
    assert_eq!(verdicts.not_applicable(), ["a_lost_answer_is_unknown", "nothing_expires"]);
}

#[tokio::test]
async fn a_container_that_is_not_there_is_told() {
    let Some(port) = port() else { return };
    let store = Stage::new(port).store_in("nowhere-to-be-found");
    let error = store.swap(&Expected::Absent, &sealed(1, "w-1")).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound, "{error}");
}

fn sealed(ver: u64, write: &str) -> Sealed {
    let (inc, write_id) = (Inc::new("abcd").unwrap(), WriteId::new(write).unwrap());
    Sealed::new(inc, Ver::new(ver), write_id, Summary::default(), format!("{ver} {write}").into_bytes())
}

/// In each round all load, wait for each other, and swap over what they loaded: one wins, and the rest lost against that one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_32_contenders_wins_each_of_1000_rounds() {
    let Some(port) = port() else { return };
    let stage = Arc::new(Stage::new(port));
    let barrier = Arc::new(Barrier::new(CONTENDERS));
    let contenders = (0..CONTENDERS).map(|who| {
        let (stage, barrier) = (Arc::clone(&stage), Arc::clone(&barrier));
        tokio::spawn(async move {
            let store = stage.store();
            let mut won = Vec::new();
            for ver in 1..=ROUNDS {
                let loaded = store.load().await.unwrap();
                let text = |loaded: &Loaded| String::from_utf8_lossy(&loaded.bytes).into_owned();
                let before = loaded.as_ref().map_or_else(|| "0 ".to_owned(), text);
                assert!(before.starts_with(&format!("{} ", ver - 1)), "round {ver} found {before:?}");
                barrier.wait().await;
                let expected = loaded.map_or(Expected::Absent, |loaded| Expected::At(loaded.version));
                match store.swap(&expected, &sealed(ver, &format!("w-{ver}-{who}"))).await.unwrap() {
                    Swapped::Applied(_) => won.push(ver),
                    Swapped::Lost(Some(current)) => {
                        assert!(text(&current).starts_with(&format!("{ver} ")), "lost against {current:?}");
                    }
                    other => panic!("round {ver}: {other:?}"),
                }
                barrier.wait().await;
            }
            won
        })
    });
    let mut won = Vec::new();
    for contender in contenders.collect::<Vec<_>>() {
        won.extend(contender.await.unwrap());
    }
    won.sort_unstable();
    assert_eq!(won, (1..=ROUNDS).collect::<Vec<_>>(), "one winner in each round");
}
