//! The contracts of the ports on an API server that is reached over the network: a real one where `AUTOSCALE_TEST_KUBE=1` is set,
//! and always the one in memory, over loopback and by a kubeconfig, with the same code.
//!
//! On a real one it works in a namespace of its own, with Node objects of its own and no kubelet behind them, and leaves nothing
//! behind. It touches no node that it has not made.
#![cfg(all(feature = "drain", feature = "lease"))]
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
use autoscale_core::conformance::{self, DrainerStage, PodTruth, StoreStage, Verdicts};
use autoscale_core::data::order::PodRef;
use autoscale_core::data::view::{Node, Scope};
use autoscale_core::driver::SystemClock;
use autoscale_core::ports::{Drainer, StateStore};
use autoscale_core::words::{NodeName, PodUid};
use autoscale_kube::Connection;
use autoscale_kube::drain::{Drain, DrainConfig};
use autoscale_kube::fake::{ApiServer, ServeOptions};
use autoscale_kube::lease::LeaseStore;
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
    drain: Arc<Drain>,
}

#[async_trait]
impl DrainerStage for DrainStage {
    fn drainer(&self) -> Arc<dyn Drainer> {
        self.drain.clone()
    }

    async fn add_node(&self) -> NodeName {
        let name = self.run.next();
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {LABEL: self.run.namespace}}});
        self.run.must(Method::POST, "/api/v1/nodes", node).await;
        let amounts = json!({"cpu": "4", "memory": "16Gi", "pods": "110"});
        let ready = json!({"status": {"capacity": amounts, "allocatable": amounts,
            "conditions": [{"type": "Ready", "status": "True", "reason": "Test", "message": ""}]}});
        self.run.must(Method::PATCH, &format!("/api/v1/nodes/{name}/status"), ready).await;
        NodeName::new(name).unwrap()
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

/// Both suites; everything is taken away whatever becomes of them.
async fn conform(config: Config) -> [Verdicts; 2] {
    let run = Run::begin(config).await;
    let local = tokio::task::LocalSet::new();
    let suites = local.spawn_local({
        let run = run.clone();
        async move {
            let drain =
                || Arc::new(Drain::new(run.connection(), DrainConfig::new(), Arc::new(SystemClock::new())));
            let drainer =
                conformance::drainer(async || DrainStage { run: run.clone(), drain: drain() }).await;
            let store = conformance::store(async || LeaseStage { run: run.clone(), name: run.next() }).await;
            [drainer, store]
        }
    });
    let ended = local.run_until(suites).await;
    let left = run.clean_up().await;
    let verdicts = ended.unwrap();
    verdicts.iter().for_each(|verdicts| println!("{verdicts}"));
    assert_eq!(left, 0, "nodes and pods of {} are left", run.namespace);
    verdicts
}

#[tokio::test]
async fn on_a_server_in_memory_over_the_network() {
    let server = ApiServer::default();
    server.add_node(autoscale_kube::fake::NodeSpec::new("somebody-elses"));
    let others = server.object("v1", "Node", "", "somebody-elses").unwrap();
    server.add_token("secret", "admin");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let serving = server.serve(listener, ServeOptions::default().with_user(None)).unwrap();
    let folder = std::env::temp_dir().join(format!("autoscale-kube-{}", std::process::id()));
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
    for verdicts in conform(config).await {
        verdicts.assert_all();
    }
    assert_eq!(server.objects("v1", "Node"), [others], "only its own nodes were touched, and they are gone");
    assert_eq!(server.objects("coordination.k8s.io/v1", "Lease").len(), 0);
}

#[tokio::test]
async fn on_a_real_server() {
    if std::env::var("AUTOSCALE_TEST_KUBE").as_deref() != Ok("1") {
        println!(
            "skipped: the contracts of Drainer and StateStore on a real API server. With a kubeconfig of a cluster for tests:\n\
             AUTOSCALE_TEST_KUBE=1 cargo test -p autoscale-kube --test real -- --nocapture"
        );
        return;
    }
    let config = Config::infer().await.expect("a kubeconfig, or a pod in the cluster");
    for verdicts in conform(config).await {
        verdicts.assert_all();
    }
}
