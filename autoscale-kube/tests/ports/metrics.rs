//! The contract of a metrics source on the API server, and what it makes of nodes and pods that are not as they should be.

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::conformance::{self, MetricsStage};
use autoscale_core::data::view::{Reading, SignalQuery};
use autoscale_core::driver::SystemClock;
use autoscale_core::ports::MetricsSource;
use autoscale_core::words::{Fixed, PoolName, Ratio, SignalName, Span, Unit};
use autoscale_kube::Connection;
use autoscale_kube::fake::{ApiServer, Fault, NodeSpec, Requests, Trouble};
use autoscale_kube::metrics::{Extent, KubeMetrics, Measure, MetricsConfig};
use serde_json::json;

const GIB: u64 = 1 << 30;

fn source(server: &ApiServer, user: &str, config: MetricsConfig) -> KubeMetrics {
    KubeMetrics::new(Connection::from_client(server.client_as(user)), config, Arc::new(SystemClock::new()))
}

fn query(pool: &str, signal: &str) -> SignalQuery {
    SignalQuery::new(PoolName::new(pool).unwrap(), SignalName::new(signal).unwrap())
}

fn node(name: &str, pool: &str) -> NodeSpec {
    let node = NodeSpec::new(name).with_label("autoscale.local/pool", pool);
    node.with_allocatable("cpu", "1").with_allocatable("memory", "1Gi")
}

/// The numbers, in words.
async fn read(source: &KubeMetrics, wanted: &[SignalQuery]) -> Vec<String> {
    let samples = source.sample(wanted).await;
    assert_eq!(
        samples.iter().map(|sample| &sample.query).collect::<Vec<_>>(),
        wanted.iter().collect::<Vec<_>>()
    );
    let show = |reading: &Reading| match reading {
        Reading::Value { value, age } => format!("{value}, {age} old"),
        Reading::Missing { why } => format!("missing: {why}"),
        Reading::Failed { why } => format!("failed: {why}"),
        other => format!("{other:?}"),
    };
    samples.iter().map(|sample| show(&sample.reading)).collect()
}

async fn one(server: &ApiServer, pool: &str, signal: &str) -> String {
    read(&source(server, "admin", MetricsConfig::new()), &[query(pool, signal)]).await.remove(0)
}

/// The actions that were denied while all signals were asked for.
pub(crate) async fn denied(server: &ApiServer, user: &str) -> Vec<String> {
    let all: Vec<SignalQuery> =
        MetricsConfig::new().signals().map(|(name, _)| query("web", name.as_str())).collect();
    let mut missing = Vec::new();
    for sample in source(server, user, MetricsConfig::new()).sample(&all).await {
        if let Reading::Failed { why } = &sample.reading
            && let Some((_, action)) = why.split_once("(denied: ")
        {
            missing.push(action.split_once(')').unwrap().0.to_owned());
        }
    }
    missing
}

/// Three pools of one node each: two are measured by CPU, one by memory.
struct Stage {
    server: ApiServer,
    source: Arc<KubeMetrics>,
}

impl Stage {
    fn new() -> Self {
        let server = ApiServer::default();
        server.set_metrics_server(true, false);
        server.add_nodes(["web", "api", "db"].map(|pool| node(pool, pool)));
        server.advance(Span::from_secs(5));
        let source = Arc::new(source(&server, "admin", MetricsConfig::new()));
        Self { server, source }
    }
}

#[async_trait]
impl MetricsStage for Stage {
    fn source(&self) -> Arc<dyn MetricsSource> {
        self.source.clone()
    }

    fn queries(&self) -> [SignalQuery; 3] {
        [query("web", "cpu"), query("db", "memory"), query("api", "cpu")]
    }

    async fn set(&self, query: &SignalQuery, number: Option<(Fixed, Span)>) {
        let Some((number, age)) = number else { return self.server.clear_usage(query.pool.as_str()) };
        let share = number.as_micros() as u64;
        // Of one CPU and one GiB; a GiB is not a round number of millionths, but whole ones come back whole.
        let (cpu, memory) = (share / 1_000, share * GIB / 1_000_000);
        self.server.set_usage_of(query.pool.as_str(), cpu, memory, age);
    }

