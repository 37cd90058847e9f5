//! Surveys from a cache: the same facts as from lists, and never old ones as new.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::data::order::CordonOrder;
use autoscale_core::data::view::{ClusterView, CordonMark, Scope};
use autoscale_core::memory::Rng;
use autoscale_core::ports::{Clock, Drainer};
use autoscale_core::words::{Deadline, Inc, NodeName, Span, Timestamp, Ver};
use autoscale_kube::Connection;
use autoscale_kube::drain::{CacheConfig, CachedDrain, Drain, DrainConfig};
use autoscale_kube::fake::{ApiServer, Fault, NodeSpec, Requests, Trouble};
use serde_json::{Value, json};

/// A clock by hand: whoever sleeps wakes when the test says so. The time of day is not used where the server tells it.
#[derive(Debug)]
pub(crate) struct Hand(tokio::sync::watch::Sender<u64>);

impl Hand {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(tokio::sync::watch::Sender::new(0)))
    }

    fn pass(&self, span: Span) {
        self.0.send_modify(|now| *now += span.as_millis());
    }
}

#[async_trait]
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        panic!("the server tells the time")
    }

    fn boot(&self) -> Deadline {
        Deadline::from_millis(*self.0.borrow())
    }

    async fn sleep(&self, span: Span) {
        let mut now = self.0.subscribe();
        let until = *now.borrow() + span.as_millis();
        now.wait_for(|now| *now >= until).await.unwrap();
    }
}

/// A real clock would do for `now`, which only stands in for a server without a `Date`.
#[derive(Debug)]
struct Told(Arc<Hand>, ApiServer);

#[async_trait]
impl Clock for Told {
    fn now(&self) -> Timestamp {
        self.1.now()
    }

    fn boot(&self) -> Deadline {
        self.0.boot()
    }

    async fn sleep(&self, span: Span) {
        self.0.sleep(span).await;
    }
}

struct Both {
    server: ApiServer,
    hand: Arc<Hand>,
    clock: Arc<dyn Clock>,
    lists: Drain,
    cached: CachedDrain,
}

/// What is on more than `page` pages is told from the cache.
fn both(server: ApiServer, page: u32, config: CacheConfig) -> Both {
    let hand = Hand::new();
    let clock: Arc<dyn Clock> = Arc::new(Told(hand.clone(), server.clone()));
    let mut settings = DrainConfig::new();
    settings.page = page;
    let lists = Drain::new(Connection::from_client(server.client()), settings, clock.clone());
    let cached = CachedDrain::spawn(lists.clone(), config);
    Both { server, hand, clock, lists, cached }
}

/// It waits as long as it takes.
fn patient() -> CacheConfig {
    CacheConfig::new().with_max_age(Span::from_secs(30)).with_catch_up(Span::from_secs(1_000))
}

/// It takes what there is.
fn hasty() -> CacheConfig {
    CacheConfig::new().with_catch_up(Span::ZERO)
}

fn set(kind: &str, name: &str, replicas: u64, extra: Value) -> Value {
    let mut pod =
        json!({"containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "50m"}}}]});
    pod.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let mut spec = json!({"selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod}});
    if kind != "DaemonSet" {
        spec["replicas"] = replicas.into();
    }
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec})
}

fn budget(name: &str, app: &str) -> Value {
    json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name, "namespace": "default"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": app}}}})
}

fn claim(server: &ApiServer, name: &str, zone: &str) {
    server.create(json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("pv-{name}")},
        "spec": {"capacity": {"storage": "1Gi"}, "nodeAffinity": {"required": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}]}]}}}})).unwrap();
    server
        .create(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "default"}, "spec": {"volumeName": format!("pv-{name}")}}))
        .unwrap();
}

async fn delete(server: &ApiServer, path: &str) {
    let request = http::Request::delete(path).body(Vec::new()).unwrap();
    let _ = server.client().request_text(request).await;
}

