//! `--provider sim`: a cloud that keeps its machines in the cluster itself, to try the controller on any cluster.
//!
//! A machine is a ConfigMap in the controller's namespace, named after the token of its launch: making it is atomic, and a second
//! request with the same token finds it there. So all replicas see the same machines, and no kill loses one. A machine that
//! has booted gets a Node from [`Kubelets`], a background task of every replica. Ending a machine marks it; nobody takes its
//! Node away but the core, as with a real cloud.
//!
//! It needs permissions of its own (`manifests/sim/`), which no real provider needs.

mod config;
mod error;
mod kubelet;
mod machine;

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::data::order::{LaunchOrder, Launched, Offering, TerminateOrder};
use autoscale_core::data::policy::Policy;
use autoscale_core::data::view::{Listing, Ownership};
use autoscale_core::ports::{Clock, Error, ErrorKind, NodeProvider};
use autoscale_core::words::{ClusterId, Deadline};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::sync::watch;

pub use config::{Limit, SimConfig};
use error::{from_kube, has_code};
pub use kubelet::{Kubelets, Stepped};
use machine::{ENDED, Found, Machine, SIM};

/// Buys machines that are ConfigMaps.
///
/// A limit is counted before a launch and not held between two at the same time: it is there to provoke refusals.
#[derive(Clone)]
pub struct SimProvider {
    maps: Api<ConfigMap>,
    config: Arc<SimConfig>,
    cluster: ClusterId,
    policy: watch::Receiver<Arc<Policy>>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for SimProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimProvider")
            .field("cluster", &self.cluster)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl SimProvider {
    /// Over a client that does not repeat requests by itself. The policy says what machines there are and what they offer;
    /// its cluster is the one whose machines are ours.
    pub fn new(
        client: kube::Client,
        config: SimConfig,
        policy: watch::Receiver<Arc<Policy>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let cluster = policy.borrow().cluster().clone();
        let maps = Api::namespaced(client, &config.namespace);
        Self { maps, config: Arc::new(config), cluster, policy, clock }
    }

    fn in_time(&self, not_after: Deadline, attempted: &str) -> Result<(), Error> {
        if self.clock.boot() <= not_after { Ok(()) } else { Err(Error::new(ErrorKind::NotSent, attempted)) }
    }

    async fn find(&self, name: &str, attempted: &str) -> Result<Option<Found>, Error> {
        let map = self.maps.get_opt(name).await;
        let map = map.map_err(|error| from_kube(error, attempted, "get configmaps", false))?;
        let Some(map) = map else { return Ok(None) };
        let unreadable = || Error::new(ErrorKind::Unavailable, format!("{attempted}: no machine in it"));
        Found::new(&map).map(Some).ok_or_else(unreadable)
    }

    /// Refuses a launch for which there is no capacity. A machine that the token has bought is there already.
    async fn has_room(&self, name: &str, offering: &Offering, attempted: &str) -> Result<(), Error> {
        let Some(most) = self.config.limit(offering) else { return Ok(()) };
        let (found, complete) = machines(&self.maps, &self.config).await?;
        if !complete {
            return Err(Error::new(ErrorKind::Throttled { retry_after: None }, attempted));
        }
        let same = |found: &&Found| {
            found.ended_at.is_none()
                && found.machine.as_ref().is_some_and(|machine| machine.ordered.offering == *offering)
        };
        if found.iter().any(|found| found.name == name)
            || found.iter().filter(same).count() < usize::try_from(most).unwrap_or(usize::MAX)
        {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NoCapacity { offering: offering.clone() }, attempted))
    }
}

/// All machines in the namespace, whosever they are, and whether every page was read.
async fn machines(maps: &Api<ConfigMap>, config: &SimConfig) -> Result<(Vec<Found>, bool), Error> {
    let mut found = Vec::new();
    let mut params = ListParams::default().labels(&format!("{SIM}=machine")).limit(config.page);
    loop {
        let page = match maps.list(&params).await {
            Ok(page) => page,
            // What was read so far is true, and not all.
            Err(_) if params.continue_token.is_some() => return Ok((found, false)),
            Err(error) => return Err(from_kube(error, "list machines", "list configmaps", false)),
        };
        let next = page.metadata.continue_.filter(|token| !token.is_empty());
        found.extend(page.items.iter().filter_map(Found::new));
        match next {
            Some(token) => params = params.continue_token(&token),
            None => return Ok((found, true)),
        }
    }
}

