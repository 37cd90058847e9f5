//! Surveys from a cache that list and watch keep, for programs that stay up. What may come from it is said at [`CachedDrain`].

mod config;
mod follow;
mod kinds;
mod mirror;
mod survey;

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::data::order::{CordonOrder, Cordoned, EvictOrder, EvictPass, ForgetOrder};
use autoscale_core::data::view::{ClusterView, Scope};
use autoscale_core::ports::{Drainer, Error};
use tokio::task::AbortHandle;

use super::survey::Survey;
use super::{Drain, owners};
pub use config::{CacheConfig, CacheState};
use follow::{Wire, follow};
use kinds::{Claims, Controllers, Kind, Nodes, PodBudgets, Pods, Volumes};
use mirror::Mirror;

/// A [`Drain`] whose surveys come from a cache that list and watch keep, as far as that is safe, for programs that stay up.
///
/// Dropping the last clone of it ends its tasks and its watches.
///
/// # What may come from it
/// A cache lags, and a step that cannot be taken back must not rest on what it has not heard of yet: a cordon of our own, a pod
/// that was bound a moment before it, a node that has just joined. Therefore:
///
/// - **Nodes** are told from the cache only when it has provably come to the moment at which the survey was asked for: the API
///   server is asked for its version (a list with a limit of one), and the watch has to have come to that. Otherwise they are listed. So
///   a survey always knows every write that was answered before it began, whoever made it.
/// - **Pods on nodes that are cordoned, marked, or not Ready**, and on those that the scope names, are listed, after the nodes.
///   Only of such nodes pods are evicted, and only such nodes are ended.
/// - **All else** (pods elsewhere, pods that wait, budgets, controllers, claims, volumes) may lag, by
///   [`CacheConfig::max_age`] at most: beyond that it is listed. From these facts it is chosen what to try; an eviction is
///   checked by the API server itself.
/// - **A kind that fits on one page** is listed: that costs one request, as much as the question how new the cache is.
///
/// The time of a survey is that of its oldest part. It comes from the API server's own clock: what is kept is as new as the newest
/// version that the server had told with its time, and that the watch has come to since. A watch that was cut off or hangs
/// gets older with every survey, whatever this machine's clock says.
///
/// While a kind is not listed yet, cannot be watched, or is being listed anew, surveys list it themselves: a cache in trouble
/// costs requests, and [`state`](Self::state) says why.
#[derive(Clone, Debug)]
pub struct CachedDrain {
    drain: Drain,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cache: Cache,
    tasks: Vec<AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// What is kept of each kind.
#[derive(Debug)]
pub(super) struct Cache {
    nodes: Arc<Mirror<Nodes>>,
    pods: Arc<Mirror<Pods>>,
    budgets: Arc<Mirror<PodBudgets>>,
    controllers: [Arc<Mirror<Controllers>>; owners::KINDS.len()],
    claims: Arc<Mirror<Claims>>,
    volumes: Arc<Mirror<Volumes>>,
    config: CacheConfig,
    wire: Wire,
}

impl CachedDrain {
    /// Begins to follow nodes, pods and budgets; controllers, claims and volumes from the first survey on that needs them.
    ///
    /// It needs the verb `watch` beside `list` (`rbac/watch-role.yaml`).
    ///
    /// # Panics
    /// Outside a runtime of tokio: the watches are tasks of the runtime that it is called in.
    pub fn spawn(drain: Drain, config: CacheConfig) -> Self {
        let wire = Wire {
            connection: drain.connection.clone(),
            config: drain.config.clone(),
            clock: Arc::clone(&drain.clock),
            silence: config.silence,
        };
        let mut tasks = Vec::new();
        let cache = Cache {
            nodes: start(Nodes, &wire, &mut tasks),
            pods: start(Pods::default(), &wire, &mut tasks),
            budgets: start(PodBudgets, &wire, &mut tasks),
            controllers: std::array::from_fn(|number| start(Controllers(number), &wire, &mut tasks)),
            claims: start(Claims, &wire, &mut tasks),
            volumes: start(Volumes, &wire, &mut tasks),
            config,
            wire,
        };
        cache.nodes.want();
        cache.pods.want();
        cache.budgets.want();
        Self { drain, inner: Arc::new(Inner { cache, tasks }) }
    }

    /// Waits until nodes, pods and budgets are listed for the first time. Surveys may be asked for before: they list.
    pub async fn ready(&self) {
        let Cache { nodes, pods, budgets, .. } = &self.inner.cache;
        futures_util::future::join3(nodes.listed(), pods.listed(), budgets.listed()).await;
    }

    /// How each kind is kept.
    pub fn state(&self) -> Vec<CacheState> {
        let Cache { nodes, pods, budgets, controllers, claims, volumes, config: _, wire: _ } =
            &self.inner.cache;
        let mut all = vec![nodes.state(), pods.state(), budgets.state()];
        all.extend(controllers.iter().map(|mirror| mirror.state()));
        all.extend([claims.state(), volumes.state()]);
        all
    }
}

fn start<K: Kind>(kind: K, wire: &Wire, tasks: &mut Vec<AbortHandle>) -> Arc<Mirror<K>> {
    let mirror = Arc::new(Mirror::new(kind));
    let task = tokio::spawn(follow(Arc::clone(&mirror), wire.clone()));
    tasks.push(task.abort_handle());
    mirror
}

#[async_trait]
impl Drainer for CachedDrain {
    async fn survey(&self, scope: &Scope) -> Result<ClusterView, Error> {
        let Drain { connection, config, clock } = &self.drain;
        Survey::new(connection, config).look(scope, &**clock, Some(&self.inner.cache)).await
    }

    async fn cordon(&self, order: &CordonOrder) -> Result<Cordoned, Error> {
        self.drain.cordon(order).await
    }

    async fn uncordon(&self, order: &CordonOrder) -> Result<Cordoned, Error> {
        self.drain.uncordon(order).await
    }

    async fn evict(&self, order: &EvictOrder) -> Result<EvictPass, Error> {
        self.drain.evict(order).await
    }

    async fn forget(&self, order: &ForgetOrder) -> Result<(), Error> {
        self.drain.forget(order).await
    }
}
