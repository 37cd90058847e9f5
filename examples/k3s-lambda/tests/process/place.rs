//! The place that the program is put into: a cloud, and a master with its API server and Prometheus at a private address.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use autoscale_core::words::Timestamp;
use autoscale_kube::fake::{ApiServer, NodeSpec, ServeOptions, Serving, Settings as Weather};
use base64::Engine as _;
use serde_json::json;
use tokio::net::TcpListener;

use crate::account::SUBNETS;
use crate::cloud::Cloud;
use crate::http::{Asked, Reply, Server, Told, Trust, front, private_address, reply, serve};

/// What must be nowhere in what the program writes.
pub(crate) const SECRETS: [&str; 3] = ["canary-api-token", "canary-password", "canary-aws-key"];

/// Everything.
pub(crate) struct Place {
    pub(crate) cloud: Cloud,
    pub(crate) server: ApiServer,
    /// How busy Prometheus says that all machines are, in percent.
    pub(crate) busy: Arc<AtomicI64>,
    /// What was pushed, the newest last.
    pub(crate) pushed: Arc<Mutex<Vec<String>>>,
    variables: Vec<(String, String)>,
    _alive: (Serving, [Server; 4]),
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// The address of this machine that the function connects to. `None` where there is none, which is said; a failure where `CI` is set.
pub(crate) fn reachable() -> Option<IpAddr> {
    let address = private_address();
    if address.is_none() {
        let missing = "this machine has no private address, and the function connects to no other";
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        println!("skipped: {missing}");
    }
    address
}

/// A cluster of one master, in real time, which knows the function's token.
pub(crate) async fn cluster(weather: Weather) -> (ApiServer, Serving) {
    let server = ApiServer::new(weather.with_start(Timestamp::from_millis(now())));
    server.add_token(SECRETS[0], "function");
    server.add_to_group("function", "system:masters");
    let control_plane = "node-role.kubernetes.io/control-plane";
    let master = NodeSpec::new("master").with_label(control_plane, "");
    server.add_node(master.with_taint(control_plane, "", "NoSchedule"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let options = ServeOptions::default().with_user(None).with_speed(1);
    let serving = server.serve(listener, options).unwrap();
    (server, serving)
}

impl Place {
    /// `None` where this machine has no private address, which is said; a failure where `CI` is set.
    pub(crate) async fn new() -> Option<Self> {
        let address = reachable()?;
        let trust = Trust::new(address);
        let (server, serving) = cluster(Weather::default()).await;
        let api = front(address, trust.config(), serving.address()).await;
        let busy = Arc::new(AtomicI64::new(50));
        let prometheus = prometheus(address, &trust, busy.clone()).await;
        let pushed = Arc::default();
        let pushgateway = pushgateway(address, &trust, Arc::clone(&pushed)).await;
        let cloud = Cloud::new(address);
        cloud.ec2.service.place(&[("k3s-role", "master"), ("k3s-cluster", "shop")]);
        for (name, value) in [
            ("/shop/function/api-token", SECRETS[0]),
            ("/shop/function/api-ca", &trust.pem),
            ("/shop/function/prometheus-login", &format!("autoscaler:{}", SECRETS[1])),
        ] {
            cloud.parameters.service.0.lock().unwrap().insert(name.to_owned(), value.to_owned());
        }
        let aws = cloud.serve().await;
        let variables = [
            ("AWS_ENDPOINT_URL", format!("http://{}", aws.at)),
            ("K8S_API_PORT", api.at.port().to_string()),
            ("PROM_NODEPORT", prometheus.at.port().to_string()),
            ("PUSHGATEWAY_NODEPORT", pushgateway.at.port().to_string()),
        ];
        let fixed = VARIABLES.map(|(name, value)| (name, value.to_owned()));
        let variables = variables.into_iter().chain(fixed).map(|(name, value)| (name.to_owned(), value));
        let alive = (serving, [api, prometheus, pushgateway, aws]);
        Some(Self { cloud, server, busy, pushed, variables: variables.collect(), _alive: alive })
    }

    pub(crate) fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// Machines boot and end, and their nodes come and go.
    pub(crate) fn settle(&self) {
        self.cloud.ec2.service.settle();
        let machines: Vec<_> = self.cloud.ec2.service.lock().machines.clone();
        for machine in machines.iter().filter(|machine| !machine.token.is_empty()) {
            if machine.state != "running" {
                self.server.remove_node(&machine.id);
                continue;
            }
            let zone = SUBNETS.iter().find(|(id, _)| machine.asked["SubnetId"] == *id).unwrap().1;
            let node = NodeSpec::new(&machine.id).with_provider_id(format!("aws:///{zone}/{}", machine.id));
            let node = node.with_label("topology.kubernetes.io/zone", zone);
            self.server.add_node(node.with_allocatable("cpu", "1930m"));
        }
    }

    /// The machines that were launched: id and state.
    pub(crate) fn machines(&self) -> Vec<(String, &'static str)> {
        let state = self.cloud.ec2.service.lock();
        let ours = state.machines.iter().filter(|machine| !machine.token.is_empty());
        ours.map(|machine| (machine.id.clone(), machine.state)).collect()
    }
}

fn is_let_in(asked: &Asked) -> bool {
    let login = base64::engine::general_purpose::STANDARD.encode(format!("autoscaler:{}", SECRETS[1]));
    asked.header("authorization") == Some(&format!("Basic {login}"))
}

/// A Prometheus that knows one number, measured just now, and lets nobody in without the login.
async fn prometheus(at: IpAddr, trust: &Trust, busy: Arc<AtomicI64>) -> Server {
    let answer = move |asked: Asked| {
        let busy = busy.clone();
        async move { told(&asked, &busy) }
    };
    serve(at, Some(trust.config()), answer).await
}

/// How often another process has ticked before.
pub(crate) const TICKED: u64 = 40;

/// The line of ticks in what is pushed.
pub(crate) const TICKS: &str = "autoscale_ticks_total{cluster=\"shop\",ended=\"done\"} ";

/// What a Pushgateway answers that was given this, as far as ticks go.
fn known(pushed: Option<&String>) -> String {
    let ticks = pushed.and_then(|text| text.lines().find_map(|line| line.strip_prefix(TICKS)));
    let labels = json!({"cluster": "shop", "ended": "done", "instance": "shop", "job": "autoscale"});
    let value = ticks.map_or_else(|| TICKED.to_string(), str::to_owned);
    let ticks = json!({"type": "COUNTER", "metrics": [{"labels": labels, "value": value}]});
    let group = json!({"labels": {"instance": "shop", "job": "autoscale"}, "autoscale_ticks_total": ticks});
    json!({"status": "success", "data": [group]}).to_string()
}

/// A Pushgateway that keeps what it is given.
async fn pushgateway(at: IpAddr, trust: &Trust, pushed: Arc<Mutex<Vec<String>>>) -> Server {
    let answer = move |asked: Asked| {
        let pushed = pushed.clone();
        async move {
            if !is_let_in(&asked) {
                return reply(401, "Unauthorized");
            }
            if asked.method == "GET" {
                assert_eq!(asked.path(), "/api/v1/metrics");
                return reply(200, known(pushed.lock().unwrap().last()));
            }
            assert_eq!(asked.method, "PUT");
            assert_eq!(asked.path(), "/metrics/job/autoscale/instance/shop");
            pushed.lock().unwrap().push(String::from_utf8(asked.body).unwrap());
            reply(200, "")
        }
    };
    serve(at, Some(trust.config()), answer).await
}

fn told(asked: &Asked, busy: &AtomicI64) -> Reply {
    if !is_let_in(asked) {
        return reply(401, "Unauthorized");
    }
    let query = asked.target.split_once('?').map_or("", |(_, query)| query);
    if !asked.path().ends_with("/api/v1/query") || !query.contains("node_cpu_seconds_total") {
        return reply(404, query);
    }
    let seconds = now() / 1_000;
    let value = match query.contains("timestamp") {
        true => seconds.to_string(),
        false => format!("0.{:02}", busy.load(Ordering::SeqCst)),
    };
    let result = json!([{"metric": {}, "value": [seconds, value]}]);
    let data = json!({"status": "success", "data": {"resultType": "vector", "result": result}});
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Some(Told { code: 200, headers, body: data.to_string() })
}

/// What does not depend on ports. Spans are short: time here is real.
const VARIABLES: [(&str, &str); 34] = [
    ("AWS_REGION", "eu-central-1"),
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", SECRETS[2]),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("LOG", "trace"),
    ("MIN_WORKERS", "1"),
    ("MAX_WORKERS", "4"),
    ("CPU_UP", "70"),
    ("CPU_DOWN", "30"),
    ("IDLE_DOWN_SEC", "600"),
    ("COOLDOWN_UP_SEC", "0"),
    ("COOLDOWN_DOWN_SEC", "600"),
    ("JOIN_TIMEOUT_SEC", "600"),
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
    ("K3S_CLUSTER_TOKEN_PARAM", "/shop/node/join-token"),
    ("K8S_API_TOKEN_PARAM", "/shop/function/api-token"),
    ("K8S_CA_PARAM", "/shop/function/api-ca"),
    ("PROM_LOGIN_PARAM", "/shop/function/prometheus-login"),
    ("STATE_TABLE", "state"),
    ("LOGS_TABLE", "logs"),
    ("EMF_METRICS", "all"),
    ("HOME", "/nonexistent"),
];