#[async_trait]
impl NodeProvider for SimProvider {
    async fn list(&self) -> Result<Listing, Error> {
        let now = self.clock.now();
        let (found, complete) = machines(&self.maps, &self.config).await?;
        let boot = self.config.boot;
        let instances = found.iter().filter_map(|found| found.instance(&self.cluster, boot, now)).collect();
        let mut listing = Listing::new(now, instances);
        listing.complete = complete;
        Ok(listing)
    }

    async fn launch(&self, order: &LaunchOrder) -> Result<Launched, Error> {
        let attempted = format!("launch {} for pool {}", order.offering, order.pool);
        self.in_time(order.not_after, &attempted)?;
        let invalid = |why: &str| Error::new(ErrorKind::Invalid, format!("{attempted}: {why}"));
        let name = Machine::name_of(&order.token).ok_or_else(|| invalid("its token is no name"))?;
        let instance =
            autoscale_core::words::InstanceId::new(&name).map_err(|error| invalid(&error.to_string()))?;
        let policy = self.policy.borrow().clone();
        let machine =
            Machine::new(order, &policy).ok_or_else(|| invalid("the policy has no such machine type"))?;
        let map = machine.config_map(&name, &self.config.namespace);
        let map = map.map_err(|error| invalid(&error.to_string()))?;
        self.has_room(&name, &order.offering, &attempted).await?;
        self.in_time(order.not_after, &attempted)?;
        match self.maps.create(&PostParams::default(), &map).await {
            Ok(_) => return Ok(Launched::new(instance)),
            Err(error) if has_code(&error, 409) => {}
            // The namespace is not there, or is going: nothing was made.
            Err(error) if has_code(&error, 404) => return Err(invalid(&error.to_string())),
            Err(error) => return Err(from_kube(error, &attempted, "create configmaps", true)),
        }
        // The token has bought a machine before. Nothing is bought now, and which one it was is only a question.
        let again = Error::new(ErrorKind::Unclear, &attempted);
        match self.find(&name, &attempted).await {
            Ok(Some(found)) if found.machine.as_ref().map(|m| &m.ordered) != Some(&machine.ordered) => {
                Err(Error::new(ErrorKind::TokenMismatch, attempted))
            }
            Ok(Some(found)) if found.ended_at.is_some() => Err(Error::new(ErrorKind::TokenSpent, attempted)),
            Ok(Some(_)) => Ok(Launched::new(instance)),
            Ok(None) => Err(Error::new(ErrorKind::TokenSpent, attempted)),
            Err(error) => Err(again.with_source(error)),
        }
    }

    async fn terminate(&self, order: &TerminateOrder) -> Result<(), Error> {
        let attempted = format!("end {}", order.instance);
        self.in_time(order.not_after, &attempted)?;
        let Some(found) = self.find(order.instance.as_str(), &attempted).await? else { return Ok(()) };
        let denied = |why: &str| Error::new(ErrorKind::Denied { action: why.to_owned() }, &attempted);
        if found.ownership(&order.cluster) != Ownership::Ours {
            return Err(denied("it is no worker of this cluster"));
        }
        if found.ended_at.is_some() {
            return Ok(());
        }
        if found.protected {
            return Err(denied("it is protected by its label"));
        }
        self.in_time(order.not_after, &attempted)?;
        let patch = json!({ "metadata": {
            "resourceVersion": found.version,
            "annotations": { ENDED: self.clock.now().as_millis().to_string() },
        } });
        let ended = self.maps.patch(&found.name, &PatchParams::default(), &Patch::Merge(patch)).await;
        match ended {
            Ok(_) => Ok(()),
            Err(error) if has_code(&error, 404) => Ok(()),
            Err(error) => Err(from_kube(error, &attempted, "patch configmaps", true)),
        }
    }
}
