//! The fake server as a client sees it: objects, versions, patches, pages, watches.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use autoscale_core::words::Span;
use autoscale_kube::fake::{ApiServer, NodeSpec, Settings};
use futures_util::{StreamExt, TryStreamExt, pin_mut};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::api::{
    Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy,
    WatchEvent, WatchParams,
};
use kube::core::Status;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Error, ResourceExt};
use serde_json::json;

fn refusal<T: std::fmt::Debug>(answer: Result<T, Error>) -> Status {
    match answer {
        Err(Error::Api(status)) => *status,
        other => panic!("no refusal: {other:?}"),
    }
}

fn with_nodes(count: usize) -> (ApiServer, Client) {
    let server = ApiServer::default();
    server.add_nodes((0..count).map(|at| NodeSpec::new(format!("n{at}")).with_zone("a")));
    let client = server.client();
    (server, client)
}

fn web(replicas: u32) -> serde_json::Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "1"}}}]}}}})
}

#[tokio::test]
async fn a_stale_version_conflicts_and_a_new_one_does_not() {
    let (_, client) = with_nodes(0);
    let leases: Api<Lease> = Api::default_namespaced(client);
    let made: Lease = serde_json::from_value(json!({"metadata": {"name": "l"}})).unwrap();
    let first = leases.create(&PostParams::default(), &made).await.unwrap();
    assert_eq!(refusal(leases.create(&PostParams::default(), &made).await).reason, "AlreadyExists");
    let second = leases.replace("l", &PostParams::default(), &first).await.unwrap();
    assert_eq!(second.resource_version(), first.resource_version(), "nothing changed");
    let mut changed = second.clone();
    changed.spec = Some(serde_json::from_value(json!({"holderIdentity": "a"})).unwrap());
    let third = leases.replace("l", &PostParams::default(), &changed).await.unwrap();
    assert_ne!(third.resource_version(), first.resource_version());
    let lost = refusal(leases.replace("l", &PostParams::default(), &changed).await);
    assert_eq!((lost.code, lost.reason.as_str()), (409, "Conflict"));
    assert_eq!(leases.get("l").await.unwrap().metadata, third.metadata);
    let mut other = third;
    other.metadata.uid = Some("00000000-0000-4000-8000-000000000000".to_owned());
    assert_eq!(refusal(leases.replace("l", &PostParams::default(), &other).await).code, 409);
    leases.delete("l", &DeleteParams::default()).await.unwrap();
    assert_eq!(refusal(leases.replace("l", &PostParams::default(), &other).await).code, 409);
    assert_eq!(refusal(leases.get("l").await).reason, "NotFound");
}

