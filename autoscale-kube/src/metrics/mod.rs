//! [`MetricsSource`] on the API server alone: what nodes use as the metrics server measured it, what pods ask for, and
//! pods for which the scheduler has found no node.
//!
//! Use and requests are two signals, because they answer two questions: whether the machines are busy, and whether another
//! pod would still be placed. A cluster whose pods ask for much more than they use is full at a low use.
//!
//! - **Which nodes count**: those of the pool by its label ([`MetricsConfig::pool_label`]) that are Ready and take new pods. A node
//!   that is cordoned or not Ready offers nothing; what its pods use will be used elsewhere, and shows there when it is.
//! - **Averages** are weighted by size: the sum of what is used over the sum of what is allocatable.
//! - **Nodes without a measurement** are left out on both sides, as long as those with one make up
//!   [`enough`](MetricsConfig::enough) of what the nodes offer. Else the use is missing: an average over the few that answer
//!   is not that of the pool.
//! - **Age** is that of the oldest measurement that was counted, by the API server's clock.
//! - **Without a metrics server** (404) the use is missing; one that does not answer (503, or not in time) has failed. Neither is
//!   ever zero. Requests and waiting pods do not need it.
//! - **Waiting pods** are those with `PodScheduled=False` and the reason `Unschedulable`, since the condition's last transition.
//!   Pods that are held back by gates or are being deleted are none. A pod counts for each pool that its selector and required
//!   affinity do not exclude by the pool's label. The core's own rule for pending pods looks closer (taints, sizes, volumes) and
//!   needs no signal: these are for rules of your own.
//!
//! One sample is at most three lists side by side, in pages of 500: nodes, measurements, pods. Pods on nodes are
//! read only for the signals of requests. Permissions: nodes, pods and nodes of `metrics.k8s.io` (list).

mod config;
mod count;
mod response;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::data::view::{Reading, Sample, SignalQuery};
use autoscale_core::ports::{Clock, Error, ErrorKind, MetricsSource};
use futures_util::future::join3;

use crate::Connection;
use crate::drain::{DrainConfig, Reader};
pub use config::{Extent, Measure, MetricsConfig};
use count::{Offer, PodFact, Sight, sort};
use response::{PATH, RawMetrics, Used};

/// Signals of a Kubernetes cluster that need no monitoring.
#[derive(Clone, Debug)]
pub struct KubeMetrics {
    connection: Connection,
    config: MetricsConfig,
    reading: DrainConfig,
    clock: Arc<dyn Clock>,
}

impl KubeMetrics {
    /// Over a connection; `clock` is asked where the API server does not tell the time.
    pub fn new(connection: Connection, config: MetricsConfig, clock: Arc<dyn Clock>) -> Self {
        let mut reading = DrainConfig::new().with_pool_label(&config.pool_label);
        reading.page = config.page;
        Self { connection, config, reading, clock }
    }

    /// Looks at what the measures need, once.
    async fn look(&self, measures: &[(Measure, Extent)]) -> Sight<'_> {
        let any = |needs: fn(Measure) -> bool| measures.iter().any(|(measure, _)| needs(*measure));
        let (uses, requests) = (any(Measure::is_use), any(Measure::is_requests));
        let waits = any(|measure| !measure.is_use() && !measure.is_requests());
        let reader = Reader::new(&self.connection, &self.reading);
        let nodes = async {
            if !uses && !requests { Ok(Vec::new()) } else { reader.nodes(Offer::of).await.map_err(failed) }
        };
        let used = async {
            if !uses {
                return Ok(BTreeMap::new());
            }
            let all: Vec<RawMetrics> =
                reader.all(PATH, "list nodes.metrics.k8s.io").await.map_err(unmeasured)?;
            Ok(all.iter().filter_map(RawMetrics::used).collect::<BTreeMap<String, Used>>())
        };
        let pods = async {
            if !requests && !waits {
                return Ok(Vec::new());
            }
            reader.pods(!requests, PodFact::of).await.map_err(failed)
        };
        let (nodes, used, pods) = join3(nodes, used, pods).await;
        let (no_pods, pods) = match pods {
            Ok(pods) => (None, pods),
            Err(why) => (Some(why), Vec::new()),
        };
        let (asked, waits) = sort(pods);
        let (at, pool_label) = (reader.at(&*self.clock), self.config.pool_label.as_str());
        Sight { at, pool_label, enough: self.config.enough, nodes, used, asked, waits, no_pods }
    }
}

fn failed(error: Error) -> Reading {
    Reading::Failed { why: error.chain() }
}

/// No metrics server is a signal that is not there; one that is ill has failed.
fn unmeasured(error: Error) -> Reading {
    match error.kind() {
        ErrorKind::NotFound => Reading::Missing { why: "there is no metrics server".to_owned() },
        _ => failed(error),
    }
}

#[async_trait]
impl MetricsSource for KubeMetrics {
    async fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample> {
        let measure = |query: &SignalQuery| self.config.signals.get(&query.signal).copied();
        let measures: Vec<(Measure, Extent)> = wanted.iter().filter_map(measure).collect();
        let sight = if measures.is_empty() { None } else { Some(self.look(&measures).await) };
        let reading = |query: &SignalQuery| match (measure(query), &sight) {
            (Some((measure, extent)), Some(sight)) => sight.reading(measure, extent, &query.pool),
            _ => Reading::Missing { why: format!("no measure is set for the signal {}", query.signal) },
        };
        wanted.iter().map(|query| Sample::new(query.clone(), reading(query))).collect()
    }
}
