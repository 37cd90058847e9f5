//! The fake server between client and cluster: who may, what goes wrong, what is counted, plain HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::time::Duration;

use autoscale_core::words::Span;
use autoscale_kube::fake::{
    ApiServer, Fault, NodeSpec, Permission, Requests, ServeOptions, Settings, Trouble, Weather,
};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::config::Config;
use kube::{Client, Error, ResourceExt};
use serde_json::json;
use tokio::net::TcpListener;

fn code<T>(answer: Result<T, Error>) -> u16 {
    match answer {
        Ok(_) => 200,
        Err(Error::Api(status)) => status.code,
        Err(_) => 0,
    }
}

fn role(verbs: &[&str]) -> serde_json::Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": verbs}]})
}

fn label() -> Patch<serde_json::Value> {
    Patch::Merge(json!({"metadata": {"labels": {"x": "y"}}}))
}

#[tokio::test]
async fn a_user_may_do_what_its_roles_say_and_no_more() {
    let server = ApiServer::default();
    server.add_node(NodeSpec::new("n0"));
    let nodes: Api<Node> = Api::all(server.client_as("system:serviceaccount:default:scaler"));
    assert_eq!(code(nodes.list(&ListParams::default()).await), 403);
    server.grant("system:serviceaccount:default:scaler", [role(&["get", "list", "patch"])]).unwrap();
    assert_eq!(code(nodes.list(&ListParams::default()).await), 200);
    assert_eq!(code(nodes.patch("n0", &PatchParams::default(), &label()).await), 200);
    assert_eq!(code(nodes.delete("n0", &DeleteParams::default()).await), 403);
    let used = server.permissions_used("system:serviceaccount:default:scaler");
    assert_eq!(
        used.into_iter().collect::<Vec<_>>(),
        [Permission::new("list", "", "nodes"), Permission::new("patch", "", "nodes")]
    );
    server.deny("system:serviceaccount:default:scaler", Permission::new("list", "", "nodes"));
    assert_eq!(code(nodes.list(&ListParams::default()).await), 403);
    server.undo_denials("system:serviceaccount:default:scaler");
    assert_eq!(code(nodes.list(&ListParams::default()).await), 200);
}

#[tokio::test]
async fn a_role_of_a_namespace_is_for_that_and_for_the_names_it_gives() {
    let server = ApiServer::default();
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "one-lease", "namespace": "kube-system"},
        "rules": [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"],
            "resourceNames": ["mine"]}]});
    server.grant("scaler", [role]).unwrap();
    let leases = |namespace: &str| {
        Api::<k8s_openapi::api::coordination::v1::Lease>::namespaced(server.client_as("scaler"), namespace)
    };
    assert_eq!(code(leases("kube-system").get("mine").await), 404, "allowed, and not there");
    assert_eq!(code(leases("kube-system").get("other").await), 403);
    assert_eq!(code(leases("default").get("mine").await), 403);
    assert_eq!(code(leases("kube-system").list(&ListParams::default()).await), 403);
}

#[tokio::test]
async fn a_lost_answer_was_carried_out_and_a_lost_request_was_not() {
    let server = ApiServer::default();
    server.add_node(NodeSpec::new("n0"));
    let nodes: Api<Node> = Api::all(server.client());
    let patches = Requests::any().verb("patch").resource("nodes");
    let labelled = async || nodes.get("n0").await.unwrap().labels().contains_key("x");
    server.add_fault(Fault::new("request", patches.clone(), Trouble::RequestLost));
    server.add_fault(Fault::new("answer", patches, Trouble::AnswerLost));
    assert_eq!(code(nodes.patch("n0", &PatchParams::default(), &label()).await), 0);
    assert!(!labelled().await);
    assert_eq!(server.faults_left().len(), 1);
    assert_eq!(code(nodes.patch("n0", &PatchParams::default(), &label()).await), 0);
    assert!(labelled().await && server.faults_left().is_empty());
    assert_eq!(server.log().iter().filter(|entry| entry.verb == "patch" && entry.status == 0).count(), 2);
}

#[tokio::test]
async fn troubles_are_what_they_are_called() {
    let server = ApiServer::default();
    server.add_node(NodeSpec::new("n0"));
    let nodes: Api<Node> = Api::all(server.client());
    let lists = || Requests::any().verb("list").resource("nodes");
    for (trouble, wanted) in [
        (Trouble::TooMany(3), 429),
        (Trouble::Internal, 500),
        (Trouble::Unavailable, 503),
        (Trouble::Expired, 410),
        (Trouble::Truncated, 0),
        (Trouble::FailureAsSuccess, 0),
    ] {
        let fault = Fault::new("it", lists(), trouble.clone()).skip(1).times(2);
        server.add_fault(fault);
        let mut codes = Vec::new();
        for _ in 0..4 {
            codes.push(code(nodes.list(&ListParams::default()).await));
        }
        assert_eq!(codes, [200, wanted, wanted, 200], "{trouble:?}");
    }
    let first = nodes.list(&ListParams::default().limit(1)).await.unwrap();
    assert_eq!(first.metadata.continue_, None);
    server.add_node(NodeSpec::new("n1"));
    let token = nodes.list(&ListParams::default().limit(1)).await.unwrap().metadata.continue_.unwrap();
    server.add_fault(Fault::new("old", lists().query("continue="), Trouble::Expired));
    let next = ListParams::default().limit(1).continue_token(&token);
    let Err(Error::Api(gone)) = nodes.list(&next).await else { panic!("the token is as good as ever") };
    let rest = next.continue_token(&gone.metadata.unwrap().continue_.unwrap());
    assert_eq!(nodes.list(&rest).await.unwrap().items[0].name_any(), "n1");
    let other = Fault::new("other", lists().name("n9"), Trouble::Internal);
    server.add_fault(other);
    assert_eq!(code(nodes.list(&ListParams::default()).await), 200);
    server.clear_faults();
    assert!(server.faults_left().is_empty());
}

