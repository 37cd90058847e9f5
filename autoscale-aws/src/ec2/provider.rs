//! [`NodeProvider`] on EC2.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use autoscale_core::data::order::{LaunchOrder, Launched, TerminateOrder};
use autoscale_core::data::view::{Listing, Ownership, Phase};
use autoscale_core::ports::{Clock, Error, ErrorKind, NodeProvider, Result};
use autoscale_core::words::{InstanceId, Zone};
use aws_sdk_ec2::Client;

use super::api::Api;
use super::config::Ec2Config;
use super::error;
use super::gate::{Ahead, InTime};
use super::request::{self, Which};
use super::response;
use super::sdk::Sdk;
use crate::watch::{Gate, Watch};

/// So many own launches are remembered.
const MOST_BORN: usize = 1_000;

/// A [`NodeProvider`] on EC2, for the machines of one cluster.
///
/// The zones of the configured subnets are looked up once, when they are first needed.
#[derive(Clone, Debug)]
pub struct Ec2Nodes {
    pub(super) api: Arc<dyn Api>,
    pub(super) config: Arc<Ec2Config>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ahead: Ahead,
    zones: Arc<Mutex<Option<Zones>>>,
    /// What this process has launched: known to carry the tags before any list shows it.
    born: Arc<Mutex<VecDeque<InstanceId>>>,
}

/// The subnets of each zone, by id.
pub(super) type Zones = BTreeMap<Zone, Vec<String>>;

impl Ec2Nodes {
    /// Machines through a client of the SDK, which brings region, credentials and timeouts. Whether it repeats requests does
    /// not matter: here nothing is repeated.
    ///
    /// The clock is the driver's: orders carry times of its boot clock.
    pub fn new(client: Client, config: Ec2Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            api: Arc::new(Sdk(client)),
            config: Arc::new(config),
            clock,
            ahead: Ahead::default(),
            zones: Arc::default(),
            born: Arc::default(),
        }
    }

    /// The zones that machines can be put in, by name: those of the configured subnets. For the policy's `zones`.
    ///
    /// # Errors
    /// `Throttled`, `Denied` or `Unavailable`; `Invalid` if a subnet is not there.
    pub async fn zones(&self) -> Result<Vec<Zone>> {
        Ok(self.subnets().await?.into_keys().collect())
    }

    pub(super) async fn subnets(&self) -> Result<Zones> {
        if let Some(zones) = self.zones.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(zones);
        }
        let (watch, attempted) = (Watch::new(), "look up the zones of the subnets");
        let found = self.api.subnets(&self.config.subnets, &watch).await;
        self.ahead.learn(&watch, self.clock.now());
        let found = found.map_err(|failure| failure.looking(attempted, "ec2:DescribeSubnets"))?;
        let mut zones = Zones::new();
        for subnet in found {
            if let Ok(zone) = Zone::new(&subnet.zone) {
                zones.entry(zone).or_default().push(subnet.id);
            }
        }
        zones.values_mut().for_each(|ids| ids.sort());
        let known: Vec<&String> = zones.values().flatten().collect();
        let missing: Vec<&str> =
            self.config.subnets.iter().filter(|id| !known.contains(id)).map(String::as_str).collect();
        if !missing.is_empty() {
            let attempted = format!("{attempted}: EC2 does not say where {} is", missing.join(", "));
            return Err(Error::new(ErrorKind::Invalid, attempted));
        }
        *self.zones.lock().unwrap_or_else(PoisonError::into_inner) = Some(zones.clone());
        Ok(zones)
    }

    fn remember(&self, id: &InstanceId) {
        let mut born = self.born.lock().unwrap_or_else(PoisonError::into_inner);
        if !born.contains(id) {
            born.push_back(id.clone());
            if born.len() > MOST_BORN {
                born.pop_front();
            }
        }
    }

    fn is_own(&self, id: &InstanceId) -> bool {
        self.born.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Whether an instance may be ended: `false` if there is nothing to end any more.
    async fn may_end(&self, order: &TerminateOrder) -> Result<bool> {
        let attempted = format!("terminate {}", order.instance);
        let denied = |why: &str| {
            Error::new(ErrorKind::Denied { action: why.to_owned() }, format!("{attempted}: {why}"))
        };
        if order.cluster != self.config.cluster {
            return Err(denied("the order is of another cluster"));
        }
        let which = Which::Ids(vec![order.instance.as_str().to_owned()]);
        let rows = match self.rows(&which).await {
            Ok(rows) => rows.rows,
            // EC2 may not know yet what it has just made.
            Err(failure) if failure.code.as_deref() == Some("InvalidInstanceID.NotFound") => Vec::new(),
            Err(failure) => {
                let attempted = format!("{attempted}: look at its tags");
                return Err(failure.looking(&attempted, "ec2:DescribeInstances"));
            }
        };
        let Some(row) = rows.iter().find(|row| row.id == order.instance.as_str()) else {
            return Ok(self.is_own(&order.instance));
        };
        match response::ownership(&self.config, row) {
            Ownership::Ours | Ownership::WorkerTag => {}
            Ownership::ControlPlane => return Err(denied("it is of the control plane")),
            _ => return Err(denied("it does not carry the tags of a worker of this cluster")),
        }
        Ok(!matches!(response::phase(&row.state), Phase::ShuttingDown | Phase::Terminated))
    }
}

