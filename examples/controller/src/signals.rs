//! Where signals come from.

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::data::view::{Reading, Sample, SignalQuery};
use autoscale_core::ports::MetricsSource;

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

/// The source that the settings name.
pub fn none() -> Arc<dyn MetricsSource> {
    Arc::new(NoSignals {})
}
