//! The contract of a metrics source.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use autoscale_core::conformance::{self, MetricsStage};
use autoscale_core::data::view::SignalQuery;
use autoscale_core::ports::MetricsSource;
use autoscale_core::words::{Fixed, Span, Unit};
use autoscale_kube::prometheus::{Prometheus, Series, Signal};

use super::server::{Reply, Server};
use super::{query, signal};

/// When the server evaluates.
const NOW: i64 = 1_700_000_000;

/// Numbers by metric and pool, and how old they are.
type Board = Arc<Mutex<BTreeMap<String, (Fixed, Span)>>>;

struct Stage {
    server: Server,
    board: Board,
    silent: Arc<Mutex<bool>>,
    source: Arc<Prometheus>,
}

fn selector(query: &SignalQuery) -> String {
    format!(r#"{}{{zone="a",pool="{}"}}"#, query.signal, query.pool)
}

impl Stage {
    async fn new() -> Self {
        let (board, silent) = (Board::default(), Arc::new(Mutex::new(false)));
        let (numbers, mute) = (board.clone(), silent.clone());
        let server = Server::new(move |asked| {
            if *mute.lock().unwrap() {
                return Reply::Raw(Vec::new());
            }
            let text = asked.query["query"].as_str();
            let inner = text.strip_prefix("min(timestamp(").and_then(|text| text.strip_suffix("))"));
            match (numbers.lock().unwrap().get(inner.unwrap_or(text)), inner) {
                (None, _) => Reply::data("vector", "[]"),
                (Some((number, _)), None) => Reply::value(number),
                (Some((_, age)), Some(_)) => Reply::value(NOW - age.as_secs() as i64),
            }
        })
        .await;
        let metric = |name: &str| Signal::metric(Unit::Count, name, Series::One);
        let source = ["queue", "cpu", "errors"].into_iter().fold(
            Prometheus::builder(server.http()).insecure().with_loopback().with_matcher("zone", "a"),
            |source, name| source.with_signal(signal(name), metric(name)),
        );
        Self { server, board, silent, source: Arc::new(source.build().unwrap()) }
    }
}

#[async_trait]
impl MetricsStage for Stage {
    fn source(&self) -> Arc<dyn MetricsSource> {
        self.source.clone()
    }

    fn queries(&self) -> [SignalQuery; 3] {
        [query("web", "queue"), query("web", "cpu"), query("api", "queue")]
    }

    async fn set(&self, query: &SignalQuery, number: Option<(Fixed, Span)>) {
        let mut board = self.board.lock().unwrap();
        match number {
            Some(number) => board.insert(selector(query), number),
            None => board.remove(&selector(query)),
        };
    }

    async fn silence(&self) -> bool {
        *self.silent.lock().unwrap() = true;
        true
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    let verdicts = conformance::metrics(async || Stage::new().await).await;
    println!("{verdicts}");
    verdicts.assert_all();
}

/// What several pools have in common is asked for once, and what is not is asked for each.
#[tokio::test]
async fn each_text_is_sent_once() {
    let stage = Stage::new().await;
    let all = Signal::metric(Unit::Count, "all", Series::One).of_cluster();
    let cpu = Signal::metric(Unit::Count, "cpu", Series::One);
    let source = Prometheus::builder(format!("{}/prefix/", stage.server.http()))
        .insecure()
        .with_loopback()
        .with_pool_label("group")
        .with_signal(signal("all"), all)
        .with_signal(signal("cpu"), cpu)
        .build()
        .unwrap();
    let wanted = [
        query("web", "all"),
        query("api", "all"),
        query("web", "cpu"),
        query("web", "cpu"),
        query("web", "x"),
    ];
    let samples = source.sample(&wanted).await;
    assert_eq!(
        samples.iter().map(|sample| &sample.query).collect::<Vec<_>>(),
        wanted.iter().collect::<Vec<_>>()
    );
    let expected = [
        r#"all{}"#,
        r#"cpu{group="web"}"#,
        r#"min(timestamp(all{}))"#,
        r#"min(timestamp(cpu{group="web"}))"#,
    ];
    assert_eq!(stage.server.texts(), expected);
    assert!(stage.server.asked().iter().all(|asked| asked.path == "/prefix/api/v1/query"));
    assert_eq!(super::shown(&samples[4].reading), "missing: no query is set for the signal x");
    source.sample(&[query("web", "x")]).await;
    assert_eq!(stage.server.asked().len(), 4, "what is not set is not asked for");
}

#[tokio::test]
async fn the_reference_set_is_what_is_documented() {
    let stage = Stage::new().await;
    let source = Prometheus::builder(stage.server.http()).insecure().with_loopback().with_reference_signals();
    let source = source.build().unwrap();
    let names: Vec<String> = source.signals().map(|(name, unit)| format!("{name} {unit:?}")).collect();
    assert_eq!(names, ["cpu Ratio", "memory Ratio", "unschedulable_pods Count"]);
    source.sample(&["cpu", "memory", "unschedulable_pods"].map(|name| query("web", name))).await;
    let expected = [
        r#"1 - sum(node_memory_MemAvailable_bytes{pool="web"}) / sum(node_memory_MemTotal_bytes{pool="web"})"#,
        concat!(
            r#"1 - sum(rate(node_cpu_seconds_total{mode="idle",pool="web"}[5m]))"#,
            r#" / sum(rate(node_cpu_seconds_total{pool="web"}[5m]))"#,
        ),
        r#"min(timestamp(kube_pod_status_phase{}))"#,
        r#"min(timestamp(node_cpu_seconds_total{mode="idle",pool="web"}))"#,
        r#"min(timestamp(node_memory_MemAvailable_bytes{pool="web"}))"#,
        r#"sum(kube_pod_status_unschedulable{}) or 0 * sum(kube_pod_status_phase{})"#,
    ];
    assert_eq!(stage.server.texts(), expected);
}
