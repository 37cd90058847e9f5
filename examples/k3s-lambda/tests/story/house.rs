//! Everything around the function.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use autoscale_core::data::view::{Reading, Sample, SignalQuery};
use autoscale_core::ports::{Clock, Error, Ids, MetricsSource, RandomIds};
use autoscale_core::words::{Deadline, Fixed, Span, Timestamp};
use autoscale_kube::Connection;
use autoscale_kube::drain::{Drain, DrainConfig};
use autoscale_kube::fake::{ApiServer, NodeSpec, Settings as Weather};
use aws_sdk_ssm::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use k3s_lambda::clients::Clients;
use k3s_lambda::cluster::{Dial, Reached};
use k3s_lambda::function::{Answer as Told, Failed, Function};
use k3s_lambda::settings::Settings;
use k3s_lambda::setup::Setup;
use serde_json::{Value, json};

use crate::account::{Account, SUBNETS};
use crate::tables::Tables;
use crate::wire::{Answer, Service, Wire};
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

/// Parameters, all of them secure.
#[derive(Debug, Default)]
pub(crate) struct Parameters(pub(crate) Mutex<BTreeMap<String, String>>);

impl Service for Parameters {
    fn operation(&self, request: &HttpRequest) -> String {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        target.rsplit('.').next().unwrap_or_default().to_owned()
    }

    fn answer(&self, _: &str, body: &[u8]) -> Answer {
        let ask: Value = serde_json::from_slice(body).unwrap();
        let name = ask["Name"].as_str().unwrap();
        match self.0.lock().unwrap().get(name) {
            None => self.error(400, "ParameterNotFound", "none"),
            Some(value) => {
                let found = json!({"Name": name, "Type": "SecureString", "Value": value});
                Answer::ok(json!({ "Parameter": found }).to_string())
            }
        }
    }

    fn error(&self, http: u16, code: &str, message: &str) -> Answer {
        Answer { code: http, body: json!({ "__type": code, "message": message }).to_string() }
    }
}

pub(crate) fn ssm(wire: &Wire<Parameters>) -> aws_sdk_ssm::Client {
    let config = aws_sdk_ssm::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "no secret", None, None, "tests"))
        .http_client(wire.clone());
    aws_sdk_ssm::Client::from_conf(config.build())
}

/// How busy all pools are, in percent.
#[derive(Debug)]
struct Busy(Arc<AtomicI64>);

#[async_trait]
impl MetricsSource for Busy {
    async fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample> {
        let value = Fixed::from_micros(self.0.load(Ordering::SeqCst) * 10_000);
        let busy =
            |query: &SignalQuery| Sample::new(query.clone(), Reading::Value { value, age: Span::ZERO });
        wanted.iter().map(busy).collect()
    }
}

/// Reaches the API server in memory, and remembers the addresses that it was asked for.
#[derive(Debug)]
struct Near {
    server: ApiServer,
    busy: Arc<AtomicI64>,
    asked: Arc<Mutex<Vec<IpAddr>>>,
}