    async fn silence(&self) -> bool {
        self.server.set_metrics_server(true, true);
        true
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    let verdicts = conformance::metrics(async || Stage::new()).await;
    println!("{verdicts}");
    verdicts.assert_all();
}

/// Four nodes of one pool, of two sizes.
fn four() -> ApiServer {
    let server = ApiServer::default();
    server.set_metrics_server(true, false);
    let big = node("w4", "web").with_allocatable("cpu", "3").with_allocatable("memory", "3Gi");
    server.add_nodes([node("w1", "web"), node("w2", "web"), node("w3", "web"), big]);
    server.advance(Span::from_secs(5));
    for (name, cpu, memory) in [("w1", 500, GIB / 2), ("w2", 500, GIB), ("w3", 500, 0), ("w4", 3_000, 0)] {
        server.set_usage(name, cpu, memory);
    }
    server
}

#[tokio::test]
async fn averages_are_weighted_by_size() {
    let server = four();
    assert_eq!(one(&server, "web", "cpu").await, "0.75, 0s old");
    assert_eq!(one(&server, "web", "memory").await, "0.25, 0s old");
}

#[tokio::test]
async fn no_metrics_server_is_missing_and_an_ill_one_has_failed() {
    let server = four();
    server.set_metrics_server(false, false);
    assert_eq!(one(&server, "web", "cpu").await, "missing: there is no metrics server");
    server.set_metrics_server(true, true);
    let ill = one(&server, "web", "memory").await;
    assert!(ill.starts_with("failed: list nodes.metrics.k8s.io (unavailable): 503"), "{ill}");
    let requests = one(&server, "web", "cpu_requests").await;
    assert_eq!(requests, "0, 0s old", "requests need no metrics server");
    for trouble in [Trouble::Truncated, Trouble::AnswerLost, Trouble::Internal, Trouble::FailureAsSuccess] {
        let server = four();
        let metrics = Requests::any().verb("list").group("metrics.k8s.io");
        server.add_fault(Fault::new("metrics", metrics, trouble.clone()));
        let text = one(&server, "web", "cpu").await;
        assert!(text.starts_with("failed: "), "{trouble:?}: {text}");
        assert!(server.faults_left().is_empty());
    }
}

#[tokio::test]
async fn too_few_measurements_are_none() {
    let server = four();
    server.clear_usage("w1");
    assert_eq!(one(&server, "web", "cpu").await, "0.8, 0s old", "5 of 6 CPUs are measured");
    server.clear_usage("w2");
    server.set_usage_of("w4", 3_000, 0, Span::from_secs(90));
    let few = "missing: the metrics server has measured 2 of 4 nodes, less than 75% of what they offer";
    assert_eq!(one(&server, "web", "cpu").await, few);
    let less = MetricsConfig::new().with_enough(Ratio::percent(60));
    let text = read(&source(&server, "admin", less), &[query("web", "cpu")]).await;
    assert_eq!(text, ["0.875, 1m30s old"], "the oldest one's age");
    let none = ["w1", "w2", "w3", "w4"].map(|name| server.clear_usage(name));
    assert_eq!(none.len(), 4);
    let any = MetricsConfig::new().with_enough(Ratio::percent(0));
    let text = read(&source(&server, "admin", any), &[query("web", "cpu")]).await;
    assert!(text[0].starts_with("missing: the metrics server has measured 0 of 4 nodes"), "{text:?}");
}

#[tokio::test]
async fn nodes_that_take_no_pods_do_not_count() {
    let server = four();
    server.node_stops_reporting("w4");
    server.advance(Span::from_mins(2));
    assert_eq!(one(&server, "web", "cpu").await, "0.5, 0s old");
    assert_eq!(one(&server, "api", "cpu").await, "missing: none of 0 nodes is Ready and takes new pods");
    let nodes: kube::Api<k8s_openapi::api::core::v1::Node> = kube::Api::all(server.client());
    server.set_usage("w1", 1_000, 0);
    nodes.cordon("w1").await.unwrap();
    assert_eq!(one(&server, "web", "cpu").await, "0.5, 0s old", "what is cordoned does not count");
    for name in ["w1", "w2", "w3"] {
        server.node_stops_reporting(name);
    }
    server.advance(Span::from_mins(2));
    let closed = "missing: none of 4 nodes is Ready and takes new pods";
    assert_eq!(one(&server, "web", "cpu").await, closed);
    assert_eq!(one(&server, "web", "cpu_requests").await, closed);
}

#[tokio::test]
async fn the_cluster_is_all_but_the_control_plane() {
    let server = four();
    let master = NodeSpec::new("m").with_label("node-role.kubernetes.io/control-plane", "");
    server.add_nodes([
        master.with_allocatable("cpu", "6"),
        NodeSpec::new("other").with_allocatable("cpu", "6"),
    ]);
    server.advance(Span::from_secs(5));
    server.set_usage("m", 6_000, 0);
    server.set_usage("other", 1_500, 0);
    let name = SignalName::new("all").unwrap();
    let config = MetricsConfig::new().without_signals().with_signal(name, Measure::CpuUse, Extent::Cluster);
    assert_eq!(config.signals().map(|(_, unit)| unit).collect::<Vec<_>>(), [Unit::Ratio]);
    let wanted = [query("web", "all"), query("db", "all"), query("web", "cpu")];
    let text = read(&source(&server, "admin", config), &wanted).await;
    assert_eq!(text, ["0.5, 0s old", "0.5, 0s old", "missing: no measure is set for the signal cpu"]);
}

fn pods(server: &ApiServer, name: &str, replicas: u32, cpu: &str, selector: serde_json::Value) {
    let container =
        json!({"name": "c", "image": "x", "resources": {"requests": {"cpu": cpu, "memory": "128Mi"}}});
    server
        .create(json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name, "namespace": "default"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}}, "spec": {"nodeSelector": selector, "containers": [container]}}},
        }))
        .unwrap();
}

