//! The contract of a provider.

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_aws::ec2::{Ec2Config, Ec2Nodes};
use autoscale_core::conformance::{self, NodeStage, Stranger, Wares};
use autoscale_core::data::order::{LaunchOrder, Offering};
use autoscale_core::data::policy::Purchase;
use autoscale_core::driver::SystemClock;
use autoscale_core::ports::{Clock, NodeProvider};
use autoscale_core::words::{ClusterId, InstanceId, PoolName, ShapeName, Token, Zone};

use crate::account::{Account, SUBNETS, client};
use crate::wire::{Fault, Wire};

/// An account, and the provider of one process in it.
pub(crate) struct Stage(pub(crate) Wire<Account>, Ec2Nodes);

pub(crate) fn offering(zone: &str, purchase: Purchase) -> Offering {
    Offering::new(Zone::new(zone).unwrap(), purchase, ShapeName::new("m6i.large").unwrap())
}

/// An order of the first attempt of an action.
pub(crate) fn order(seq: u64, zone: &str, purchase: Purchase) -> LaunchOrder {
    LaunchOrder::new(
        ClusterId::new("shop").unwrap(),
        PoolName::new("web").unwrap(),
        offering(zone, purchase),
        Token::new(format!("abcd-{seq}-0-1")).unwrap(),
        "",
    )
}

impl Stage {
    pub(crate) fn new() -> Self {
        let wire = Wire::new(Account::new());
        let nodes = nodes(client(&wire), Arc::new(SystemClock::new()));
        Self(wire, nodes)
    }

    pub(crate) fn account(&self) -> &Account {
        &self.0.service
    }

    /// The provider of another process.
    pub(crate) fn nodes(&self) -> Ec2Nodes {
        self.nodes_by(Arc::new(SystemClock::new()))
    }

    /// One that goes by another clock.
    pub(crate) fn nodes_by(&self, clock: Arc<dyn Clock>) -> Ec2Nodes {
        nodes(client(&self.0), clock)
    }
}

pub(crate) fn nodes(client: aws_sdk_ec2::Client, clock: Arc<dyn Clock>) -> Ec2Nodes {
    let config = Ec2Config::builder(ClusterId::new("shop").unwrap())
        .with_subnets(SUBNETS.map(|(id, _)| id))
        .with_launch_template("workers", 7)
        .with_worker_tag("k3s-role", "worker")
        .with_worker_tag("k3s-cluster", "shop & <sons>")
        .with_control_plane_tag("k3s-role", "master")
        .build();
    Ec2Nodes::new(client, config.unwrap(), clock)
}

#[async_trait]
impl NodeStage for Stage {
    fn provider(&self) -> Arc<dyn NodeProvider> {
        Arc::new(self.1.clone())
    }

    fn wares(&self) -> Wares {
        let (cluster, pool) = (ClusterId::new("shop").unwrap(), PoolName::new("web").unwrap());
        Wares::new(cluster, pool, offering("eu-central-1a", Purchase::Spot))
            .with_other(offering("eu-central-1b", Purchase::OnDemand))
            .with_pinned("lt-0123456789abcdef0:3")
    }

    async fn bought(&self, token: &Token) -> Vec<InstanceId> {
        let state = self.account().lock();
        let by_token = state.machines.iter().filter(|machine| machine.token == token.as_str());
        by_token.map(|machine| InstanceId::new(&machine.id).unwrap()).collect()
    }

    async fn is_alive(&self, instance: &InstanceId) -> bool {
        let state = self.account().lock();
        let mut alive =
            state.machines.iter().filter(|machine| matches!(machine.state, "pending" | "running"));
        alive.any(|machine| machine.id == instance.as_str())
    }

    async fn settle(&self) {
        self.account().settle();
    }

    async fn place(&self, stranger: Stranger) -> Option<InstanceId> {
        let worker = [("k3s-role", "worker"), ("k3s-cluster", "shop & <sons>")];
        let ours = |cluster| [("asc:cluster", cluster), ("asc:role", "worker"), ("asc:pool", "web")];
        let tags = match stranger {
            Stranger::Untagged => vec![("Name", "database")],
            Stranger::OtherCluster => [&ours("other")[..], &worker].concat(),
            Stranger::ControlPlane => [&ours("shop")[..], &[("k3s-role", "master")]].concat(),
            Stranger::WorkerTag => worker.to_vec(),
            _ => return None,
        };
        InstanceId::new(self.account().place(&tags)).ok()
    }

    async fn sell_out(&self, offering: &Offering) -> bool {
        let spot = offering.purchase == Purchase::Spot;
        self.account().sell_out(offering.zone.as_str(), spot, offering.shape.as_str());
        true
    }

    async fn protect(&self, instance: &InstanceId) -> bool {
        self.account().protect(instance.as_str())
    }

    async fn lose_answer(&self) -> bool {
        self.0.plan("RunInstances", Fault::AnswerLost);
        true
    }

    async fn launches_sent(&self) -> Option<u64> {
        Some(self.0.sent("RunInstances") as u64)
    }

    async fn tags_written(&self) -> Option<u64> {
        Some(self.0.sent("CreateTags") as u64)
    }

    async fn cut_list(&self) -> bool {
        self.account().lock().cut = true;
        true
    }

    async fn fail_list(&self) -> bool {
        self.0.plan("DescribeInstances", Fault::Gateway(503));
        true
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    let verdicts = conformance::nodes(async || Stage::new()).await;
    println!("{verdicts}");
    verdicts.assert_all();
    assert_eq!(verdicts.not_applicable(), Vec::<&str>::new());
}

/// The same with lists of one row a page.
#[tokio::test]
async fn keeps_the_contract_page_by_page() {
    let fresh = async || {
        let stage = Stage::new();
        stage.account().lock().page = 1;
        stage
    };
    let verdicts = conformance::nodes(fresh).await;
    println!("{verdicts}");
    verdicts.assert_all();
}
