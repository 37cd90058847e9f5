//! The record and the audit log in Azurite, where one is there: `.ci/azurite` starts one and sets the variable.
#![cfg(feature = "blob")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod audit;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use autoscale_azure::blob::{BlobConfig, BlobStore};
use autoscale_core::conformance::{self, StoreStage};
use autoscale_core::ports::{ErrorKind, Expected, Loaded, Sealed, StateStore, Summary, Swapped};
use autoscale_core::words::{ClusterId, Inc, Span, Ver, WriteId};
use object_store::ObjectStoreExt;
use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::path::Path;
use tokio::sync::{Barrier, Mutex};

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

/// The emulator answers one request after the other, and closes connections that it has not got round to: whoever contends does it
/// alone.
static ALONE: Mutex<()> = Mutex::const_new(());

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
        // Many contend on a machine that may be busy with more: an answer that comes late is no loss here.
        let config = config.with_timeout(Span::from_secs(60));
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
        self.client().delete(&Path::from(format!("{}/shop.record", self.prefix))).await.is_ok()
    }
}

impl Stage {
    /// As somebody else has it.
    fn client(&self) -> MicrosoftAzure {
        MicrosoftAzureBuilder::new()
            .with_account("devstoreaccount1")
            .with_access_key(
                "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
            )
            .with_endpoint(format!("http://127.0.0.1:{}/devstoreaccount1", self.port))
            .with_container_name(CONTAINER)
            .with_allow_http(true)
            .build()
            .unwrap()
    }
}

#[tokio::test]
async fn the_contract_is_kept() {
    let Some(port) = port() else { return };
    let _alone = ALONE.lock().await;
    let verdicts = conformance::store(async || Stage::new(port)).await;
    println!("{verdicts}");
    verdicts.assert_all();
    assert_eq!(verdicts.not_applicable(), ["a_lost_answer_is_unknown", "nothing_expires"]);
}

#[tokio::test]
async fn a_container_that_is_not_there_is_told() {
    let Some(port) = port() else { return };
    let _alone = ALONE.lock().await;
    let store = Stage::new(port).store_in("nowhere-to-be-found");
    let error = store.swap(&Expected::Absent, &sealed(1, "w-1")).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound, "{error}");
}

fn sealed(ver: u64, write: &str) -> Sealed {
    let (inc, write_id) = (Inc::new("abcd").unwrap(), WriteId::new(write).unwrap());
    Sealed::new(inc, Ver::new(ver), write_id, Summary::default(), format!("{ver} {write}").into_bytes())
}

/// One round of one contender: whether it won, where that was heard. What it finds must be of the round before, and what it loses
/// against of this one.
async fn round(
    store: &dyn StateStore,
    barrier: &Barrier,
    ver: u64,
    who: usize,
) -> Result<Option<bool>, String> {
    let text = |loaded: &Loaded| String::from_utf8_lossy(&loaded.bytes).into_owned();
    let mut loaded = store.load().await;
    // The emulator closes connections when there is more than it gets round to; asking again changes nothing.
    for _ in 0..5 {
        if loaded.is_err() {
            loaded = store.load().await;
        }
    }
    barrier.wait().await;
    let loaded = loaded.map_err(|error| error.chain())?;
    let before = loaded.as_ref().map_or_else(|| "0 ".to_owned(), text);
    if !before.starts_with(&format!("{} ", ver - 1)) {
        return Err(format!("found {before:?}: a gap, or a stale read"));
    }
    let expected = loaded.map_or(Expected::Absent, |loaded| Expected::At(loaded.version));
    let swapped = store.swap(&expected, &sealed(ver, &format!("w-{ver}-{who}"))).await;
    match swapped.map_err(|error| error.chain())? {
        Swapped::Applied(_) => Ok(Some(true)),
        Swapped::Lost(Some(current)) if text(&current).starts_with(&format!("{ver} ")) => Ok(Some(false)),
        // It may have won: the next round shows that somebody has.
        Swapped::Unknown { .. } => Ok(None),
        other => Err(format!("{other:?}")),
    }
}

/// In each round all load, wait for each other, and swap over what they loaded: one wins, and the rest lost against that one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_32_contenders_wins_each_of_1000_rounds() {
    let Some(port) = port() else { return };
    let _alone = ALONE.lock().await;
    let stage = Arc::new(Stage::new(port));
    let barrier = Arc::new(Barrier::new(CONTENDERS));
    let contenders = (0..CONTENDERS).map(|who| {
        let (stage, barrier) = (Arc::clone(&stage), Arc::clone(&barrier));
        tokio::spawn(async move {
            let store = stage.store();
            let (mut won, mut open, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
            for ver in 1..=ROUNDS {
                // Nobody panics here: the others would wait for ever.
                match round(&*store, &barrier, ver, who).await {
                    Ok(Some(true)) => won.push(ver),
                    Ok(Some(false)) => {}
                    Ok(None) => open.push(ver),
                    Err(why) => wrong.push(format!("round {ver}: {why}")),
                }
                barrier.wait().await;
            }
            (won, open, wrong)
        })
    });
    let (mut won, mut open, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    for contender in contenders.collect::<Vec<_>>() {
        let (rounds, unheard, whys) = contender.await.unwrap();
        won.extend(rounds);
        open.extend(unheard);
        wrong.extend(whys);
    }
    println!("{} answers of {} were not heard", open.len(), CONTENDERS as u64 * ROUNDS);
    assert!(wrong.is_empty(), "{} wrong, such as {:?}", wrong.len(), wrong.first());
    won.sort_unstable();
    let mut once = won.clone();
    once.dedup();
    assert_eq!(once, won, "nobody wins a round that another has won");
    let heard = |ver: &u64| won.binary_search(ver).is_ok() || open.contains(ver);
    assert!((1..=ROUNDS).all(|ver| heard(&ver)), "every round has a winner, or an answer that was not heard");
    assert!(won.len() as u64 * 100 >= ROUNDS * 95, "{} winners were heard of", won.len());
}