#[tokio::test]
async fn requests_and_pods_that_wait() {
    let server = ApiServer::default();
    server.add_nodes([node("w1", "web"), node("w2", "web"), node("d1", "db")]);
    server.advance(Span::from_secs(5));
    pods(&server, "web", 3, "400m", json!({"autoscale.local/pool": "web"}));
    pods(&server, "big", 2, "40", json!({"autoscale.local/pool": "db"}));
    server.advance(Span::from_secs(60));
    pods(&server, "anywhere", 1, "50", json!({}));
    server.advance(Span::from_secs(30));
    let wanted = [
        query("web", "cpu_requests"),
        query("web", "memory_requests"),
        query("db", "cpu_requests"),
        query("web", "unschedulable_pods"),
        query("db", "unschedulable_pods"),
        query("none", "unschedulable_pods"),
        query("web", "cpu"),
    ];
    let text = read(&source(&server, "admin", MetricsConfig::new()), &wanted).await;
    let expected = ["0.6, 0s old", "0.1875, 0s old", "0, 0s old", "1, 0s old", "3, 0s old", "1, 0s old"];
    assert_eq!(text[..6], expected);
    assert_eq!(text[6], "missing: there is no metrics server");
    let since = async |pool: &str| {
        let samples = source(&server, "admin", MetricsConfig::new())
            .sample(&[query(pool, "unschedulable_seconds")])
            .await;
        match samples[0].reading {
            Reading::Value { value, .. } => value.as_micros() / 1_000_000,
            ref other => panic!("{other:?}"),
        }
    };
    let (web, db) = (since("web").await, since("db").await);
    assert!((25..=30).contains(&web) && (85..=90).contains(&db), "{web} {db}");
    for verb in ["nodes", "pods"] {
        let server = four();
        server.add_fault(Fault::new(
            verb,
            Requests::any().verb("list").resource(verb).group(""),
            Trouble::Internal,
        ));
        let text = one(&server, "web", "cpu_requests").await;
        assert!(text.starts_with(&format!("failed: list {verb} (unavailable)")), "{text}");
    }
}

#[tokio::test]
async fn one_sample_is_a_few_requests_in_pages_of_500() {
    let server = ApiServer::default();
    server.set_metrics_server(true, false);
    server.add_nodes((0..40).map(|n| {
        node(&format!("n{n}"), "web").with_allocatable("pods", "500").with_allocatable("memory", "8Gi")
    }));
    server.advance(Span::from_secs(5));
    (0..40).for_each(|n| server.set_usage(&format!("n{n}"), 100, GIB / 8));
    pods(&server, "many", 1_100, "10m", json!({}));
    server.advance(Span::from_secs(60));
    let all: Vec<SignalQuery> =
        MetricsConfig::new().signals().map(|(name, _)| query("web", name.as_str())).collect();
    let source = source(&server, "admin", MetricsConfig::new());
    for (wanted, expected) in [
        (&all[..], vec!["nodes", "nodes", "pods", "pods", "pods"]),
        (&[query("web", "cpu"), query("web", "memory")], vec!["nodes", "nodes"]),
        (&[query("web", "unschedulable_pods")], vec!["pods"]),
        (&[query("web", "other")], vec![]),
    ] {
        server.clear_log();
        read(&source, wanted).await;
        let mut asked: Vec<String> = server.log().iter().map(|entry| entry.resource.clone()).collect();
        asked.sort();
        assert_eq!(asked, expected, "{wanted:?}");
    }
}
