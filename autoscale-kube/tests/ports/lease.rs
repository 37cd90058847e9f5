//! The contract of a state store, and races on one Lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use autoscale_core::conformance::{self, StoreStage};
use autoscale_core::ports::{Expected, Sealed, StateStore, Summary, Swapped};
use autoscale_core::words::{HolderId, Inc, Span, Ver, WriteId};
use autoscale_kube::Connection;
use autoscale_kube::fake::{ApiServer, Fault, Requests, Trouble};
use autoscale_kube::lease::LeaseStore;
use serde_json::{Value, json};

#[derive(Debug)]
struct Stage {
    server: ApiServer,
    store: Arc<LeaseStore>,
}

fn store(server: &ApiServer) -> Arc<LeaseStore> {
    let connection = Connection::from_client(server.client());
    Arc::new(LeaseStore::new(connection, "kube-system", "autoscale").unwrap())
}

fn empty_lease() -> Value {
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
           "metadata": {"name": "autoscale", "namespace": "kube-system", "labels": {"whose": "a person's"}}})
}

impl Stage {
    fn new(made_beforehand: bool) -> Self {
        let server = ApiServer::default();
        if made_beforehand {
            server.create(empty_lease()).unwrap();
        }
        Self { store: store(&server), server }
    }
}

#[async_trait]
impl StoreStage for Stage {
    fn store(&self) -> Arc<dyn StateStore> {
        self.store.clone()
    }

    fn other(&self) -> Arc<dyn StateStore> {
        store(&self.server)
    }

    fn binary(&self) -> bool {
        false
    }

    async fn erase(&self) -> bool {
        use k8s_openapi::api::coordination::v1::Lease;
        let leases: kube::Api<Lease> = kube::Api::namespaced(self.server.client(), "kube-system");
        leases.delete("autoscale", &kube::api::DeleteParams::default()).await.unwrap();
        true
    }

    async fn lose_answer(&self) -> bool {
        for verb in ["create", "update"] {
            let writes = Requests::any().verb(verb).resource("leases");
            self.server.add_fault(Fault::new(verb, writes, Trouble::AnswerLost));
        }
        true
    }

    async fn pass(&self, span: Span) -> bool {
        self.server.advance(span);
        true
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    for beforehand in [false, true] {
        let verdicts = conformance::store(async || Stage::new(beforehand)).await;
        println!("{verdicts}");
        verdicts.assert_all();
    }
}

fn sealed(ver: u64, write: &str) -> Sealed {
    let mut summary = Summary::default();
    summary.holder = Some(HolderId::new("tick-7").unwrap());
    summary.operations = 1;
    summary.text = "launch 1.0".to_owned();
    let bytes = format!("{{\"ver\":{ver},\"write\":\"{write}\"}}").into_bytes();
    Sealed::new(Inc::new("race").unwrap(), Ver::new(ver), WriteId::new(write).unwrap(), summary, bytes)
}

#[tokio::test]
async fn people_see_who_holds_it_and_what_is_theirs_stays() {
    let stage = Stage::new(true);
    let swapped = stage.store.swap(&Expected::Absent, &sealed(1, "w-1")).await.unwrap();
    assert!(matches!(swapped, Swapped::Applied(_)));
    let lease = stage.server.object("coordination.k8s.io/v1", "Lease", "kube-system", "autoscale").unwrap();
    for (pointer, expected) in [
        ("/spec/holderIdentity", json!("tick-7")),
        ("/spec/leaseTransitions", json!(1)),
        ("/metadata/labels/whose", json!("a person's")),
        ("/metadata/annotations/autoscale.local~1under-way", json!("launch 1.0")),
        ("/metadata/annotations/autoscale.local~1version", json!("1")),
    ] {
        assert_eq!(lease.pointer(pointer), Some(&expected), "{pointer}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_sent() {
    let stage = Stage::new(true);
    let mut huge = sealed(1, "w-1");
    huge.bytes = vec![b'x'; 300 << 10];
    let error = stage.store.swap(&Expected::Absent, &huge).await.unwrap_err();
    assert!(error.to_string().contains("262144"), "{error}");
    assert_eq!(stage.server.log().len(), 0);
}

#[tokio::test]
async fn a_name_that_is_none_is_refused() {
    let server = ApiServer::default();
    for (namespace, name) in [("kube-system", "../secrets"), ("Kube", "a"), ("", "a"), ("a", "-b")] {
        let connection = Connection::from_client(server.client());
        assert!(LeaseStore::new(connection, namespace, name).is_err(), "{namespace} {name}");
    }
}

/// 32 tasks race on one Lease for 1,000 rounds: one winner a round, one write for each version, no gaps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_have_one_winner_a_round() {
    const TASKS: u64 = 32;
    const ROUNDS: u64 = 1_000;
    let server = ApiServer::default();
    let wins: Arc<Vec<AtomicU64>> = Arc::new((0..=ROUNDS).map(|_| AtomicU64::new(0)).collect());
    let race = |task: u64| {
        let (store, wins) = (store(&server), wins.clone());
        async move {
            loop {
                let loaded = store.load().await.unwrap();
                let ver = loaded.as_ref().map_or(0, |loaded| {
                    let record: Value = serde_json::from_slice(&loaded.bytes).unwrap();
                    record["ver"].as_u64().unwrap()
                });
                if ver == ROUNDS {
                    return;
                }
                let expected = loaded.map_or(Expected::Absent, |loaded| Expected::At(loaded.version));
                let write = sealed(ver + 1, &format!("w-{task}-{ver}"));
                match store.swap(&expected, &write).await.unwrap() {
                    Swapped::Applied(_) => drop(wins[(ver + 1) as usize].fetch_add(1, Ordering::Relaxed)),
                    Swapped::Lost(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    };
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(race(task))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    let wins: Vec<u64> = wins.iter().skip(1).map(|wins| wins.load(Ordering::Relaxed)).collect();
    assert_eq!(wins, vec![1; ROUNDS as usize]);
}
