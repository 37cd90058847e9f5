//! Of what nothing can be said holds its node: volumes that are bound to places nobody knows, owners that nobody trusts.

use std::sync::Arc;

use autoscale_core::conformance::DrainerStage;
use autoscale_core::data::view::{ClusterView, Pod, Scope, Spread, Storage};
use autoscale_core::driver::SystemClock;
use autoscale_core::ports::Drainer;
use autoscale_core::words::{NodeName, Span};
use autoscale_kube::Connection;
use autoscale_kube::drain::{Drain, DrainConfig};
use autoscale_kube::fake::ApiServer;
use serde_json::{Value, json};

use super::drain::Stage;

fn add_pod(server: &ApiServer, node: &NodeName, name: &str, metadata: Value, spec: Value) {
    let mut meta = json!({"name": name, "namespace": "default"});
    meta.as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    let mut whole =
        json!({"containers": [{"name": "c", "image": "x"}], "nodeSelector": {"only": node.as_str()}});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": whole});
    server.create(pod).unwrap();
}

fn found<'v>(survey: &'v ClusterView, name: &str) -> &'v Pod {
    survey.pods.iter().find(|pod| pod.name == name).unwrap()
}

fn why(pod: &Pod) -> &str {
    match &pod.constraints.spread {
        Spread::Unjudged { why } => why,
        _ => "",
    }
}

/// A pod with a claim for each volume; of a volume whose terms are `null` there is none.
fn with_volumes(server: &ApiServer, node: &NodeName, volumes: &[(&str, Value)]) {
    for (name, terms) in volumes {
        if !terms.is_null() {
            let required = json!({"required": {"nodeSelectorTerms": terms}});
            server
                .create(json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("pv-{name}")},
                    "spec": {"capacity": {"storage": "1Gi"}, "nodeAffinity": required}}))
                .unwrap();
        }
        let metadata = json!({"name": name, "namespace": "default"});
        let spec = json!({"volumeName": format!("pv-{name}")});
        let claim =
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec});
        server.create(claim).unwrap();
        let claimed = json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": name}}]});
        add_pod(server, node, name, json!({}), claimed);
    }
}

#[tokio::test]
async fn a_volume_is_nowhere_but_where_its_driver_says() {
    let one = |key: &str, value: &str| json!([{"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]}]);
    let cached = Stage::cached(ApiServer::default(), "admin").0;
    for (stage, what) in [(Stage::new(ApiServer::default(), "admin"), "listed"), (cached, "cached")] {
        let node = stage.add_node().await;
        let volumes = [
            ("topolvm", one("topology.topolvm.io/node", node.as_str())),
            ("openebs", one("openebs.io/nodename", node.as_str())),
            ("vsphere", one("topology.csi.vmware.com/k8s-zone", "a")),
            ("host", one("kubernetes.io/hostname", node.as_str())),
            ("lost", Value::Null),
        ];
        with_volumes(&stage.server, &node, &volumes);
        stage.server.advance(Span::from_secs(10));
        // The first survey begins to follow claims and volumes; the second may have them from there.
        for _ in 0..2 {
            let survey = stage.drainer().survey(&Scope::Everything).await.unwrap();
            for (name, key) in [
                ("topolvm", "topology.topolvm.io/node"),
                ("openebs", "openebs.io/nodename"),
                ("host", "kubernetes.io/hostname"),
            ] {
                let asked = &found(&survey, name).constraints;
                let on = |value: &'static str| {
                    asked.selects(|label| match label {
                        "only" => Some(node.as_str()),
                        label if label == key => Some(value),
                        _ => None,
                    })
                };
                assert!(!on("another"), "{what}: {name} may be on another node");
                let here = asked.selects(|_| Some(node.as_str()));
                assert!(here, "{what}: {name} may not be where it is");
                let local = if name == "host" { Storage::Local } else { Storage::None };
                assert_eq!(found(&survey, name).storage, local, "{what}: {name}");
            }
            let zones: Vec<String> = found(&survey, "vsphere")
                .constraints
                .volume_zones
                .iter()
                .flatten()
                .map(ToString::to_string)
                .collect();
            assert_eq!(zones, ["a"], "{what}");
            assert_eq!(why(found(&survey, "lost")), "there is no volume of its claim lost", "{what}");
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
        }
    }
}

#[tokio::test]
async fn who_is_owned_by_others_holds_its_node_unless_they_are_trusted() {
    let server = ApiServer::default();
    let stage = Stage::new(server.clone(), "admin");
    let node = stage.add_node().await;
    let owned = |version: &str, kind: &str| json!({"ownerReferences": [{"apiVersion": version, "kind": kind, "name": "o", "uid": "u", "controller": true}]});
    let annotated = |mut metadata: Value| {
        metadata["annotations"] = json!({"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"});
        metadata
    };
    let workflow = || owned("argoproj.io/v1alpha1", "Workflow");
    let cases = [
        (
            "workflow",
            workflow(),
            json!({}),
            "its owner is a Workflow.argoproj.io, which is not among the trusted owners",
        ),
        ("fleet", owned("apps.kruise.io/v1alpha1", "CloneSet"), json!({}), ""),
        ("newer", owned("apps.kruise.io/v7", "CloneSet"), json!({}), ""),
        (
            "imitation",
            owned("example.org/v1", "DaemonSet"),
            json!({}),
            "its owner is a DaemonSet.example.org, which is not among the trusted owners",
        ),
        ("old", owned("apps/v1beta2", "ReplicaSet"), json!({}), ""),
        ("agreed", annotated(workflow()), json!({}), ""),
        ("waits", workflow(), json!({"nodeSelector": {"only": "nowhere"}}), ""),
        ("bare", json!({}), json!({}), ""),
    ];
    for (name, metadata, spec, _) in &cases {
        add_pod(&server, &node, name, metadata.clone(), spec.clone());
    }
    server.advance(Span::from_secs(10));
    let config = DrainConfig::new().with_trusted_owner("CloneSet.apps.kruise.io".parse().unwrap());
    let connection = Connection::from_client(server.client());
    let drain = Drain::new(connection, config, Arc::new(SystemClock::new()));
    let survey = drain.survey(&Scope::Everything).await.unwrap();
    for (name, _, _, expected) in &cases {
        assert_eq!(why(found(&survey, name)), *expected, "{name}");
    }
    assert_eq!(found(&survey, "waits").node, None, "what waits asks for a node like any other");
    assert!(!found(&survey, "imitation").is_daemon(), "only those of Kubernetes stay where their node is");
    let owner = |name: &str| found(&survey, name).owner.clone().unwrap();
    assert_eq!((owner("fleet").kind.as_str(), owner("fleet").exists), ("CloneSet", None));
    assert_eq!(owner("old").exists, Some(false), "there is no such ReplicaSet");
}
