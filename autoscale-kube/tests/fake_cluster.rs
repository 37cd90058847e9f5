//! The cluster behind the fake server: controllers, scheduler, kubelets, budgets.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeSet;

use autoscale_core::words::Span;
use autoscale_kube::fake::{ApiServer, NodeSpec, Settings};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::policy::v1::{Eviction, PodDisruptionBudget};
use kube::api::{Api, DeleteParams, EvictParams, ListParams, PostParams, Preconditions};
use kube::core::Status;
use kube::{Error, ResourceExt};
use serde_json::{Value, json};

const SECOND: Span = Span::from_secs(1);

fn workload(kind: &str, name: &str, replicas: u32, spec: Value) -> Value {
    let version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    let mut pod =
        json!({"containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "1"}}}]});
    pod.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod}}})
}

fn cluster(nodes: usize) -> (ApiServer, Api<Pod>) {
    let server = ApiServer::new(Settings::default());
    server.add_nodes((0..nodes).map(|at| NodeSpec::new(format!("n{at}")).with_zone("a")));
    let pods = Api::default_namespaced(server.client());
    (server, pods)
}

async fn all(pods: &Api<Pod>) -> Vec<Pod> {
    pods.list(&ListParams::default()).await.unwrap().items
}

fn node(pod: &Pod) -> String {
    pod.spec.as_ref().unwrap().node_name.clone().unwrap_or_default()
}

fn condition(pod: &Pod, kind: &str) -> Option<(String, String)> {
    let all = pod.status.as_ref()?.conditions.as_ref()?;
    let found = all.iter().find(|at| at.type_ == kind)?;
    Some((found.status.clone(), found.message.clone().unwrap_or_default()))
}

fn ready(pods: &[Pod]) -> usize {
    pods.iter().filter(|pod| condition(pod, "Ready").is_some_and(|(status, _)| status == "True")).count()
}

async fn evict(pods: &Api<Pod>, name: &str, options: Option<DeleteParams>) -> Result<Status, Status> {
    let options = serde_json::to_value(options.unwrap_or_default()).unwrap();
    let body = json!({"metadata": {"name": name, "namespace": "default"}, "deleteOptions": options});
    let body: Eviction = serde_json::from_value(body).unwrap();
    let answer =
        pods.create_subresource::<Eviction, Status>("eviction", name, &PostParams::default(), &body).await;
    match answer {
        Ok(status) => Ok(status),
        Err(Error::Api(status)) => Err(*status),
        Err(other) => panic!("{other}"),
    }
}

fn budget(server: &ApiServer, name: &str, spec: Value) {
    let mut spec = spec;
    spec["selector"] = json!({"matchLabels": {"app": "web"}});
    let object = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec});
    server.create(object).unwrap();
}

async fn allowed(server: &ApiServer, name: &str) -> i32 {
    let budgets: Api<PodDisruptionBudget> = Api::default_namespaced(server.client());
    budgets.get(name).await.unwrap().status.unwrap().disruptions_allowed
}

#[tokio::test]
async fn pods_move_when_their_node_goes() {
    let (server, pods) = cluster(2);
    server.create(workload("Deployment", "web", 4, json!({}))).unwrap();
    assert_eq!(ready(&all(&pods).await), 0, "pods take a while to start");
    server.advance(Span::from_secs(2));
    let before = all(&pods).await;
    assert_eq!(ready(&before), 4);
    assert_eq!(before.iter().filter(|pod| node(pod) == "n0").count(), 2);
    server.remove_node("n0");
    server.advance(Span::from_mins(1));
    let after = all(&pods).await;
    assert_eq!((after.len(), ready(&after)), (4, 4));
    assert!(after.iter().all(|pod| node(pod) == "n1"));
    let uids = |pods: &[Pod]| pods.iter().map(|pod| pod.uid().unwrap()).collect::<BTreeSet<_>>();
    assert_eq!(uids(&before).intersection(&uids(&after)).count(), 2, "two are new");
}

