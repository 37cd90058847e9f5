//! The contracts of the ports on an API server that is reached over the network: a real one where `AUTOSCALE_TEST_KUBE=1` is set,
//! and always the one in memory, over loopback and by a kubeconfig, with the same code.
//!
//! On a real one it works in a namespace of its own, with Node objects of its own and no kubelet behind them, and leaves nothing
//! behind. It touches no node that it has not made.
#![cfg(all(feature = "drain", feature = "lease", feature = "metrics"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use autoscale_core::conformance::{self, DrainerStage, MetricsStage, PodTruth, StoreStage, Verdicts};
use autoscale_core::data::order::PodRef;
use autoscale_core::data::view::{Node, Reading, Scope, SignalQuery};
use autoscale_core::driver::SystemClock;
use autoscale_core::ports::{Drainer, MetricsSource, StateStore};
use autoscale_core::words::{Fixed, NodeName, PodUid, PoolName, SignalName, Span};
use autoscale_kube::Connection;
use autoscale_kube::drain::{CacheConfig, CachedDrain, Drain, DrainConfig};
use autoscale_kube::fake::{ApiServer, NodeSpec, ServeOptions, Serving};
use autoscale_kube::lease::LeaseStore;
use autoscale_kube::metrics::{KubeMetrics, MetricsConfig};
use http::{Method, Request};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

/// On every Node of a run, with the run's name.
const LABEL: &str = "autoscale.local/conformance";

/// One run of the suites on one server.
#[derive(Clone)]
struct Run {
    config: Config,
    client: Client,
    namespace: String,
    count: Arc<AtomicU32>,
}

impl Run {
    async fn begin(mut config: Config) -> Self {
        config.default_retry = false;
        let namespace = format!("autoscale-test-{:08x}", RandomState::new().hash_one(0) as u32);
        let client = Client::try_from(config.clone()).unwrap();
        let run = Self { config, client, namespace, count: Arc::new(AtomicU32::new(0)) };
        let named =
            |kind: &str, name: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
        run.must(Method::POST, "/api/v1/namespaces", named("Namespace", &run.namespace)).await;
        // Where nobody makes it, pods are refused without it.
        let accounts = run.path("serviceaccounts");
        run.send(Method::POST, &accounts, named("ServiceAccount", "default")).await.ok();
        run
    }

    fn next(&self) -> String {
        format!("{}-{}", self.namespace, self.count.fetch_add(1, Ordering::Relaxed))
    }

    fn path(&self, plural: &str) -> String {
        let group = match plural {
            "poddisruptionbudgets" => "/apis/policy/v1",
            "leases" => "/apis/coordination.k8s.io/v1",
            _ => "/api/v1",
        };
        format!("{group}/namespaces/{}/{plural}", self.namespace)
    }

