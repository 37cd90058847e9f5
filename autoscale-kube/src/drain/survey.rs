//! Looking at a cluster: lists page by page, each object reduced to facts as it comes.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use autoscale_core::data::view::{ClusterView, Node, Pod, Scope};
use autoscale_core::ports::{Clock, Error, ErrorKind};
use autoscale_core::words::{NodeName, PodUid, Timestamp};
use futures_util::future::try_join3;
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use serde::de::DeserializeOwned;

use super::budget::{Budgets, RawBudget};
use super::cache::Cache;
use super::config::DrainConfig;
use super::meta::Page;
use super::node::RawNode;
use super::pod::{Draft, Drafts, RawPod};
use super::{attached, owners, volumes};
use crate::connection::{Connection, silent};
use crate::request::get;

/// Pods of so many nodes are asked for node by node; beyond that all are listed.
pub(super) const FEW_NODES: usize = 100;

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

    /// With a cache, what it may be asked for is asked of it first.
    pub(super) async fn look(
        self,
        scope: &Scope,
        clock: &dyn Clock,
        cache: Option<&Cache>,
    ) -> Result<ClusterView, Error> {
        let began = clock.now();
        let kept_pods = async {
            let at = match cache {
                Some(cache) => cache.pods_as_of().await,
                None => None,
            };
            Ok(at)
        };
        let (nodes, budgets, kept_pods) =
            try_join3(self.nodes(cache), self.budgets(scope, cache), kept_pods).await?;
        let listed = nodes.len();
        let mut nodes: Vec<Node> = nodes.into_iter().flatten().collect();
        let kept = match (cache, kept_pods) {
            (Some(cache), Some(at)) => cache.pods(&self, at, scope, &nodes, &budgets).await?,
            _ => None,
        };
        // What was listed for this survey is looked up for it too: only what comes from the cache is completed from there.
        let (cache, (mut early, mut late)) = match kept {
            Some(both) => (cache, both),
            None => (None, self.pods(scope, &budgets).await?),
        };
        for (cache, drafts) in [(cache, &mut early), (None, &mut late)] {
            owners::look_up(&self, cache, drafts, &self.config.trusted_owners).await?;
            volumes::look_up(&self, cache, drafts).await?;
        }
        attached::look_up(&self, scope, &mut nodes).await?;
        let mut view = ClusterView::new(self.told().unwrap_or(began), scope.clone());
        view.complete = nodes.len() == listed;
        view.nodes = nodes;
        view.pods = once_each(early.pods, late.pods);
        view.budgets = budgets.shown;
        Ok(view)
    }

    /// The oldest time that the API server has told.
    pub(super) fn told(&self) -> Option<Timestamp> {
        *self.oldest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every node; `None` for an object that is none.
    async fn nodes(&self, cache: Option<&Cache>) -> Result<Vec<Option<Node>>, Error> {
        if let Some(cache) = cache
            && let Some(nodes) = cache.nodes(self).await
        {
            return Ok(nodes);
        }
        self.pages("/api/v1/nodes", &[], "list nodes", |raw: RawNode| Some(raw.fact(self.config))).await
    }

    async fn budgets(&self, scope: &Scope, cache: Option<&Cache>) -> Result<Budgets, Error> {
        if *scope == Scope::Pending {
            return Ok(Budgets::default());
        }
        let kept = match cache {
            Some(cache) => cache.budgets(self).await,
            None => None,
        };
        let raw = match kept {
            Some(kept) => kept,
            None => {
                self.all::<RawBudget>("/apis/policy/v1/poddisruptionbudgets", "list poddisruptionbudgets")
                    .await?
            }
        };
        Ok(Budgets::of(raw))
    }

    /// A part of the survey is as old as this.
    pub(super) fn note(&self, at: Timestamp) {
        let mut oldest = self.oldest.lock().unwrap_or_else(PoisonError::into_inner);
        *oldest = Some(oldest.map_or(at, |oldest| oldest.min(at)));
    }

    /// Pods that wait for a node, and the pods of a scope: some lists, and later ones.
    async fn pods(&self, scope: &Scope, budgets: &Budgets) -> Result<(Drafts, Drafts), Error> {
        let reduce = |raw: RawPod| reduced(raw, budgets);
        let nodes: &[NodeName] = match scope {
            Scope::Nodes(nodes) => nodes,
            _ => &[],
        };
        if *scope == Scope::Everything || nodes.len() > FEW_NODES {
            let covered = |draft: &Draft| draft.pod.node.as_ref().is_none_or(|node| scope.covers(node));
            let reduce = |raw: RawPod| reduce(raw).filter(covered);
            let all =
                self.pages("/api/v1/pods", &[("fieldSelector", NOT_ENDED)], "list pods", reduce).await?;
            return Ok((all, Drafts::default()));
        }
        let waiting = self.pages("/api/v1/pods", &[("fieldSelector", WAITING)], "list pods", reduce).await?;
        Ok((waiting, self.on_nodes(nodes.to_vec(), budgets).await?))
    }

    /// The pods of some nodes, asked for node by node.
    pub(super) async fn on_nodes(&self, nodes: Vec<NodeName>, budgets: &Budgets) -> Result<Drafts, Error> {
        let on = iter(nodes).map(|node| self.on_node(node, budgets));
        let found: Vec<Vec<Draft>> = on.buffered(AT_ONCE).try_collect().await?;
        let mut all = Drafts::default();
        all.extend(found.into_iter().flatten());
        Ok(all)
    }

    async fn on_node(&self, node: NodeName, budgets: &Budgets) -> Result<Vec<Draft>, Error> {
        let on_it = format!("spec.nodeName={node},{NOT_ENDED}");
        let query = [("fieldSelector", on_it.as_str())];
        self.pages("/api/v1/pods", &query, "list pods", |raw: RawPod| reduced(raw, budgets)).await
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
    pub(super) async fn pages<T: DeserializeOwned, R, C: Default + Extend<R>>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        action: &str,
        reduce: impl Fn(T) -> Option<R>,
    ) -> Result<C, Error> {
        let limit = self.config.page.max(1).to_string();
        let (mut kept, mut next, mut starts) = (C::default(), String::new(), 1);
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
                    (kept, next) = (C::default(), String::new());
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
            self.note(date);
        }
        answer.parse().map_err(|error| {
            let attempted = format!("read the answer to \"{action}\"");
            Trouble::Failed(Error::new(ErrorKind::Unavailable, attempted).with_source(error))
        })
    }
}

/// As a fact, unless it needs no node: it has ended, or is held back before any scheduler looks at it.
fn reduced(raw: RawPod, budgets: &Budgets) -> Option<Draft> {
    if raw.is_finished() || raw.is_gated() { None } else { raw.fact(budgets) }
}

/// A pod that was bound between two lists is in both: the later one is right.
fn once_each(mut early: Vec<Pod>, late: Vec<Pod>) -> Vec<Pod> {
    if early.is_empty() {
        return late;
    }
    let later: BTreeSet<&PodUid> = late.iter().map(|pod| &pod.uid).collect();
    if !later.is_empty() {
        early.retain(|pod| !later.contains(&pod.uid));
    }
    early.extend(late);
    early
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
