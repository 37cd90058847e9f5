//! Puts the ports together.

use std::sync::Arc;

use autoscale_aws::dynamodb::{AuditTable, TableStore};
use autoscale_aws::ec2::Ec2Nodes;
use autoscale_aws::ssm::SecretParameter;
use autoscale_core::data::policy::Policy;
use autoscale_core::driver::{Driver, Ports};
use autoscale_core::ports::{AuditLog, Clock, Ids, StateStore};

use crate::bad::Bad;
use crate::clients::Clients;
use crate::cluster::{Cluster, ClusterDrainer, ClusterMetrics, Dial, Master, MasterDial};
use crate::settings::{Lookup, Settings, StatePlace};
use crate::telemetry::{Login, Push};
use crate::{objects, policy};

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
    scope: String,
    master: Master,
    ssm: aws_sdk_ssm::Client,
}

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
        let log = Arc::new(AuditTable::new(clients.dynamodb.clone(), &settings.logs, &settings.cluster));
        let table = match &settings.state {
            StatePlace::Table(table) => {
                Some(TableStore::new(clients.dynamodb.clone(), table, &settings.cluster))
            }
            StatePlace::S3(_) => None,
        };
        let store: Arc<dyn StateStore> = match (&table, &settings.state) {
            (None, StatePlace::S3(place)) => objects::record(place, &settings.cluster)?,
            (Some(table), _) => Arc::new(table.clone()),
            (None, StatePlace::Table(_)) => return Err(Bad::of("not enough was set")),
        };
        let master = Master::new(clients.ec2.clone(), settings.master.clone());
        let cluster = Cluster::new(master.clone(), dial, clock.clone());
        let (drainer, metrics) = (ClusterDrainer::new(cluster.clone()), ClusterMetrics::new(cluster));
        let ports =
            Ports::new(Arc::new(metrics), Arc::new(nodes.clone()), Arc::new(drainer), store, clock, ids);
        let scope = format!("aws/{}", clients.region);
        let checks = Checks { nodes, table, log: log.clone() };
        let ssm = clients.ssm.clone();
        Ok(Self { settings, policy, ports, log, checks, scope, master, ssm })
    }

    /// A driver under the policy.
    pub fn driver(&self) -> Driver {
        Driver::new(self.policy.clone(), self.ports.clone()).with_scope(&self.scope)
    }

    /// Pushes metrics, if there is a place for them. Otherwise the text is not made.
    pub(crate) async fn push(&self, text: impl FnOnce() -> String) -> Option<Result<(), String>> {
        let web = self.settings.pushgateway.as_ref()?;
        let pushed = async {
            let parameter =
                |name: &str| SecretParameter::new(self.ssm.clone(), name, self.ports.clock.clone());
            let failed = |error: autoscale_core::ports::Error| error.chain();
            let ca = self.settings.prometheus_ca.as_ref().unwrap_or(&self.settings.api_ca);
            let ca = match web.insecure {
                true => None,
                false => Some(parameter(ca).map_err(failed)?.with_plain().get().await.map_err(failed)?),
            };
            let login = match &self.settings.prometheus_login {
                Some(name) => Some(parameter(name).map_err(failed)?.get().await.map_err(failed)?),
                None => None,
            };
            let address = self.master.address().await.map_err(failed)?;
            let ca = ca.as_ref().map(|ca| ca.expose());
            let push = Push::new(address, web, &self.settings.cluster, ca).map_err(|bad| bad.to_string())?;
            push.push(text(), login.as_deref().map_or(Login::None, Login::Secret)).await
        };
        Some(pushed.await)
    }
}
