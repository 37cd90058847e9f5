//! The story on EC2 in memory, and machines that AWS takes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use autoscale_core::words::{Span, Timestamp};
use autoscale_kube::fake::{ApiServer, Permission};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use controller::provider::{Given, Machines, Provider};
use controller::settings::Settings;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::account::{Account, SUBNETS};
use crate::common::{POLICY, server_at};
use crate::kill::Fuse;
use crate::queue::Sqs;
use crate::story::tell;
use crate::wire::{Service, Wire};
use crate::world::{ACCOUNT, Cloud, Vm, World, keeper, one_replica, seeds, two_replicas_killed};

/// EC2, and a queue of what it announces.
pub(crate) struct Aws {
    ec2: Wire<Account>,
    pub(crate) queue: Wire<Sqs>,
    passed: AtomicU64,
}

/// Requests of one process, which end with it.
#[derive(Debug)]
struct Fused<S>(Wire<S>, Fuse);

impl<S> Clone for Fused<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1.clone())
    }
}

impl<S: Service> HttpConnector for Fused<S> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self(wire, fuse) = self.clone();
        HttpConnectorFuture::new(async move { fuse.pass(wire.call(request)).await })
    }
}

impl<S: Service> HttpClient for Fused<S> {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl Aws {
    fn world(seed: u64) -> World<Self> {
        println!("seed {seed}: E2E_SEED={seed} cargo test -p controller --test clouds aws");
        let cloud =
            Self { ec2: Wire::new(Account::new()), queue: Wire::new(Sqs::new()), passed: AtomicU64::new(0) };
        let server = server_at(seed, Timestamp::from_millis(1_795_338_000_000));
        World::new(server, cloud, format!("seed {seed}"))
    }

    pub(crate) fn sqs(queue: &Wire<Sqs>, fuse: &Fuse) -> aws_sdk_sqs::Client {
        use aws_sdk_sqs::config::{BehaviorVersion, Config, Credentials, Region, retry::RetryConfig};
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "no secret", None, None, "tests"))
            .retry_config(RetryConfig::disabled())
            .http_client(Fused(queue.clone(), fuse.clone()));
        aws_sdk_sqs::Client::from_conf(config.build())
    }

    /// The cloud takes a machine.
    fn take(&self, id: &str) {
        let mut state = self.ec2.service.lock();
        let machine = state.machines.iter_mut().find(|machine| machine.id == id).unwrap();
        if machine.state == "running" {
            machine.state = "shutting-down";
        }
    }
}

impl Cloud for Aws {
    fn advance(&self, server: &ApiServer, step: Span) {
        // The service's clock is the system's; it goes ahead as far as the story's does.
        let ahead = server.now().as_millis() - jiff::Timestamp::now().as_millisecond();
        self.ec2.service.lock().ahead = ahead;
        self.queue.service.now(server.now());
        let passed = self.passed.fetch_add(step.as_millis(), Ordering::SeqCst) + step.as_millis();
        if passed.is_multiple_of(5_000) {
            self.ec2.service.settle();
        }
    }

    fn machines(&self) -> Vec<Vm> {
        let state = self.ec2.service.lock();
        let vm = |machine: &crate::account::Machine| {
            let subnet = &machine.asked["SubnetId"];
            let zone = SUBNETS.iter().find(|(id, _)| id == subnet).unwrap().1;
            Vm {
                token: machine.token.clone(),
                name: format!("node-{}", machine.id),
                provider_id: format!("aws:///{zone}/{}", machine.id),
                zone: zone.to_owned(),
                alive: matches!(machine.state, "pending" | "running"),
                running: machine.state == "running",
            }
        };
        state.machines.iter().map(vm).collect()
    }

    fn args(&self) -> Vec<String> {
        [
            "--provider=aws",
            "--aws-region=eu-central-1",
            "--aws-subnets=subnet-0000000a,subnet-0000000b",
            "--aws-launch-template=workers:7",
            "--notices-queue=https://sqs.eu-central-1.amazonaws.com/111122223333/notices",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn policy(&self) -> String {
        POLICY.replace("[a, b]", "[eu-central-1a, eu-central-1b]").replace("name: m", "name: m6i.large")
    }

    fn provider(&self, settings: &Settings, given: &Given, fuse: &Fuse) -> Provider {
        use aws_sdk_ec2::config::{BehaviorVersion, Config, Credentials, Region};
        let Machines::Aws(aws) = &settings.machines else { panic!("another provider") };
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "no secret", None, None, "tests"))
            .http_client(Fused(self.ec2.clone(), fuse.clone()));
        aws.over(given, aws_sdk_ec2::Client::from_conf(config.build()), Self::sqs(&self.queue, fuse))
    }
}

