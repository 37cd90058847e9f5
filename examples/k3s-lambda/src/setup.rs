//! Puts the ports together.

use std::sync::Arc;

use autoscale_aws::dynamodb::{AuditTable, TableStore};
use autoscale_aws::ec2::Ec2Nodes;
use autoscale_core::data::policy::Policy;
use autoscale_core::driver::{Driver, Ports};
use autoscale_core::ports::{AuditLog, Clock, Ids, StateStore};

use crate::bad::Bad;
use crate::clients::Clients;
use crate::cluster::{Cluster, ClusterDrainer, ClusterMetrics, Dial, Master, MasterDial};
use crate::objects::Reach;
use crate::policy;
use crate::settings::{Lookup, Settings, StatePlace};
use crate::telemetry::Push;

/// Everything that an invocation or an operator's command works with.
#[derive(Debug)]
#[non_exhaustive]
pub struct Setup {
    /// What the environment says.
    pub settings: Settings,
    /// The policy.
    pub policy: Arc<Policy>,
    /// What a driver talks to.
    pub ports: Ports,
    /// The audit log.
    pub log: Arc<dyn AuditLog>,
    pub(crate) checks: Checks,
    /// Where metrics are pushed to, if anywhere.
    pub(crate) push: Option<Push>,
    scope: String,
}

/// Larger entries of the audit log go beside the record, where that is in a bucket: an item of the table takes 400 KiB.
const LARGE: usize = 320 << 10;

/// What can be asked beforehand.
#[derive(Debug)]
pub(crate) struct Checks {
    pub(crate) nodes: Ec2Nodes,
    pub(crate) table: Option<TableStore>,
    pub(crate) log: Arc<AuditTable>,
}

impl Setup {
    /// As the environment says, over these clients.
    ///
    /// # Errors
    /// Everything that is wrong with the settings and the policy.
    pub async fn new(
        settings: Settings,
        clients: &Clients,
        lookup: Lookup<'_>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Result<Self, Bad> {
        let dial =
            MasterDial::new(&settings, clients, clock.clone()).map_err(|error| Bad::of(error.chain()))?;
        Self::with_dial(settings, clients, lookup, (clock, ids), Arc::new(dial)).await
    }

    /// With another way to connect to the cluster.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub async fn with_dial(
        settings: Settings,
        clients: &Clients,
        lookup: Lookup<'_>,
        (clock, ids): (Arc<dyn Clock>, Arc<dyn Ids>),
        dial: Arc<dyn Dial>,
    ) -> Result<Self, Bad> {
        if settings.prometheus.insecure {
            tracing::warn!("Prometheus is asked over http: whoever is on the way can make up its numbers");
        }
        let nodes = Ec2Nodes::new(clients.ec2.clone(), settings.ec2.clone(), clock.clone());
        let policy = policy::find(&settings, clients, &nodes, clock.clone(), lookup).await?;
        let mut log = AuditTable::new(clients.dynamodb.clone(), &settings.logs, &settings.cluster);
        let (table, store): (_, Arc<dyn StateStore>) = match &settings.state {
            StatePlace::Table(table) => {
                let table = TableStore::new(clients.dynamodb.clone(), table, &settings.cluster);
                (Some(table.clone()), Arc::new(table))
            }
            StatePlace::S3(place) => {
                let bucket = Reach::new(&settings, clients, clock.clone()).state(place)?;
                let large =
                    bucket.large().map_err(|error| Bad::of(format!("STATE_S3: {}", error.chain())))?;
                // What would take more than a few items of the table lies beside the record.
                log = log.with_overflow(LARGE, large);
                (None, Arc::new(bucket))
            }
        };
        let log = Arc::new(log);
        let master = Master::new(clients.ec2.clone(), settings.master.clone());
        let cluster = Cluster::new(master, dial, clock.clone());
        let push = Push::new(&settings, &clients.ssm, cluster.clone(), &clock);
        let push = push.map_err(|error| Bad::of(error.chain()))?;
        let (drainer, metrics) = (ClusterDrainer::new(cluster.clone()), ClusterMetrics::new(cluster));
        let ports =
            Ports::new(Arc::new(metrics), Arc::new(nodes.clone()), Arc::new(drainer), store, clock, ids);
        let scope = format!("aws/{}", clients.region);
        let checks = Checks { nodes, table, log: log.clone() };
        Ok(Self { settings, policy, ports, log, checks, push, scope })
    }

    /// A driver under the policy.
    pub fn driver(&self) -> Driver {
        Driver::new(self.policy.clone(), self.ports.clone()).with_scope(&self.scope)
    }
}
