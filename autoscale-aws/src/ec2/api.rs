//! The few calls that are made of EC2, without the SDK's types.

use std::fmt::Debug;

use async_trait::async_trait;

use super::request::{Run, Which};
use super::response::Row;
use crate::failure::Failure;
use crate::watch::Watch;

/// One page of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Page {
    pub(super) rows: Vec<Row>,
    pub(super) next: Option<String>,
}

/// A subnet and its zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Subnet {
    pub(super) id: String,
    pub(super) zone: String,
}

/// What is asked of EC2. Each call sends one request, once; what is learned of its way is in the watch.
#[async_trait]
pub(super) trait Api: Debug + Send + Sync + 'static {
    /// Runs one machine. Gives the ids in the answer.
    async fn run(&self, run: &Run, watch: &Watch) -> Result<Vec<String>, Failure>;

    /// One page of a list: the first, or the one behind.
    async fn list(&self, which: &Which, after: Option<String>, watch: &Watch) -> Result<Page, Failure>;

    /// Ends one machine; `dry` only asks whether it would be permitted.
    async fn terminate(&self, id: &str, dry: bool, watch: &Watch) -> Result<(), Failure>;

    /// The zones of subnets.
    async fn subnets(&self, ids: &[String], watch: &Watch) -> Result<Vec<Subnet>, Failure>;
}
