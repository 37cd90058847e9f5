//! One [`MetricsSource`] made of several.

mod merge;
mod routes;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;

use super::observe::within;
use crate::data::view::{Reading, Sample, SignalQuery};
use crate::ports::{Clock, MetricsSource};
use crate::words::{ConfigErrors, Span};
pub use routes::Answers;
use routes::Routes;

/// Several metrics sources as one: a metrics server for `cpu`, Prometheus for all else.
///
/// Each signal has one source, named when they are joined; a signal of one pool may have another. Nothing falls back
/// from one source to the next: a number that means something else from tick to tick is worse than none. A signal that no
/// source was named for is `Missing`, with that as the reason.
///
/// In a sample every source is asked at most once, with its own queries in their order, and all side by side. A source
/// that does not answer within its limit fails for its own signals only. Answers are matched to queries by what they say
/// they are about: a source that leaves samples out, adds some or mixes them up gets nothing onto another signal.
///
/// ```
/// # #[cfg(feature = "memory")] {
/// use std::sync::Arc;
/// use autoscale_core::data::policy::{Policy, PoolPolicy};
/// use autoscale_core::driver::{Answers, JoinedMetrics};
/// use autoscale_core::memory::quick;
/// use autoscale_core::words::SignalName;
///
/// # let pool = PoolPolicy::builder("web").with_zones(["a"]).with_shape("m", 1_000, 4 << 30, 110);
/// # let policy = Policy::builder("shop").with_pool(pool).build().unwrap();
/// # let ports = quick(&policy, 0).unwrap().ports();
/// # let (server, prometheus) = (ports.metrics.clone(), ports.metrics.clone());
/// let cpu = SignalName::new("cpu").unwrap();
/// let metrics = JoinedMetrics::builder(ports.clock.clone())
///     .with_source("metrics server", server, Answers::signals([cpu]))
///     .with_source("Prometheus", prometheus, Answers::rest())
///     .build()
///     .unwrap();
/// # let _: Arc<dyn autoscale_core::ports::MetricsSource> = Arc::new(metrics);
/// # }
/// ```
#[derive(Debug)]
pub struct JoinedMetrics {
    sources: Vec<Named>,
    routes: Routes,
    clock: Arc<dyn Clock>,
    limit: Span,
}

/// A source and what people call it.
#[derive(Debug)]
struct Named {
    name: String,
    source: Arc<dyn MetricsSource>,
}

impl JoinedMetrics {
    /// Begins to join sources. By `clock` they are given up when they do not answer.
    pub fn builder(clock: Arc<dyn Clock>) -> JoinedMetricsBuilder {
        JoinedMetricsBuilder { parts: Vec::new(), clock, limit: Span::from_secs(4) }
    }
}

/// What is to be joined.
#[derive(Debug)]
#[must_use = "nothing is joined before `build`"]
pub struct JoinedMetricsBuilder {
    parts: Vec<(Named, Answers)>,
    clock: Arc<dyn Clock>,
    limit: Span,
}

impl JoinedMetricsBuilder {
    /// Adds a source, with a name for explanations, and says what it answers. May be said again of the same source:
    /// it is then asked once for each time.
    pub fn with_source(
        mut self,
        name: impl Into<String>,
        source: Arc<dyn MetricsSource>,
        answers: Answers,
    ) -> Self {
        self.parts.push((Named { name: name.into(), source }, answers));
        self
    }

    /// How long a source may take, above zero; default 4 s: the driver waits 5 s for all of them together, and then has
    /// none.
    pub const fn with_limit(mut self, limit: Span) -> Self {
        self.limit = limit;
        self
    }

    /// Joins them.
    ///
    /// # Errors
    /// All at once: a signal with two sources, two sources for the rest, a source that answers nothing, a name that is
    /// empty or there twice, a limit of zero, no source.
    pub fn build(self) -> Result<JoinedMetrics, ConfigErrors> {
        let Self { parts, clock, limit } = self;
        let names: Vec<&str> = parts.iter().map(|(named, _)| named.name.as_str()).collect();
        let answers: Vec<&Answers> = parts.iter().map(|(_, answers)| answers).collect();
        let routes = Routes::of(&names, &answers, limit)?;
        let sources = parts.into_iter().map(|(named, _)| named).collect();
        Ok(JoinedMetrics { sources, routes, clock, limit })
    }
}

#[async_trait]
impl MetricsSource for JoinedMetrics {
    async fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample> {
        let mut asked: Vec<Vec<SignalQuery>> = vec![Vec::new(); self.sources.len()];
        for query in wanted {
            if let Some(asked) = self.routes.source(query).and_then(|index| asked.get_mut(index)) {
                asked.push(query.clone());
            }
        }
        let answers = self.sources.iter().zip(&asked).map(async |(named, queries)| {
            if queries.is_empty() {
                return Vec::new();
            }
            match within(&*self.clock, self.limit, named.source.sample(queries)).await {
                Some(samples) => merge::readings(&named.name, queries, samples),
                None => {
                    let why = format!("{} did not answer within {}", named.name, self.limit);
                    queries.iter().map(|_| Reading::Failed { why: why.clone() }).collect()
                }
            }
        });
        // Each source's readings are as many as it was asked for, in that order: they are taken off one by one.
        let mut answers: Vec<_> = join_all(answers).await.into_iter().map(Vec::into_iter).collect();
        let reading = |query: &SignalQuery| {
            let answers = self.routes.source(query).and_then(|index| answers.get_mut(index));
            answers.and_then(Iterator::next).unwrap_or_else(|| Reading::Missing {
                why: format!("no source answers the signal {} of pool {}", query.signal, query.pool),
            })
        };
        let readings: Vec<Reading> = wanted.iter().map(reading).collect();
        wanted.iter().cloned().zip(readings).map(|(query, reading)| Sample::new(query, reading)).collect()
    }
}
