//! A cloud and a cluster side by side: machines that run become nodes, nodes of machines that are gone fall silent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use autoscale_core::data::policy::Policy;
use autoscale_core::data::record::Record;
use autoscale_core::driver::open;
use autoscale_core::ports::{Clock, RandomIds};
use autoscale_core::words::Span;
use autoscale_kube::fake::{ApiServer, NodeSpec};
use clap::Parser;
use controller::args::Args;
use controller::board::Board;
use controller::provider::{Given, Provider};
use controller::replica::Replica;
use controller::settings::Settings;
use controller::setup::{Setup, given};
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::common::{NAMESPACE, ServerClock, text, workload};
use crate::kill::{Dice, Fuse};
use crate::story::{Stage, tell};
use crate::truth::Seen;

/// As the manifests call it.
pub(crate) const ACCOUNT: &str = "system:serviceaccount:autoscale:autoscale";
/// As long as a machine takes from running to its first heartbeat.
const BOOT: Span = Span::from_secs(20);
/// After so long a cloud controller takes the Node of a machine away that is gone.
const SWEPT: Span = Span::from_secs(90);
const STEP: Span = Span::from_millis(500);

/// One machine, as the cloud has it.
#[derive(Clone, Debug)]
pub(crate) struct Vm {
    /// The token of its launch.
    pub(crate) token: String,
    /// Also of its node.
    pub(crate) name: String,
    pub(crate) provider_id: String,
    pub(crate) zone: String,
    pub(crate) alive: bool,
    pub(crate) running: bool,
}

/// A cloud in memory.
pub(crate) trait Cloud: Send + Sync + 'static {
    /// Time passes, as far as it is told.
    fn advance(&self, server: &ApiServer, step: Span);
    /// Every machine that ever was, in the order of their making.
    fn machines(&self) -> Vec<Vm>;
    /// What the command line says of it.
    fn args(&self) -> Vec<String>;
    /// The policy.
    fn policy(&self) -> String;
    /// The provider of one process, whose requests go through its fuse.
    fn provider(&self, settings: &Settings, given: &Given, fuse: &Fuse) -> Provider;
    /// A node has joined; what lives on it lives as long as it.
    fn joined(&self, _server: &ApiServer, _vm: &Vm) -> Option<JoinHandle<()>> {
        None
    }
}

/// Where the next version of a policy goes.
pub(crate) type NextPolicy = tokio::sync::watch::Sender<Arc<Policy>>;

/// What is known of the node of a machine.
#[derive(Debug, Default)]
struct Body {
    running: Option<Span>,
    joined: bool,
    gone: Option<Span>,
    lives: Option<JoinHandle<()>>,
}

/// A cloud and a cluster.
pub(crate) struct World<C> {
    pub(crate) server: ApiServer,
    pub(crate) cloud: Arc<C>,
    told: String,
    time: JoinHandle<()>,
}

impl<C> Drop for World<C> {
    fn drop(&mut self) {
        self.time.abort();
    }
}

/// What a file of the manifests allows to whom it names, and the Lease.
pub(crate) fn grant(server: &ApiServer, account: &str, files: &[&str]) {
    for file in files {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests").join(file);
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap();
        for document in documents {
            match text(&document, "/kind") {
                "Role" | "ClusterRole" => server.grant(account, [document]).unwrap(),
                "Lease" => drop(server.create(document).unwrap()),
                _ => {}
            }
        }
    }
}

impl<C: Cloud> World<C> {
    pub(crate) fn new(server: ApiServer, cloud: C, told: String) -> Self {
        for name in ["web", "late"] {
            server.create(workload(name, "default", "shop")).unwrap();
        }
        // Nothing of `sim/`: a real provider needs none of it.
        grant(&server, ACCOUNT, &["rbac.yaml", "lease.yaml"]);
        let cloud = Arc::new(cloud);
        let time = tokio::spawn(pass(server.clone(), cloud.clone()));
        Self { server, cloud, told, time }
    }

    pub(crate) fn record(&self) -> Record {
        let lease = self.server.object("coordination.k8s.io/v1", "Lease", NAMESPACE, "autoscale").unwrap();
        open(text(&lease, "/metadata/annotations/autoscale.local~1record").as_bytes()).unwrap()
    }