/// Something happens in the cluster.
async fn happen(server: &ApiServer, rng: &mut Rng, number: u64) {
    let name = format!("w{number}");
    let some = format!("w{}", rng.below(number + 1));
    let node = format!("n{}", rng.below(12));
    let api = kube::Api::<k8s_openapi::api::core::v1::Node>::all(server.client());
    match rng.below(12) {
        0 | 1 => drop(server.create(set("ReplicaSet", &name, rng.below(6), json!({})))),
        2 => {
            claim(server, &name, if rng.below(2) == 0 { "a" } else { "b" });
            let volume = json!([{"name": "v", "persistentVolumeClaim": {"claimName": name}}]);
            drop(server.create(set("StatefulSet", &name, 1 + rng.below(2), json!({"volumes": volume}))));
        }
        3 => {
            drop(server.create(set("DaemonSet", &name, 0, json!({"tolerations": [{"operator": "Exists"}]}))))
        }
        4 => drop(server.create(budget(&name, &some))),
        5 => server.add_node(NodeSpec::new(&node).with_zone("a")).clear(),
        6 => drop(api.cordon(&node).await),
        7 => drop(api.uncordon(&node).await),
        8 => server.remove_node(&node),
        9 => delete(server, &format!("/apis/apps/v1/namespaces/default/replicasets/{some}")).await,
        10 => server.node_stops_reporting(&node),
        _ => {
            let pods = server.objects("v1", "Pod");
            if let Some(pod) = pods.get(rng.below(pods.len().max(1) as u64) as usize) {
                let name = pod["metadata"]["name"].as_str().unwrap();
                match rng.below(2) {
                    0 => server.finish_pod("default", name, rng.below(2) == 0),
                    _ => delete(server, &format!("/api/v1/namespaces/default/pods/{name}")).await,
                }
            }
        }
    }
    server.advance(Span::from_secs(rng.below(20)));
}

/// In one order, with budgets by name.
fn sorted(mut view: ClusterView) -> (ClusterView, BTreeMap<String, Vec<String>>) {
    let name = |at: &u32| view.budgets[*at as usize].name.clone();
    let of = |pod: &autoscale_core::data::view::Pod| pod.budgets.iter().map(name).collect();
    let budgets = view.pods.iter().map(|pod| (pod.uid.to_string(), of(pod))).collect();
    view.pods.iter_mut().for_each(|pod| pod.budgets.clear());
    view.nodes.sort();
    view.pods.sort();
    view.budgets.sort();
    (view, budgets)
}

/// Lists of everything of a kind, since the log was cleared.
fn whole_lists(server: &ApiServer, resource: &str) -> usize {
    let log = server.log();
    let whole = |query: &str| {
        !query.contains("limit=1&") && !query.ends_with("limit=1") && !query.contains("nodeName")
    };
    log.iter()
        .filter(|entry| entry.verb == "list" && entry.resource == resource && whole(&entry.query))
        .count()
}

/// One survey each way, when everything that was written has come to the cache.
async fn compare(Both { server, lists, cached, .. }: &Both, scope: &Scope, what: &str) {
    // Quiet watches are told once a minute how far they have come.
    server.advance(Span::from_secs(61));
    server.clear_log();
    let kept = cached.survey(scope).await.unwrap();
    let all = ["nodes", "pods", "poddisruptionbudgets", "replicasets", "statefulsets", "persistentvolumes"];
    let listed: Vec<_> = all.iter().map(|resource| (*resource, whole_lists(server, resource))).collect();
    // What fits on one page is listed; the world here has more nodes and pods than that.
    assert!(listed.iter().take(2).all(|(_, lists)| *lists == 0), "{what}: {listed:?}");
    assert_eq!(
        kept.at,
        server.now().before(Span::from_millis(server.now().as_millis() as u64 % 1_000)),
        "{what}"
    );
    let (kept, listed) = (sorted(kept), sorted(lists.survey(scope).await.unwrap()));
    for (kept, listed) in kept.0.pods.iter().zip(&listed.0.pods) {
        assert_eq!(kept, listed, "{what}");
    }
    assert_eq!(kept, listed, "{what}");
}

#[tokio::test]
async fn random_clusters_look_the_same_from_the_cache_and_from_lists() {
    for seed in 0..5 {
        let server = ApiServer::default();
        server.add_nodes(
            (0..12).map(|at| NodeSpec::new(format!("n{at}")).with_zone(if at % 2 == 0 { "a" } else { "b" })),
        );
        server.create(set("ReplicaSet", "first", 9, json!({}))).unwrap();
        server.create(set("ReplicaSet", "waits", 2, json!({"nodeSelector": {"never": "there"}}))).unwrap();
        let both = both(server.clone(), 3, patient());
        both.cached.ready().await;
        let mut rng = Rng::new(seed);
        for number in 0..30 {
            happen(&server, &mut rng, number).await;
            if number % 10 == 9 {
                for scope in [
                    Scope::Everything,
                    Scope::Pending,
                    Scope::Nodes(["n0", "n1"].map(|name| NodeName::new(name).unwrap()).to_vec()),
                ] {
                    compare(&both, &scope, &format!("seed {seed}, after {number}, {scope:?}")).await;
                }
            }
        }
        let state = both.cached.state();
        assert!(state.iter().all(|state| state.trouble.is_none()), "{state:?}");
    }
}

