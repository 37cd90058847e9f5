//! Machines on another EC2: the server that `AUTOSCALE_TEST_EC2` names, such as moto on this machine behind the proxy that gives
//! tokens their meaning, by way of the server that `AUTOSCALE_TEST_EC2_FAULTS` names, microburst, which makes errors and loses answers.
//! `.ci/moto` starts all three and runs this.
#![cfg(feature = "ec2")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod real;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use autoscale_aws::ec2::{Ec2Config, Ec2Nodes};
use autoscale_core::conformance::{self, NodeStage, Stranger, Wares};
use autoscale_core::data::order::{LaunchOrder, Offering};
use autoscale_core::data::policy::Purchase;
use autoscale_core::driver::SystemClock;
use autoscale_core::ports::{ErrorKind, NodeProvider};
use autoscale_core::words::{ClusterId, InstanceId, PoolName, ShapeName, Token};
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::types::{
    Filter, Instance, InstanceType, RequestLaunchTemplateData, ResourceType, Tag, TagSpecification,
};
use aws_sdk_ec2::{Client, Config};
use serde_json::{Value, json};

/// Where the servers are.
struct Servers {
    ec2: String,
    faults: String,
}

impl Servers {
    fn find() -> Option<Self> {
        let ec2 = real::endpoint("AUTOSCALE_TEST_EC2", ".ci/moto");
        let faults = real::endpoint("AUTOSCALE_TEST_EC2_FAULTS", ".ci/moto");
        Some(Self { ec2: ec2?, faults: faults? })
    }
}

/// A client without retries but those of the code under test.
fn client(endpoint: &str) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "nosecret", None, None, "tests"))
        .endpoint_url(endpoint);
    Client::from_conf(config.build())
}

/// Counts requests and changes nothing.
fn counted(operation: &str) -> Value {
    json!({"service": "ec2", "operation": operation, "latency": 0})
}

/// An account with nothing in it but the network that every account has, and a launch template.
struct Account {
    /// Tells the truth.
    client: Client,
    /// What is under test asks here.
    through: Client,
    faults: String,
    /// The first that fits a request holds.
    rules: Mutex<Vec<Value>>,
    subnets: Vec<String>,
    template: String,
    zones: Vec<String>,
}

impl Account {
    async fn new(Servers { ec2, faults }: &Servers) -> Self {
        ask(ec2, "POST", "/moto-api/reset", "");
        let client = client(ec2);
        let found = client.describe_subnets().send().await.unwrap();
        let of = |text: Option<&str>| text.unwrap().to_owned();
        let mut rows: Vec<_> =
            found.subnets().iter().map(|row| (of(row.availability_zone()), of(row.subnet_id()))).collect();
        rows.sort();
        let (zones, subnets) = rows.into_iter().unzip();
        let data = RequestLaunchTemplateData::builder().image_id("ami-12c6146b").build();
        let template =
            client.create_launch_template().launch_template_name("workers").launch_template_data(data);
        let template = template.send().await.unwrap();
        let template = of(template.launch_template().unwrap().launch_template_id());
        let rules = Mutex::new(vec![counted("RunInstances"), counted("CreateTags")]);
        let through = self::client(faults);
        let account = Self { client, through, faults: faults.clone(), rules, subnets, template, zones };
        account.post();
        ask(faults, "DELETE", "/_microburst/fired", "");
        account
    }

    /// Tells microburst all rules.
    fn post(&self) {
        let rules = Value::from(self.rules.lock().unwrap().clone());
        ask(&self.faults, "POST", "/_microburst/rules", &rules.to_string());
    }

    /// A rule that holds before all others.
    fn rule(&self, rule: Value) -> bool {
        self.rules.lock().unwrap().insert(0, rule);
        self.post();
        true
    }

    /// How often a rule for an operation has held.
    fn fired(&self, operation: &str) -> u64 {
        let fired: Value =
            serde_json::from_str(&ask(&self.faults, "GET", "/_microburst/fired?limit=2000", "")).unwrap();
        fired.as_array().unwrap().iter().filter(|event| event["operation"] == operation).count() as u64
    }

