//! Reading nodes and pods as a survey does, for the metrics beside it.

use autoscale_core::data::view::{Node, Pod};
use autoscale_core::ports::{Clock, Error};
use autoscale_core::words::Timestamp;
use serde::de::DeserializeOwned;

use super::budget::Budgets;
use super::config::DrainConfig;
use super::node::RawNode;
use super::pod::RawPod;
use super::survey::{NOT_ENDED, Survey, WAITING};
use crate::connection::Connection;

/// Lists, page by page, each object reduced as it comes.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    survey: Survey<'a>,
    config: &'a DrainConfig,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(connection: &'a Connection, config: &'a DrainConfig) -> Self {
        Self { survey: Survey::new(connection, config), config }
    }

    /// The oldest time that the API server has told with an answer, else the local clock's.
    pub(crate) fn at(&self, clock: &dyn Clock) -> Timestamp {
        self.survey.told().unwrap_or_else(|| clock.now())
    }

    /// All nodes, and how many of the objects could not be read as one.
    pub(crate) async fn nodes<R>(&self, reduce: impl Fn(Node) -> R) -> Result<Vec<R>, Error> {
        let reduce = |raw: RawNode| raw.fact(self.config).map(&reduce);
        self.survey.pages("/api/v1/nodes", &[], "list nodes", reduce).await
    }

    /// Pods that have not ended: all of them, or those that wait for a node. Held back pods wait for no node.
    pub(crate) async fn pods<R>(
        &self,
        waiting_only: bool,
        reduce: impl Fn(Pod) -> Option<R>,
    ) -> Result<Vec<R>, Error> {
        let (selector, budgets) = (if waiting_only { WAITING } else { NOT_ENDED }, Budgets::default());
        let reduce = |raw: RawPod| {
            if raw.is_finished() || raw.is_gated() {
                return None;
            }
            raw.fact(&budgets).and_then(|draft| reduce(draft.pod))
        };
        self.survey.pages("/api/v1/pods", &[("fieldSelector", selector)], "list pods", reduce).await
    }

    /// All objects of another kind.
    pub(crate) async fn all<T: DeserializeOwned>(&self, path: &str, action: &str) -> Result<Vec<T>, Error> {
        self.survey.all(path, action).await
    }
}
