//! Volumes that are still attached to a node that is to go.

use autoscale_core::conformance::DrainerStage;
use autoscale_core::data::order::{CordonOrder, EvictOrder, PodRef};
use autoscale_core::data::view::{CordonMark, Scope};
use autoscale_core::words::{Inc, NodeName, PodUid, Span, Ver};
use autoscale_kube::fake::{ApiServer, Permission};
use serde_json::{Value, json};

use super::drain::Stage;

/// A pod on a node with a volume that a driver attaches, or one on the node's own disk.
fn add_pod(server: &ApiServer, node: &NodeName, name: &str, attached: bool) -> PodRef {
    let mut volume = json!({"capacity": {"storage": "1Gi"}});
    match attached {
        true => volume["csi"] = json!({"driver": "disk.example.org", "volumeHandle": name}),
        false => volume["hostPath"] = json!({"path": "/data"}),
    }
    let pod = json!({"nodeSelector": {"only": node.as_str()}, "containers": [{"name": "c", "image": "x"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": name}}]});
    let (here, volumes) = (json!({"name": name, "namespace": "default"}), format!("pv-{name}"));
    for (kind, metadata, spec) in [
        ("PersistentVolume", json!({"name": volumes}), volume),
        ("PersistentVolumeClaim", here.clone(), json!({"volumeName": volumes})),
    ] {
        server.create(json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec})).unwrap();
    }
    let made =
        server.create(json!({"apiVersion": "v1", "kind": "Pod", "metadata": here, "spec": pod})).unwrap();
    PodRef::new(PodUid::new(made["metadata"]["uid"].as_str().unwrap()).unwrap(), "default", name)
}

/// What a survey says of a node, and of how many pods on it.
async fn seen(stage: &Stage, scope: &Scope, name: &NodeName) -> (Option<u32>, usize) {
    let survey = stage.drainer().survey(scope).await.unwrap();
    let node = survey.nodes.iter().find(|node| node.name == *name).unwrap();
    (node.attached, survey.pods.iter().filter(|pod| pod.node.as_ref() == Some(name)).count())
}

async fn close(stage: &Stage, name: &NodeName) {
    let uid = stage.node(name).await.unwrap().uid;
    let mark = CordonMark::new(Inc::new("attached").unwrap(), 1);
    stage.drainer().cordon(&CordonOrder::new(name.clone(), uid, Ver::new(1), mark)).await.unwrap();
}

fn attachments(server: &ApiServer) -> Vec<Value> {
    server.objects("storage.k8s.io/v1", "VolumeAttachment")
}

fn asked(server: &ApiServer) -> usize {
    server.log().iter().filter(|entry| entry.resource == "volumeattachments").count()
}

#[tokio::test]
async fn a_node_that_is_to_go_tells_what_is_still_attached() {
    let cached = Stage::cached(ApiServer::default(), "admin").0;
    for (stage, what) in [(Stage::new(ApiServer::default(), "admin"), "listed"), (cached, "cached")] {
        let (node, other) = (stage.add_node().await, stage.add_node().await);
        let pods = [
            add_pod(&stage.server, &node, "a", true),
            add_pod(&stage.server, &node, "b", true),
            add_pod(&stage.server, &node, "c", false),
        ];
        add_pod(&stage.server, &other, "d", true);
        stage.server.advance(Span::from_secs(10));
        assert_eq!(attachments(&stage.server).len(), 3, "{what}");
        let of_it = Scope::Nodes(vec![node.clone()]);
        assert_eq!(seen(&stage, &of_it, &node).await, (None, 3), "{what}: nobody has closed it");
        assert_eq!(seen(&stage, &Scope::Everything, &node).await, (None, 3), "{what}");
        assert_eq!(asked(&stage.server), 0, "{what}: a quiet survey asks for none");
        close(&stage, &node).await;
        assert_eq!(seen(&stage, &Scope::Pending, &node).await.0, None, "{what}: not in the scope");
        for scope in [&of_it, &Scope::Everything] {
            assert_eq!(seen(&stage, scope, &node).await, (Some(2), 3), "{what}");
            assert_eq!(seen(&stage, scope, &other).await.0, None, "{what}: nobody has closed that one");
        }
        let pass = stage.drainer().evict(&EvictOrder::new(node.clone(), pods.to_vec())).await.unwrap();
        assert_eq!(pass.accepted.len(), 3, "{what}: {pass:?}");
        // Their grace period, and then some seconds until their volumes are detached.
        stage.server.advance(Span::from_secs(31));
        assert_eq!(
            seen(&stage, &of_it, &node).await,
            (Some(2), 0),
            "{what}: the pods are gone, their volumes are not"
        );
        stage.server.advance(Span::from_secs(10));
        assert_eq!(seen(&stage, &of_it, &node).await, (Some(0), 0), "{what}");
        assert_eq!(attachments(&stage.server).len(), 1, "{what}");
    }
}

#[tokio::test]
async fn what_may_not_be_looked_up_is_not_said_to_be_none() {
    let stage = Stage::new(ApiServer::default(), "admin");
    let node = stage.add_node().await;
    add_pod(&stage.server, &node, "a", true);
    stage.server.advance(Span::from_secs(10));
    close(&stage, &node).await;
    let of_it = Scope::Nodes(vec![node.clone()]);
    assert_eq!(seen(&stage, &of_it, &node).await, (Some(1), 1));
    stage.server.deny("admin", Permission::new("list", "storage.k8s.io", "volumeattachments"));
    assert_eq!(seen(&stage, &of_it, &node).await, (None, 1));
}