#[async_trait]
impl NodeProvider for Ec2Nodes {
    async fn list(&self) -> Result<Listing> {
        self.listing().await
    }

    async fn launch(&self, order: &LaunchOrder) -> Result<Launched> {
        let attempted = || format!("launch {} for pool {}", order.offering, order.pool);
        let invalid = |why: String| Error::new(ErrorKind::Invalid, format!("{}: {why}", attempted()));
        if order.cluster != self.config.cluster {
            return Err(invalid(format!("the order is of cluster {}", order.cluster)));
        }
        let gate =
            InTime { clock: self.clock.clone(), not_after: order.not_after, ahead: Some(self.ahead.clone()) };
        // What is late already need not look anything up.
        if let Some(why) = gate.closed() {
            return Err(Error::new(ErrorKind::NotSent, format!("{}: {why}", attempted())));
        }
        // Nothing was ordered yet: whatever is wrong, the launch was not sent.
        let zones = self.subnets().await.map_err(|error| match error.kind() {
            ErrorKind::Unavailable => Error::new(ErrorKind::NotSent, attempted()).with_source(error),
            _ => error,
        })?;
        let subnets = zones.get(&order.offering.zone).map(Vec::as_slice).unwrap_or_default();
        let run = request::run(&self.config, subnets, order).map_err(invalid)?;
        let watch = Watch::gated(gate);
        let answer = self.api.run(&run, &watch).await;
        self.ahead.learn(&watch, self.clock.now());
        let ids = answer.map_err(|failure| error::launch(failure, order))?;
        match ids.as_slice() {
            [id] => {
                let unreadable = |error| Error::new(ErrorKind::Unclear, attempted()).with_source(error);
                let instance = InstanceId::new(id).map_err(unreadable)?;
                self.remember(&instance);
                Ok(Launched::new(instance))
            }
            ids => {
                let attempted = format!("{}: the answer names {} instances", attempted(), ids.len());
                Err(Error::new(ErrorKind::Unclear, attempted))
            }
        }
    }

    async fn terminate(&self, order: &TerminateOrder) -> Result<()> {
        let gate = InTime { clock: self.clock.clone(), not_after: order.not_after, ahead: None };
        if let Some(why) = gate.closed() {
            return Err(Error::new(ErrorKind::NotSent, format!("terminate {}: {why}", order.instance)));
        }
        if !self.may_end(order).await? {
            return Ok(());
        }
        let watch = Watch::gated(gate);
        let answer = self.api.terminate(order.instance.as_str(), false, &watch).await;
        self.ahead.learn(&watch, self.clock.now());
        answer.or_else(|failure| error::terminate(failure, order))
    }
}