/// Six nodes with two pods each, and nothing comes from the watches of `stuck` any more.
async fn lagging(stuck: &[&str], config: CacheConfig) -> Both {
    let server = ApiServer::default();
    server.add_nodes((0..6).map(|at| NodeSpec::new(format!("n{at}")).with_zone("a")));
    for at in 0..6 {
        let on = json!({"nodeSelector": {"kubernetes.io/hostname": format!("n{at}")}});
        server.create(set("ReplicaSet", &format!("w{at}"), 2, on)).unwrap();
    }
    server.advance(Span::from_secs(30));
    for resource in stuck {
        let watches = Requests::any().verb("watch").resource(*resource);
        server.add_fault(Fault::new("stuck", watches, Trouble::Unavailable).times(1_000_000));
    }
    let both = both(server, 2, config);
    both.cached.ready().await;
    both
}

fn node(view: &ClusterView, name: &str) -> autoscale_core::data::view::Node {
    view.nodes.iter().find(|node| node.name.as_str() == name).unwrap().clone()
}

#[tokio::test]
async fn a_cache_that_lags_says_its_age_and_is_not_asked_for_ever() {
    let both = lagging(&["pods"], hasty()).await;
    let then = both.server.now();
    both.server.create(set("ReplicaSet", "late", 3, json!({}))).unwrap();
    both.server.advance(Span::from_secs(100));
    both.server.clear_log();
    let survey = both.cached.survey(&Scope::Everything).await.unwrap();
    assert_eq!((survey.at, survey.pods.len()), (then, 12), "what it has heard of, as old as it is");
    assert_eq!(whole_lists(&both.server, "pods"), 0);
    let state = both.cached.state();
    let pods = state.iter().find(|state| state.resource == "pods").unwrap();
    assert_eq!((pods.at, pods.objects), (Some(then), 12));
    both.server.advance(Span::from_secs(21));
    let survey = both.cached.survey(&Scope::Everything).await.unwrap();
    assert_eq!((survey.at, survey.pods.len()), (both.server.now(), 15), "older than it may be: listed");
    assert!(whole_lists(&both.server, "pods") > 0);
}

#[tokio::test]
async fn a_survey_knows_every_write_that_was_answered_before_it() {
    for stuck in [&["nodes", "pods"][..], &[]] {
        let both = lagging(stuck, hasty()).await;
        let before = node(&both.cached.survey(&Scope::Everything).await.unwrap(), "n3");
        let mark = CordonMark::new(Inc::new("cache").unwrap(), 7);
        let order = CordonOrder::new(before.name.clone(), before.uid.clone(), Ver::new(4), mark.clone());
        both.cached.cordon(&order).await.unwrap();
        for scope in [Scope::Pending, Scope::Everything] {
            let after = node(&both.cached.survey(&scope).await.unwrap(), "n3");
            assert_eq!(
                (after.unschedulable, after.cordon),
                (true, Some(mark.clone())),
                "{stuck:?} {scope:?}"
            );
        }
        both.server.add_node(NodeSpec::new("joined"));
        let view = both.cached.survey(&Scope::Pending).await.unwrap();
        assert_eq!(node(&view, "joined").name.as_str(), "joined");
    }
}

/// The pod was bound a moment before the cordon, and the watch of pods has not said so: a node that looks empty is not.
#[tokio::test]
async fn what_is_on_a_closed_node_is_never_told_from_the_cache() {
    let both = lagging(&["pods"], hasty()).await;
    let then = both.server.now();
    let on = |name: &str| json!({"nodeSelector": {"kubernetes.io/hostname": name}});
    both.server.create(set("ReplicaSet", "late", 1, on("n3"))).unwrap();
    both.server.create(set("ReplicaSet", "other", 1, on("n4"))).unwrap();
    both.server.advance(Span::from_secs(10));
    let count = async |scope: Scope, name: &str| {
        let view = both.cached.survey(&scope).await.unwrap();
        (
            view.at,
            view.pods
                .iter()
                .filter(|pod| pod.node.as_ref().is_some_and(|node| node.as_str() == name))
                .count(),
        )
    };
    assert_eq!(count(Scope::Everything, "n3").await, (then, 2), "open: as old as it is told to be");
    kube::Api::<k8s_openapi::api::core::v1::Node>::all(both.server.client()).cordon("n3").await.unwrap();
    assert_eq!(count(Scope::Everything, "n3").await, (then, 3));
    assert_eq!(count(Scope::Everything, "n4").await, (then, 2));
    assert_eq!(count(Scope::Nodes(vec![NodeName::new("n4").unwrap()]), "n4").await, (then, 3), "named");
    both.server.node_stops_reporting("n4");
    both.server.advance(Span::from_secs(50));
    let pods = count(Scope::Everything, "n4").await.1;
    let truth = both.server.objects("v1", "Pod");
    let truth = truth.iter().filter(|pod| pod["spec"]["nodeName"] == "n4").count();
    assert_eq!(pods, truth, "not Ready");
}