    fn nodes(&self) -> Ec2Nodes {
        let config = Ec2Config::builder(ClusterId::new("shop").unwrap())
            .with_subnets(self.subnets.clone())
            .with_launch_template(&self.template, 1)
            .with_worker_tag("k3s-role", "worker")
            .with_control_plane_tag("k3s-role", "master")
            .build();
        Ec2Nodes::new(self.through.clone(), config.unwrap(), Arc::new(SystemClock::new()))
    }

    fn offering(&self, zone: usize, purchase: Purchase) -> Offering {
        Offering::new(self.zones[zone].parse().unwrap(), purchase, ShapeName::new("m6i.large").unwrap())
    }

    fn order(&self, seq: u64, purchase: Purchase) -> LaunchOrder {
        LaunchOrder::new(
            ClusterId::new("shop").unwrap(),
            PoolName::new("web").unwrap(),
            self.offering(0, purchase),
            Token::new(format!("abcd-{seq}-0-1")).unwrap(),
            "",
        )
    }

    /// The truth about all machines with a value of a tag.
    async fn tagged(&self, key: &str, value: &str) -> Vec<Instance> {
        let filter = Filter::builder().name(format!("tag:{key}")).values(value).build();
        let found = self.client.describe_instances().filters(filter).send().await.unwrap();
        found.reservations().iter().flat_map(|row| row.instances().to_vec()).collect()
    }
}