#[tokio::test]
async fn an_eviction_asks_the_budget() {
    let (server, pods) = cluster(2);
    server.create(workload("Deployment", "web", 3, json!({}))).unwrap();
    server.advance(Span::from_secs(2));
    budget(&server, "web", json!({"minAvailable": 2}));
    assert_eq!(allowed(&server, "web").await, 1);
    let names: Vec<String> = all(&pods).await.iter().map(ResourceExt::name_any).collect();
    let dry = DeleteParams { dry_run: true, ..DeleteParams::default() };
    evict(&pods, &names[0], Some(dry)).await.unwrap();
    assert_eq!(allowed(&server, "web").await, 1, "a dry run takes nothing");
    evict(&pods, &names[0], None).await.unwrap();
    let refused = evict(&pods, &names[1], None).await.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (429, "TooManyRequests"));
    assert_eq!(refused.details.unwrap().causes[0].reason, "DisruptionBudget");
    // The one that leaves may be asked again; its replacement is ready in two seconds.
    evict(&pods, &names[0], None).await.unwrap();
    server.advance(Span::from_secs(2));
    evict(&pods, &names[1], None).await.unwrap();
    server.advance(Span::from_mins(1));
    let left: BTreeSet<String> = all(&pods).await.iter().map(ResourceExt::name_any).collect();
    assert!(left.len() == 3 && !left.contains(&names[0]) && !left.contains(&names[1]));
    assert_eq!(evict(&pods, "no-such-pod", None).await.unwrap_err().reason, "NotFound");
    budget(&server, "second", json!({"maxUnavailable": 1}));
    let name = left.first().unwrap();
    assert_eq!(evict(&pods, name, None).await.unwrap_err().code, 500);
}

#[tokio::test]
async fn an_eviction_asks_for_one_uid() {
    let (server, pods) = cluster(1);
    server.create(workload("Deployment", "web", 1, json!({}))).unwrap();
    server.advance(Span::from_secs(2));
    let pod = all(&pods).await.remove(0);
    let by = |uid: &str| DeleteParams {
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
        grace_period_seconds: Some(5),
        ..DeleteParams::default()
    };
    let refused = evict(&pods, &pod.name_any(), Some(by("other"))).await.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (409, "Conflict"));
    assert_eq!(
        pods.get(&pod.name_any()).await.unwrap().resource_version(),
        pod.resource_version(),
        "untouched"
    );
    evict(&pods, &pod.name_any(), Some(by(&pod.uid().unwrap()))).await.unwrap();
    assert_eq!(pods.get(&pod.name_any()).await.unwrap().metadata.deletion_grace_period_seconds, Some(5));
    server.advance(Span::from_secs(5));
    assert!(pods.get_opt(&pod.name_any()).await.unwrap().is_none());
    // What the library's own call sends loses its options: the server must not mind.
    let next = all(&pods).await.remove(0).name_any();
    pods.evict(&next, &EvictParams::default()).await.unwrap();
}

#[tokio::test]
async fn budgets_count_shares_and_unready_pods() {
    let (server, pods) = cluster(2);
    server.create(workload("Deployment", "web", 4, json!({}))).unwrap();
    server.advance(Span::from_secs(2));
    budget(&server, "half", json!({"maxUnavailable": "50%"}));
    assert_eq!(allowed(&server, "half").await, 2);
    server.node_stops_reporting("n0");
    server.advance(Span::from_secs(40));
    assert_eq!(allowed(&server, "half").await, 0, "two are not ready");
    let on = |name: &str| ListParams::default().fields(&format!("spec.nodeName={name}"));
    let (lost, well) = (pods.list(&on("n0")).await.unwrap(), pods.list(&on("n1")).await.unwrap());
    assert_eq!(ready(&lost.items), 0);
    assert_eq!(evict(&pods, &well.items[0].name_any(), None).await.unwrap_err().code, 429);
    // Those that are not ready disrupt nobody while the others suffice.
    evict(&pods, &lost.items[0].name_any(), None).await.unwrap();
}

