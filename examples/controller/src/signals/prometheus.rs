//! Prometheus as the options have it.

use std::path::Path;

use autoscale_core::data::policy::Policy;
use autoscale_kube::prometheus::{Prometheus, Secret, Signal};

use crate::args::PrometheusOptions;
use crate::bad::Bad;

/// No certificate, key or login is longer.
const LARGEST: u64 = 1 << 20;

/// Sets it up. Nothing is sent yet.
///
/// # Errors
/// Everything that is wrong with the options; never a secret.
pub(super) fn build(options: &PrometheusOptions, policy: &Policy) -> Result<Prometheus, Bad> {
    let mut bad = Bad::default();
    let missing =
        || Bad::of("--prometheus-url: missing: expected https://host, here or in AUTOSCALE_PROMETHEUS_URL");
    let url = bad.take(options.url.clone().ok_or_else(missing)).unwrap_or_default();
    let mut builder = Prometheus::builder(url).with_reference_signals().with_pool_label(&options.pool_label);
    for matcher in &options.matchers {
        builder = builder.with_matcher(&matcher.label, &matcher.value);
    }
    for metric in &options.metrics {
        match policy.signals().get(&metric.signal) {
            Some(spec) => {
                let signal = Signal::metric(spec.unit, &metric.metric, metric.series);
                builder = builder.with_signal(metric.signal.clone(), signal);
            }
            None => bad.add(Bad::setting(
                "--prometheus-metric",
                &metric.signal,
                "a signal that the policy declares",
            )),
        }
    }
    if let Some(path) = &options.token_file {
        builder = builder.with_bearer_file(path);
    }
    if let Some(path) = &options.login_file
        && let Some(text) = bad.take(text("--prometheus-login-file", path))
    {
        match text.trim_end().split_once(':') {
            Some((user, password)) => builder = builder.with_basic(user, Secret::new(password)),
            None => bad.add(Bad::setting("--prometheus-login-file", path.display(), "user:password in it")),
        }
    }
    if let Some(path) = &options.ca_file
        && let Some(pem) = bad.take(text("--prometheus-ca-file", path))
    {
        builder = builder.with_ca_pem(pem);
    }
    match (&options.cert_file, &options.key_file) {
        (Some(cert), Some(key)) => {
            let chain = bad.take(text("--prometheus-cert-file", cert));
            let key = bad.take(text("--prometheus-key-file", key));
            if let (Some(chain), Some(key)) = (chain, key) {
                builder = builder.with_identity_pem(chain, Secret::new(key));
            }
        }
        (None, None) => {}
        _ => bad.add(Bad::of(
            "--prometheus-cert-file and --prometheus-key-file: one of them: expected both or none",
        )),
    }
    if options.insecure {
        builder = builder.insecure();
    }
    if options.loopback {
        builder = builder.with_loopback();
    }
    let built = builder.build();
    // Without a place there is nothing to say of it that has not been said.
    let built = match (built, &options.url) {
        (Err(errors), Some(_)) => {
            errors.iter().for_each(|error| bad.add(Bad::of(format!("--prometheus: {error}"))));
            None
        }
        (built, _) => built.ok(),
    };
    bad.into_result()?;
    let built = built.ok_or_else(missing)?;
    if built.is_insecure() {
        tracing::warn!("Prometheus is asked over http: whoever is on the way can make up its numbers");
    }
    Ok(built)
}

/// What is in a file that may be a secret: no error shows any of it.
fn text(flag: &str, path: &Path) -> Result<String, Bad> {
    use std::io::Read as _;
    let failed =
        |why: &dyn std::fmt::Display| Bad::of(format!("{flag}: {}: cannot read: {why}", path.display()));
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    file.take(LARGEST).read_to_string(&mut text).map_err(|error| failed(&error.kind()))?;
    Ok(text)
}
