//! The source on a real Prometheus, which the test starts by itself on a free port of the loopback interface.
//!
//! The server is the one that `AUTOSCALE_TEST_PROMETHEUS` names, a binary or the folder of `prometheus` and `promtool`, else the one
//! of the machine. Without any the tests say so and end; where `CI` is set they fail. `.ci/prometheus` installs the package
//! and runs them.
#![cfg(feature = "prometheus")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod queries;
mod real;
mod scraped;
#[path = "../prometheus/server.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod server;
mod tls;

use autoscale_core::data::view::{Reading, SignalQuery};
use autoscale_core::ports::MetricsSource;
use autoscale_core::words::{PoolName, SignalName};
use autoscale_kube::prometheus::Prometheus;

fn signal(name: &str) -> SignalName {
    SignalName::new(name).unwrap()
}

fn query(pool: &str, name: &str) -> SignalQuery {
    SignalQuery::new(PoolName::new(pool).unwrap(), signal(name))
}

async fn read(source: &Prometheus, pool: &str, name: &str) -> Reading {
    source.sample(&[query(pool, name)]).await.remove(0).reading
}

/// The value and the age in seconds.
fn value(reading: &Reading) -> (f64, u64) {
    match reading {
        Reading::Value { value, age } => (value.as_f64(), age.as_secs()),
        other => panic!("{other:?}"),
    }
}

/// Why there is no value: missing, or failed.
fn why(reading: &Reading) -> String {
    match reading {
        Reading::Missing { why } => format!("missing: {why}"),
        Reading::Failed { why } => format!("failed: {why}"),
        other => panic!("{other:?}"),
    }
}
