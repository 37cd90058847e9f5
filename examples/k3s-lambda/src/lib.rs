//! The serverless autoscaler for k3s on EC2: `autoscale-core` on `autoscale-aws` and `autoscale-kube`, as a function of AWS Lambda.
//!
//! The program's logic is a library so that tests drive it in their own process and time; `main.rs` only calls [`start()`]. What it
//! reads from its environment, and how to operate it, is in the `README.md` beside it.
//!
//! | module | what it is |
//! |---|---|
//! | [`settings`] | the environment, and what it means: every mistake at once |
//! | [`policy`] | the policy, from variables of the reference or a document |
//! | [`clients`], [`setup`] | the SDK's clients, and the ports over them |
//! | [`cluster`] | the master, found by tag; the Kubernetes API and Prometheus there |
//! | [`objects`] | buckets: the record, large entries of the audit log, a policy |
//! | [`function`] | one invocation |
//! | [`telemetry`] | logs, metrics for CloudWatch and a Pushgateway |
//! | [`command`] | `--local`, `status`, `explain`, `unlock`, `pause`, `resume`, `adopt`, `check` |

pub mod bad;
pub mod clients;
pub mod cluster;
pub mod command;
pub mod function;
pub mod objects;
pub mod policy;
pub mod settings;
pub mod setup;
mod start;
pub mod telemetry;

pub use start::start;