    pub(crate) fn settings(&self, name: &str) -> Settings {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("clouds-{name}.yaml"));
        std::fs::write(&path, self.cloud.policy()).unwrap();
        let path = path.to_str().unwrap();
        let common = ["controller", "--policy", path, "--signals", "requests", "--namespace", NAMESPACE];
        let args = common.into_iter().map(str::to_owned).chain(self.cloud.args());
        Settings::new(Args::try_parse_from(args).unwrap().options).unwrap()
    }

    /// One process. To abort its task is to kill it; told to stop it ends by itself.
    pub(crate) fn replica(
        &self,
        settings: &Settings,
        name: &str,
        fuse: &Fuse,
        stop: Arc<Notify>,
    ) -> JoinHandle<()> {
        start(&self.server, &*self.cloud, settings, name, fuse, stop).0
    }

    /// The same, and where the next version of its policy goes.
    pub(crate) fn replica_with_policy(
        &self,
        settings: &Settings,
        stop: Arc<Notify>,
    ) -> (JoinHandle<()>, NextPolicy) {
        start(&self.server, &*self.cloud, settings, "one", &Fuse::new(0, false), stop)
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, what: &str, most: Span, holds: impl Fn(&Self) -> bool) -> Span {
        let mut passed = Span::ZERO;
        while !holds(self) {
            assert!(passed < most, "{what}: not after {most}: {}", self.told());
            tokio::time::sleep(STEP.into()).await;
            passed = passed.plus(STEP);
        }
        println!("after {passed}: {what}");
        passed
    }

    pub(crate) fn node(&self, name: &str) -> Option<Value> {
        self.server.object("v1", "Node", "", name)
    }

    pub(crate) fn seen(&self) -> Seen {
        // As the story's truth reads them: by token, with a mark on those that have ended.
        let machine = |vm: Vm| {
            let ended = if vm.alive { json!({}) } else { json!({"autoscale.local/ended-at": "1"}) };
            json!({"metadata": {"name": vm.token, "annotations": ended}})
        };
        let of = |kind: &str| self.server.objects("v1", kind);
        Seen {
            machines: self.cloud.machines().into_iter().map(machine).collect(),
            nodes: of("Node"),
            pods: of("Pod"),
        }
    }
}