#[async_trait]
impl Dial for Near {
    async fn dial(&self, address: IpAddr) -> Result<Reached, Error> {
        self.asked.lock().unwrap().push(address);
        let connection = Connection::from_client(self.server.client());
        let drain = Drain::new(connection, DrainConfig::new(), Arc::new(ServerClock(self.server.clone())));
        Ok(Reached::new(Arc::new(drain), Arc::new(Busy(self.busy.clone()))))
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

/// The whole of it.
pub(crate) struct House {
    pub(crate) server: ApiServer,
    pub(crate) ec2: Wire<Account>,
    pub(crate) tables: Wire<Tables>,
    pub(crate) busy: Arc<AtomicI64>,
    pub(crate) asked: Arc<Mutex<Vec<IpAddr>>>,
    /// What CloudWatch was told.
    pub(crate) told: Mutex<Vec<Value>>,
    pub(crate) function: Function,
    time: tokio::task::JoinHandle<()>,
}

impl Drop for House {
    fn drop(&mut self) {
        self.time.abort();
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        let server = ApiServer::new(Weather::default().with_pod_stop(Span::from_secs(3)));
        let ec2 = Wire::new(Account::new());
        ec2.service.place(&[("k3s-role", "master"), ("k3s-cluster", "shop")]);
        server.add_node(
            NodeSpec::new("master").with_label("node-role.kubernetes.io/control-plane", "").with_taint(
                "node-role.kubernetes.io/control-plane",
                "",
                "NoSchedule",
            ),
        );
        let tables = Wire::new(Tables::new());
        let (busy, asked) = (Arc::new(AtomicI64::new(50)), Arc::default());
        let time = follow(&server, &ec2);
        // Before the first look at a clock.
        tokio::time::sleep(Span::from_secs(1).into()).await;
        let function = function(&server, &ec2, &tables, &busy, &asked).await;
        Self { server, ec2, tables, busy, asked, told: Mutex::default(), function, time }
    }

    /// The process ends, and another one begins.
    pub(crate) async fn restart(&mut self) {
        self.function = function(&self.server, &self.ec2, &self.tables, &self.busy, &self.asked).await;
    }

    pub(crate) async fn invoke(&self, event: &Value) -> Result<Told, Failed> {
        let left = Some(Span::from_mins(2));
        let (told, lines) = self.function.invoke(event.to_string().as_bytes(), left).await;
        let lines = lines.iter().map(|line| {
            assert!(!line.contains('\n'), "more than one line: {line}");
            serde_json::from_str(line).unwrap()
        });
        self.told.lock().unwrap().extend(lines);
        told
    }

    /// Two minutes: machines boot and end, nodes come and go, and then it is time for a tick.
    pub(crate) async fn tick(&self) -> Told {
        tokio::time::sleep(Span::from_mins(2).into()).await;
        self.ec2.service.settle();
        for (id, zone, state) in self.machines() {
            match state {
                "running" => {
                    let node = NodeSpec::new(&id).with_provider_id(format!("aws:///{zone}/{id}"));
                    let node = node.with_label("topology.kubernetes.io/zone", &zone);
                    self.server.add_node(node.with_allocatable("cpu", "1930m"));
                }
                _ => self.server.remove_node(&id),
            }
        }
        let schedule = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
        self.invoke(&schedule).await.unwrap()
    }

    /// Workers that were launched: id, zone, state.
    pub(crate) fn machines(&self) -> Vec<(String, String, &'static str)> {
        let state = self.ec2.service.lock();
        let ours = state.machines.iter().filter(|machine| !machine.token.is_empty());
        ours.map(|machine| {
            let zone = SUBNETS.iter().find(|(id, _)| machine.asked["SubnetId"] == *id).unwrap().1;
            (machine.id.clone(), zone.to_owned(), machine.state)
        })
        .collect()
    }

    pub(crate) fn running(&self) -> Vec<String> {
        self.machines()
            .into_iter()
            .filter(|machine| machine.2 == "running")
            .map(|machine| machine.0)
            .collect()
    }

    /// Ticks until something holds.
    pub(crate) async fn until(&self, what: &str, most: u32, holds: impl Fn(&Self) -> bool) {
        for _ in 0..most {
            if holds(self) {
                return;
            }
            self.tick().await;
        }
        assert!(holds(self), "{what}: not within {most} ticks: {:?}", self.machines());
    }

    /// Pods of a deployment that asks for most of a machine each.
    pub(crate) async fn scale(&self, replicas: u32) {
        use kube::api::{Api, Patch, PatchParams};
        let all: Api<k8s_openapi::api::apps::v1::Deployment> = Api::default_namespaced(self.server.client());
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        all.patch("web", &PatchParams::default(), &patch).await.unwrap();
    }

    pub(crate) fn deploy(&self) {
        let containers =
            json!([{"name": "c", "image": "none.invalid/x", "resources": {"requests": {"cpu": "1500m"}}}]);
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": {
                "metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}}},
        });
        self.server.create(deployment).unwrap();
    }
}

async fn function(
    server: &ApiServer,
    ec2: &Wire<Account>,
    tables: &Wire<Tables>,
    busy: &Arc<AtomicI64>,
    asked: &Arc<Mutex<Vec<IpAddr>>>,
) -> Function {
    let lookup =
        |name: &str| VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let settings = Settings::from_env(&lookup).unwrap();
    let parameters = Wire::new(Parameters::default());
    let clients = Clients::new(
        account::client(ec2),
        tables::client(tables),
        ssm(&parameters),
        "eu-central-1".to_owned(),
    );
    let clock: Arc<dyn Clock> = Arc::new(ServerClock(server.clone()));
    let ids: Arc<dyn Ids> = Arc::new(RandomIds::new("test"));
    let near = Near { server: server.clone(), busy: busy.clone(), asked: asked.clone() };
    let setup = Setup::with_dial(settings, &clients, &lookup, (clock, ids.clone()), Arc::new(near)).await;
    Function::new(setup.unwrap(), &*ids)
}

/// Lets the servers' time follow tokio's.
fn follow(server: &ApiServer, ec2: &Wire<Account>) -> tokio::task::JoinHandle<()> {
    let (server, ec2) = (server.clone(), ec2.clone());
    tokio::spawn(async move {
        let step = Span::from_millis(250);
        loop {
            server.advance(step);
            ec2.service.lock().ahead = server.now().as_millis() - jiff::Timestamp::now().as_millisecond();
            tokio::time::sleep(step.into()).await;
        }
    })
}

impl House {
    /// Long enough for a known address to be looked up again, with pods that wait.
    pub(crate) async fn scale_later(&self) {
        self.deploy();
        for _ in 0..4 {
            self.tick().await;
        }
        self.scale(3).await;
        for _ in 0..6 {
            self.tick().await;
        }
    }
}