    fn connection(&self) -> Connection {
        Connection::from_client(self.client.clone())
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Result<Value, kube::Error> {
        let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request =
            Request::builder().method(method).uri(path).header("Content-Type", kind).body(body).unwrap();
        self.client.request(request).await
    }

    async fn must(&self, method: Method, path: &str, body: Value) -> Value {
        let what = format!("{method} {path}");
        self.send(method, path, body).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    async fn items(&self, path: &str) -> Vec<Value> {
        self.must(Method::GET, path, Value::Null).await["items"].as_array().unwrap().clone()
    }

    /// A node with 4 CPUs and nothing behind it.
    async fn add_node(&self, labels: Value) -> NodeName {
        let name = self.next();
        let mut all = json!({LABEL: self.namespace});
        all.as_object_mut().unwrap().extend(labels.as_object().unwrap().clone());
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": all}});
        self.must(Method::POST, "/api/v1/nodes", node).await;
        let amounts = json!({"cpu": "4", "memory": "16Gi", "pods": "110"});
        let ready = json!({"status": {"capacity": amounts, "allocatable": amounts,
            "conditions": [{"type": "Ready", "status": "True", "reason": "Test", "message": ""}]}});
        self.must(Method::PATCH, &format!("/api/v1/nodes/{name}/status"), ready).await;
        NodeName::new(name).unwrap()
    }

    /// Takes everything away that the run has made; what was left, for a person, is none.
    async fn clean_up(&self) -> usize {
        let now = json!({"gracePeriodSeconds": 0});
        for plural in ["poddisruptionbudgets", "pods", "leases"] {
            for object in self.items(&self.path(plural)).await {
                let path = format!("{}/{}", self.path(plural), object["metadata"]["name"].as_str().unwrap());
                self.send(Method::DELETE, &path, now.clone()).await.ok();
            }
        }
        let nodes = format!("/api/v1/nodes?labelSelector={LABEL}%3D{}", self.namespace);
        for node in self.items(&nodes).await {
            let path = format!("/api/v1/nodes/{}", node["metadata"]["name"].as_str().unwrap());
            self.send(Method::DELETE, &path, Value::Null).await.ok();
        }
        let left = self.items(&nodes).await.len() + self.items(&self.path("pods")).await.len();
        self.must(Method::DELETE, &format!("/api/v1/namespaces/{}", self.namespace), Value::Null).await;
        left
    }
}

struct DrainStage {
    run: Run,
    drain: Arc<dyn Drainer>,
}

impl DrainStage {
    fn new(run: &Run) -> Self {
        let drain = Drain::new(run.connection(), DrainConfig::new(), Arc::new(SystemClock::new()));
        Self { run: run.clone(), drain: Arc::new(drain) }
    }

    /// From a cache that answers for whatever is more than one object.
    async fn cached(run: &Run) -> Self {
        let mut config = DrainConfig::new();
        config.page = 1;
        let drain = Drain::new(run.connection(), config, Arc::new(SystemClock::new()));
        let cached = CachedDrain::spawn(drain, CacheConfig::new());
        cached.ready().await;
        Self { run: run.clone(), drain: Arc::new(cached) }
    }
}

#[async_trait]
impl DrainerStage for DrainStage {
    fn drainer(&self) -> Arc<dyn Drainer> {
        self.drain.clone()
    }

    async fn add_node(&self) -> NodeName {
        self.run.add_node(json!({})).await
    }

    async fn add_pods(&self, node: &NodeName, count: u32, allowed: Option<u32>) -> Vec<PodRef> {
        let (app, pods) = (self.run.next(), self.run.path("pods"));
        let mut made = Vec::new();
        for number in 0..count {
            let name = format!("{app}-{number}");
            let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": app}},
                "spec": {"nodeName": node.as_str(), "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 600,
                    "containers": [{"name": "c", "image": "none.invalid/none", "resources": {"requests": {"cpu": "1m"}}}]}});
            let pod = self.run.must(Method::POST, &pods, pod).await;
            let runs =
                json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
            self.run.must(Method::PATCH, &format!("{pods}/{name}/status"), runs).await;
            let uid = PodUid::new(pod["metadata"]["uid"].as_str().unwrap()).unwrap();
            made.push(PodRef::new(uid, &self.run.namespace, name));
        }
        if let Some(allowed) = allowed {
            let budgets = self.run.path("poddisruptionbudgets");
            let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": app},
                "spec": {"minAvailable": count - allowed, "selector": {"matchLabels": {"app": app}}}});
            let budget = self.run.must(Method::POST, &budgets, budget).await;
            // What its controller would say, where there is none.
            let status = json!({"status": {"observedGeneration": budget["metadata"]["generation"], "disruptionsAllowed": allowed,
                "currentHealthy": count, "desiredHealthy": count - allowed, "expectedPods": count}});
            self.run.must(Method::PATCH, &format!("{budgets}/{app}/status"), status).await;
        }
        made
    }

    async fn add_waiting_pod(&self) -> PodUid {
        let (name, pods) = (self.run.next(), self.run.path("pods"));
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"automountServiceAccountToken": false, "nodeSelector": {LABEL: "nowhere"},
                "containers": [{"name": "c", "image": "none.invalid/none"}]}});
        let pod = self.run.must(Method::POST, &pods, pod).await;
        PodUid::new(pod["metadata"]["uid"].as_str().unwrap()).unwrap()
    }

    async fn node(&self, name: &NodeName) -> Option<Node> {
        let view = Drain::new(self.run.connection(), DrainConfig::new(), Arc::new(SystemClock::new()));
        let stored = self.run.send(Method::GET, &format!("/api/v1/nodes/{name}"), Value::Null).await.ok()?;
        let seen = view.survey(&Scope::Pending).await.unwrap();
        let node = seen.nodes.into_iter().find(|node| node.name == *name)?;
        assert_eq!(node.unschedulable, stored["spec"]["unschedulable"] == true, "the survey tells the truth");
        Some(node)
    }

    async fn pod(&self, uid: &PodUid) -> PodTruth {
        let pods = self.run.items(&self.run.path("pods")).await;
        match pods.iter().find(|pod| pod["metadata"]["uid"] == uid.as_str()) {
            None => PodTruth::Gone,
            Some(pod) if pod["metadata"]["deletionTimestamp"].is_null() => PodTruth::Running,
            Some(_) => PodTruth::Leaving,
        }
    }
}

