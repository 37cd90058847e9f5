//! The contract of a drainer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use autoscale_core::conformance::{self, DrainerStage, PodTruth};
use autoscale_core::data::order::PodRef;
use autoscale_core::data::view::{Node, Scope};
use autoscale_core::driver::SystemClock;
use autoscale_core::ports::Drainer;
use autoscale_core::words::{NodeName, PodUid, Span};
use autoscale_kube::Connection;
use autoscale_kube::drain::{CacheConfig, CachedDrain, Drain, DrainConfig};
use autoscale_kube::fake::{ApiServer, Fault, NodeSpec, Requests, Trouble};
use serde_json::{Value, json};

/// One server, with a drainer that acts as `user`.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) server: ApiServer,
    drain: Arc<dyn Drainer>,
    count: AtomicU32,
    /// How often a list of nodes has to fail until a survey does.
    lists: u32,
}

impl Stage {
    pub(crate) fn new(server: ApiServer, user: &str) -> Self {
        let connection = Connection::from_client(server.client_as(user));
        let drain = Arc::new(Drain::new(connection, DrainConfig::new(), Arc::new(SystemClock::new())));
        Self { server, drain, count: AtomicU32::new(0), lists: 1 }
    }

    /// With a cache that answers for whatever is more than one object.
    pub(crate) fn cached(server: ApiServer, user: &str) -> (Self, CachedDrain) {
        let connection = Connection::from_client(server.client_as(user));
        let mut config = DrainConfig::new();
        config.page = 1;
        let drain = Drain::new(connection, config, Arc::new(SystemClock::new()));
        let cached = CachedDrain::spawn(drain, CacheConfig::new());
        let drain = Arc::new(cached.clone());
        (Self { server, drain, count: AtomicU32::new(0), lists: 1_000 }, cached)
    }

    fn next(&self) -> u32 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    fn pods(&self) -> Vec<Value> {
        self.server.objects("v1", "Pod")
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[async_trait]
impl DrainerStage for Stage {
    fn drainer(&self) -> Arc<dyn Drainer> {
        self.drain.clone()
    }

    async fn add_node(&self) -> NodeName {
        let name = format!("n{}", self.next());
        self.server.add_node(
            NodeSpec::new(&name).with_zone("a").with_label("only", &name).with_allocatable("pods", "5000"),
        );
        self.server.advance(Span::from_secs(5));
        NodeName::new(name).unwrap()
    }

    async fn add_pods(&self, node: &NodeName, count: u32, allowed: Option<u32>) -> Vec<PodRef> {
        let name = format!("w{}", self.next());
        let set = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name, "namespace": "default"},
            "spec": {"replicas": count, "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"nodeSelector": {"only": node.as_str()}, "terminationGracePeriodSeconds": 30,
                         "containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "1m"}}}]}}},
        });
        self.server.create(set).unwrap();
        if let Some(allowed) = allowed {
            let budget = json!({
                "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"minAvailable": count - allowed, "selector": {"matchLabels": {"app": name}}},
            });
            self.server.create(budget).unwrap();
        }
        self.server.advance(Span::from_secs(30));
        let pods = self.pods();
        let own = pods.iter().filter(|pod| text(pod, "/metadata/labels/app") == name);
        let found: Vec<PodRef> = own
            .map(|pod| {
                assert_eq!(text(pod, "/status/phase"), "Running");
                let uid = PodUid::new(text(pod, "/metadata/uid")).unwrap();
                PodRef::new(uid, "default", text(pod, "/metadata/name"))
            })
            .collect();
        assert_eq!(found.len(), count as usize);
        found
    }

    async fn add_waiting_pod(&self) -> PodUid {
        let name = format!("big{}", self.next());
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
            "spec": {"containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "640"}}}]},
        });
        let made = self.server.create(pod).unwrap();
        self.server.advance(Span::from_secs(5));
        PodUid::new(text(&made, "/metadata/uid")).unwrap()
    }

    async fn node(&self, name: &NodeName) -> Option<Node> {
        // Read back through the survey of another client: the stage has no reader of its own for marks.
        let stored = self.server.object("v1", "Node", "", name.as_str())?;
        let look = Self::new(self.server.clone(), "admin");
        let seen = look.drain.survey(&Scope::Pending).await.unwrap();
        let node = seen.nodes.into_iter().find(|node| node.name == *name)?;
        let unschedulable = stored.pointer("/spec/unschedulable").and_then(Value::as_bool).unwrap_or(false);
        assert_eq!(node.unschedulable, unschedulable, "the survey tells the truth");
        Some(node)
    }

    async fn pod(&self, uid: &PodUid) -> PodTruth {
        let pods = self.pods();
        let Some(pod) = pods.iter().find(|pod| text(pod, "/metadata/uid") == uid.as_str()) else {
            return PodTruth::Gone;
        };
        if text(pod, "/metadata/deletionTimestamp").is_empty() {
            PodTruth::Running
        } else {
            PodTruth::Leaving
        }
    }

    async fn evictions_sent(&self) -> Option<u64> {
        let log = self.server.log();
        Some(log.iter().filter(|entry| entry.permission().resource == "pods/eviction").count() as u64)
    }

    async fn fail_survey(&self) -> bool {
        let nodes = Requests::any().verb("list").resource("nodes");
        self.server.add_fault(Fault::new("no nodes", nodes, Trouble::Unavailable).times(self.lists));
        true
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    let verdicts = conformance::drainer(async || Stage::new(ApiServer::default(), "admin")).await;
    println!("{verdicts}");
    verdicts.assert_all();
}

#[tokio::test]
async fn a_cached_one_keeps_it_too() {
    let verdicts = conformance::drainer(async || Stage::cached(ApiServer::default(), "admin").0).await;
    println!("{verdicts}");
    verdicts.assert_all();
}