#[tokio::test]
async fn a_delayed_request_waits_for_virtual_time() {
    let server = ApiServer::default();
    let fault = Fault::new("slow", Requests::any(), Trouble::Delayed(Span::from_secs(10)));
    server.add_fault(fault);
    let nodes: Api<Node> = Api::all(server.client());
    let list =
        tokio::spawn(async move { nodes.list(&ListParams::default()).await.map(|all| all.items.len()) });
    tokio::time::sleep(Duration::from_millis(20)).await;
    server.add_node(NodeSpec::new("n0"));
    server.advance(Span::from_secs(9));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!list.is_finished());
    server.advance(Span::from_secs(1));
    assert_eq!(list.await.unwrap().unwrap(), 1, "it is carried out late");
}

#[tokio::test]
async fn bad_weather_comes_from_the_seed() {
    let run = async |seed: u64| {
        let server = ApiServer::new(Settings::default().with_seed(seed));
        server.set_weather(Weather::new(Requests::any().verb("list")).with(Trouble::Internal, 300_000));
        let nodes: Api<Node> = Api::all(server.client());
        let mut codes = Vec::new();
        for _ in 0..100 {
            codes.push(code(nodes.list(&ListParams::default()).await));
        }
        codes
    };
    let one = run(1).await;
    let failed = one.iter().filter(|code| **code == 500).count();
    assert!((15..45).contains(&failed), "{failed} of 100 failed");
    assert_eq!(one, run(1).await);
    assert_ne!(one, run(2).await);
}

#[tokio::test]
async fn requests_and_bytes_are_counted() {
    let server = ApiServer::default();
    server.add_nodes((0..3).map(|at| NodeSpec::new(format!("n{at}"))));
    let nodes: Api<Node> = Api::all(server.client());
    nodes.list(&ListParams::default()).await.unwrap();
    nodes.list(&ListParams::default()).await.unwrap();
    let count = server.counts()[&Permission::new("list", "", "nodes")];
    assert_eq!(count.requests, 2);
    assert!(count.bytes > 2_000 && count.bytes == server.log().iter().map(|entry| entry.bytes).sum::<u64>());
    server.clear_log();
    assert!(server.log().is_empty() && server.counts().is_empty());
}

#[tokio::test]
async fn a_metrics_server_may_be_missing_or_ill() {
    let server = ApiServer::default();
    server.add_nodes([NodeSpec::new("n0"), NodeSpec::new("n1")]);
    let client = server.client();
    let ask = async || {
        let request = http::Request::get("/apis/metrics.k8s.io/v1beta1/nodes").body(Vec::new()).unwrap();
        client.request::<serde_json::Value>(request).await
    };
    server.set_usage("n0", 1_500, 2 << 30);
    assert_eq!(code(ask().await), 404);
    server.set_metrics_server(true, true);
    assert_eq!(code(ask().await), 503);
    server.set_metrics_server(true, false);
    let list = ask().await.unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "nothing is measured of n1");
    assert_eq!(list["items"][0]["usage"], json!({"cpu": "1500000000n", "memory": "2097152Ki"}));
}

#[tokio::test]
async fn other_processes_reach_it_over_http() {
    let server = ApiServer::default();
    server.add_nodes((0..20).map(|at| NodeSpec::new(format!("n{at:02}"))));
    server.add_token("secret", "scaler");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let serving = server.serve(listener, ServeOptions::default().with_speed(1_000)).unwrap();
    let mut config = Config::new(serving.url().parse().unwrap());
    let client = Client::try_from(config.clone()).unwrap();
    let nodes: Api<Node> = Api::all(client.clone());
    let first = nodes.list(&ListParams::default().limit(5)).await.unwrap();
    assert_eq!((first.items.len(), first.metadata.remaining_item_count), (5, Some(15)));
    nodes.cordon("n00").await.unwrap();
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
    let pods: Api<Pod> = Api::default_namespaced(client);
    pods.create(&Default::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    let running =
        kube::runtime::wait::await_condition(pods, "p", kube::runtime::conditions::is_pod_running());
    tokio::time::timeout(Duration::from_secs(20), running).await.expect("time passes by itself").unwrap();
    config.auth_info.token = Some("secret".to_owned().into());
    let scaler: Api<Node> = Api::all(Client::try_from(config.clone()).unwrap());
    assert_eq!(code(scaler.list(&ListParams::default()).await), 403);
    config.auth_info.token = Some("unknown".to_owned().into());
    let nobody: Api<Node> = Api::all(Client::try_from(config).unwrap());
    assert_eq!(code(nobody.list(&ListParams::default()).await), 401);
    server.add_fault(Fault::new("lost", Requests::any().verb("delete"), Trouble::AnswerLost));
    assert_eq!(code(nodes.delete("n01", &DeleteParams::default()).await), 0);
    assert!(nodes.get_opt("n01").await.unwrap().is_none(), "carried out all the same");
    drop(serving);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(code(nodes.list(&ListParams::default()).await), 0);
}