struct LeaseStage {
    run: Run,
    name: String,
}

impl LeaseStage {
    fn place(&self, connection: Connection) -> Arc<LeaseStore> {
        Arc::new(LeaseStore::new(connection, &self.run.namespace, &self.name).unwrap())
    }
}

#[async_trait]
impl StoreStage for LeaseStage {
    fn store(&self) -> Arc<dyn StateStore> {
        self.place(self.run.connection())
    }

    fn other(&self) -> Arc<dyn StateStore> {
        self.place(Connection::new(self.run.config.clone()).unwrap())
    }

    fn binary(&self) -> bool {
        false
    }

    async fn erase(&self) -> bool {
        let path = format!("{}/{}", self.run.path("leases"), self.name);
        self.run.must(Method::DELETE, &path, Value::Null).await;
        true
    }
}

/// Numbers of the metrics server in memory, asked for over the network.
struct UsageStage {
    server: ApiServer,
    source: Arc<KubeMetrics>,
    _serving: Serving,
}

fn query(pool: &str, signal: &str) -> SignalQuery {
    SignalQuery::new(PoolName::new(pool).unwrap(), SignalName::new(signal).unwrap())
}

#[async_trait]
impl MetricsStage for UsageStage {
    fn source(&self) -> Arc<dyn MetricsSource> {
        self.source.clone()
    }

    fn queries(&self) -> [SignalQuery; 3] {
        [query("web", "cpu"), query("db", "cpu"), query("api", "cpu")]
    }

    async fn set(&self, query: &SignalQuery, number: Option<(Fixed, Span)>) {
        match number {
            None => self.server.clear_usage(query.pool.as_str()),
            // Of one CPU.
            Some((share, age)) => {
                self.server.set_usage_of(query.pool.as_str(), share.as_micros() as u64 / 1_000, 0, age);
            }
        }
    }

    async fn silence(&self) -> bool {
        self.server.set_metrics_server(true, true);
        true
    }
}

/// What nobody can set on a real server is what the metrics server measured; what pods ask for can be.
async fn requests_come_back(run: &Run) {
    let pool = run.next();
    let node = run.add_node(json!({"autoscale.local/pool": pool})).await;
    let stage = DrainStage::new(run);
    // A thousandth of a CPU each, of four.
    stage.add_pods(&node, 20, None).await;
    let source = KubeMetrics::new(run.connection(), MetricsConfig::new(), Arc::new(SystemClock::new()));
    let none = format!("{pool}-none");
    let samples = source.sample(&[query(&pool, "cpu_requests"), query(&none, "cpu_requests")]).await;
    let [asked, nothing] = samples.as_slice() else { panic!("{samples:?}") };
    assert!(
        matches!(&asked.reading, Reading::Value { value, .. } if *value == Fixed::from_micros(5_000)),
        "{asked:?}"
    );
    assert!(matches!(nothing.reading, Reading::Missing { .. }), "{nothing:?}");
}