#[tokio::test]
async fn a_json_patch_with_a_failing_test_changes_nothing() {
    let (_, client) = with_nodes(1);
    let nodes: Api<Node> = Api::all(client);
    let node = nodes.get("n0").await.unwrap();
    let cordon = |uid: &str| -> Patch<()> {
        let steps = json!([{"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "add", "path": "/spec/unschedulable", "value": true}]);
        Patch::Json(serde_json::from_value(steps).unwrap())
    };
    let lost = refusal(nodes.patch("n0", &PatchParams::default(), &cordon("other")).await);
    assert_eq!((lost.code, lost.reason.as_str()), (422, "Invalid"));
    assert_eq!(nodes.get("n0").await.unwrap().metadata, node.metadata);
    let patched = nodes.patch("n0", &PatchParams::default(), &cordon(&node.uid().unwrap())).await.unwrap();
    assert_eq!(patched.spec.unwrap().unschedulable, Some(true));
    let tainted = nodes.get("n0").await.unwrap().spec.unwrap().taints.unwrap();
    assert_eq!(tainted[0].key, "node.kubernetes.io/unschedulable");
    nodes.uncordon("n0").await.unwrap();
    assert_eq!(nodes.get("n0").await.unwrap().spec.unwrap().taints, None);
}

#[tokio::test]
async fn merge_patches_test_versions_and_uids() {
    let (_, client) = with_nodes(1);
    let nodes: Api<Node> = Api::all(client);
    let stale = json!({"metadata": {"resourceVersion": "1", "labels": {"a": "b"}}});
    assert_eq!(
        refusal(nodes.patch("n0", &PatchParams::default(), &Patch::Merge(stale)).await).reason,
        "Conflict"
    );
    let other = json!({"metadata": {"uid": "other", "labels": {"a": "b"}}});
    assert_eq!(
        refusal(nodes.patch("n0", &PatchParams::default(), &Patch::Merge(other)).await).reason,
        "Invalid"
    );
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let label = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    assert_eq!(nodes.patch("n0", &dry, &label).await.unwrap().labels()["a"], "b");
    assert!(!nodes.get("n0").await.unwrap().labels().contains_key("a"), "a dry run has changed the node");
    let status = Patch::Merge(json!({"status": {"phase": "Terminated"}}));
    nodes.patch("n0", &PatchParams::default(), &status).await.unwrap();
    let phase = |node: Node| node.status.unwrap().phase.unwrap();
    assert_eq!(phase(nodes.get("n0").await.unwrap()), "Running", "status is written through its own path");
    nodes.patch_status("n0", &PatchParams::default(), &status).await.unwrap();
    assert_eq!(phase(nodes.get("n0").await.unwrap()), "Terminated");
    let taint = Patch::Strategic(json!({"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}}));
    nodes.patch("n0", &PatchParams::default(), &taint).await.unwrap();
    nodes.cordon("n0").await.unwrap();
    assert_eq!(nodes.get("n0").await.unwrap().spec.unwrap().taints.unwrap().len(), 2);
}

#[tokio::test]
async fn pages_are_of_one_moment_until_it_is_forgotten() {
    let (server, client) = with_nodes(10);
    let nodes: Api<Node> = Api::all(client);
    let first = nodes.list(&ListParams::default().limit(4)).await.unwrap();
    assert_eq!(first.metadata.remaining_item_count, Some(6));
    server.add_node(NodeSpec::new("n35"));
    server.remove_node("n5");
    let next =
        |token: &Option<String>| ListParams::default().limit(4).continue_token(token.as_ref().unwrap());
    let second = nodes.list(&next(&first.metadata.continue_)).await.unwrap();
    let third = nodes.list(&next(&second.metadata.continue_)).await.unwrap();
    let names: Vec<_> =
        [&first, &second, &third].iter().flat_map(|page| page.iter().map(ResourceExt::name_any)).collect();
    assert_eq!(names, (0..10).map(|at| format!("n{at}")).collect::<Vec<_>>());
    assert_eq!(third.metadata.continue_, None);
    assert_eq!(first.metadata.resource_version, third.metadata.resource_version);
    server.compact();
    let gone = refusal(nodes.list(&next(&first.metadata.continue_)).await);
    assert_eq!((gone.code, gone.reason.as_str()), (410, "Expired"));
    let rest = gone.metadata.unwrap().continue_;
    let rest = nodes.list(&next(&rest)).await.unwrap();
    assert_eq!(rest.items[0].name_any(), "n35", "the rest as it is now");
    let again = nodes.list(&ListParams::default().limit(4)).await.unwrap();
    server.advance(Span::from_mins(6));
    assert_eq!(refusal(nodes.list(&next(&again.metadata.continue_)).await).code, 410);
    assert_eq!(refusal(nodes.list(&next(&Some("nonsense".to_owned()))).await).code, 400);
}

#[tokio::test]
async fn lists_are_by_label_and_field() {
    let (server, client) = with_nodes(2);
    server.create(web(5)).unwrap();
    server.advance(Span::from_secs(5));
    let pods: Api<Pod> = Api::all(client.clone());
    let count = async |params: ListParams| pods.list(&params).await.unwrap().items.len();
    assert_eq!(count(ListParams::default().labels("app=web")).await, 5);
    assert_eq!(count(ListParams::default().labels("app!=web")).await, 0);
    let on = |node: &str| ListParams::default().fields(&format!("spec.nodeName={node}"));
    assert_eq!(count(on("n0")).await + count(on("n1")).await, 5);
    assert_eq!(count(on("")).await, 0);
    assert_eq!(
        count(ListParams::default().fields("status.phase=Running,spec.nodeName!=n0")).await,
        count(on("n1")).await
    );
    let elsewhere: Api<Pod> = Api::namespaced(client, "kube-system");
    assert!(elsewhere.list(&ListParams::default()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_watch_tells_what_changes_and_where_it_cannot_begin() {
    let (server, client) = with_nodes(1);
    let nodes: Api<Node> = Api::all(client);
    let start = nodes.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let stream = nodes.watch(&WatchParams::default().timeout(100), &start).await.unwrap();
    server.add_node(NodeSpec::new("n1"));
    nodes.cordon("n0").await.unwrap();
    server.remove_node("n1");
    server.advance(Span::from_secs(90));
    server.advance(Span::from_secs(20));
    let mut seen: Vec<String> = stream
        .map_ok(|event| match event {
            WatchEvent::Added(node) => format!("+{}", node.name_any()),
            WatchEvent::Modified(node) => format!("~{}", node.name_any()),
            WatchEvent::Deleted(node) => format!("-{}", node.name_any()),
            WatchEvent::Bookmark(_) => "=".to_owned(),
            WatchEvent::Error(status) => format!("!{}", status.code),
        })
        .try_collect()
        .await
        .unwrap();
    seen.dedup();
    assert_eq!(seen, ["+n1", "~n1", "~n0", "-n1", "="]);
    server.compact();
    nodes.uncordon("n0").await.unwrap();
    let late: Vec<_> = nodes.watch(&WatchParams::default(), &start).await.unwrap().collect().await;
    assert!(matches!(&late[..], [Ok(WatchEvent::Error(status))] if status.code == 410), "{late:?}");
}

#[tokio::test]
async fn the_watchers_of_the_library_work() {
    for config in [watcher::Config::default().page_size(1), watcher::Config::default().streaming_lists()] {
        let (server, client) = with_nodes(3);
        let stream = watcher(Api::<Node>::all(client), config).applied_objects();
        pin_mut!(stream);
        for name in ["n0", "n1", "n2"] {
            assert_eq!(stream.next().await.unwrap().unwrap().name_any(), name);
        }
        server.add_node(NodeSpec::new("later"));
        assert_eq!(stream.next().await.unwrap().unwrap().name_any(), "later");
    }
}

#[tokio::test]
async fn deletions_keep_their_preconditions_and_their_grace() {
    let (server, client) = with_nodes(2);
    server.create(web(1)).unwrap();
    server.advance(Span::from_secs(5));
    let (nodes, pods) = (Api::<Node>::all(client.clone()), Api::<Pod>::default_namespaced(client));
    let other = DeleteParams {
        preconditions: Some(Preconditions { uid: Some("other".to_owned()), resource_version: None }),
        ..DeleteParams::default()
    };
    assert_eq!(refusal(nodes.delete("n1", &other).await).reason, "Conflict");
    let done = nodes.delete("n1", &DeleteParams::default()).await.unwrap().right().expect("a status");
    assert_eq!(done.details.unwrap().name, "n1");
    let name = pods.list(&ListParams::default()).await.unwrap().items[0].name_any();
    let leaving = pods.delete(&name, &DeleteParams::default()).await.unwrap().left().expect("the pod");
    assert_eq!(leaving.metadata.deletion_grace_period_seconds, Some(30));
    server.advance(Span::from_secs(29));
    assert!(pods.get(&name).await.is_ok(), "it has 30 seconds");
    server.advance(Span::from_secs(1));
    assert_eq!(refusal(pods.get(&name).await).code, 404);
    let next = pods.list(&ListParams::default()).await.unwrap().items[0].name_any();
    pods.delete(&next, &DeleteParams::default().grace_period(0)).await.unwrap();
    assert_eq!(refusal(pods.get(&next).await).code, 404);
}

#[tokio::test]
async fn owners_take_their_dependents_along_unless_told_not_to() {
    for (policy, left) in [(PropagationPolicy::Background, 0), (PropagationPolicy::Orphan, 2)] {
        let (server, client) = with_nodes(1);
        server.create(web(2)).unwrap();
        server.advance(Span::from_secs(5));
        let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
        let sets: Api<ReplicaSet> = Api::default_namespaced(client.clone());
        let pods: Api<Pod> = Api::default_namespaced(client);
        let orphan =
            DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..DeleteParams::default() };
        deployments.delete("web", &orphan).await.unwrap();
        let set = sets.list(&ListParams::default()).await.unwrap().items[0].name_any();
        let params = DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() };
        sets.delete(&set, &params).await.unwrap();
        server.advance(Span::from_secs(40));
        assert!(sets.list(&ListParams::default()).await.unwrap().items.is_empty());
        assert_eq!(pods.list(&ListParams::default()).await.unwrap().items.len(), left);
    }
}

#[tokio::test]
async fn names_are_generated_and_checked() {
    let server = ApiServer::new(Settings::default().with_seed(7));
    let maps: Api<ConfigMap> = Api::default_namespaced(server.client());
    let make = async |metadata: serde_json::Value| {
        let map: ConfigMap =
            serde_json::from_value(json!({"metadata": metadata, "data": {"a": "b"}})).unwrap();
        maps.create(&PostParams::default(), &map).await
    };
    let made = make(json!({"generateName": "m-"})).await.unwrap();
    assert!(made.name_any().starts_with("m-") && made.name_any().len() == 7);
    assert_eq!(refusal(make(json!({"name": "Not a name"})).await).code, 422);
    assert_eq!(refusal(make(json!({})).await).code, 422);
    let nowhere: Api<ConfigMap> = Api::namespaced(server.client(), "nowhere");
    assert_eq!(
        refusal(nowhere.create(&PostParams::default(), &made).await).code,
        400,
        "it says another namespace"
    );
    let mut plain = made;
    plain.metadata.namespace = None;
    let lost = refusal(nowhere.create(&PostParams::default(), &plain).await);
    assert_eq!((lost.code, lost.message.as_str()), (404, "namespaces \"nowhere\" not found"));
}
