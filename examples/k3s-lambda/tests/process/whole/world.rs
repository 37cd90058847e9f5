//! The function in Lambda, on a stack of its own, and everything that it talks to.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use autoscale_aws::dynamodb::AuditTable;
use autoscale_core::data::audit::{Read, Reader};
use autoscale_core::logic::replay;
use autoscale_core::ports::{AuditLog as _, AuditRange};
use autoscale_core::words::{ClusterId, Span};
use autoscale_kube::fake::{ApiServer, NodeSpec, Serving, Settings as Weather};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::types::Filter;
use aws_sdk_ssm::types::ParameterType;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use super::gateway::{Gateway, Services};
use super::load::{Load, PASSWORD, prometheus};
use super::stack::Stack;
use crate::function::{Function, Told};
use crate::http::{Server, Trust, front};
use crate::place::{SECRETS, cluster, reachable};
use crate::prometheus_real::{Programs, Real};
use crate::real;
use crate::story::{judge_killed, run, schedule};

/// Nothing takes longer here.
const PATIENCE: Duration = Duration::from_secs(90);

/// One at a time: rules of microburst hold for everybody.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A machine that the function has bought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Worker {
    pub(crate) id: String,
    pub(crate) zone: String,
    pub(crate) spot: bool,
    pub(crate) runs: bool,
}

/// Everything.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) server: ApiServer,
    pub(crate) load: Load,
    pub(crate) function: Function,
    /// Until somebody takes them away.
    pub(crate) prometheus: Option<Real>,
    pub(crate) api: Option<Server>,
    cluster: String,
    variables: Vec<(String, String)>,
    ec2: aws_sdk_ec2::Client,
    audit: AuditTable,
    _alive: (Serving, Vec<Server>),
    _alone: MutexGuard<'static, ()>,
}

/// Where the servers are; `None` where one is missing, which was said.
struct Endpoints {
    moto: String,
    faults: String,
    dynamodb: String,
    programs: Programs,
    here: IpAddr,
}

impl Endpoints {
    fn find() -> Option<Self> {
        // All of them, so that each that is missing is said.
        let moto = real::endpoint("AUTOSCALE_TEST_EC2", ".ci/moto");
        let faults = real::endpoint("AUTOSCALE_TEST_EC2_FAULTS", ".ci/moto");
        let dynamodb = real::endpoint("AUTOSCALE_TEST_DYNAMODB", ".ci/dynamodb");
        let lambda = real::endpoint("AUTOSCALE_TEST_LAMBDA", ".ci/ministack");
        let (programs, here) = (Programs::find(), reachable());
        lambda?;
        Some(Self { moto: moto?, faults: faults?, dynamodb: dynamodb?, programs: programs?, here: here? })
    }
}

/// What clients of a server need.
fn at(endpoint: &str) -> SdkConfig {
    let login = Credentials::new("AKIDEXAMPLE", "nosecret", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(login))
        .endpoint_url(endpoint)
        .build()
}

fn dynamodb(endpoint: &str) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(&at(endpoint))
}

/// Makes a table of the stack on the server that stores, as it is on the one that created the stack.
async fn copy_table(moto: &str, store: &str, name: &str) {
    let found = dynamodb(moto).describe_table().table_name(name).send().await.unwrap();
    let table = found.table().unwrap();
    let billing = table.billing_mode_summary().and_then(|how| how.billing_mode()).cloned();
    let ask = dynamodb(store).create_table().table_name(name).set_billing_mode(billing);
    let ask = ask.set_key_schema(Some(table.key_schema().to_vec()));
    ask.set_attribute_definitions(Some(table.attribute_definitions().to_vec())).send().await.unwrap();
}

/// Stores what the master stores by its role.
async fn publish(moto: &str, variables: &BTreeMap<String, String>, ca: &str) {
    let client = aws_sdk_ssm::Client::new(&at(moto));
    let login = format!("autoscaler:{PASSWORD}");
    for (variable, value) in
        [("K8S_API_TOKEN_PARAM", SECRETS[0]), ("K8S_CA_PARAM", ca), ("PROM_LOGIN_PARAM", &login)]
    {
        let put = client.put_parameter().name(&variables[variable]).value(value);
        put.r#type(ParameterType::SecureString).send().await.unwrap();
    }
}

/// The policy of the story, in which seconds are what minutes are elsewhere.
fn policy(cluster: &str, zones: &[String]) -> String {
    json!({
        "version": 1, "cluster": cluster, "tick": {"interval": "1s", "limit": "10s"},
        "pools": {"workers": {
            "zones": zones, "shape": {"name": "t3.large", "cpu": "1930m", "memory": "7Gi", "pods": 110},
            "min": 1, "max": 4, "pending": {"for": "2s"},
            "up": [{"signal": "cpu", "above": "70%", "for": "0s"}],
            "down": [{"signal": "cpu", "below": "30%", "for": "4s"}],
            "cooldown_up": "2s", "cooldown_down": "3s", "join_timeout": "60s", "drain_timeout": "60s",
            "backoff_initial": "20s", "backoff_max": "20s",
        }},
    })
    .to_string()
}