#[tokio::test(start_paused = true)]
async fn aws_one_replica() {
    let mut world = Aws::world(1);
    one_replica(&mut world, "aws").await;
    let cluster = autoscale_core::words::ClusterId::new("shop").unwrap();
    let expected = autoscale_core::data::record::Fingerprint::of(&cluster, "aws/eu-central-1");
    assert_eq!(world.record().fingerprint, expected);
}

#[tokio::test(start_paused = true)]
async fn aws_two_replicas_killed_at_random_points() {
    for seed in seeds() {
        two_replicas_killed(&mut Aws::world(seed), seed).await;
    }
}

impl World<Aws> {
    fn id(vm: &Vm) -> String {
        vm.name.trim_start_matches("node-").to_owned()
    }

    fn is_alive(&self, vm: &Vm) -> bool {
        self.cloud.machines().iter().any(|other| other.alive && other.name == vm.name)
    }

    /// EventBridge announces that a machine is taken.
    fn announce(&self, vm: &Vm) {
        let event = json!({
            "version": "0", "id": "1e5527d7-bb36-4607-3370-4164db56a40e", "source": "aws.ec2",
            "detail-type": "EC2 Spot Instance Interruption Warning", "time": self.server.now().to_string(),
            "detail": {"instance-id": Self::id(vm), "instance-action": "terminate"},
        });
        self.cloud.queue.service.put(event.to_string());
    }

    async fn is_well_again(&self, gone: &Vm) {
        self.until("the machine is gone, and every pod runs", Span::from_mins(30), |world| {
            let (seen, record) = (world.seen(), world.record());
            !world.is_alive(gone)
                && seen.running() == 5
                && seen.ready() == seen.living()
                && record.ops.is_empty()
                && record.lease.is_none()
        })
        .await;
    }

