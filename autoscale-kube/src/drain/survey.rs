//! Looking at a cluster: lists page by page, each object reduced to facts as it comes.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use autoscale_core::data::view::{ClusterView, Scope};
use autoscale_core::ports::{Clock, Error, ErrorKind};
use autoscale_core::words::{NodeName, Timestamp};
use futures_util::future::try_join;
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use serde::de::DeserializeOwned;

use super::budget::{Budgets, RawBudget};
use super::config::DrainConfig;
use super::meta::Page;
use super::node::RawNode;
use super::pod::{Draft, RawPod};
use super::{owners, volumes};
use crate::connection::{Connection, silent};
use crate::request::get;

/// Pods of so many nodes are asked for node by node; beyond that all are listed.
const FEW_NODES: usize = 8;

/// How often a list is begun again whose pages have expired.
const MAX_STARTS: u32 = 3;

/// Requests under way at a time.
const AT_ONCE: usize = 4;

pub(super) const WAITING: &str = "spec.nodeName=,status.phase=Pending";
pub(super) const NOT_ENDED: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// One look.
#[derive(Debug)]
pub(super) struct Survey<'a> {
    connection: &'a Connection,
    config: &'a DrainConfig,
    /// The oldest time that the API server has told.
    oldest: Mutex<Option<Timestamp>>,
}

impl<'a> Survey<'a> {
    pub(super) const fn new(connection: &'a Connection, config: &'a DrainConfig) -> Self {
        Self { connection, config, oldest: Mutex::new(None) }
    }

    pub(super) async fn look(self, scope: &Scope, clock: &dyn Clock) -> Result<ClusterView, Error> {
        let began = clock.now();
        let budgets = async {
            match scope {
                Scope::Pending => Ok(Budgets::default()),
                _ => {
                    let path = "/apis/policy/v1/poddisruptionbudgets";
                    self.all::<RawBudget>(path, "list poddisruptionbudgets").await.map(Budgets::of)
                }
            }
        };
        let nodes = self.all::<RawNode>("/api/v1/nodes", "list nodes");
        let (nodes, budgets) = try_join(nodes, budgets).await?;
        let mut drafts = self.pods(scope, &budgets).await?;
        owners::look_up(&self, &mut drafts).await?;
        volumes::look_up(&self, &mut drafts).await?;
        let mut view = ClusterView::new(self.told().unwrap_or(began), scope.clone());
        let listed = nodes.len();
        view.nodes = nodes.iter().filter_map(|node| node.fact(self.config)).collect();
        view.complete = view.nodes.len() == listed;
        view.pods = drafts.into_iter().map(|draft| draft.pod).collect();
        view.budgets = budgets.shown;
        Ok(view)
    }

    /// The oldest time that the API server has told.
    pub(super) fn told(&self) -> Option<Timestamp> {
        *self.oldest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pods of a scope, and those that wait for a node.
    async fn pods(&self, scope: &Scope, budgets: &Budgets) -> Result<Vec<Draft>, Error> {
        let reduce = |raw: RawPod| -> Option<Draft> {
            if raw.is_finished() || raw.is_gated() { None } else { raw.fact(budgets) }
        };
        let nodes: &[NodeName] = match scope {
            Scope::Nodes(nodes) => nodes,
            _ => &[],
        };
        if *scope == Scope::Everything || nodes.len() > FEW_NODES {
            let covered = |draft: &Draft| draft.pod.node.as_ref().is_none_or(|node| scope.covers(node));
            let reduce = |raw: RawPod| reduce(raw).filter(covered);
            return self.pages("/api/v1/pods", &[("fieldSelector", NOT_ENDED)], "list pods", reduce).await;
        }
        let mut drafts =
            self.pages("/api/v1/pods", &[("fieldSelector", WAITING)], "list pods", reduce).await?;
        for node in nodes {
            let on_it = format!("spec.nodeName={node},{NOT_ENDED}");
            drafts
                .extend(self.pages("/api/v1/pods", &[("fieldSelector", &on_it)], "list pods", reduce).await?);
        }
        // A pod that was bound between two lists is in both: the later one is right.
        let mut seen = BTreeSet::new();
        drafts.reverse();
        drafts.retain(|draft: &Draft| seen.insert(draft.pod.uid.clone()));
        Ok(drafts)
    }

    /// All objects of a kind.
    pub(super) async fn all<T: DeserializeOwned>(&self, path: &str, action: &str) -> Result<Vec<T>, Error> {
        self.pages(path, &[], action, Some).await
    }

    /// Some objects, each by its path; what is not there is left out.
    pub(super) async fn each<T: DeserializeOwned>(
        &self,
        paths: impl Iterator<Item = String>,
        action: &str,
    ) -> Result<Vec<T>, Error> {
        let found = iter(paths).map(async |path| match self.get::<T>(&path, &[], action).await {
            Ok(object) => Ok(Some(object)),
            Err(Trouble::Failed(error)) if *error.kind() == ErrorKind::NotFound => Ok(None),
            Err(trouble) => Err(trouble.into_error(action)),
        });
        let found: Vec<Option<T>> = found.buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Every object of a kind, page by page, each reduced as it comes. Pages that expire on the way are begun again.
    pub(super) async fn pages<T: DeserializeOwned, R>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        action: &str,
        reduce: impl Fn(T) -> Option<R>,
    ) -> Result<Vec<R>, Error> {
        let limit = self.config.page.max(1).to_string();
        let (mut kept, mut next, mut starts) = (Vec::new(), String::new(), 1);
        loop {
            let mut query = query.to_vec();
            query.push(("limit", &limit));
            if !next.is_empty() {
                query.push(("continue", &next));
            }
            let page: Page<T> = match self.get(path, &query, action).await {
                Ok(page) => page,
                Err(Trouble::Expired) if starts < MAX_STARTS => {
                    starts += 1;
                    (kept, next) = (Vec::new(), String::new());
                    continue;
                }
                Err(trouble) => return Err(trouble.into_error(action)),
            };
            kept.extend(page.items.into_iter().filter_map(&reduce));
            if page.metadata.next.is_empty() {
                return Ok(kept);
            }
            next = page.metadata.next;
        }
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        action: &str,
    ) -> Result<T, Trouble> {
        let answer = self.connection.send(get(path, query)).await;
        let answer = answer.map_err(|silence| Trouble::Failed(silent(silence, action, false)))?;
        match answer.failure() {
            Some(failure) if failure.code == 410 => return Err(Trouble::Expired),
            Some(failure) => return Err(Trouble::Failed(failure.into_error(action, action, false))),
            None => {}
        }
        if let Some(date) = answer.date {
            let mut oldest = self.oldest.lock().unwrap_or_else(PoisonError::into_inner);
            *oldest = Some(oldest.map_or(date, |oldest| oldest.min(date)));
        }
        answer.parse().map_err(|error| {
            let attempted = format!("read the answer to \"{action}\"");
            Trouble::Failed(Error::new(ErrorKind::Unavailable, attempted).with_source(error))
        })
    }
}

/// Why an object or a page of them did not come.
#[derive(Debug)]
enum Trouble {
    /// The rest of the list is not kept any longer.
    Expired,
    Failed(Error),
}

impl Trouble {
    fn into_error(self, action: &str) -> Error {
        match self {
            Self::Expired => {
                Error::new(ErrorKind::Unavailable, format!("{action}: its pages expired again and again"))
            }
            Self::Failed(error) => error,
        }
    }
}
