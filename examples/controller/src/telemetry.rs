//! Metrics as text for Prometheus.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of the durations of ticks, in seconds: a quiet one takes well below one, the limit of most is 30.
const SECONDS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// So often what was measured is taken up, so that it does not pile up where nobody asks for metrics.
const UPKEEP: std::time::Duration = std::time::Duration::from_secs(60);

/// What shows the metrics of this process.
#[derive(Clone)]
pub struct Telemetry(PrometheusHandle);

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telemetry")
    }
}

impl Telemetry {
    /// Begins to count for this process. Metrics that another recorder of the process takes are not shown here.
    pub fn install() -> Self {
        let duration = Matcher::Suffix("_duration_seconds".to_owned());
        let builder = PrometheusBuilder::new();
        // Refused only without bounds.
        let builder =
            builder.set_buckets_for_metric(duration, &SECONDS).unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("this process counts elsewhere already: /metrics stays empty");
        }
        describe();
        Self(handle)
    }

    /// Keeps what is counted small, for good.
    pub async fn keep_up(self) {
        loop {
            tokio::time::sleep(UPKEEP).await;
            self.0.run_upkeep();
        }
    }

    /// All metrics as text.
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

fn describe() {
    metrics::describe_gauge!("controller_info", "1, with the version as a label");
    metrics::describe_counter!(
        "controller_policy_reloads_total",
        "New versions of the policy: loaded, refused"
    );
    metrics::describe_gauge!(
        "controller_policy_refused",
        "1 while the file has a policy that cannot be used, and an older one counts"
    );
    metrics::describe_counter!(
        "controller_audit_failures_total",
        "Reports that did not get into the audit log"
    );
    metrics::describe_counter!(
        "controller_notices_total",
        "Notices that came in, by source; copies count, too"
    );
    metrics::describe_counter!(
        "controller_notice_failures_total",
        "Looks at a source of notices that failed, and messages that cannot be read"
    );
    metrics::describe_gauge!(
        "controller_announced",
        "Events that are announced to the machine of a node's agent"
    );
    metrics::describe_counter!(
        "controller_agent_failures_total",
        "What a node's agent could not do, by `what`: read, mark"
    );
    metrics::gauge!("controller_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}
