//! Dashboards and alerts on what the function really emits.
//!
//! Stories of the function run in virtual time, on an EC2, a DynamoDB, a Parameter Store and an API server in this process. What it
//! would push is scraped every 15 seconds, as `monitoring.yaml` has it, with what node-exporter has to say. Then real programs judge:
//! Prometheus draws each panel of each dashboard, `promtool` follows the alerts with their `for`.
//!
//! They are those that `AUTOSCALE_TEST_PROMETHEUS` names, a folder, else those of the machine. Without any the tests say so and end;
//! where `CI` is set they fail. `.ci/prometheus --install` installs them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "../../../../autoscale-aws/tests/ec2/account.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod account;
mod alerts;
#[path = "../story/around.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod around;
mod boards;
mod emitted;
mod history;
#[path = "../story/house.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod house;
mod panels;
#[path = "../story/parameters.rs"]
mod parameters;
mod prometheus;
#[path = "../../../../autoscale-aws/tests/ec2/query.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod query;
#[path = "../../../../autoscale-kube/tests/prometheus_real/real.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod real;
mod scrape;
mod stories;
#[path = "../../../../autoscale-aws/tests/dynamodb/tables/mod.rs"]
mod tables;
mod told;
mod trouble;
#[path = "../../../../autoscale-aws/tests/wire/mod.rs"]
mod wire;
