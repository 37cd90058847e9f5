//! The story on the API server in memory, in virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use autoscale_core::data::view::{Reading, Sample, SignalQuery};
use autoscale_core::driver::open;
use autoscale_core::ports::{Clock, MetricsSource, RandomIds};
use autoscale_core::words::{Fixed, Span};
use autoscale_kube::fake::ApiServer;
use clap::Parser;
use controller::args::Args;
use controller::board::Board;
use controller::replica::Replica;
use controller::settings::Settings;
use controller::setup::Setup;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::common::{NAMESPACE, POLICY, ServerClock, follow, server, text};
use crate::kill::{Dice, Fuse};
use crate::story::{Stage, tell};
use crate::truth::Seen;

/// Every node idles along.
#[derive(Debug)]
struct Calm;

#[async_trait]
impl MetricsSource for Calm {
    async fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample> {
        let value = || Reading::Value { value: Fixed::from_micros(100_000), age: Span::ZERO };
        wanted.iter().map(|query| Sample::new(query.clone(), value())).collect()
    }
}

/// Settings as from a command line, with the policy in a file of its own.
pub(crate) fn settings(name: &str, more: &[&str]) -> Settings {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("e2e-{name}.yaml"));
    std::fs::write(&path, POLICY).unwrap();
    let path = path.to_str().unwrap();
    let args = ["controller", "--policy", path, "--provider", "sim", "--namespace", NAMESPACE];
    Settings::new(Args::parse_from(args.iter().chain(more)).options).unwrap()
}

/// One replica, with what runs beside it. Dropping the handle's task at an await is what a kill is to it.
pub(crate) fn replica(
    server: &ApiServer,
    settings: &Settings,
    name: &str,
    fuse: &Fuse,
    stop: Arc<tokio::sync::Notify>,
) -> JoinHandle<()> {
    let client = fuse.client(server.client_as("admin"));
    let clock: Arc<dyn Clock> = Arc::new(ServerClock(server.clone()));
    let ids = Arc::new(RandomIds::new(name));
    let mut setup = Setup::new(settings, (client, "default".to_owned()), clock.clone(), ids).unwrap();
    setup.ports.metrics = Arc::new(Calm);
    let board = Arc::new(Board::new(clock, 10, Span::from_mins(1), false));
    let beside = setup.beside.take().unwrap();
    let replica = Replica::new(setup.maker(), setup.policy.clone(), board);
    tokio::spawn(async move {
        // Held for as long as the replica lives: without it no new policy could come.
        let _next = setup.next;
        let running = replica.run(async move { stop.notified().await });
        tokio::select! {
            () = running => {}
            () = beside => {}
        }
    })
}

struct Fake {
    server: ApiServer,
    told: String,
}

impl Fake {
    fn new(seed: u64, told: String) -> Self {
        let server = server(seed);
        server
            .create(json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
                "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"terminationGracePeriodSeconds": 5, "containers": [
                        {"name": "c", "image": "x", "resources": {"requests": {"cpu": "600m"}}}]}}},
            }))
            .unwrap();
        Self { server, told }
    }
}

#[async_trait]
impl Stage for Fake {
    async fn look(&mut self) -> Seen {
        let of = |version: &str, kind: &str| self.server.objects(version, kind);
        Seen { machines: of("v1", "ConfigMap"), nodes: of("v1", "Node"), pods: of("v1", "Pod") }
    }

    async fn scale(&mut self, replicas: u32) {
        use kube::api::{Api, Patch, PatchParams};
        let all: Api<k8s_openapi::api::apps::v1::Deployment> = Api::default_namespaced(self.server.client());
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        all.patch("web", &PatchParams::default(), &patch).await.unwrap();
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
    let settings = settings("one", &[]);
    let running = replica(&fake.server, &settings, "one", &Fuse::new(0, false), stop.clone());
    tell(&mut fake).await;
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
    let kills = Arc::new(AtomicU64::new(0));
    let keeper = |name: &'static str, number: u64| {
        let (server, kills) = (fake.server.clone(), kills.clone());
        let settings = settings(&format!("{name}-{seed}"), &[]);
        let mut dice = Dice::new(seed.wrapping_mul(2).wrapping_add(number));
        async move {
            loop {
                let fuse = Fuse::new(1 + dice.below(120), dice.below(2) == 1);
                let running = replica(&server, &settings, name, &fuse, Arc::default());
                fuse.dead.notified().await;
                running.abort();
                kills.fetch_add(1, Ordering::SeqCst);
                // As long as a pod takes to be started again.
                tokio::time::sleep(Span::from_millis(500 + dice.below(8_000)).into()).await;
            }
        }
    };
    let keepers = [tokio::spawn(keeper("left", 0)), tokio::spawn(keeper("right", 1))];
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