#[tokio::test]
async fn a_lost_node_keeps_its_pods_for_five_minutes() {
    let (server, pods) = cluster(2);
    server.create(workload("Deployment", "web", 2, json!({}))).unwrap();
    server.advance(Span::from_secs(2));
    server.node_stops_reporting("n0");
    server.advance(Span::from_secs(39));
    let nodes: Api<Node> = Api::all(server.client());
    let is_ready = async || {
        let status = nodes.get("n0").await.unwrap().status.unwrap();
        status.conditions.unwrap().into_iter().find(|at| at.type_ == "Ready").unwrap().status
    };
    assert_eq!(is_ready().await, "True");
    server.advance(SECOND);
    assert_eq!(is_ready().await, "Unknown");
    assert_eq!(all(&pods).await.len(), 2);
    server.advance(Span::from_secs(300));
    assert_eq!(all(&pods).await.len(), 3, "one cannot end, and has a replacement");
    server.node_reports_again("n0");
    server.advance(SECOND);
    assert_eq!((is_ready().await.as_str(), all(&pods).await.len()), ("True", 2));
}

#[tokio::test]
async fn the_scheduler_says_why_a_pod_waits() {
    let (server, pods) = cluster(2);
    let labels = |server: &ApiServer| {
        server.add_node(
            NodeSpec::new("big")
                .with_label("pool", "big")
                .with_taint("dedicated", "x", "NoSchedule")
                .with_allocatable("cpu", "64"),
        )
    };
    let big = json!({"containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "16"}}}],
        "tolerations": [{"key": "dedicated", "operator": "Exists"}], "nodeSelector": {"pool": "big"}});
    server.create(workload("Deployment", "big", 1, big)).unwrap();
    let waiting = all(&pods).await.remove(0);
    let (status, message) = condition(&waiting, "PodScheduled").unwrap();
    assert_eq!(status, "False");
    assert!(
        message.starts_with("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."),
        "{message}"
    );
    labels(&server);
    server.advance(Span::from_secs(2));
    assert_eq!(node(&all(&pods).await[0]), "big");
    server.create(workload("Deployment", "more", 9, json!({}))).unwrap();
    let more = pods.list(&ListParams::default().labels("app=more")).await.unwrap().items;
    assert_eq!(
        more.iter().filter(|pod| node(pod).is_empty()).count(),
        1,
        "eight CPUs without the tainted node"
    );
    assert!(more.iter().all(|pod| node(pod) != "big"));
}

#[tokio::test]
async fn one_per_host_and_one_for_every_host() {
    let (server, pods) = cluster(3);
    let apart = json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "apart"}}}]}}});
    server.create(workload("Deployment", "apart", 4, apart)).unwrap();
    server.create(workload("DaemonSet", "agent", 0, json!({}))).unwrap();
    server.advance(Span::from_secs(2));
    let of = async |app: &str| {
        pods.list(&ListParams::default().labels(&format!("app={app}"))).await.unwrap().items
    };
    let hosts = |pods: &[Pod]| pods.iter().map(node).filter(|name| !name.is_empty()).collect::<Vec<_>>();
    let apart = hosts(&of("apart").await);
    assert_eq!((apart.len(), apart.iter().collect::<BTreeSet<_>>().len()), (3, 3));
    assert_eq!(hosts(&of("agent").await).len(), 3);
    let nodes: Api<Node> = Api::all(server.client());
    nodes.cordon("n0").await.unwrap();
    server.add_node(NodeSpec::new("n3"));
    server.advance(Span::from_secs(2));
    assert_eq!(of("agent").await.len(), 4, "a cordon does not keep them away");
    assert_eq!(hosts(&of("apart").await).len(), 4);
    assert!(of("agent").await.iter().all(|pod| pod.owner_references()[0].controller == Some(true)));
}

