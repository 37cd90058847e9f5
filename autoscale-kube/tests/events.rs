//! Events as people read them, of a driver's real reports, on an API server that takes no wrong ones.
#![cfg(feature = "events")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use autoscale_core::data::policy::{Policy, PoolPolicy};
use autoscale_core::driver::{Driver, Report, Trigger};
use autoscale_core::memory::{Shared, Workload, WorkloadId, quick};
use autoscale_core::ports::Clock;
use autoscale_core::words::{Deadline, Span, Timestamp};
use autoscale_kube::Connection;
use autoscale_kube::events::{EventConfig, Events, RoundFacts};
use autoscale_kube::fake::{ApiServer, Fault, Permission, Requests, Trouble};
use serde_json::{Value, json};

/// The fake server's time; nobody waits.
#[derive(Debug)]
struct Virtual(ApiServer);

#[async_trait::async_trait]
impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn boot(&self) -> Deadline {
        Deadline::from_millis(self.0.now().as_millis() as u64)
    }

    async fn sleep(&self, _: Span) {
        std::future::pending().await
    }
}

/// A driver over a small world, and an API server that is told what it does.
struct Scene {
    world: Shared,
    shop: WorkloadId,
    driver: Driver,
    server: ApiServer,
    events: Events,
}

fn scene(max: u32, user: &str, config: EventConfig) -> Scene {
    scene_of(2, max, user, config)
}

fn scene_of(workers: u32, max: u32, user: &str, config: EventConfig) -> Scene {
    let pool = PoolPolicy::builder("web")
        .with_zones(["a", "b"])
        .with_shape("m5.large", 1_930, 7 << 30, 29)
        .with_min(2)
        .with_max(max)
        .with_pending(Span::from_mins(2));
    let policy = Arc::new(Policy::builder("shop").with_pool(pool).build().unwrap());
    let world = quick(&policy, workers).unwrap();
    let shop = world.lock().add_workload(Workload::new("shop", 12, 500, 256 << 20));
    let driver = Driver::new(policy, world.ports());
    let server = ApiServer::default();
    let clock = Arc::new(Virtual(server.clone()));
    let events = Events::spawn(Connection::from_client(server.client_as(user)), config, clock).unwrap();
    Scene { world, shop, driver, server, events }
}

fn plain(max: u32) -> Scene {
    scene(max, "admin", EventConfig::new("replica-1"))
}

impl Scene {
    fn tell(&self, report: &Report) {
        for round in &report.rounds {
            let (stored, outcomes) = (round.stored.as_ref(), &round.outcomes);
            self.events.tell(&RoundFacts::new(&round.view, &round.explanation, stored, outcomes));
        }
    }

    /// So many ticks, two minutes apart.
    async fn ticks(&self, many: usize) {
        for _ in 0..many {
            let report = self.driver.tick(&Trigger::Schedule).await;
            self.tell(&report);
            self.events.idle().await;
            let next = self.world.lock().now().after(Span::from_mins(2));
            self.world.lock().advance_to(next);
            self.server.advance(Span::from_mins(2));
        }
    }

    fn all(&self) -> Vec<Value> {
        self.server.objects("events.k8s.io/v1", "Event")
    }

    /// What was said about which kind.
    fn reasons(&self) -> BTreeSet<(String, String)> {
        let text = |event: &Value, at: &str| event.pointer(at).unwrap().as_str().unwrap().to_owned();
        self.all().iter().map(|event| (text(event, "/reason"), text(event, "/regarding/kind"))).collect()
    }
}

fn named(reasons: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    reasons.iter().map(|(reason, kind)| ((*reason).to_owned(), (*kind).to_owned())).collect()
}

#[tokio::test]
async fn growing_and_shrinking_are_told_in_words_that_people_know() {
    let scene = plain(10);
    scene.ticks(8).await;
    let up = named(&[("TriggeredScaleUp", "Pod"), ("ScaledUpGroup", "Lease"), ("NotTriggerScaleUp", "Pod")]);
    assert!(scene.reasons().is_superset(&up), "{:?}", scene.reasons());
    scene.world.lock().set_replicas(scene.shop, 1);
    scene.ticks(40).await;
    let both: Vec<_> =
        scene.reasons().into_iter().filter(|(reason, _)| reason.starts_with("ScaleDown")).collect();
    assert!(both.contains(&("ScaleDown".to_owned(), "Lease".to_owned())), "{both:?}");
    assert!(both.iter().any(|(_, kind)| kind == "Node"), "{both:?}");
    let counts = scene.events.counts();
    assert_eq!((counts.failed, counts.dropped), (0, 0), "{counts:?}");
    assert_eq!(scene.all().len() as u64, counts.created);
    for event in scene.all() {
        let kind = event["regarding"]["kind"].as_str().unwrap();
        assert_eq!(event["type"], "Normal");
        assert_eq!(event["reportingController"], "autoscale.local/autoscaler");
        assert_eq!(event["reportingInstance"], "replica-1");
        assert_eq!(event["metadata"]["namespace"] == "kube-system", kind == "Lease", "{event}");
        assert!(kind == "Lease" || event["regarding"]["uid"].is_string(), "{event}");
    }
}

