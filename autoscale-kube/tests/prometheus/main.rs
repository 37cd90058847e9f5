//! The source on Prometheus against a server of the test's own on the loopback interface: the contract, answers that are not as
//! they should be, logins and TLS. What a real Prometheus answers is in `prometheus_real.rs`.
#![cfg(feature = "prometheus")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod answers;
mod contract;
mod history;
mod login;
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

/// One reading, in words.
async fn read(source: &Prometheus, query: &SignalQuery) -> String {
    let samples = source.sample(std::slice::from_ref(query)).await;
    assert_eq!(samples.len(), 1);
    shown(&samples[0].reading)
}

fn shown(reading: &Reading) -> String {
    match reading {
        Reading::Value { value, age } => format!("{value}, {age} old"),
        Reading::Missing { why } => format!("missing: {why}"),
        Reading::Failed { why } => format!("failed: {why}"),
        other => format!("{other:?}"),
    }
}
