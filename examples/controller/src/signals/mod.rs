//! Where signals come from.

mod prometheus;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::data::policy::Policy;
use autoscale_core::data::view::{Reading, Sample, SignalQuery};
use autoscale_core::driver::{Answers, JoinedMetrics};
use autoscale_core::ports::{Clock, MetricsSource};
use autoscale_core::words::{SignalName, Unit};
use autoscale_kube::Connection;
use autoscale_kube::metrics::{Extent, KubeMetrics, Measure, MetricsConfig};

use crate::args::{Options, SignalSource};
use crate::bad::Bad;

/// No source: every signal is missing, so that no rule over one ever holds. Pods that wait are seen by surveys.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NoSignals {}

#[async_trait]
impl MetricsSource for NoSignals {
    async fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample> {
        let missing = |query: &SignalQuery| {
            let why = "no source of signals is set up: see --signals".to_owned();
            Sample::new(query.clone(), Reading::Missing { why })
        };
        wanted.iter().map(missing).collect()
    }
}

/// A source, and the signals that it answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Signals {
    /// The port.
    pub source: Arc<dyn MetricsSource>,
    units: BTreeMap<SignalName, Unit>,
}

impl Signals {
    /// The source that the options name. Signals that only the policy declares get their units from it.
    ///
    /// # Errors
    /// Everything that is wrong with the options.
    pub fn new(
        options: &Options,
        policy: &Policy,
        connection: Connection,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Bad> {
        let table = MetricsConfig::new().with_pool_label(&options.pool_label);
        let kube = |config: MetricsConfig| {
            let units = config.signals().map(|(name, unit)| (name.clone(), unit)).collect();
            let source = Arc::new(KubeMetrics::new(connection.clone(), config, clock.clone()));
            Self { source, units }
        };
        match options.signals {
            SignalSource::None => Ok(Self { source: Arc::new(NoSignals {}), units: BTreeMap::new() }),
            SignalSource::MetricsServer => Ok(kube(table)),
            SignalSource::Requests => Ok(kube(by_requests(table))),
            SignalSource::Prometheus => {
                let asked = prometheus::build(&options.prometheus, policy)?;
                let theirs: BTreeMap<SignalName, Unit> =
                    asked.signals().map(|(name, unit)| (name.clone(), unit)).collect();
                let mut rest = kube(table);
                let joined = JoinedMetrics::builder(clock.clone())
                    .with_source("Prometheus", Arc::new(asked), Answers::signals(theirs.keys().cloned()))
                    .with_source("the API server", rest.source.clone(), Answers::rest())
                    .build();
                let joined = joined.map_err(|errors| Bad::of(format!("--signals: {errors}")))?;
                rest.units.extend(theirs);
                Ok(Self { source: Arc::new(joined), units: rest.units })
            }
        }
    }

    /// Whether a policy speaks of these signals as they are. Those that nothing answers are missing, which is told, and allowed: a
    /// rule over one never holds.
    ///
    /// # Errors
    /// Signals whose unit is another than the policy's.
    pub fn fit(&self, policy: &Policy) -> Result<(), Bad> {
        let mut bad = Bad::default();
        for (name, used) in used(policy) {
            let Some(spec) = policy.signals().get(name) else { continue };
            match self.units.get(name) {
                Some(unit) if *unit != spec.unit => {
                    let name = format!("signals.{name}.unit");
                    bad.add(Bad::setting(
                        &name,
                        word(spec.unit),
                        format!("{}, which is what its source counts", word(*unit)),
                    ));
                }
                Some(_) => {}
                None => tracing::warn!(signal = name.as_str(), used, "nothing answers this signal"),
            }
        }
        bad.into_result()
    }
}

/// A unit as policies write it.
fn word(unit: Unit) -> String {
    serde_json::to_value(unit).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The signals that rules and targets look at, and a pool that does.
fn used(policy: &Policy) -> BTreeMap<&SignalName, &str> {
    let mut used = BTreeMap::new();
    for (name, pool) in policy.pools() {
        let rules = pool.up.iter().chain(&pool.down).map(|rule| &rule.signal);
        for signal in rules.chain(pool.targets.iter().map(|target| &target.signal)) {
            used.entry(signal).or_insert(name.as_str());
        }
    }
    used
}

/// `cpu` and `memory` are what pods ask for: what there is without a metrics server, and where nodes have no kubelet.
fn by_requests(table: MetricsConfig) -> MetricsConfig {
    let signals = [("cpu", Measure::CpuRequests), ("memory", Measure::MemoryRequests)];
    signals.into_iter().fold(table, |table, (name, measure)| match SignalName::new(name) {
        Ok(name) => table.with_signal(name, measure, Extent::Pool),
        Err(_) => table,
    })
}
