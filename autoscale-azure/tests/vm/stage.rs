//! A new account for each test.

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_azure::fake::{Arm, ArmSettings, Fault, Requests, Shortage, Trouble};
use autoscale_azure::vm::{Image, VmConfig, VmConfigBuilder, Vms};
use autoscale_core::conformance::{NodeStage, Stranger, Wares};
use autoscale_core::data::order::{LaunchOrder, Offering, TerminateOrder};
use autoscale_core::data::policy::Purchase;
use autoscale_core::ports::{Clock, NodeProvider};
use autoscale_core::words::{ClusterId, Deadline, Inc, InstanceId, PoolName, ShapeName, Token, Zone};
use serde_json::{Value, json};

pub(crate) const GROUP: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups";
pub(crate) const SMALL: &str = "Standard_D2s_v5";
pub(crate) const LARGE: &str = "Standard_D4s_v5";
/// Who the provider is. Nothing is granted unless a test does: everything is allowed.
pub(crate) const SCALER: &str = "scaler";

pub(crate) fn id(group: &str, rest: &str) -> String {
    format!("{GROUP}/{group}/providers/{rest}")
}

pub(crate) fn config() -> VmConfigBuilder {
    let cluster = ClusterId::new("shop").unwrap();
    let definition = id("images", "Microsoft.Compute/galleries/g/images/node");
    VmConfig::builder(cluster, "11111111-2222-3333-4444-555555555555", "workers", "westeurope")
        .with_subnet(id("network", "Microsoft.Network/virtualNetworks/v/subnets/workers"))
        .with_image(Image::Gallery { definition, version: "1.2.3".to_owned() })
        .with_admin("scale", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAdC test")
        .with_worker_tag("mine", "worker")
}

pub(crate) fn provider(arm: &Arm, config: VmConfigBuilder) -> Vms {
    Vms::with_transport(config.build().unwrap(), arm.credential(SCALER), arm.clock(), arm.transport())
}

pub(crate) fn offering(zone: &str, purchase: Purchase, shape: &str) -> Offering {
    Offering::new(Zone::new(zone).unwrap(), purchase, ShapeName::new(shape).unwrap())
}

pub(crate) fn small() -> Offering {
    offering("westeurope-1", Purchase::Spot, SMALL)
}

pub(crate) fn token(seq: u64, attempt: u32) -> Token {
    Token::of(&Inc::new("abcd").unwrap(), seq, 0, attempt)
}

/// The order of an attempt, for a small spot machine in zone 1.
pub(crate) fn order(seq: u64, attempt: u32) -> LaunchOrder {
    order_for(small(), token(seq, attempt))
}

pub(crate) fn order_for(offering: Offering, token: Token) -> LaunchOrder {
    // The data of an order are public, its making is not: through its serialised form, as a store would.
    let order = json!({
        "cluster": "shop", "pool": "web", "offering": offering, "token": token, "pinned": "",
    });
    let mut order: LaunchOrder = serde_json::from_value(order).unwrap();
    order.not_after = Deadline::NEVER;
    order
}

pub(crate) fn end(instance: &InstanceId) -> TerminateOrder {
    let order = json!({ "cluster": "shop", "instance": instance });
    let mut order: TerminateOrder = serde_json::from_value(order).unwrap();
    order.not_after = Deadline::NEVER;
    order
}

/// The body of a machine that somebody else made.
pub(crate) fn body(tags: Value) -> Value {
    json!({
        "location": "westeurope",
        "tags": tags,
        "zones": ["1"],
        "properties": {
            "hardwareProfile": { "vmSize": SMALL },
            "storageProfile": { "imageReference": { "id": "/x" }, "osDisk": { "createOption": "FromImage" } },
        },
    })
}

pub(crate) fn puts(arm: &Arm) -> u64 {
    let machines = |path: &str| path.contains("/virtualMachines/");
    arm.log().iter().filter(|entry| entry.method == "PUT" && machines(&entry.path)).count() as u64
}

pub(crate) struct Stage {
    pub(crate) arm: Arm,
    pub(crate) vms: Arc<Vms>,
}

impl Stage {
    pub(crate) fn new(settings: ArmSettings, config: VmConfigBuilder) -> Self {
        let arm = Arm::new(settings);
        Self { vms: Arc::new(provider(&arm, config)), arm }
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.arm.clock()
    }
}

#[async_trait]
impl NodeStage for Stage {
    fn provider(&self) -> Arc<dyn NodeProvider> {
        Arc::clone(&self.vms) as Arc<dyn NodeProvider>
    }

    fn wares(&self) -> Wares {
        let (cluster, pool) = (ClusterId::new("shop").unwrap(), PoolName::new("web").unwrap());
        let other = offering("westeurope-2", Purchase::OnDemand, LARGE);
        Wares::new(cluster, pool, small()).with_other(other).with_pinned("1.2.3")
    }

    /// By id: a machine that is made again under the name of one that is gone is the same instance.
    async fn bought(&self, token: &Token) -> Vec<InstanceId> {
        let ours = self.arm.truth().into_iter().filter(|machine| {
            machine.tags.get("autoscale-token").is_some_and(|found| found == token.as_str())
        });
        let mut ids: Vec<_> = ours.map(|machine| InstanceId::new(machine.id).unwrap()).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    async fn is_alive(&self, instance: &InstanceId) -> bool {
        self.arm.truth().iter().any(|machine| machine.alive && machine.id == instance.as_str())
    }

    async fn settle(&self) {
        self.arm.settle();
    }

    async fn place(&self, stranger: Stranger) -> Option<InstanceId> {
        let ours = |cluster: &str| json!({ "autoscale-cluster": cluster, "autoscale-pool": "web", "autoscale-role": "worker" });
        let (name, tags) = match stranger {
            Stranger::Untagged => ("untagged", json!({})),
            Stranger::OtherCluster => ("other", ours("another")),
            Stranger::ControlPlane => (
                "master",
                json!({ "autoscale-cluster": "shop", "autoscale-role": "control-plane", "mine": "worker" }),
            ),
            Stranger::WorkerTag => ("byhand", json!({ "mine": "worker" })),
            _ => return None,
        };
        self.arm.place(name, body(tags));
        InstanceId::new(id("workers", &format!("Microsoft.Compute/virtualMachines/{name}"))).ok()
    }

    async fn sell_out(&self, offering: &Offering) -> bool {
        let zone = offering.zone.as_str().rsplit('-').next().map(str::to_owned);
        self.arm.add_shortage(Shortage::at_once("SkuNotAvailable").of(offering.shape.as_str(), zone));
        true
    }

    async fn protect(&self, instance: &InstanceId) -> bool {
        instance.as_str().rsplit('/').next().map(|name| self.arm.lock_machine(name)).is_some()
    }

    async fn lose_answer(&self) -> bool {
        self.arm.add_fault(Fault::once(Requests::any().method("PUT"), Trouble::AnswerLost));
        true
    }

    async fn launches_sent(&self) -> Option<u64> {
        Some(puts(&self.arm))
    }

    async fn tags_written(&self) -> Option<u64> {
        let wrote = |method: &str, status: u16| method == "PATCH" || method == "PUT" && status == 200;
        Some(self.arm.log().iter().filter(|entry| wrote(&entry.method, entry.status)).count() as u64)
    }

    async fn cut_list(&self) -> bool {
        self.arm.add_fault(Fault::once(Requests::any().method("GET"), Trouble::ForeignNext));
        true
    }

    async fn fail_list(&self) -> bool {
        let busy = Trouble::Refused(503, "ServerBusy".to_owned());
        self.arm.add_fault(Fault::once(Requests::any().method("GET"), busy));
        true
    }
}
