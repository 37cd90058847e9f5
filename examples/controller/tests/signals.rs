//! Where signals come from, and whether a policy speaks of them as they are.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "common/mod.rs"]
mod common;

use std::sync::Arc;

use autoscale_core::data::policy::Policy;
use autoscale_core::data::view::{Reading, SignalQuery};
use autoscale_core::words::{PoolName, SignalName};
use autoscale_kube::Connection;
use clap::Parser;
use controller::args::Args;
use controller::signals::Signals;

use common::{POLICY, ServerClock, policy, server};

fn signals(policy: &Policy, args: &[&str]) -> Result<Signals, controller::bad::Bad> {
    let server = server(1);
    let options = Args::parse_from(["controller"].iter().chain(args)).options;
    let connection = Connection::from_client(server.client());
    Signals::new(&options, policy, connection, Arc::new(ServerClock(server)))
}

async fn reading(signals: &Signals, name: &str) -> Reading {
    let query = SignalQuery::new(PoolName::new("web").unwrap(), SignalName::new(name).unwrap());
    signals.source.sample(&[query]).await.remove(0).reading
}

#[tokio::test]
async fn each_source_answers_its_own_signals() {
    let missing = |reading: Reading, word: &str| match reading {
        Reading::Missing { why } => assert!(why.contains(word), "{why}"),
        other => panic!("{other:?}"),
    };
    let none = signals(&policy(), &["--signals", "none"]).unwrap();
    missing(reading(&none, "cpu").await, "--signals");
    let server = signals(&policy(), &["--signals", "metrics-server"]).unwrap();
    missing(reading(&server, "cpu").await, "no metrics server");
    let requests = signals(&policy(), &["--signals", "requests"]).unwrap();
    missing(reading(&requests, "cpu").await, "node");
    let Reading::Value { value, .. } = reading(&requests, "unschedulable_pods").await else { panic!() };
    assert_eq!(value.as_micros(), 0);
    // Prometheus is not there; what the API server answers does not depend on it.
    let url = "--prometheus-url=https://127.0.0.1:1";
    let both = signals(&policy(), &["--signals", "prometheus", url, "--prometheus-loopback"]).unwrap();
    assert!(matches!(reading(&both, "cpu").await, Reading::Failed { .. }));
    missing(reading(&both, "cpu_requests").await, "node");
}

#[tokio::test]
async fn a_unit_of_ones_own_is_refused() {
    let odd = POLICY
        .replace("pools:", "signals:\n  unschedulable_seconds: { unit: count }\npools:")
        .replace("up: []", "up: [{ signal: unschedulable_seconds, above: 60 }]");
    let odd = Policy::from_yaml(&odd).unwrap();
    let told = signals(&odd, &["--signals", "requests"]).unwrap().fit(&odd).unwrap_err().to_string();
    assert_eq!(
        told,
        "signals.unschedulable_seconds.unit: count: expected seconds, which is what its source counts"
    );
    assert_eq!(
        signals(&odd, &[]).unwrap().fit(&odd),
        Ok(()),
        "nothing answers it, which is told and allowed"
    );
}
