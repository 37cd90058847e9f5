//! How Prometheus is reached, and what it is asked.

use std::path::PathBuf;
use std::str::FromStr;

use autoscale_core::words::SignalName;
use autoscale_kube::prometheus::Series;

/// How Prometheus is reached, and what it is asked.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "With --signals prometheus")]
#[non_exhaustive]
pub struct PrometheusOptions {
    /// Where it is: https://host, with a port and a path if need be
    #[arg(
        id = "prometheus-url",
        long = "prometheus-url",
        global = true,
        env = "AUTOSCALE_PROMETHEUS_URL",
        value_name = "URL"
    )]
    pub url: Option<String>,

    /// A file with the token to log in with; read again for every sample
    #[arg(
        id = "prometheus-token-file",
        long = "prometheus-token-file",
        global = true,
        env = "AUTOSCALE_PROMETHEUS_TOKEN_FILE",
        value_name = "FILE"
    )]
    pub token_file: Option<PathBuf>,

    /// A file with `user:password` to log in with
    #[arg(
        id = "prometheus-login-file",
        long = "prometheus-login-file",
        global = true,
        env = "AUTOSCALE_PROMETHEUS_LOGIN_FILE",
        value_name = "FILE"
    )]
    pub login_file: Option<PathBuf>,

    /// The authorities to trust alone, in PEM
    #[arg(
        id = "prometheus-ca-file",
        long = "prometheus-ca-file",
        global = true,
        env = "AUTOSCALE_PROMETHEUS_CA_FILE",
        value_name = "FILE"
    )]
    pub ca_file: Option<PathBuf>,

    /// A certificate to show, in PEM; with its key
    #[arg(
        id = "prometheus-cert-file",
        long = "prometheus-cert-file",
        global = true,
        env = "AUTOSCALE_PROMETHEUS_CERT_FILE",
        value_name = "FILE"
    )]
    pub cert_file: Option<PathBuf>,

    /// The private key of that certificate, in PEM
    #[arg(
        id = "prometheus-key-file",
        long = "prometheus-key-file",
        global = true,
        env = "AUTOSCALE_PROMETHEUS_KEY_FILE",
        value_name = "FILE"
    )]
    pub key_file: Option<PathBuf>,

    /// The label of series whose value is the name of a pool
    #[arg(
        id = "prometheus-pool-label",
        long = "prometheus-pool-label",
        global = true,
        env = "AUTOSCALE_PROMETHEUS_POOL_LABEL",
        value_name = "LABEL",
        default_value = "pool"
    )]
    pub pool_label: String,

    /// A label that all series must have, where one Prometheus knows several clusters
    #[arg(
        id = "prometheus-matcher",
        long = "prometheus-matcher",
        global = true,
        env = "AUTOSCALE_PROMETHEUS_MATCHER",
        value_name = "LABEL=VALUE",
        value_delimiter = ','
    )]
    pub matchers: Vec<Matcher>,

    /// A signal of the policy that is a metric as it is; of several series one of sum, average, least, greatest
    #[arg(
        id = "prometheus-metric",
        long = "prometheus-metric",
        global = true,
        env = "AUTOSCALE_PROMETHEUS_METRIC",
        value_name = "SIGNAL=METRIC[:SERIES]",
        value_delimiter = ','
    )]
    pub metrics: Vec<MetricSignal>,

    /// Allow http: whoever is on the way can read the login and make up the numbers
    #[arg(
        id = "prometheus-insecure",
        long = "prometheus-insecure",
        global = true,
        env = "AUTOSCALE_PROMETHEUS_INSECURE"
    )]
    pub insecure: bool,

    /// Allow addresses of this host, as for one in the same pod
    #[arg(
        id = "prometheus-loopback",
        long = "prometheus-loopback",
        global = true,
        env = "AUTOSCALE_PROMETHEUS_LOOPBACK"
    )]
    pub loopback: bool,
}

/// A label and its value.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Matcher {
    /// The label.
    pub label: String,
    /// Its value.
    pub value: String,
}

impl FromStr for Matcher {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (label, value) = text.split_once('=').ok_or("expected LABEL=VALUE")?;
        Ok(Self { label: label.to_owned(), value: value.to_owned() })
    }
}

/// A signal that is a metric as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MetricSignal {
    /// As the policy calls it.
    pub signal: SignalName,
    /// As Prometheus calls it.
    pub metric: String,
    /// What becomes of several series.
    pub series: Series,
}

impl FromStr for MetricSignal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected SIGNAL=METRIC, or SIGNAL=METRIC:SERIES with sum, average, least or greatest";
        let (signal, metric) = text.split_once('=').ok_or(expected)?;
        // A colon may be part of a metric's name, as in those of recording rules.
        let (metric, series) = match metric.rsplit_once(':') {
            Some((metric, "sum")) => (metric, Series::Sum),
            Some((metric, "average")) => (metric, Series::Average),
            Some((metric, "least")) => (metric, Series::Least),
            Some((metric, "greatest")) => (metric, Series::Greatest),
            _ => (metric, Series::One),
        };
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        if metric.is_empty() || !metric.chars().all(word) || metric.starts_with(|c: char| c.is_ascii_digit())
        {
            return Err(format!("{metric:?} is no name of a metric: {expected}"));
        }
        let signal = SignalName::new(signal).map_err(|error| error.to_string())?;
        Ok(Self { signal, metric: metric.to_owned(), series })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_and_nothing_else_is_one() {
        for (text, metric, series) in [
            ("queue=jobs_waiting", "jobs_waiting", Series::One),
            ("queue=jobs:waiting:sum5m", "jobs:waiting:sum5m", Series::One),
            ("queue=jobs:waiting:greatest", "jobs:waiting", Series::Greatest),
        ] {
            let read: MetricSignal = text.parse().unwrap();
            assert_eq!((read.signal.as_str(), read.metric.as_str(), read.series), ("queue", metric, series));
        }
        for bad in
            ["queue", "queue=", "queue=a b", "queue=up{job=\"x\"}", "queue=9x", "Que ue=x", "queue=:sum"]
        {
            assert!(bad.parse::<MetricSignal>().is_err(), "{bad}");
        }
    }
}