impl World {
    /// `None` where a server is missing, which is said; a failure where `CI` is set.
    pub(crate) async fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let Endpoints { moto, faults, dynamodb: store, programs, here } = Endpoints::find()?;
        let alone = ALONE.lock().await;
        let name = format!("whole-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let stack = Stack::create(&moto, &name).await;
        let tables = ["STATE_TABLE", "LOGS_TABLE"].map(|variable| stack.variables[variable].clone());
        for table in &tables {
            copy_table(&moto, &store, table).await;
        }
        let trust = Trust::new(here);
        publish(&moto, &stack.variables, &trust.pem).await;
        let ec2 = aws_sdk_ec2::Client::new(&at(&moto));
        let master = ec2.describe_instances().instance_ids(stack.output("MasterId")).send().await.unwrap();
        let master = master.reservations()[0].instances()[0].private_ip_address().unwrap().to_owned();
        let subnets = stack.variables["WORKER_SUBNET_IDS"].split(',').map(str::to_owned).collect();
        let subnets = ec2.describe_subnets().set_subnet_ids(Some(subnets)).send().await.unwrap();
        let zones = subnets.subnets().iter().map(|subnet| subnet.availability_zone().unwrap().to_owned());
        let zones: Vec<String> = zones.collect();
        let (server, serving) = cluster(Weather::default().with_pod_stop(Span::from_secs(5))).await;
        let services = Services { dynamodb: store.clone(), ec2: faults, ssm: moto };
        let gateway = Gateway::new(services, server.clone(), master, here);
        gateway.rules(json!([])).await;
        gateway.fired().await;
        let aws = gateway.serve().await;

        let api = front(here, trust.config(), serving.address()).await;
        let load = Load::new();
        let page = load.serve().await;
        let prometheus = prometheus(&programs, &page);
        let loopback = std::net::SocketAddr::from(([127, 0, 0, 1], prometheus.port));
        let door = front(here, trust.config(), loopback).await;

        // What the template gives, but for ports, the policy, and a Pushgateway.
        let of_pools = [
            "MIN_WORKERS",
            "MAX_WORKERS",
            "CPU_UP",
            "CPU_DOWN",
            "WORKER_INSTANCE_TYPE",
            "PUSHGATEWAY_NODEPORT",
        ];
        let mut variables = stack.variables.clone();
        variables.retain(|name, _| !of_pools.contains(&name.as_str()));
        for (name, value) in [
            ("AWS_ENDPOINT_URL", format!("http://{}", aws.at)),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRETS[2].to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("HOME", "/nonexistent".to_owned()),
            ("K8S_API_PORT", api.at.port().to_string()),
            ("PROM_NODEPORT", door.at.port().to_string()),
            ("POLICY", policy(&name, &zones)),
        ] {
            variables.insert(name.to_owned(), value);
        }
        let variables: Vec<_> = variables.into_iter().collect();
        let function = Function::new(&variables, 40).await?;
        let id = ClusterId::new(&name).unwrap();
        let world = Self {
            gateway,
            server,
            load,
            function,
            prometheus: Some(prometheus),
            api: Some(api),
            cluster: name,
            variables,
            ec2,
            audit: AuditTable::new(dynamodb(&store), &tables[1], &id),
            _alive: (serving, vec![aws, page, door]),
            _alone: alone,
        };
        world.deploy();
        Some(world)
    }

