//! Machines on another EC2: the server that `AUTOSCALE_TEST_EC2` names, such as moto on this machine behind the proxy that gives
//! tokens their meaning. `.ci/moto` starts both and runs this.
#![cfg(feature = "ec2")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod real;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

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

/// An account with nothing in it but the network that every account has, and a launch template.
struct Account {
    client: Client,
    subnets: Vec<String>,
    template: String,
    zones: Vec<String>,
}

impl Account {
    async fn new(endpoint: &str) -> Self {
        reset(endpoint);
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "nosecret", None, None, "tests"))
            .endpoint_url(endpoint);
        let client = Client::from_conf(config.build());
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
        Self { client, subnets, template, zones }
    }

    fn nodes(&self) -> Ec2Nodes {
        let config = Ec2Config::builder(ClusterId::new("shop").unwrap())
            .with_subnets(self.subnets.clone())
            .with_launch_template(&self.template, 1)
            .with_worker_tag("k3s-role", "worker")
            .with_control_plane_tag("k3s-role", "master")
            .build();
        Ec2Nodes::new(self.client.clone(), config.unwrap(), Arc::new(SystemClock::new()))
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

/// Empties the server.
fn reset(endpoint: &str) {
    let host = endpoint.trim_start_matches("http://");
    let mut connection = TcpStream::connect(host).unwrap();
    let ask = format!(
        "POST /moto-api/reset HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 "), "{answer}");
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
}

#[tokio::test]
async fn on_another_server() {
    let Some(endpoint) = real::endpoint("AUTOSCALE_TEST_EC2", ".ci/moto") else { return };
    let verdicts = conformance::nodes(async || Account::new(&endpoint).await).await;
    println!("{verdicts}");
    verdicts.assert_all();
    let cannot = [
        "one_copy_is_sent",
        "a_lost_answer_is_unclear",
        "no_capacity_names_the_offering",
        "a_refusal_bought_nothing",
        "nothing_is_tagged_after_birth",
        "an_unread_page_is_not_complete",
        "a_failed_list_is_an_error",
    ];
    let mut not_applicable = verdicts.not_applicable();
    not_applicable.sort_unstable();
    let mut expected = cannot.to_vec();
    expected.sort_unstable();
    assert_eq!(not_applicable, expected);

    // What a machine gets, as the server has it.
    let account = Account::new(&endpoint).await;
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
}