#[tokio::test]
async fn a_node_may_have_been_there_before() {
    let (server, _) = cluster(1);
    let uid = server.add_node(NodeSpec::new("old").with_age(Span::from_mins(90)));
    let nodes: Api<Node> = Api::all(server.client());
    let created = async |name: &str| {
        let node = serde_json::to_value(nodes.get(name).await.unwrap()).unwrap();
        node["metadata"]["creationTimestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap()
    };
    let apart = created("n0").await.as_second() - created("old").await.as_second();
    assert_eq!(apart, 90 * 60);
    // It stays what it is.
    assert_eq!(server.add_node(NodeSpec::new("old")), uid);
    assert_eq!(created("n0").await.as_second() - created("old").await.as_second(), 90 * 60);
    server.advance(Span::from_mins(2));
    assert!(server.is_open("old"), "its kubelet is heard of");
}

#[tokio::test]
async fn stateful_sets_go_in_order_and_jobs_end() {
    let (server, pods) = cluster(2);
    server.create(workload("StatefulSet", "db", 3, json!({}))).unwrap();
    assert_eq!(all(&pods).await.len(), 1);
    server.advance(Span::from_secs(2));
    assert_eq!(all(&pods).await.len(), 2);
    server.advance(Span::from_secs(10));
    let names: Vec<_> = all(&pods).await.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["db-0", "db-1", "db-2"]);
    let uid = all(&pods).await[1].uid();
    evict(&pods, "db-1", None).await.unwrap();
    server.advance(Span::from_mins(1));
    assert!(all(&pods).await[1].name_any() == "db-1" && all(&pods).await[1].uid() != uid);
    server.create(workload("Job", "once", 0, json!({"restartPolicy": "Never"}))).unwrap();
    server.advance(Span::from_secs(2));
    let job = pods.list(&ListParams::default().labels("app=once")).await.unwrap().items.remove(0).name_any();
    server.finish_pod("default", &job, true);
    server.advance(Span::from_mins(1));
    assert_eq!(pods.list(&ListParams::default().labels("app=once")).await.unwrap().items.len(), 1);
    let done = server.object("batch/v1", "Job", "default", "once").unwrap();
    assert_eq!(done["status"]["succeeded"], 1);
}

#[tokio::test]
async fn a_new_template_replaces_the_pods() {
    let (server, pods) = cluster(2);
    server.create(workload("Deployment", "web", 2, json!({}))).unwrap();
    server.advance(Span::from_secs(2));
    let deployments: Api<k8s_openapi::api::apps::v1::Deployment> = Api::default_namespaced(server.client());
    let patch = json!({"spec": {"replicas": 3, "template": {"metadata": {"labels": {"v": "2"}}}}});
    deployments.patch("web", &Default::default(), &kube::api::Patch::Merge(patch)).await.unwrap();
    server.advance(Span::from_mins(1));
    let now = all(&pods).await;
    assert_eq!((now.len(), now.iter().filter(|pod| pod.labels().contains_key("v")).count()), (3, 3));
}

#[tokio::test]
async fn a_stage_is_set_in_two_lines() {
    let (server, pods) = cluster(2);
    let placed = server.run_pods("n1", "web", 3).unwrap();
    server.allow_disruptions("web", 3, 1).unwrap();
    assert!(placed.len() == 3 && placed.iter().all(|pod| pod["spec"]["nodeName"] == "n1"));
    assert_eq!(allowed(&server, "web").await, 1);
    assert_eq!((server.pods_on("n1").len(), server.pods_on("").len()), (3, 0));
    assert!(server.is_open("n0") && !server.is_open("n9"));
    assert!(server.run_pods("n1", "web", 1).is_err());
    let name = placed[0]["metadata"]["name"].as_str().unwrap();
    evict(&pods, name, None).await.unwrap();
    assert!(pods.get(name).await.unwrap().metadata.deletion_timestamp.is_some(), "it takes a while to end");
    server.run_pods("n9", "lost", 1).unwrap();
    assert!(server.waiting()[0].1.contains("0/2 nodes are available"));
}