    /// Pods of 400 mCPU, none yet.
    fn deploy(&self) {
        let containers =
            json!([{"name": "c", "image": "none.invalid/x", "resources": {"requests": {"cpu": "400m"}}}]);
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": {
                "metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}}},
        });
        self.server.create(deployment).unwrap();
    }

    pub(crate) async fn scale(&self, replicas: u32) {
        let all: Api<Deployment> = Api::default_namespaced(self.server.client());
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        all.patch("web", &PatchParams::default(), &patch).await.unwrap();
    }

    /// The machines that were bought, in the order of their identifiers.
    pub(crate) async fn machines(&self) -> Vec<Worker> {
        let filter =
            |key: &str, value: &str| Filter::builder().name(format!("tag:{key}")).values(value).build();
        let ask = self.ec2.describe_instances().filters(filter("asc:cluster", &self.cluster));
        let found = ask.filters(filter("asc:role", "worker")).send().await.unwrap();
        assert!(found.next_token().is_none());
        let all = found.reservations().iter().flat_map(|row| row.instances());
        let mut workers: Vec<_> = all
            .map(|machine| Worker {
                id: machine.instance_id().unwrap().to_owned(),
                zone: machine.placement().unwrap().availability_zone().unwrap().to_owned(),
                spot: machine.instance_lifecycle().is_some(),
                runs: matches!(machine.state().unwrap().name().unwrap().as_str(), "pending" | "running"),
            })
            .collect();
        workers.sort_by(|one, other| one.id.cmp(&other.id));
        workers
    }

    pub(crate) async fn running(&self) -> Vec<Worker> {
        self.machines().await.into_iter().filter(|worker| worker.runs).collect()
    }

    /// Nodes come and go with their machines.
    pub(crate) async fn settle(&self) {
        let mut names = Vec::new();
        for Worker { id, zone, runs, .. } in self.machines().await {
            if !runs {
                self.server.remove_node(&id);
                continue;
            }
            let node = NodeSpec::new(&id).with_provider_id(format!("aws:///{zone}/{id}"));
            let node = node.with_label("topology.kubernetes.io/zone", &zone);
            let node = node.with_label("autoscale.local/pool", "workers");
            // Young ones are left alone for 10 minutes, whatever the policy says.
            let node = node.with_age(Span::from_mins(10));
            self.server.add_node(node.with_allocatable("cpu", "1930m"));
            names.push(id);
        }
        self.load.run(&names);
    }

    pub(crate) async fn invoke(&self, event: Value) -> Told {
        let told = self.function.invoke(event).await;
        judge_killed(&told.written);
        assert!(!told.written.contains(PASSWORD), "the password is shown");
        told
    }

    /// An invocation by the schedule, which has to come to its end.
    pub(crate) async fn tick(&self) -> Told {
        self.settle().await;
        let told = self.invoke(schedule()).await;
        assert!(!told.failed, "{told:?}");
        told
    }

    /// Ticks until something holds.
    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self).await {
            if begun.elapsed() > PATIENCE {
                let why = self.run(&["explain"]).await.1;
                panic!("{what}: never: {:?}\n{why}", self.machines().await);
            }
            self.tick().await;
        }
    }

    /// Ticks for so many seconds.
    pub(crate) async fn pass(&self, seconds: u64) -> Vec<Told> {
        let (begun, mut all) = (Instant::now(), Vec::new());
        while begun.elapsed() < Duration::from_secs(seconds) {
            all.push(self.tick().await);
        }
        all
    }

    /// The first worker, which there has to be.
    pub(crate) async fn begin(&self) -> Worker {
        self.until("the least number of workers", async |world| world.running().await.len() == 1).await;
        self.until("a number of Prometheus", async |world| {
            let signals = world.run(&["explain"]).await.1;
            !signals.contains("missing")
        })
        .await;
        self.running().await.remove(0)
    }

    /// The program with a command.
    pub(crate) async fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        run(&self.variables, args).await
    }

    /// Every pod has a node.
    pub(crate) fn is_served(&self) -> bool {
        self.server.waiting().is_empty()
    }

    /// An operator who knows that the process is dead does not wait for its lease.
    pub(crate) async fn unlock(&self) {
        let (code, record) = self.run(&["status", "--json"]).await;
        if code != Some(0) {
            assert!(record.contains("no record"), "{record}");
            return;
        }
        let record: Value = serde_json::from_str(&record).unwrap();
        if record["lease"].is_object() {
            let (code, said) = self.run(&["unlock", &record["ver"].to_string()]).await;
            assert_eq!(code, Some(0), "{said}");
        }
    }

    /// Decides everything in the audit log again; it has to come out as it is recorded. So many machines were bought and ended.
    pub(crate) async fn judge(&self, bought: usize, ended: usize) {
        let machines = self.machines().await;
        let gone = machines.iter().filter(|worker| !worker.runs).count();
        assert_eq!((machines.len(), gone), (bought, ended), "{machines:?}");
        assert_eq!(self.gateway.harmed(), Vec::<String>::new(), "pods went with their machines");
        let (mut effects, mut entries) = (0, 0);
        let (mut reader, mut range) = (Reader::new(), AuditRange::all());
        loop {
            let page = self.audit.read(&range).await.unwrap();
            for line in &page.lines {
                let Read::Entry(entry) = reader.line(line).unwrap() else { panic!("no entry: {line:?}") };
                effects += replay(&entry.1).unwrap().effects;
                entries += 1;
            }
            match page.next {
                Some(next) => range.after = Some(next),
                None => break,
            }
        }
        reader.finish().unwrap();
        let acted = u64::try_from(bought + ended).unwrap();
        assert!(effects >= acted, "{effects} orders in {entries} entries of the log");
    }
}