#[tokio::test]
async fn only_pods_that_new_nodes_can_take_are_told_of_them() {
    let scene = plain(10);
    scene.ticks(4).await;
    scene.world.lock().add_workload(Workload::new("huge", 1, 64_000, 1 << 30));
    scene.world.lock().set_replicas(scene.shop, 30);
    scene.ticks(4).await;
    let told = |name: &str| -> BTreeSet<String> {
        let all = scene.all();
        let about = all.iter().filter(|event| event["regarding"]["name"].as_str().unwrap().starts_with(name));
        about.map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
    };
    assert!(told("shop").contains("TriggeredScaleUp"), "{:?}", told("shop"));
    assert_eq!(told("huge"), BTreeSet::from(["NotTriggerScaleUp".to_owned()]));
}

/// A node is bought because the pool has to have two, while pods wait that no node of it can take.
#[tokio::test]
async fn nodes_that_are_bought_for_other_reasons_are_told_to_no_pod() {
    let scene = scene_of(1, 10, "admin", EventConfig::new("replica-1"));
    scene.world.lock().set_replicas(scene.shop, 0);
    let mut elsewhere = Workload::new("elsewhere", 3, 100, 1 << 20);
    elsewhere.constraints.selector.insert("gpu".to_owned(), "yes".to_owned());
    scene.world.lock().add_workload(elsewhere);
    scene.ticks(6).await;
    assert!(scene.reasons().is_superset(&named(&[("ScaledUpGroup", "Lease")])), "{:?}", scene.reasons());
    let up = scene.reasons().into_iter().filter(|(reason, _)| reason == "TriggeredScaleUp").count();
    assert_eq!(up, 0, "{:?}", scene.reasons());
}

#[tokio::test]
async fn a_pool_at_its_limit_says_why_it_does_not_grow() {
    let scene = plain(2);
    scene.ticks(10).await;
    let notes: BTreeSet<String> =
        scene.all().iter().map(|e| e["note"].as_str().unwrap().to_owned()).collect();
    assert_eq!(scene.reasons(), named(&[("NotTriggerScaleUp", "Pod")]));
    assert!(notes.iter().any(|note| note.contains("web: ") && note.contains("at max 2")), "{notes:?}");
}

#[tokio::test]
async fn launches_that_are_refused_are_warnings() {
    let scene = plain(10);
    for zone in ["a", "b"] {
        for purchase in
            [autoscale_core::data::policy::Purchase::OnDemand, autoscale_core::data::policy::Purchase::Spot]
        {
            let offering = autoscale_core::data::order::Offering::new(
                autoscale_core::words::Zone::new(zone).unwrap(),
                purchase,
                autoscale_core::words::ShapeName::new("m5.large").unwrap(),
            );
            scene.world.lock().set_capacity(offering, Some(0));
        }
    }
    scene.ticks(10).await;
    let failed: Vec<Value> =
        scene.all().into_iter().filter(|e| e["reason"] == "FailedToScaleUpGroup").collect();
    assert!(!failed.is_empty(), "{:?}", scene.reasons());
    for event in failed {
        assert_eq!(event["type"], "Warning");
        assert!(event["note"].as_str().unwrap().contains("no capacity"), "{event}");
    }
}

#[tokio::test]
async fn the_same_again_is_a_series_and_one_that_has_expired_is_made_anew() {
    let scene = plain(2);
    let waits = Span::from_mins(6);
    scene.ticks(2).await;
    let report = scene.driver.tick(&Trigger::Schedule).await;
    scene.tell(&report);
    scene.events.idle().await;
    let (before, created) = (scene.all().len(), scene.events.counts().created);
    for _ in 0..50 {
        scene.tell(&report);
    }
    scene.events.idle().await;
    assert_eq!((scene.all().len(), scene.events.counts().repeated), (before, 0), "counted here, not there");
    scene.server.advance(waits);
    scene.tell(&report);
    scene.events.idle().await;
    let repeated = scene.events.counts().repeated;
    assert!(repeated > 0 && scene.all().len() == before);
    let counts: Vec<i64> = scene.all().iter().filter_map(|e| e["series"]["count"].as_i64()).collect();
    assert!(counts.len() as u64 == repeated && counts.iter().all(|count| *count > 50), "{counts:?}");
    for event in scene.all() {
        let path = format!(
            "/apis/events.k8s.io/v1/namespaces/{}/events/{}",
            event["metadata"]["namespace"].as_str().unwrap(),
            event["metadata"]["name"].as_str().unwrap()
        );
        let request = http::Request::delete(path).body(Vec::new()).unwrap();
        scene.server.client().request_text(request).await.unwrap();
    }
    for _ in 0..2 {
        scene.server.advance(waits);
        scene.tell(&report);
        scene.events.idle().await;
    }
    assert_eq!(scene.all().len() as u64, repeated, "told anew after the first try has failed");
    assert_eq!(scene.events.counts().created, created + repeated);
}