/// Asks a server something that is none of AWS.
fn ask(endpoint: &str, method: &str, path: &str, body: &str) -> String {
    let host = endpoint.trim_start_matches("http://");
    let mut connection = TcpStream::connect(host).unwrap();
    let length = body.len();
    let ask = format!(
        "{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    connection.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 "), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[async_trait]
impl NodeStage for Account {
    fn provider(&self) -> Arc<dyn NodeProvider> {
        Arc::new(self.nodes())
    }

    fn wares(&self) -> Wares {
        let (cluster, pool) = (ClusterId::new("shop").unwrap(), PoolName::new("web").unwrap());
        Wares::new(cluster, pool, self.offering(0, Purchase::Spot))
            .with_other(self.offering(1, Purchase::OnDemand))
            .with_pinned(format!("{}:1", self.template))
    }

    async fn bought(&self, token: &Token) -> Vec<InstanceId> {
        let all = self.tagged("asc:op", token.as_str()).await;
        all.iter().map(|row| InstanceId::new(row.instance_id().unwrap()).unwrap()).collect()
    }

    async fn is_alive(&self, instance: &InstanceId) -> bool {
        let found = self.client.describe_instances().instance_ids(instance.as_str()).send().await.unwrap();
        let mut states = found.reservations().iter().flat_map(|row| row.instances());
        states.any(|row| {
            let state = row.state().and_then(|state| state.name()).map(|name| name.as_str().to_owned());
            matches!(state.as_deref(), Some("pending" | "running"))
        })
    }

    async fn place(&self, stranger: Stranger) -> Option<InstanceId> {
        let ours = |cluster| vec![("asc:cluster", cluster), ("asc:role", "worker"), ("asc:pool", "web")];
        let tags = match stranger {
            Stranger::Untagged => vec![("Name", "database")],
            Stranger::OtherCluster => ours("other"),
            Stranger::ControlPlane => [ours("shop"), vec![("k3s-role", "master")]].concat(),
            Stranger::WorkerTag => vec![("k3s-role", "worker")],
            _ => return None,
        };
        let mut of = TagSpecification::builder().resource_type(ResourceType::Instance);
        for (key, value) in tags {
            of = of.tags(Tag::builder().key(key).value(value).build());
        }
        let run = self.client.run_instances().min_count(1).max_count(1).image_id("ami-12c6146b");
        let run = run.instance_type(InstanceType::from("m6i.large")).tag_specifications(of.build());
        let done = run.send().await.unwrap();
        InstanceId::new(done.instances()[0].instance_id().unwrap()).ok()
    }

    async fn protect(&self, instance: &InstanceId) -> bool {
        let protected = aws_sdk_ec2::types::AttributeBooleanValue::builder().value(true).build();
        let ask = self.client.modify_instance_attribute().instance_id(instance.as_str());
        ask.disable_api_termination(protected).send().await.is_ok()
    }

    async fn sell_out(&self, offering: &Offering) -> bool {
        let zone = self.zones.iter().position(|zone| zone == offering.zone.as_str()).unwrap();
        let market = match offering.purchase {
            Purchase::Spot => "== 'spot'",
            _ => "== null",
        };
        let of = format!(
            "SubnetId == '{}' && InstanceType == '{}' && \"InstanceMarketOptions.MarketType\" {market}",
            self.subnets[zone], offering.shape
        );
        let error = json!({"code": "InsufficientInstanceCapacity", "status": 500});
        self.rule(json!({"service": "ec2", "operation": "RunInstances", "body": of, "error": error}))
    }

    async fn lose_answer(&self) -> bool {
        let lost = json!({"abort_frac": 0.3});
        self.rule(json!({"service": "ec2", "operation": "RunInstances", "response": lost, "times": 1}))
    }

    async fn launches_sent(&self) -> Option<u64> {
        Some(self.fired("RunInstances"))
    }

    async fn tags_written(&self) -> Option<u64> {
        Some(self.fired("CreateTags"))
    }

    async fn fail_list(&self) -> bool {
        let error = json!({"code": "InternalError", "status": 503});
        self.rule(json!({"service": "ec2", "operation": "DescribeInstances", "error": error, "times": 1}))
    }
}

#[tokio::test]
async fn on_another_server() {
    let Some(servers) = Servers::find() else { return };
    let verdicts = conformance::nodes(async || Account::new(&servers).await).await;
    println!("{verdicts}");
    verdicts.assert_all();
    // moto's lists of a few machines have one page.
    assert_eq!(verdicts.not_applicable(), ["an_unread_page_is_not_complete"]);

    // What a machine gets, as the server has it.
    let account = Account::new(&servers).await;
    let nodes = account.nodes();
    let zones: Vec<String> = nodes.zones().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(zones, account.zones);
    nodes.check(&[account.order(1, Purchase::Spot), account.order(1, Purchase::OnDemand)]).await.unwrap();
    assert_eq!(account.tagged("asc:cluster", "shop").await.len(), 0);
    let launched = nodes.launch(&account.order(1, Purchase::Spot)).await.unwrap();
    nodes.check(&[]).await.unwrap();
    let rows = account.tagged("asc:op", "abcd-1-0-1").await;
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(row.instance_id(), Some(launched.instance.as_str()));
    assert_eq!(row.client_token(), Some("abcd-1-0-1"));
    assert_eq!(row.image_id(), Some("ami-12c6146b"));
    assert_eq!(row.subnet_id(), Some(account.subnets[0].as_str()));
    let metadata = row.metadata_options().unwrap();
    assert_eq!(metadata.http_tokens().map(|tokens| tokens.as_str()), Some("required"));
    assert_eq!(metadata.http_put_response_hop_limit(), Some(1));

    // What is wrong is said by the server, not guessed; moto has a word for a name that it does not know, and for an id
    // nothing but a page and HTTP 500.
    for (pinned, kind) in [("nobodys:1", ErrorKind::Invalid), ("lt-00000000000000000:1", ErrorKind::Unclear)]
    {
        let mut wrong = account.order(2, Purchase::Spot);
        wrong.pinned = pinned.to_owned();
        let error = nodes.launch(&wrong).await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{}", error.chain());
    }
    assert_eq!(account.tagged("asc:cluster", "shop").await.len(), 1);

    // Other answers, made by microburst.
    let denied = ErrorKind::Denied { action: "ec2:RunInstances".to_owned() };
    for (code, status, kind) in [
        ("VcpuLimitExceeded", 400, ErrorKind::NoCapacity { offering: account.offering(0, Purchase::Spot) }),
        ("RequestLimitExceeded", 503, ErrorKind::Throttled { retry_after: None }),
        ("UnauthorizedOperation", 403, denied),
        ("InternalError", 500, ErrorKind::Unclear),
    ] {
        let error = json!({"code": code, "status": status});
        account.rule(json!({"service": "ec2", "operation": "RunInstances", "error": error, "times": 1}));
        let sent = account.fired("RunInstances");
        let error = nodes.launch(&account.order(3, Purchase::Spot)).await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{code}: {}", error.chain());
        assert_eq!(account.fired("RunInstances"), sent + 1, "{code}: not sent once");
    }
    assert_eq!(account.tagged("asc:cluster", "shop").await.len(), 1);
}
