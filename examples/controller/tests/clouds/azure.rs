//! The story on Azure Resource Manager in memory, and machines that Azure takes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use autoscale_azure::fake::{Arm, ArmSettings};
use autoscale_azure::vm::Vms;
use autoscale_core::words::{Span, Timestamp};
use autoscale_kube::fake::ApiServer;
use controller::args::ProviderName;
use controller::notices::marks::{ANNOUNCED, STORED};
use controller::provider::{Given, Machines, Provider};
use controller::settings::Settings;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::agents::{self, Board, Event};
use crate::common::{POLICY, server_at, text};
use crate::kill::Fuse;
use crate::story::{Stage, tell};
use crate::world::{Cloud, Vm, World, grant, keeper, one_replica, seeds, two_replicas_killed};

const GROUP: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups";
/// Whom the roles of the crate are granted to, and nothing else.
const SCALER: &str = "scaler";

/// Azure, and what it announces to its machines.
pub(crate) struct Azure {
    pub(crate) arm: Arm,
    pub(crate) board: Board,
}

impl Azure {
    fn new() -> Self {
        let arm = Arm::new(ArmSettings::default().with_times(Span::from_secs(15), Span::from_secs(20)));
        let roles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../autoscale-azure/roles");
        for (role, scope) in [
            ("workers", format!("{GROUP}/workers")),
            ("network", format!("{GROUP}/network")),
            ("image", format!("{GROUP}/images")),
            ("operations", "/subscriptions/11111111-2222-3333-4444-555555555555".to_owned()),
        ] {
            let role = std::fs::read_to_string(roles.join(format!("{role}.json"))).unwrap();
            arm.grant(SCALER, &serde_json::from_str(&role).unwrap(), &scope);
        }
        Self { arm, board: Board::default() }
    }

    fn world(seed: u64) -> World<Self> {
        println!("seed {seed}: E2E_SEED={seed} cargo test -p controller --test clouds azure");
        let azure = Self::new();
        let server = server_at(seed, azure.arm.now());
        grant(&server, agents::ACCOUNT, &["node-agent/rbac.yaml"]);
        World::new(server, azure, format!("seed {seed}"))
    }
}

/// Requests of one process, which end with it.
#[derive(Debug)]
struct Fused(Arc<dyn azure_core_021::HttpClient>, Fuse);

#[async_trait]
impl azure_core_021::HttpClient for Fused {
    async fn execute_request(
        &self,
        request: &azure_core_021::Request,
    ) -> azure_core_021::Result<azure_core_021::Response> {
        self.1.pass(self.0.execute_request(request)).await
    }
}

impl Cloud for Azure {
    fn advance(&self, _: &ApiServer, step: Span) {
        self.arm.advance(step);
    }

    fn machines(&self) -> Vec<Vm> {
        let vm = |truth: autoscale_azure::fake::Truth| Vm {
            token: truth.tags["autoscale-token"].clone(),
            // The cloud provider writes the group in lower case.
            provider_id: format!("azure://{}", truth.id.replace("resourceGroups", "resourcegroups")),
            zone: "westeurope-1".to_owned(),
            alive: truth.alive,
            running: truth.state == "Succeeded",
            name: truth.name,
        };
        self.arm.truth().into_iter().map(vm).collect()
    }

