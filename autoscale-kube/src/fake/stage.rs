//! What a test needs again and again.

use autoscale_core::words::Span;
use serde_json::{Value, json};

use super::json::{flag, list, words};
use super::kinds::K;
use super::nodes::NodeSpec;
use super::server::ApiServer;
use super::store::Key;

/// Longer than this no pod of these takes to start.
const START: Span = Span::from_mins(10);

impl ApiServer {
    /// A server with `nodes` nodes in zone `a`, on which 30 pods of a Deployment run for each node. Each pod asks for a
    /// tenth of a CPU and 100 MiB; `tokens` says whether it carries the volume of its account's token, which is most of a
    /// pod's size.
    ///
    /// # Errors
    /// The `Status` of a refusal.
    pub fn with_workloads(nodes: usize, tokens: bool) -> Result<Self, Value> {
        let server = Self::default();
        server.add_nodes((0..nodes).map(|at| NodeSpec::new(format!("n{at:05}")).with_zone("a")));
        for at in 0..nodes {
            let name = format!("w{at:05}");
            let pod = json!({"automountServiceAccountToken": tokens, "containers": [
                {"name": "c", "image": "x", "resources": {"requests": {"cpu": "100m", "memory": "100Mi"}}}]});
            server.create(
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
                "replicas": 30, "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": pod}}}),
            )?;
        }
        server.advance(Span::from_secs(10));
        Ok(server)
    }

    /// Makes a ReplicaSet in the namespace `default` whose pods run on one node only, and lets time pass until they do;
    /// gives the pods. Each asks for a hundredth of a CPU. Their label `app` is the name.
    ///
    /// # Errors
    /// The `Status` of the refusal, such as for a name that is taken.
    pub fn run_pods(&self, node: &str, name: &str, count: u32) -> Result<Vec<Value>, Value> {
        let pod = json!({
            "nodeSelector": {"kubernetes.io/hostname": node},
            "tolerations": [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}],
            "containers": [{"name": "main", "image": "fake", "resources": {"requests": {"cpu": "10m"}}}],
        });
        let set = self.create(json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name}, "spec": {
                "replicas": count, "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": pod}},
        }))?;
        let uid = words(&set, "/metadata/uid").to_owned();
        let end = self.now().after(START);
        loop {
            let pods = self.pods_of(&uid);
            let up = pods.iter().filter(|pod| words(pod, "/status/phase") == "Running").count();
            if up >= count as usize || self.now() >= end {
                return Ok(pods);
            }
            self.advance_to_next(Span::from_secs(1));
        }
    }

    /// The pods that the owner of that uid controls, as they are.
    pub fn pods_of(&self, owner: &str) -> Vec<Value> {
        let world = self.lock();
        let keys = world.pods.owned(owner).map(|(key, _)| key);
        keys.filter_map(|key| world.store.get(K::PODS, key)).map(|pod| Value::clone(pod)).collect()
    }

    /// The pods on a node, as they are; of the empty name: those that wait for one.
    pub fn pods_on(&self, node: &str) -> Vec<Value> {
        let world = self.lock();
        let keys = world.pods.on(node);
        keys.filter_map(|key| world.store.get(K::PODS, key)).map(|pod| Value::clone(pod)).collect()
    }

    /// Puts the pods with the label `app` of that value, in the namespace `default`, under a budget that lets so many of
    /// `count` go.
    ///
    /// # Errors
    /// The `Status` of the refusal, such as for a name that is taken.
    pub fn allow_disruptions(&self, app: &str, count: u32, allowed: u32) -> Result<Value, Value> {
        self.create(json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": app}, "spec": {
                "minAvailable": count.saturating_sub(allowed), "selector": {"matchLabels": {"app": app}}},
        }))
    }

    /// Whether a node takes new pods: there, Ready and not cordoned.
    pub fn is_open(&self, node: &str) -> bool {
        let world = self.lock();
        let object = world.store.get(K::NODES, &Key::global(node));
        let ready = world.nodes.get(node).is_some_and(|node| node.ready);
        ready && object.is_some_and(|object| !flag(object, "/spec/unschedulable"))
    }

    /// The reasons why pods wait, by name, in the scheduler's words.
    pub fn waiting(&self) -> Vec<(String, String)> {
        let why = |pod: &Value| {
            let all = list(pod, "/status/conditions").iter();
            let mut found = all
                .filter(|at| words(at, "/type") == "PodScheduled")
                .map(|at| words(at, "/message").to_owned());
            (words(pod, "/metadata/name").to_owned(), found.next_back().unwrap_or_default())
        };
        self.pods_on("").iter().map(why).collect()
    }
}