/// Waits until every kind that is followed is whole and has no trouble, while time passes for whoever waits to try again.
async fn recovered(both: &Both) {
    for _ in 0..10_000 {
        let state = both.cached.state();
        if state.iter().filter(|s| s.followed).all(|s| s.at.is_some() && s.trouble.is_none())
            && both.server.faults_left().is_empty()
        {
            return;
        }
        both.hand.pass(Span::from_secs(1));
        tokio::task::yield_now().await;
    }
    panic!("{:?} {:?}", both.cached.state(), both.server.faults_left());
}

#[tokio::test]
async fn it_recovers_from_whatever_goes_wrong() {
    for (verb, trouble) in [
        ("watch", Trouble::Expired),
        ("watch", Trouble::AnswerLost),
        ("watch", Trouble::RequestLost),
        ("watch", Trouble::Unavailable),
        ("watch", Trouble::TooMany(1)),
        ("list", Trouble::Internal),
        ("list", Trouble::Truncated),
        ("list", Trouble::FailureAsSuccess),
        ("list", Trouble::AnswerLost),
    ] {
        for times in [1, 6] {
            let server = ApiServer::default();
            server.add_nodes((0..6).map(|at| NodeSpec::new(format!("n{at}"))));
            server.create(set("ReplicaSet", "w", 9, json!({}))).unwrap();
            for resource in ["nodes", "pods"] {
                let which = Requests::any().verb(verb).resource(resource);
                server.add_fault(Fault::new(resource, which, trouble.clone()).times(times));
            }
            let config = patient().with_silence(Span::from_secs(1_000_000));
            let both = both(server.clone(), 2, config.with_catch_up(Span::from_secs(1_000_000)));
            recovered(&both).await;
            server.create(set("ReplicaSet", "late", 4, json!({}))).unwrap();
            let what = format!("{verb} {trouble:?} {times} times");
            compare(&both, &Scope::Everything, &what).await;
        }
    }
}

/// How often all nodes were listed from the first page on, until a watch that failed so often goes well.
async fn lists_until_well(failures: u32) -> usize {
    let server = ApiServer::default();
    server.add_nodes((0..6).map(|at| NodeSpec::new(format!("n{at}"))));
    let watches = Requests::any().verb("watch").resource("nodes");
    server.add_fault(Fault::new("down", watches, Trouble::Unavailable).times(failures));
    let both = both(server, 2, hasty());
    recovered(&both).await;
    let log = both.server.log();
    log.iter().filter(|e| e.verb == "list" && e.resource == "nodes" && !e.query.contains("continue=")).count()
}

#[tokio::test]
async fn a_new_list_is_as_good_as_the_first_one() {
    for (failures, lists) in [(0, 1), (3, 1), (4, 2), (7, 2), (8, 3), (11, 3)] {
        assert_eq!(lists_until_well(failures).await, lists, "{failures} failures of its watch");
    }
}

#[tokio::test]
async fn a_watch_that_ends_or_falls_silent_is_begun_again() {
    let both = lagging(&[], patient()).await;
    compare(&both, &Scope::Everything, "before").await;
    // The server ends it after five minutes.
    both.server.advance(Span::from_secs(400));
    compare(&both, &Scope::Everything, "after its end").await;
    let watches = || both.server.log().iter().filter(|e| e.verb == "watch" && e.resource == "pods").count();
    both.server.clear_log();
    both.hand.pass(Span::from_secs(151));
    for _ in 0..10_000 {
        if watches() > 0 {
            break;
        }
        both.hand.pass(Span::from_millis(10));
        tokio::task::yield_now().await;
    }
    assert_eq!(watches(), 1, "silence is no reason to wait for ever");
}

#[tokio::test]
async fn what_cannot_be_watched_is_listed() {
    let watches = Requests::any().verb("watch");
    let server = ApiServer::default();
    server.add_nodes((0..6).map(|at| NodeSpec::new(format!("n{at}"))));
    server.add_fault(Fault::new("no watch", watches, Trouble::Expired).times(1_000_000));
    let both = both(server.clone(), 2, hasty());
    both.cached.ready().await;
    for _ in 0..200 {
        both.hand.pass(Span::from_secs(60));
        tokio::task::yield_now().await;
        let survey = both.cached.survey(&Scope::Everything).await.unwrap();
        assert_eq!(survey.nodes.len(), 6);
    }
    let why = both.cached.state()[0].trouble.clone();
    assert!(why.as_deref().is_some_and(|why| why.contains("watch nodes") && why.contains("410")), "{why:?}");
}

#[tokio::test]
async fn its_tasks_end_with_it() {
    let both = lagging(&[], hasty()).await;
    both.cached.survey(&Scope::Everything).await.unwrap();
    let Both { clock, lists, cached, .. } = both;
    drop(lists);
    let other = cached.clone();
    drop(cached);
    other.survey(&Scope::Everything).await.unwrap();
    assert!(Arc::strong_count(&clock) > 10, "one for each kind that is followed");
    drop(other);
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(Arc::strong_count(&clock), 1);
}
