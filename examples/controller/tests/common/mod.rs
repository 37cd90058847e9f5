//! What the tests of the program share: a cluster in memory, whose time follows tokio's.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::data::policy::Policy;
use autoscale_core::ports::Clock;
use autoscale_core::words::{Deadline, Span, Timestamp};
use autoscale_kube::fake::{ApiServer, NodeSpec, Settings};
use serde_json::{Value, json};

/// The namespace that everything of the controller is in.
pub(crate) const NAMESPACE: &str = "autoscale";

/// The time of an API server in memory. It passes while tokio's does, which stands still in these tests until nobody has
/// anything else to do.
#[derive(Clone, Debug)]
pub(crate) struct ServerClock(pub(crate) ApiServer);

#[async_trait]
impl Clock for ServerClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn boot(&self) -> Deadline {
        Deadline::from_millis(u64::try_from(self.0.now().as_millis()).unwrap())
    }

    async fn sleep(&self, span: Span) {
        tokio::time::sleep(span.into()).await;
    }
}

/// A server with the controller's namespace, and one node of the control plane.
pub(crate) fn server(seed: u64) -> ApiServer {
    server_at(seed, Settings::default().start)
}

/// The same, from a time on.
pub(crate) fn server_at(seed: u64, start: Timestamp) -> ApiServer {
    let settings = Settings::default().with_seed(seed).with_pod_stop(Span::from_secs(3)).with_start(start);
    let server = ApiServer::new(settings);
    server.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})).unwrap();
    server.add_node(
        NodeSpec::new("master").with_label("node-role.kubernetes.io/control-plane", "").with_taint(
            "node-role.kubernetes.io/control-plane",
            "",
            "NoSchedule",
        ),
    );
    server
}

/// Lets the server's time follow tokio's, for as long as the task lives.
pub(crate) fn follow(server: &ApiServer) -> tokio::task::JoinHandle<()> {
    let server = server.clone();
    tokio::spawn(async move {
        let step = Span::from_millis(250);
        loop {
            tokio::time::sleep(step.into()).await;
            server.advance(step);
        }
    })
}

/// A pool of machines with 2 CPUs in two zones, quick in everything, for the pods of [`workload`] alone.
pub(crate) const POLICY: &str = "
version: 1
cluster: shop
tick: { interval: 10s, limit: 20s }
pools:
  web:
    min: 1
    max: 4
    zones: [a, b]
    shape: { name: m, cpu: 2, memory: 8Gi, pods: 110 }
    labels: { autoscale.local/sim: shop }
    taints: [autoscale.local/test:NoSchedule]
    up: []
    # Five pods are 50 % of three machines: one of these is too many.
    down: [{ signal: cpu, below: 55%, for: 60s }]
    pending: { for: 10s }
    cooldown_up: 20s
    cooldown_down: 30s
    join_timeout: 3m
    drain_timeout: 2m
";

pub(crate) fn policy() -> Arc<Policy> {
    Arc::new(Policy::from_yaml(POLICY).unwrap())
}

/// A Deployment whose pods run on the simulated machines of a cluster and nowhere else.
pub(crate) fn workload(name: &str, namespace: &str, cluster: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name, "part-of": "story"}},
            "spec": {
                "nodeSelector": {"autoscale.local/sim": cluster},
                "tolerations": [{"key": "autoscale.local/test", "operator": "Exists", "effect": "NoSchedule"}],
                "terminationGracePeriodSeconds": 5,
                "containers": [{"name": "c", "image": "none.invalid/x", "resources": {"requests": {"cpu": "600m"}}}]}}},
    })
}

pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
