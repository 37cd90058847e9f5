//! The program as Lambda runs it: a process that asks a runtime for events, on an EC2, a DynamoDB, a Parameter Store, an API server and
//! a Prometheus over HTTP on this machine, in real time. In `whole` these are real servers, as far as there are any.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../../../autoscale-aws/tests/ec2/account.rs"]
#[allow(dead_code)]
mod account;
mod cloud;
#[path = "../story/dice.rs"]
mod dice;
mod function;
mod http;
mod lambda;
#[path = "../story/parameters.rs"]
#[allow(dead_code)]
mod parameters;
mod place;
#[path = "../../../../autoscale-kube/tests/prometheus_real/real.rs"]
#[allow(dead_code)]
mod prometheus_real;
#[path = "../../../../autoscale-aws/tests/ec2/query.rs"]
#[allow(dead_code)]
mod query;
#[path = "../../../../autoscale-aws/tests/real/mod.rs"]
mod real;
mod runtime;
mod story;
#[path = "../../../../autoscale-aws/tests/dynamodb/tables/mod.rs"]
mod tables;
mod whole;
#[path = "../../../../autoscale-aws/tests/wire/mod.rs"]
mod wire;