    fn args(&self) -> Vec<String> {
        let key = Path::new(env!("CARGO_TARGET_TMPDIR")).join("admin.pub");
        std::fs::write(&key, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAdC test\n").unwrap();
        let subnet = format!("{GROUP}/network/providers/Microsoft.Network/virtualNetworks/v/subnets/workers");
        let image =
            format!("{GROUP}/images/providers/Microsoft.Compute/galleries/g/images/node/versions/1.2.3");
        [
            "--provider=azure",
            "--azure-identity=developer",
            "--azure-subscription=11111111-2222-3333-4444-555555555555",
            "--azure-resource-group=workers",
            "--azure-location=westeurope",
            &format!("--azure-subnet={subnet}"),
            &format!("--azure-image={image}"),
            "--azure-admin-user=scale",
            &format!("--azure-admin-key-file={}", key.display()),
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn policy(&self) -> String {
        POLICY.replace("[a, b]", "[westeurope-1, westeurope-2]").replace("name: m", "name: Standard_D2s_v5")
    }

    fn provider(&self, settings: &Settings, given: &Given, fuse: &Fuse) -> Provider {
        assert_eq!(settings.provider, ProviderName::Azure);
        let Machines::Azure(azure) = &settings.machines else { panic!("another provider") };
        let transport = Arc::new(Fused(self.arm.transport(), fuse.clone()));
        let credential = self.arm.credential(SCALER);
        azure.over(
            given,
            Vms::with_transport(azure.config.clone(), credential, given.clock.clone(), transport),
        )
    }

    fn joined(&self, server: &ApiServer, vm: &Vm) -> Option<JoinHandle<()>> {
        Some(agents::start(server, &vm.name, &self.board))
    }
}

#[tokio::test(start_paused = true)]
async fn azure_one_replica() {
    let mut world = Azure::world(1);
    one_replica(&mut world, "azure").await;
    // The scope is part of what the record is for.
    let scope = "azure/11111111-2222-3333-4444-555555555555/workers";
    let cluster = autoscale_core::words::ClusterId::new("shop").unwrap();
    let expected = autoscale_core::data::record::Fingerprint::of(&cluster, scope);
    assert_eq!(world.record().fingerprint, expected);
    // Nothing is left over of machines that are gone.
    world.cloud.arm.settle();
    let alive = world.cloud.machines().iter().filter(|vm| vm.alive).count();
    assert_eq!(world.cloud.arm.parts().len(), 2 * alive, "a disk and an interface for each machine");
}

#[tokio::test(start_paused = true)]
async fn azure_two_replicas_killed_at_random_points() {
    for seed in seeds() {
        two_replicas_killed(&mut Azure::world(seed), seed).await;
    }
}

impl World<Azure> {
    /// Machines that live and whose nodes run pods of the workload.
    fn at_work(&self) -> Vec<Vm> {
        let pods = self.server.objects("v1", "Pod");
        let busy = |vm: &Vm| pods.iter().any(|pod| text(pod, "/spec/nodeName") == vm.name);
        self.cloud.machines().into_iter().filter(|vm| vm.alive && busy(vm)).collect()
    }

    fn annotation(&self, node: &str, key: &str) -> String {
        let node = self.node(node).unwrap_or_default();
        node["metadata"]["annotations"][key].as_str().unwrap_or_default().to_owned()
    }

    fn is_cordoned(&self, node: &str) -> bool {
        self.node(node).is_some_and(|node| node["spec"]["unschedulable"] == true)
    }

    fn lives(&self, name: &str) -> bool {
        self.cloud.machines().iter().any(|vm| vm.alive && vm.name == name)
    }

    /// Azure announces to a machine that it takes it, and does so half a minute later if it is still there.
    async fn preempt(&self, vm: &Vm) {
        let at = self.cloud.arm.now().after(Span::from_secs(30));
        self.cloud.board.announce(&vm.name, Event { id: "E-1", kind: "Preempt", at });
        let before: BTreeMap<String, bool> =
            self.cloud.machines().into_iter().map(|vm| (vm.token, vm.alive)).collect();
        let bought = self
            .until("a replacement is bought", Span::from_secs(90), |world| {
                world.cloud.machines().iter().any(|vm| !before.contains_key(&vm.token))
            })
            .await;
        if let Some(left) = Some(Span::from_secs(30).minus(bought)).filter(|left| *left > Span::ZERO) {
            tokio::time::sleep(left.into()).await;
        }
        if self.lives(&vm.name) {
            self.cloud.arm.evict(&vm.name);
        }
        self.cloud.board.clear(&vm.name);
    }

    async fn is_well_again(&self, gone: &Vm) {
        self.until("the machine is gone, and every pod runs", Span::from_mins(60), |world| {
            let (seen, record) = (world.seen(), world.record());
            !world.lives(&gone.name)
                && seen.running() == 5
                && seen.ready() == seen.living()
                && record.ops.is_empty()
                && record.lease.is_none()
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn azure_takes_a_machine_and_its_agent_says_so() {
    let mut world = Azure::world(1);
    let settings = world.settings("azure-preempt");
    let stop = Arc::new(Notify::new());
    let running = world.replica(&settings, "one", &Fuse::new(0, false), stop.clone());
    tell(&mut world).await;
    let vm = world.at_work().remove(0);
    let asked = world.server.now();
    world.preempt(&vm).await;
    let log = world.server.log();
    // The mark came from the agent of that node and no other, and the controller has noted it.
    let marked: Vec<_> = log
        .iter()
        .filter(|entry| entry.user == agents::user(&vm.name) && entry.at >= asked && entry.status == 200)
        .collect();
    assert!(
        !marked.is_empty() && marked.iter().all(|entry| entry.name.as_ref() == Some(&vm.name)),
        "{marked:?}"
    );
    let evicted: Vec<Timestamp> = log
        .iter()
        .filter(|entry| {
            entry.permission().resource == "pods/eviction" && entry.status == 201 && entry.at >= asked
        })
        .map(|entry| entry.at)
        .collect();
    assert!(!evicted.is_empty(), "its pods were not moved");
    assert!(evicted.iter().all(|at| at.since(asked) <= Span::from_secs(30)), "drained too late: {evicted:?}");
    world.is_well_again(&vm).await;
    // A replacement; what was bought besides, for pods that had to wait, goes again.
    world.until("no more than are needed", Span::from_mins(60), |world| world.seen().living() == 2).await;
    stop.notify_one();
    running.await.unwrap();
    assert!(world.is_clean().await);
}

#[tokio::test(start_paused = true)]
async fn azure_takes_a_machine_while_replicas_die() {
    for seed in seeds() {
        let mut world = Azure::world(seed);
        let settings = world.settings(&format!("azure-killed-{seed}"));
        let stop = Arc::new(Notify::new());
        let running = world.replica(&settings, "one", &Fuse::new(0, false), stop.clone());
        tell(&mut world).await;
        stop.notify_one();
        running.await.unwrap();
        let kills = Arc::new(AtomicU64::new(0));
        let keepers =
            [keeper(&world, "left", (seed, 60), &kills), keeper(&world, "right", (seed + 100, 60), &kills)];
        // Each is over within seconds.
        for _ in 0..4 {
            let vm = world.at_work().remove(0);
            world.preempt(&vm).await;
            world.is_well_again(&vm).await;
        }
        keepers.iter().for_each(JoinHandle::abort);
        let killed = kills.load(Ordering::SeqCst);
        println!("seed {seed}: {killed} kills");
        assert!(killed >= 3, "only {killed} kills: nothing was tried");
        let tokens: Vec<String> =
            world.cloud.machines().into_iter().filter(|vm| vm.alive).map(|vm| vm.token).collect();
        assert!(tokens.len() <= 3, "one replacement for one machine: {tokens:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn azure_takes_nothing_after_all() {
    let mut world = Azure::world(1);
    let settings = world.settings("azure-withdrawn");
    let stop = Arc::new(Notify::new());
    let running = world.replica(&settings, "one", &Fuse::new(0, false), stop.clone());
    tell(&mut world).await;
    let vm = world.at_work().remove(0);
    // Its pods may not go: it will be there when the announcement is withdrawn.
    for app in ["web", "late"] {
        world.server.allow_disruptions(app, 5, 0).unwrap();
    }
    let at = world.cloud.arm.now().after(Span::from_mins(5));
    world.cloud.board.announce(&vm.name, Event { id: "E-1", kind: "Terminate", at });
    world.until("it is cordoned", Span::from_mins(1), |world| world.is_cordoned(&vm.name)).await;
    world
        .until("it is noted as stored", Span::from_mins(1), |world| {
            !world.annotation(&vm.name, STORED).is_empty()
        })
        .await;
    assert_eq!(world.annotation(&vm.name, STORED), world.annotation(&vm.name, ANNOUNCED));
    assert!(world.record().notices.iter().any(|notice| notice.id == "E-1" && !notice.closed));
    world.cloud.board.clear(&vm.name);
    world.until("it is open again", Span::from_mins(2), |world| !world.is_cordoned(&vm.name)).await;
    assert!(world.lives(&vm.name), "nothing was taken");
    world
        .until("nothing is left of it on the node", Span::from_mins(2), |world| {
            [ANNOUNCED, STORED].iter().all(|key| world.annotation(&vm.name, key).is_empty())
        })
        .await;
    assert!(world.record().notices.iter().all(|notice| notice.closed), "{:?}", world.record().notices);
    stop.notify_one();
    running.await.unwrap();
}

/// Kept apart from the story's: what is told of one machine is not told of another.
#[tokio::test(start_paused = true)]
async fn azure_marks_of_strangers_are_nobodys() {
    let world = Azure::world(1);
    let settings = world.settings("azure-strangers");
    let stop = Arc::new(Notify::new());
    let running = world.replica(&settings, "one", &Fuse::new(0, false), stop.clone());
    world.until("the least nodes come", Span::from_mins(5), |world| world.seen().ready() == 1).await;
    let mark = r#"[{"id":"E-1","kind":"interruption"}]"#;
    let elsewhere = format!("azure://{GROUP}/others/providers/Microsoft.Compute/virtualMachines/as-x-1-0");
    for (name, id, mark) in [
        ("elsewhere", elsewhere.as_str(), mark),
        ("nowhere", "", mark),
        ("of-k3s", "k3s://of-k3s", mark),
        ("broken", &world.cloud.machines()[0].provider_id, "[{"),
    ] {
        let node =
            autoscale_kube::fake::NodeSpec::new(name).with_provider_id(id).with_annotation(ANNOUNCED, mark);
        world.server.add_node(node);
    }
    tokio::time::sleep(Span::from_mins(2).into()).await;
    assert_eq!(world.record().notices, [], "a notice came of what says nothing");
    let stored: Vec<Value> = world.server.objects("v1", "Node");
    assert!(stored.iter().all(|node| node["metadata"]["annotations"][STORED].is_null()));
    stop.notify_one();
    running.await.unwrap();
}
