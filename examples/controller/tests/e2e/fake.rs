//! The story on the API server in memory, in virtual time, with the rights of the manifests and no others.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use autoscale_core::driver::open;
use autoscale_core::ports::Clock;
use autoscale_core::words::Span;
use autoscale_kube::fake::ApiServer;
use serde_json::{Value, json};

use crate::common::{NAMESPACE, POLICY, ServerClock, follow, server, text, workload};
use crate::kill::Dice;
use crate::replica::{mortal, replica, settings};
use crate::story::{Stage, tell};
use crate::truth::Seen;

/// As the manifests call it.
const ACCOUNT: &str = "system:serviceaccount:autoscale:autoscale";

/// Gives the controller's account what the manifests give it.
fn grant(server: &ApiServer) {
    let mut lease = None;
    for file in ["rbac.yaml", "sim/rbac.yaml", "lease.yaml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests").join(file);
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap();
        for document in documents {
            match text(&document, "/kind") {
                "Role" | "ClusterRole" => server.grant(ACCOUNT, [document]).unwrap(),
                "Lease" => lease = Some(server.create(document).unwrap()),
                _ => {}
            }
        }
    }
    assert!(lease.is_some(), "the Lease is made beforehand: nobody else may");
}

fn clock(server: &ApiServer) -> Arc<dyn Clock> {
    Arc::new(ServerClock(server.clone()))
}

struct Fake {
    server: ApiServer,
    told: String,
}

impl Fake {
    fn new(seed: u64, told: String) -> Self {
        let server = server(seed);
        for name in ["web", "late"] {
            server.create(workload(name, "default", "shop")).unwrap();
        }
        Self { server, told }
    }
}

#[async_trait]
impl Stage for Fake {
    async fn look(&mut self) -> Seen {
        let of = |version: &str, kind: &str| self.server.objects(version, kind);
        Seen { machines: of("v1", "ConfigMap"), nodes: of("v1", "Node"), pods: of("v1", "Pod") }
    }

    async fn scale(&mut self, workload: &str, replicas: u32) {
        use kube::api::{Api, Patch, PatchParams};
        let all: Api<k8s_openapi::api::apps::v1::Deployment> = Api::default_namespaced(self.server.client());
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        all.patch(workload, &PatchParams::default(), &patch).await.unwrap();
    }

    async fn pass(&mut self, span: Span) {
        tokio::time::sleep(span.into()).await;
    }

    async fn is_clean(&mut self) -> bool {
        let lease = self.server.object("coordination.k8s.io/v1", "Lease", NAMESPACE, "autoscale").unwrap();
        let record = open(text(&lease, "/metadata/annotations/autoscale.local~1record").as_bytes()).unwrap();
        record.ops.is_empty() && record.lease.is_none()
    }

    fn bounds(&self) -> (usize, usize) {
        (1, 4)
    }

    fn told(&self) -> String {
        let lease = self.server.object("coordination.k8s.io/v1", "Lease", NAMESPACE, "autoscale");
        let record =
            lease.map(|lease| text(&lease, "/metadata/annotations/autoscale.local~1record").to_owned());
        format!("{}; record: {record:?}", self.told)
    }
}

#[tokio::test(start_paused = true)]
async fn one_replica() {
    let mut fake = Fake::new(1, "one replica".to_owned());
    let time = follow(&fake.server);
    let stop = Arc::new(tokio::sync::Notify::new());
    let settings = settings("one", POLICY, NAMESPACE);
    grant(&fake.server);
    let client = fake.server.client_as(ACCOUNT);
    let running = replica(client, clock(&fake.server), &settings, "one", stop.clone()).await;
    tell(&mut fake).await;
    // People were told, in the words that they know.
    let events = fake.server.objects("events.k8s.io/v1", "Event");
    let evicted = |entry: &&autoscale_kube::fake::Entry| {
        entry.permission().resource == "pods/eviction" && entry.status == 201
    };
    assert!(fake.server.log().iter().any(|entry| evicted(&entry)), "nodes went without a drain");
    for (reason, kind) in [
        ("TriggeredScaleUp", "Pod"),
        ("ScaledUpGroup", "Lease"),
        ("ScaleDown", "Node"),
        ("ScaleDown", "Pod"),
        ("ScaleDown", "Lease"),
    ] {
        let told = events
            .iter()
            .any(|event| text(event, "/reason") == reason && text(event, "/regarding/kind") == kind);
        assert!(told, "no event {reason} on a {kind}: {events:#?}");
    }
    // Told to stop it ends by itself, and leaves no lease behind.
    stop.notify_one();
    running.await.unwrap();
    assert!(fake.is_clean().await);
    time.abort();
}

/// Two replicas, each of which dies again and again at a random request and is started again.
async fn two_replicas_killed(seed: u64) {
    println!("seed {seed}: E2E_SEED={seed} cargo test -p controller --test e2e killed");
    let mut fake = Fake::new(seed, format!("seed {seed}"));
    let time = follow(&fake.server);
    grant(&fake.server);
    let kills = Arc::new(AtomicU64::new(0));
    let keepers = [("left", 0), ("right", 1)].map(|(name, number)| {
        let settings = settings(&format!("{name}-{seed}"), POLICY, NAMESPACE);
        let dice = Dice::new(seed.wrapping_mul(2).wrapping_add(number));
        let client = fake.server.client_as(ACCOUNT);
        tokio::spawn(mortal(client, clock(&fake.server), (settings, name), dice, kills.clone()))
    });
    tell(&mut fake).await;
    let killed = kills.load(Ordering::SeqCst);
    println!("seed {seed}: {killed} kills");
    assert!(killed >= 10, "only {killed} kills: nothing was tried");
    for task in keepers {
        task.abort();
    }
    time.abort();
}

#[tokio::test(start_paused = true)]
async fn two_replicas_killed_at_random_points() {
    let seeds = match std::env::var("E2E_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=4).collect(),
    };
    for seed in seeds {
        two_replicas_killed(seed).await;
    }
}
