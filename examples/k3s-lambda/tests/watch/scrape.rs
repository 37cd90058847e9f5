//! A house whose metrics are scraped while its time passes.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

use autoscale_core::data::view::{Reading, SignalQuery};
use autoscale_core::ports::MetricsSource;
use autoscale_core::words::{PoolName, SignalName, Span};
use k3s_lambda::telemetry::text;
use serde_json::Value;

use crate::history::{EVERY, History};
use crate::house::House;

/// CPUs of a node.
const CPUS: usize = 2;
/// How busy the master is, in percent.
const MASTER: f64 = 10.0;

/// A house, and a Prometheus that scrapes what there is.
pub(crate) struct Watched {
    house: House,
    history: Arc<Mutex<History>>,
    scrapes: tokio::task::JoinHandle<()>,
}

impl Deref for Watched {
    type Target = House;

    fn deref(&self) -> &House {
        &self.house
    }
}

impl DerefMut for Watched {
    fn deref_mut(&mut self) -> &mut House {
        &mut self.house
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.scrapes.abort();
    }
}

impl Watched {
    pub(crate) async fn new() -> Self {
        Self::with_pods_that_stop_in(Span::from_secs(3)).await
    }

    pub(crate) async fn with_pods_that_stop_in(span: Span) -> Self {
        let house = House::with_pods_that_stop_in(span).await;
        let history = Arc::new(Mutex::new(History::default()));
        let (kept, server, load, pushed) =
            (history.clone(), house.server.clone(), house.load.clone(), house.pushed.clone());
        let scrapes = tokio::spawn(async move {
            let mut exporters = Exporters::default();
            loop {
                tokio::time::sleep(EVERY.into()).await;
                let nodes = server.objects("v1", "Node");
                let mut samples = exporters.scraped(&nodes, percent(&load).await);
                samples.extend(pushed_samples(&text(&pushed.lock().unwrap())));
                kept.lock().unwrap().add(server.now(), samples);
            }
        });
        Self { house, history, scrapes }
    }

    /// What Prometheus has of it.
    pub(crate) fn history(self) -> History {
        self.history.lock().unwrap().clone()
    }

    /// The Pushgateway starts anew: it keeps nothing.
    pub(crate) fn forget_pushed(&self) {
        self.pushed.lock().unwrap().clear();
    }

    /// So many ticks.
    pub(crate) async fn ticks(&self, count: usize) {
        for _ in 0..count {
            self.tick().await;
        }
    }
}

/// How busy workers are; `None` while there is nobody who could tell.
async fn percent(load: &impl MetricsSource) -> Option<f64> {
    let query = SignalQuery::new(PoolName::new("workers").unwrap(), SignalName::new("cpu").unwrap());
    match load.sample(&[query]).await.remove(0).reading {
        Reading::Value { value, .. } => Some(value.as_f64() * 100.0),
        _ => None,
    }
}

/// What a Pushgateway gives to whoever scrapes it: what was pushed, with the labels of its group, which `honor_labels` keeps.
fn pushed_samples(text: &str) -> Vec<(String, f64)> {
    let read = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let labels = series.strip_suffix('}').unwrap_or_else(|| panic!("{line}: without labels"));
        for label in ["job=", "instance="] {
            assert!(
                !labels.contains(&format!("{{{label}")) && !labels.contains(&format!(",{label}")),
                "{line}"
            );
        }
        (format!("{labels},instance=\"shop\",job=\"autoscale\"}}"), value.parse().unwrap())
    };
    text.lines().filter(|line| !line.starts_with('#')).map(read).collect()
}

/// The node-exporter of each node: for how long its CPUs have been idle, and not.
#[derive(Default)]
struct Exporters(BTreeMap<String, (f64, f64)>);

impl Exporters {
    /// With the labels of `monitoring.yaml`.
    fn scraped(&mut self, nodes: &[Value], percent: Option<f64>) -> Vec<(String, f64)> {
        let mut samples = Vec::new();
        for node in nodes {
            let name = node["metadata"]["name"].as_str().unwrap();
            let label = |key: &str| node["metadata"]["labels"][key].as_str().unwrap_or_default();
            let is_master = node["metadata"]["labels"].get("node-role.kubernetes.io/control-plane").is_some();
            let percent = if is_master { Some(MASTER) } else { percent };
            let (idle, busy) = self.0.entry(name.to_owned()).or_default();
            *busy += EVERY.as_secs() as f64 * percent.unwrap_or_default() / 100.0;
            *idle += EVERY.as_secs() as f64 * (1.0 - percent.unwrap_or_default() / 100.0);
            if percent.is_none() {
                continue;
            }
            let mut labels = vec![("instance", format!("{name}:9100")), ("job", "pods".to_owned())];
            labels.push(("node", name.to_owned()));
            let found =
                [("pool", label("autoscale.local/pool")), ("zone", label("topology.kubernetes.io/zone"))];
            // An empty label is none.
            labels.extend(found.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k, v.to_owned())));
            let labels: Vec<String> =
                labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
            for cpu in 0..CPUS {
                for (mode, value) in [("idle", *idle), ("user", *busy)] {
                    let own = format!("cpu=\"{cpu}\",mode=\"{mode}\"");
                    samples.push((format!("node_cpu_seconds_total{{{own},{}}}", labels.join(",")), value));
                }
            }
        }
        samples
    }
}
