//! The whole system on servers that others have written: the function in MiniStack's Lambda, machines on moto behind microburst, the
//! record and the log in DynamoDB Local, CPU time in a Prometheus that scrapes it; the API server is that of autoscale-kube. The network,
//! the launch template, the tables, the names of parameters and the function's environment are those of `template.yaml`, which moto creates.
//!
//! `.ci/dynamodb .ci/moto .ci/ministack cargo test -p k3s-lambda --test process whole` starts all of them, but for Prometheus, which has
//! to be installed.

mod gateway;
mod load;
mod stack;
mod tests;
mod trouble;
mod world;