fn start<C: Cloud>(
    server: &ApiServer,
    cloud: &C,
    settings: &Settings,
    name: &str,
    fuse: &Fuse,
    stop: Arc<Notify>,
) -> (JoinHandle<()>, NextPolicy) {
    let clock: Arc<dyn Clock> = Arc::new(ServerClock(server.clone()));
    let client = fuse.client(server.client_as(ACCOUNT));
    let (given, next) = given(settings, (client, "default".to_owned()), clock.clone());
    let provider = cloud.provider(settings, &given, fuse);
    let mut setup = Setup::with(settings, given, next, provider, Arc::new(RandomIds::new(name))).unwrap();
    setup.follow();
    let board = Arc::new(Board::new(clock, 10, Span::from_mins(1), false));
    let mut replica = Replica::new(setup.maker(), setup.policy.clone(), board);
    replica.inbox = Some(setup.inbox.clone());
    let notices = setup.notices.take();
    let check = setup.check.take();
    let next = setup.next.clone();
    let running = tokio::spawn(async move {
        // Held for as long as the replica lives: without it no new policy could come.
        let _next = setup.next;
        if let Some(check) = check {
            assert_eq!(
                check.await.iter().map(|error| error.chain()).collect::<Vec<_>>(),
                Vec::<String>::new()
            );
        }
        let running = replica.run(async move { stop.notified().await });
        let notices = async {
            match notices {
                Some(notices) => notices.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = running => {}
            () = notices => {}
        }
    });
    (running, next)
}

/// Time, and what machines do by themselves in it.
async fn pass<C: Cloud>(server: ApiServer, cloud: Arc<C>) {
    let bodies: Mutex<BTreeMap<usize, Body>> = Mutex::default();
    let mut now = Span::ZERO;
    loop {
        tokio::time::sleep(STEP.into()).await;
        now = now.plus(STEP);
        cloud.advance(&server, STEP);
        server.advance(STEP);
        let mut bodies = bodies.lock().unwrap();
        for (number, vm) in cloud.machines().into_iter().enumerate() {
            let body = bodies.entry(number).or_default();
            if vm.alive && vm.running && !body.joined {
                let since = *body.running.get_or_insert(now);
                if now >= since.plus(BOOT) {
                    body.joined = true;
                    server.add_node(node(&vm));
                    body.lives = cloud.joined(&server, &vm);
                }
            }
            if body.joined && !vm.alive && body.gone.is_none() {
                body.gone = Some(now);
                server.node_stops_reporting(&vm.name);
                body.lives.take().into_iter().for_each(|lives| lives.abort());
            }
            if body.gone.is_some_and(|gone| now == gone.plus(SWEPT)) {
                server.remove_node(&vm.name);
            }
        }
    }
}

/// As its kubelet registers it.
fn node(vm: &Vm) -> NodeSpec {
    NodeSpec::new(&vm.name)
        .with_provider_id(&vm.provider_id)
        .with_zone(&vm.zone)
        .with_label("autoscale.local/pool", "web")
        .with_label("autoscale.local/sim", "shop")
        .with_taint("autoscale.local/test", "", "NoSchedule")
        .with_allocatable("cpu", "2")
        .with_allocatable("memory", "8Gi")
}

#[async_trait]
impl<C: Cloud> Stage for World<C> {
    async fn look(&mut self) -> Seen {
        self.seen()
    }

    async fn scale(&mut self, workload: &str, replicas: u32) {
        let all: Api<k8s_openapi::api::apps::v1::Deployment> = Api::default_namespaced(self.server.client());
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        all.patch(workload, &PatchParams::default(), &patch).await.unwrap();
    }

    async fn pass(&mut self, span: Span) {
        tokio::time::sleep(span.into()).await;
    }

    async fn is_clean(&mut self) -> bool {
        let record = self.record();
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

    /// A machine of Azure that was deleted is listed nowhere: a quarter of an hour passes until its absence proves anything.
    fn patience(&self) -> Span {
        Span::from_mins(120)
    }
}

/// The story with one replica, which stops by itself in the end and leaves nothing behind.
pub(crate) async fn one_replica<C: Cloud>(world: &mut World<C>, name: &str) {
    let stop = Arc::new(Notify::new());
    let settings = world.settings(name);
    let running = world.replica(&settings, "one", &Fuse::new(0, false), stop.clone());
    tell(world).await;
    let evicted = |entry: &&autoscale_kube::fake::Entry| {
        entry.permission().resource == "pods/eviction" && entry.status == 201
    };
    assert!(world.server.log().iter().any(|entry| evicted(&entry)), "nodes went without a drain");
    let pool = world.seen();
    assert_eq!(pool.living(), pool.pool(), "every machine has its node, and no node is left over");
    stop.notify_one();
    running.await.unwrap();
    assert!(world.is_clean().await);
}

/// Keeps a process alive, which dies again and again at a random request, the `latest` at most, and is started again.
pub(crate) fn keeper<C: Cloud>(
    world: &World<C>,
    name: &'static str,
    (seed, latest): (u64, u64),
    kills: &Arc<AtomicU64>,
) -> JoinHandle<()> {
    let (server, cloud, kills) = (world.server.clone(), world.cloud.clone(), kills.clone());
    let settings = world.settings(&format!("{name}-{seed}"));
    let mut dice = Dice::new(seed);
    tokio::spawn(async move {
        loop {
            let fuse = Fuse::new(1 + dice.below(latest), dice.below(2) == 1);
            let (running, _) = start(&server, &*cloud, &settings, name, &fuse, Arc::default());
            fuse.dead.notified().await;
            running.abort();
            kills.fetch_add(1, Ordering::SeqCst);
            // As long as a pod takes to be started again.
            tokio::time::sleep(Span::from_millis(500 + dice.below(8_000)).into()).await;
        }
    })
}

/// The story with two replicas, both of which are killed again and again.
pub(crate) async fn two_replicas_killed<C: Cloud>(world: &mut World<C>, seed: u64) {
    let kills = Arc::new(AtomicU64::new(0));
    let keepers = [
        keeper(world, "left", (seed.wrapping_mul(2), 120), &kills),
        keeper(world, "right", (seed.wrapping_mul(2).wrapping_add(1), 120), &kills),
    ];
    tell(world).await;
    let killed = kills.load(Ordering::SeqCst);
    println!("seed {seed}: {killed} kills");
    assert!(killed >= 10, "only {killed} kills: nothing was tried");
    keepers.iter().for_each(JoinHandle::abort);
}

/// The seeds of a run, or the one that the environment asks for.
pub(crate) fn seeds() -> Vec<u64> {
    match std::env::var("E2E_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => vec![1, 2],
    }
}