/// All suites; everything is taken away whatever becomes of them.
async fn conform(config: Config) -> [Verdicts; 3] {
    let run = Run::begin(config).await;
    let local = tokio::task::LocalSet::new();
    let suites = local.spawn_local({
        let run = run.clone();
        async move {
            let lists = conformance::drainer(async || DrainStage::new(&run)).await;
            let cached = conformance::drainer(async || DrainStage::cached(&run).await).await;
            requests_come_back(&run).await;
            let store = conformance::store(async || LeaseStage { run: run.clone(), name: run.next() }).await;
            [lists, cached, store]
        }
    });
    let ended = local.run_until(suites).await;
    let left = run.clean_up().await;
    let verdicts = ended.unwrap();
    verdicts.iter().for_each(|verdicts| println!("{verdicts}"));
    assert_eq!(left, 0, "nodes and pods of {} are left", run.namespace);
    verdicts
}

/// A server in memory, listening, and the way to it by a kubeconfig.
async fn listening(server: &ApiServer) -> (Serving, Config) {
    server.add_token("secret", "admin");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let serving = server.serve(listener, ServeOptions::default().with_user(None)).unwrap();
    let name = format!("autoscale-kube-{}-{:08x}", std::process::id(), RandomState::new().hash_one(0) as u32);
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("kubeconfig");
    let text = json!({"apiVersion": "v1", "kind": "Config", "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": serving.url()}}],
        "users": [{"name": "u", "user": {"token": "secret"}}]});
    std::fs::write(&path, text.to_string()).unwrap();
    let kubeconfig = Kubeconfig::read_from(&path).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    (serving, config)
}

#[tokio::test]
async fn on_a_server_in_memory_over_the_network() {
    let server = ApiServer::default();
    server.add_node(NodeSpec::new("somebody-elses"));
    let others = server.object("v1", "Node", "", "somebody-elses").unwrap();
    let (_serving, config) = listening(&server).await;
    for verdicts in conform(config).await {
        verdicts.assert_all();
    }
    assert_eq!(server.objects("v1", "Node"), [others], "only its own nodes were touched, and they are gone");
    assert_eq!(server.objects("coordination.k8s.io/v1", "Lease").len(), 0);
}

#[tokio::test]
async fn what_the_metrics_server_says_comes_over_the_network_too() {
    let verdicts = conformance::metrics(async || {
        let server = ApiServer::default();
        server.set_metrics_server(true, false);
        let node = |pool: &str| {
            NodeSpec::new(pool).with_label("autoscale.local/pool", pool).with_allocatable("cpu", "1")
        };
        server.add_nodes(["web", "api", "db"].map(node));
        server.advance(Span::from_secs(5));
        let (serving, config) = listening(&server).await;
        let connection = Connection::new(config).unwrap();
        let source = KubeMetrics::new(connection, MetricsConfig::new(), Arc::new(SystemClock::new()));
        UsageStage { server, source: Arc::new(source), _serving: serving }
    });
    verdicts.await.assert_all();
}

#[tokio::test]
async fn on_a_real_server() {
    if std::env::var("AUTOSCALE_TEST_KUBE").as_deref() != Ok("1") {
        println!(
            "skipped: the contracts of Drainer and StateStore, and what pods ask for, on a real API server. With a kubeconfig of a cluster for tests:\n\
             AUTOSCALE_TEST_KUBE=1 cargo test -p autoscale-kube --test real -- --nocapture"
        );
        return;
    }
    let config = Config::infer().await.expect("a kubeconfig, or a pod in the cluster");
    for verdicts in conform(config).await {
        verdicts.assert_all();
    }
}
