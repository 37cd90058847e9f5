//! What the metrics server answers.

use std::collections::BTreeMap;

use autoscale_core::words::{Span, Timestamp};
use serde::Deserialize;

use crate::{quantity, time};

/// What the list of measurements is asked for by.
pub(super) const PATH: &str = "/apis/metrics.k8s.io/v1beta1/nodes";

/// Clocks may differ by so much; a measurement from further ahead is none.
const AHEAD: Span = Span::from_mins(1);

/// One node's measurement.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawMetrics {
    metadata: Name,
    /// The end of the window that was measured.
    timestamp: Option<String>,
    usage: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Name {
    name: String,
}

/// What a node used, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Used {
    pub(super) cpu_milli: u64,
    pub(super) memory: u64,
    at: Timestamp,
}

impl Used {
    /// How old it is; `None` if it is from the future.
    pub(super) fn age(&self, now: Timestamp) -> Option<Span> {
        (self.at <= now.after(AHEAD)).then(|| now.since(self.at))
    }
}

impl RawMetrics {
    /// By the node's name. `None` for one without a time, or without both amounts: that is no measurement.
    pub(super) fn used(&self) -> Option<(String, Used)> {
        let usage = self.usage.as_ref()?;
        let at = self.timestamp.as_deref().and_then(time::rfc_3339)?;
        let cpu_milli = usage.get("cpu").and_then(|text| quantity::milli(text))?;
        let memory = usage.get("memory").and_then(|text| quantity::whole(text))?;
        Some((self.metadata.name.clone(), Used { cpu_milli, memory, at }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_is_no_measurement() {
        for (usage, at, expected) in [
            (r#"{"cpu":"1500m","memory":"4Ki"}"#, r#""2026-11-22T21:51:28Z""#, Some((1_500, 4_096))),
            (r#"{"cpu":"123456789n","memory":"1"}"#, r#""2026-11-22T21:51:28Z""#, Some((124, 1))),
            (r#"{"cpu":"0","memory":"0"}"#, r#""2026-11-22T21:51:28Z""#, Some((0, 0))),
            (r#"{"cpu":"1"}"#, r#""2026-11-22T21:51:28Z""#, None),
            (r#"{"memory":"1"}"#, r#""2026-11-22T21:51:28Z""#, None),
            (r#"{"cpu":"-1","memory":"1"}"#, r#""2026-11-22T21:51:28Z""#, None),
            (r#"{"cpu":"NaN","memory":"1"}"#, r#""2026-11-22T21:51:28Z""#, None),
            (r#"{"cpu":"1","memory":"1"}"#, r#""yesterday""#, None),
            (r#"{"cpu":"1","memory":"1"}"#, "null", None),
            ("null", r#""2026-11-22T21:51:28Z""#, None),
        ] {
            let text =
                format!(r#"{{"metadata":{{"name":"n"}},"timestamp":{at},"window":"20s","usage":{usage}}}"#);
            let raw: RawMetrics = serde_json::from_str(&text).unwrap();
            let found = raw.used().map(|(_, used)| (used.cpu_milli, used.memory));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn the_future_is_not_measured_yet() {
        let at = Timestamp::from_millis(1_000_000);
        let used = Used { cpu_milli: 0, memory: 0, at };
        assert_eq!(used.age(at.after(Span::from_secs(42))), Some(Span::from_secs(42)));
        assert_eq!(used.age(at.before(Span::from_secs(59))), Some(Span::ZERO));
        assert_eq!(used.age(at.before(Span::from_secs(61))), None);
    }
}