    fn victim(&self) -> Vm {
        self.cloud.machines().into_iter().find(|vm| vm.alive).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn aws_takes_a_machine_and_the_queue_says_so() {
    let mut world = Aws::world(1);
    let settings = world.settings("aws-interrupted");
    let stop = Arc::new(Notify::new());
    let running = world.replica(&settings, "one", &Fuse::new(0, false), stop.clone());
    tell(&mut world).await;
    let vm = world.victim();
    let before: BTreeMap<String, ()> = world.cloud.machines().into_iter().map(|vm| (vm.token, ())).collect();
    world.announce(&vm);
    world
        .until("a replacement is bought", Span::from_secs(60), |world| {
            world.cloud.machines().iter().any(|vm| !before.contains_key(&vm.token))
        })
        .await;
    world
        .until("the message is gone", Span::from_secs(60), |world| world.cloud.queue.service.is_empty())
        .await;
    tokio::time::sleep(Span::from_secs(120).into()).await;
    world.cloud.take(&World::<Aws>::id(&vm));
    world.is_well_again(&vm).await;
    // A replacement; what was bought besides, for pods that had to wait, goes again.
    world.until("no more than are needed", Span::from_mins(30), |world| world.seen().living() == 2).await;
    stop.notify_one();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn aws_takes_a_machine_while_replicas_die() {
    for seed in seeds() {
        let mut world = Aws::world(seed);
        let settings = world.settings(&format!("aws-killed-{seed}"));
        let stop = Arc::new(Notify::new());
        let running = world.replica(&settings, "one", &Fuse::new(0, false), stop.clone());
        tell(&mut world).await;
        stop.notify_one();
        running.await.unwrap();
        let kills = Arc::new(AtomicU64::new(0));
        let keepers =
            [keeper(&world, "left", (seed, 120), &kills), keeper(&world, "right", (seed + 100, 120), &kills)];
        let vm = world.victim();
        world.announce(&vm);
        tokio::time::sleep(Span::from_secs(120).into()).await;
        world.cloud.take(&World::<Aws>::id(&vm));
        world.is_well_again(&vm).await;
        // However often it came, the message is gone in the end.
        world
            .until("the message is gone", Span::from_mins(20), |world| world.cloud.queue.service.is_empty())
            .await;
        keepers.iter().for_each(JoinHandle::abort);
        assert!(kills.load(Ordering::SeqCst) >= 3, "nothing was tried");
        let alive = world.cloud.machines().into_iter().filter(|vm| vm.alive).count();
        assert!(alive <= 3, "one replacement for one machine: {alive}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_stays_until_its_notice_is_in_the_record() {
    let world = Aws::world(1);
    let settings = world.settings("aws-unstored");
    let stop = Arc::new(Notify::new());
    let running = world.replica(&settings, "one", &Fuse::new(0, false), stop.clone());
    world.until("the least nodes come", Span::from_mins(5), |world| world.seen().ready() == 1).await;
    world.until("nothing is open", Span::from_mins(5), |world| world.record().ops.is_empty()).await;
    // The record cannot be written for a while.
    world.server.deny(ACCOUNT, Permission::new("update", "coordination.k8s.io", "leases"));
    let vm = world.victim();
    world.announce(&vm);
    tokio::time::sleep(Span::from_mins(5).into()).await;
    assert!(!world.cloud.queue.service.is_empty(), "a message went whose notice is nowhere");
    assert!(world.cloud.queue.service.given() >= 2, "it came once more");
    assert_eq!(world.record().notices, []);
    world.server.undo_denials(ACCOUNT);
    world
        .until("the message is gone", Span::from_mins(5), |world| world.cloud.queue.service.is_empty())
        .await;
    assert_eq!(world.record().notices.len(), 1, "once, however often it came");
    stop.notify_one();
    running.await.unwrap();
}

/// Each version of the policy has a driver of its own: what the last one was given and has not stored goes to the next.
#[tokio::test(start_paused = true)]
async fn a_notice_survives_new_versions_of_the_policy() {
    let world = Aws::world(1);
    let settings = world.settings("aws-reloaded");
    let stop = Arc::new(Notify::new());
    let (running, next) = world.replica_with_policy(&settings, stop.clone());
    world.until("the least nodes come", Span::from_mins(5), |world| world.seen().ready() == 1).await;
    world.until("nothing is open", Span::from_mins(5), |world| world.record().ops.is_empty()).await;
    world.server.deny(ACCOUNT, Permission::new("update", "coordination.k8s.io", "leases"));
    world.announce(&world.victim());
    // The message came once, and does not come again before two minutes are over.
    world.until("it came", Span::from_secs(30), |world| world.cloud.queue.service.given() == 1).await;
    for max in 5..8 {
        tokio::time::sleep(Span::from_secs(7).into()).await;
        let policy = world.cloud.policy().replace("max: 4", &format!("max: {max}"));
        next.send_replace(Arc::new(autoscale_core::data::policy::Policy::from_yaml(&policy).unwrap()));
    }
    world.server.undo_denials(ACCOUNT);
    world.until("it is stored", Span::from_secs(60), |world| world.record().notices.len() == 1).await;
    world
        .until("the message is gone", Span::from_secs(30), |world| world.cloud.queue.service.is_empty())
        .await;
    assert_eq!(world.cloud.queue.service.given(), 1, "nobody had to give it again");
    stop.notify_one();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_allowed_is_found_at_the_start() {
    let world = Aws::world(1);
    let settings = world.settings("aws-forbidden");
    let clock = Arc::new(crate::common::ServerClock(world.server.clone()));
    let (given, _next) = controller::setup::given(&settings, (world.server.client(), "x".to_owned()), clock);
    world.cloud.advance(&world.server, Span::ZERO);
    let check = || world.cloud.provider(&settings, &given, &Fuse::new(0, false)).check.unwrap();
    assert_eq!(check().await.len(), 0);
    world.cloud.ec2.service.lock().forbidden.insert("RunInstances");
    let wrong = check().await;
    assert_eq!(wrong.len(), 4, "two zones, two ways to buy: {wrong:?}");
    assert!(wrong.iter().all(|error| error.to_string().contains("launch")), "{wrong:?}");
    assert!(world.cloud.machines().is_empty(), "nothing was bought");
}
