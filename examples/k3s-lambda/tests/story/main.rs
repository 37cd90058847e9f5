//! The function on an EC2, a DynamoDB, a Parameter Store and an API server in this process, in virtual time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../../../autoscale-aws/tests/ec2/account.rs"]
#[allow(dead_code)]
mod account;
mod around;
mod audit;
mod auth;
mod buckets;
mod dice;
mod house;
mod join;
mod parameters;
mod policies;
#[path = "../../../../autoscale-aws/tests/ec2/query.rs"]
#[allow(dead_code)]
mod query;
#[path = "../../../../autoscale-aws/tests/real/mod.rs"]
mod real;
mod story;
#[path = "../../../../autoscale-aws/tests/dynamodb/tables/mod.rs"]
mod tables;
mod trouble;
#[path = "../../../../autoscale-aws/tests/wire/mod.rs"]
mod wire;
