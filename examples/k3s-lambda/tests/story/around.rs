//! What the function is put into: numbers, and a way to the API server in memory.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use autoscale_core::data::view::{Reading, Sample, SignalQuery};
use autoscale_core::ports::{Clock, Error, Ids, MetricsSource, RandomIds};
use autoscale_core::words::{Deadline, Fixed, Span, Timestamp};
use autoscale_kube::Connection;
use autoscale_kube::drain::{Drain, DrainConfig};
use autoscale_kube::fake::ApiServer;
use k3s_lambda::bad::Bad;
use k3s_lambda::clients::Clients;
use k3s_lambda::cluster::{Dial, Reached};
use k3s_lambda::function::Function;
use k3s_lambda::objects::Buckets;
use k3s_lambda::settings::Settings;
use k3s_lambda::setup::Setup;

use crate::account::Account;
use crate::parameters::{Parameters, ssm};
use crate::tables::Tables;
use crate::wire::Wire;
use crate::{account, tables};

/// The time of the API server, which passes while tokio's does.
#[derive(Clone, Debug)]
pub(crate) struct ServerClock(pub(crate) ApiServer);

#[async_trait]
impl Clock for ServerClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn boot(&self) -> Deadline {
        Deadline::from_millis(u64::try_from(self.0.now().as_millis()).unwrap())
    }

    async fn sleep(&self, span: Span) {
        tokio::time::sleep(span.into()).await;
    }
}

/// What Prometheus says of all pools. A clone is the same one.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    percent: Arc<AtomicI64>,
    down: Arc<AtomicBool>,
}

impl Load {
    pub(crate) fn set(&self, percent: i64) {
        self.percent.store(percent, Ordering::SeqCst);
    }

    /// Prometheus does not answer, or does again.
    pub(crate) fn down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }
}

#[async_trait]
impl MetricsSource for Load {
    async fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample> {
        let reading = match self.down.load(Ordering::SeqCst) {
            true => Reading::Failed { why: "connection refused".to_owned() },
            false => {
                let value = Fixed::from_micros(self.percent.load(Ordering::SeqCst) * 10_000);
                Reading::Value { value, age: Span::ZERO }
            }
        };
        wanted.iter().map(|query| Sample::new(query.clone(), reading.clone())).collect()
    }
}

/// Reaches the API server in memory, and remembers the addresses that it was asked for.
#[derive(Debug)]
struct Near(Around);

#[async_trait]
impl Dial for Near {
    async fn dial(&self, address: IpAddr) -> Result<Reached, Error> {
        let Self(around) = self;
        around.asked.lock().unwrap().push(address);
        let connection = Connection::from_client(around.server.client());
        let clock = Arc::new(ServerClock(around.server.clone()));
        let drain = Drain::new(connection, DrainConfig::new(), clock);
        Ok(Reached::new(Arc::new(drain), Arc::new(around.load.clone())))
    }
}

/// Variables of the story.
const VARIABLES: [(&str, &str); 30] = [
    ("MIN_WORKERS", "1"),
    ("MAX_WORKERS", "4"),
    ("PENDING_UP_SEC", "60"),
    ("CPU_UP", "70"),
    ("CPU_DOWN", "30"),
    ("IDLE_DOWN_SEC", "600"),
    ("COOLDOWN_UP_SEC", "60"),
    ("COOLDOWN_DOWN_SEC", "120"),
    ("MASTER_TAG_KEY", "k3s-role"),
    ("MASTER_TAG_VALUE", "master"),
    ("WORKER_TAG_KEY", "k3s-role"),
    ("WORKER_TAG_VALUE", "worker"),
    ("CLUSTER_TAG_KEY", "k3s-cluster"),
    ("CLUSTER_TAG_VALUE", "shop"),
    ("WORKER_SUBNET_IDS", "subnet-0000000a,subnet-0000000b"),
    ("WORKER_SG_ID", "sg-0123456789abcdef0"),
    ("WORKER_INSTANCE_PROFILE", "k3s-worker"),
    ("WORKER_AMI_ID", "ami-0123456789abcdef0"),
    ("WORKER_INSTANCE_TYPE", "m6i.large"),
    ("WORKER_CPU_MILLI", "1930"),
    ("WORKER_MEMORY_MIB", "7168"),
    ("K3S_CLUSTER_TOKEN_PARAM", "/shop/k3s/token"),
    ("K8S_API_TOKEN_PARAM", "/shop/k8s/token"),
    ("K8S_CA_PARAM", "/shop/k8s/ca"),
    ("PROM_NODEPORT", "30090"),
    ("STATE_TABLE", "state"),
    ("LOGS_TABLE", "logs"),
    ("JOIN_TIMEOUT_SEC", "600"),
    ("DRAIN_TIMEOUT_SEC", "600"),
    ("QUEUE_PARTIAL_FAILURES", "true"),
];

/// Everything that a function talks to. A clone is the same one.
#[derive(Clone, Debug)]
pub(crate) struct Around {
    pub(crate) server: ApiServer,
    pub(crate) ec2: Wire<Account>,
    pub(crate) tables: Wire<Tables>,
    pub(crate) parameters: Wire<Parameters>,
    pub(crate) load: Load,
    /// S3, if it can be reached.
    pub(crate) buckets: Option<Buckets>,
    /// Addresses that were connected to.
    pub(crate) asked: Arc<Mutex<Vec<IpAddr>>>,
}

impl Around {
    pub(crate) fn new(server: ApiServer) -> Self {
        Self {
            server,
            ec2: Wire::new(Account::new()),
            tables: Wire::new(Tables::new()),
            parameters: Wire::new(Parameters::default()),
            load: Load { percent: Arc::new(AtomicI64::new(50)), down: Arc::default() },
            buckets: None,
            asked: Arc::default(),
        }
    }

    /// A new process of the function.
    pub(crate) async fn function(&self) -> Function {
        self.function_with(&[]).await.unwrap()
    }

    /// One with other variables; an empty one is not there.
    pub(crate) async fn function_with(&self, other: &[(&str, &str)]) -> Result<Function, Bad> {
        let lookup = |name: &str| {
            let found = other.iter().chain(&VARIABLES).find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned()).filter(|value| !value.is_empty())
        };
        let settings = Settings::from_env(&lookup)?;
        let (ec2, dynamodb) = (account::client(&self.ec2), tables::client(&self.tables));
        let mut clients = Clients::new(ec2, dynamodb, ssm(&self.parameters), "eu-central-1".to_owned());
        clients.buckets.clone_from(&self.buckets);
        let clock: Arc<dyn Clock> = Arc::new(ServerClock(self.server.clone()));
        let ids: Arc<dyn Ids> = Arc::new(RandomIds::new("test"));
        let near = Arc::new(Near(self.clone()));
        let setup = Setup::with_dial(settings, &clients, &lookup, (clock, ids.clone()), near).await?;
        Ok(Function::new(setup, &*ids))
    }
}