#[tokio::test]
async fn a_server_that_does_not_answer_costs_nothing_but_events() {
    for trouble in [Trouble::RequestLost, Trouble::Internal, Trouble::TooMany(5), Trouble::FailureAsSuccess] {
        let scene = plain(2);
        let events = Requests::any().resource("events");
        scene.server.add_fault(Fault::new("down", events, trouble.clone()).times(1_000));
        scene.ticks(3).await;
        let counts = scene.events.counts();
        assert!(counts.failed > 0 && counts.created == 0, "{trouble:?} {counts:?}");
        scene.server.clear_faults();
        scene.ticks(1).await;
        assert!(scene.events.counts().created > 0, "{trouble:?}");
    }
}

#[tokio::test]
async fn what_is_too_much_is_dropped_and_counted() {
    let mut config = EventConfig::new("replica-1");
    (config.per_round, config.burst) = (2, 3);
    let scene = scene(2, "admin", config);
    scene.ticks(2).await;
    scene.server.clear_log();
    let report = scene.driver.tick(&Trigger::Schedule).await;
    scene.tell(&report);
    scene.events.idle().await;
    assert!(scene.server.log().len() <= 2 * report.rounds.len());
    assert!(scene.events.counts().dropped > 0);
    // Nobody reads the queue while this task does not give way: it fills, and `tell` returns all the same.
    let mut config = EventConfig::new("replica-1");
    (config.per_round, config.burst) = (1_000, 1_000);
    let many = self::scene(2, "admin", config);
    many.world.lock().set_replicas(many.shop, 400);
    let next = many.world.lock().now().after(Span::from_mins(4));
    many.world.lock().advance_to(next);
    let report = many.driver.tick(&Trigger::Schedule).await;
    many.tell(&report);
    assert!(many.events.counts().dropped > 0, "{:?}", many.events.counts());
    many.events.idle().await;
    assert!(many.events.counts().created >= 256, "{:?}", many.events.counts());
}

#[tokio::test]
async fn the_permissions_are_enough_and_both_are_needed() {
    const USER: &str = "system:serviceaccount:kube-system:autoscale";
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "autoscale-events"}, "rules": rules()});
    let mut config = EventConfig::new("replica-1");
    config.repeat = Span::from_secs(1);
    let mut failed = BTreeMap::new();
    for missing in ["", "create", "patch"] {
        let scene = scene(2, USER, config.clone());
        scene.server.grant(USER, [role.clone()]).unwrap();
        if !missing.is_empty() {
            scene.server.deny(USER, Permission::new(missing, "events.k8s.io", "events"));
        }
        scene.ticks(6).await;
        let counts = scene.events.counts();
        failed.insert(missing, (counts.failed > 0, counts.created > 0, counts.repeated > 0));
    }
    let expected =
        [("", (false, true, true)), ("create", (true, false, false)), ("patch", (true, true, false))];
    assert_eq!(failed, BTreeMap::from(expected));
}

/// The rules of the file, which are one.
fn rules() -> Value {
    let path = format!("{}/rbac/events-role.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rule) = text.split_once("rules:\n").unwrap();
    let list = |key: &str| -> Value {
        let (_, rest) = rule.split_once(&format!("{key}: ")).unwrap();
        serde_json::from_str(rest.lines().next().unwrap()).unwrap()
    };
    json!([{"apiGroups": list("apiGroups"), "resources": list("resources"), "verbs": list("verbs")}])
}

#[tokio::test]
async fn bad_settings_are_named_all_at_once() {
    let server = ApiServer::default();
    let mut config = EventConfig::new("").with_object("", "Lease", "Kube", "-x");
    (config.burst, config.every) = (0, Span::ZERO);
    let clock = Arc::new(Virtual(server.clone()));
    let error =
        Events::spawn(Connection::from_client(server.client()), config, clock).unwrap_err().to_string();
    for part in ["instance ", "api_version ", "Kube", "-x", "burst 0", "every 0s"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}
