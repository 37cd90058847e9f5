//! What the kubelets of simulated machines do, once and again.

use std::sync::Arc;

use autoscale_core::data::order::TerminateOrder;
use autoscale_core::ports::NodeProvider;
use autoscale_core::words::{ClusterId, Deadline, Span};
use autoscale_kube::fake::ApiServer;
use controller::provider::sim::{Kubelets, SimConfig};
use serde_json::{Value, json};

use crate::common::{NAMESPACE, ServerClock, server, text};
use crate::contract::{order, provider};

const NODE: &str = "sim-test-1-0-1";

fn kubelets(server: &ApiServer) -> Kubelets {
    let cluster = ClusterId::new("shop").unwrap();
    Kubelets::new(server.client(), SimConfig::new(NAMESPACE), cluster, Arc::new(ServerClock(server.clone())))
}

fn node(server: &ApiServer) -> Option<Value> {
    server.object("v1", "Node", "", NODE)
}

async fn end(server: &ApiServer, launched: autoscale_core::data::order::Launched) {
    let order = json!({"cluster": "shop", "instance": launched.instance});
    let mut order: TerminateOrder = serde_json::from_value(order).unwrap();
    order.not_after = Deadline::NEVER;
    provider(server, SimConfig::new(NAMESPACE)).terminate(&order).await.unwrap();
}

#[tokio::test]
async fn a_machine_gets_a_node_when_it_has_booted_and_only_one() {
    let server = server(1);
    let kubelets = [kubelets(&server), kubelets(&server)];
    provider(&server, SimConfig::new(NAMESPACE)).launch(&order(1)).await.unwrap();
    assert_eq!(kubelets[0].step().await.unwrap().registered, 0, "it boots");
    assert!(node(&server).is_none());
    server.advance(Span::from_secs(31));
    let steps = futures_util::future::join(kubelets[0].step(), kubelets[1].step()).await;
    let (one, two) = (steps.0.unwrap(), steps.1.unwrap());
    assert_eq!(one.registered + two.registered, 1);
    let node = node(&server).unwrap();
    for (pointer, expected) in [
        ("/spec/providerID", "sim:///a/sim-test-1-0-1"),
        ("/metadata/labels/autoscale.local~1pool", "web"),
        ("/metadata/labels/topology.kubernetes.io~1zone", "a"),
        ("/metadata/labels/node.kubernetes.io~1instance-type", "m"),
        ("/status/allocatable/cpu", "2000m"),
        ("/status/conditions/0/type", "Ready"),
        ("/status/conditions/0/status", "True"),
    ] {
        assert_eq!(text(&node, pointer), expected, "{pointer}: {node:#}");
    }
}

#[tokio::test]
async fn a_machine_that_ended_is_remembered_and_then_forgotten() {
    let server = server(1);
    let kubelets = kubelets(&server);
    let launched = provider(&server, SimConfig::new(NAMESPACE)).launch(&order(1)).await.unwrap();
    server.advance(Span::from_secs(31));
    kubelets.step().await.unwrap();
    end(&server, launched).await;
    server.advance(Span::from_mins(61));
    assert_eq!(kubelets.step().await.unwrap().forgotten, 0, "its node is still there");
    assert!(node(&server).is_some(), "nobody but the core takes a Node away");
    server.remove_node(NODE);
    assert_eq!(kubelets.step().await.unwrap().forgotten, 1);
    assert!(server.object("v1", "ConfigMap", NAMESPACE, NODE).is_none());
    assert_eq!(kubelets.step().await.unwrap().registered, 0);
}

#[tokio::test]
async fn pods_run_and_end_where_there_is_no_kubelet() {
    let server = server(1);
    let kubelets = kubelets(&server);
    provider(&server, SimConfig::new(NAMESPACE)).launch(&order(1)).await.unwrap();
    server.advance(Span::from_secs(31));
    kubelets.step().await.unwrap();
    server.node_stops_reporting(NODE);
    server
        .create(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
            "spec": {"tolerations": [{"operator": "Exists"}], "nodeSelector": {"autoscale.local/sim": "shop"},
                     "terminationGracePeriodSeconds": 5, "containers": [{"name": "c", "image": "x"}]},
        }))
        .unwrap();
    server.advance(Span::from_secs(1));
    let pod = |server: &ApiServer| server.object("v1", "Pod", "default", "p");
    assert_eq!(text(&pod(&server).unwrap(), "/spec/nodeName"), NODE);
    assert_eq!(text(&pod(&server).unwrap(), "/status/phase"), "Pending", "no kubelet starts it");
    assert_eq!(kubelets.step().await.unwrap().started, 1);
    assert_eq!(text(&pod(&server).unwrap(), "/status/phase"), "Running");
    assert_eq!(kubelets.step().await.unwrap().started, 0, "it runs already");
    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> = kube::Api::default_namespaced(server.client());
    pods.delete("p", &kube::api::DeleteParams::default()).await.unwrap();
    server.advance(Span::from_secs(2));
    assert_eq!(kubelets.step().await.unwrap().ended, 0, "its grace period is not over");
    server.advance(Span::from_secs(4));
    assert_eq!(kubelets.step().await.unwrap().ended, 1);
    assert!(pod(&server).is_none());
}
