//! What a survey makes of odd answers, and what becomes of evictions that go wrong.

use autoscale_core::conformance::DrainerStage;
use autoscale_core::data::order::{Blocker, EvictOrder};
use autoscale_core::data::view::{Eviction, Scope, Spread, Storage};
use autoscale_core::ports::ErrorKind;
use autoscale_core::words::Span;
use autoscale_kube::fake::{ApiServer, Fault, Permission, Requests, Trouble};
use serde_json::json;

use super::drain::Stage;

fn stage() -> Stage {
    Stage::new(ApiServer::default(), "admin")
}

#[tokio::test]
async fn a_page_that_expires_is_begun_again() {
    let stage = stage();
    for _ in 0..3 {
        stage.add_node().await;
    }
    let node = stage.add_node().await;
    stage.add_pods(&node, 1_200, None).await;
    stage.server.add_node(autoscale_kube::fake::NodeSpec::new("late"));
    let mut next = Requests::any();
    next.query = Some("continue=".to_owned());
    stage.server.add_fault(Fault::new("expired", next.clone(), Trouble::Expired).times(2));
    let survey = stage.drainer().survey(&Scope::Everything).await.unwrap();
    assert_eq!(survey.nodes.len(), 5);
    assert_eq!(survey.pods.iter().filter(|pod| pod.node.is_some()).count(), 1_200);
    stage.server.add_fault(Fault::new("expired", next, Trouble::Expired).times(3));
    let error = stage.drainer().survey(&Scope::Everything).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(stage.server.faults_left().is_empty());
}

#[tokio::test]
async fn one_request_for_500_objects() {
    let stage = stage();
    let node = stage.add_node().await;
    stage.add_pods(&node, 2_000, None).await;
    stage.server.clear_log();
    stage.drainer().survey(&Scope::Everything).await.unwrap();
    let lists = stage.server.log().iter().filter(|entry| entry.resource == "pods").count();
    assert!((4..=5).contains(&lists), "{lists} requests for 2,000 pods");
    let all = stage.server.log().len();
    assert!(all <= 8, "{all} requests in all");
}

#[tokio::test]
async fn a_drain_of_some_nodes_does_not_list_the_pods_of_all_others() {
    let stage = stage();
    let names =
        stage.server.add_nodes((0..120).map(|at| autoscale_kube::fake::NodeSpec::new(format!("n{at}"))));
    assert_eq!(names.len(), 120);
    for (nodes, alone, whole) in [(10, 10, 0), (100, 100, 0), (101, 0, 1)] {
        stage.server.clear_log();
        let named = (0..nodes).map(|at| autoscale_core::words::NodeName::new(format!("n{at}")).unwrap());
        stage.drainer().survey(&Scope::Nodes(named.collect())).await.unwrap();
        let log = stage.server.log();
        let pods: Vec<&str> = log.iter().filter(|e| e.resource == "pods").map(|e| e.query.as_str()).collect();
        let of_one = pods.iter().filter(|query| query.contains("spec.nodeName%3Dn")).count();
        let of_all = pods.iter().filter(|query| !query.contains("spec.nodeName")).count();
        assert_eq!((of_one, of_all), (alone, whole), "{nodes} nodes: {pods:?}");
    }
}

#[tokio::test]
async fn answers_that_are_cut_or_lost_are_no_empty_clusters() {
    for trouble in [
        Trouble::Truncated,
        Trouble::AnswerLost,
        Trouble::RequestLost,
        Trouble::Internal,
        Trouble::FailureAsSuccess,
        Trouble::TooMany(7),
    ] {
        for resource in ["nodes", "pods", "poddisruptionbudgets"] {
            let stage = stage();
            stage.add_node().await;
            let lists = Requests::any().verb("list").resource(resource);
            stage.server.add_fault(Fault::new("list", lists, trouble.clone()));
            let error = stage.drainer().survey(&Scope::Everything).await.unwrap_err();
            let expected = match trouble {
                Trouble::TooMany(_) => ErrorKind::Throttled { retry_after: Some(Span::from_secs(7)) },
                _ => ErrorKind::Unavailable,
            };
            assert_eq!(*error.kind(), expected, "{trouble:?} {resource}: {error}");
        }
    }
}

#[tokio::test]
async fn evictions_that_go_wrong_are_told_one_by_one() {
    for (trouble, expected) in [
        (Trouble::Internal, "other"),
        (Trouble::Unavailable, "other"),
        (Trouble::AnswerLost, "other"),
        (Trouble::Truncated, "other"),
        (Trouble::FailureAsSuccess, "other"),
        (Trouble::Denied("not today".to_owned()), "other"),
        (Trouble::TooMany(3), "throttled"),
    ] {
        let stage = stage();
        let node = stage.add_node().await;
        let pods = stage.add_pods(&node, 3, None).await;
        let first = Requests::any().resource("pods/eviction").name(&pods[0].name);
        stage.server.add_fault(Fault::new("evict", first, trouble.clone()));
        let pass = stage.drainer().evict(&EvictOrder::new(node, pods.clone())).await.unwrap();
        let found = match pass.blocked.as_slice() {
            [(uid, Blocker::Throttled)] if *uid == pods[0].uid => "throttled",
            [(uid, Blocker::Other { .. })] if *uid == pods[0].uid => "other",
            _ => "something else",
        };
        assert_eq!(found, expected, "{trouble:?}: {pass:?}");
        assert_eq!(pass.accepted.len(), 2, "{trouble:?}");
    }
}

/// A no to some pods is told of these pods; only a permission that is missing for all of them is one for the whole pass.
#[tokio::test]
async fn who_denies_an_eviction_is_told_from_a_missing_permission() {
    let stage = stage();
    let node = stage.add_node().await;
    let pods = stage.add_pods(&node, 2, None).await;
    let webhook = Trouble::Denied("not today".to_owned());
    let evictions = Requests::any().resource("pods/eviction");
    stage.server.add_fault(Fault::new("webhook", evictions, webhook).times(2));
    let pass = stage.drainer().evict(&EvictOrder::new(node.clone(), pods.clone())).await.unwrap();
    let told = |why: &str| {
        pass.blocked
            .iter()
            .filter(|(_, by)| matches!(by, Blocker::Other { why: said } if said.contains(why)))
            .count()
    };
    assert_eq!((told("not today"), pass.accepted.len()), (2, 0), "{pass:?}");
    let permission = Permission::new("create", "", "pods/eviction");
    stage.server.deny("admin", permission);
    let error = stage.drainer().evict(&EvictOrder::new(node.clone(), pods.clone())).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Denied { action: "create pods/eviction".to_owned() }, "{error}");
    // One of them is gone meanwhile: the other is told all the same.
    let first = Requests::any().resource("pods/eviction").name(&pods[0].name);
    stage.server.add_fault(Fault::new("slow", first, Trouble::TooMany(1)));
    let pass = stage.drainer().evict(&EvictOrder::new(node, pods.clone())).await.unwrap();
    assert_eq!(pass.blocked.len(), 2, "{pass:?}");
    assert!(
        matches!(&pass.blocked[1], (uid, Blocker::Other { why }) if *uid == pods[1].uid && why.contains("cannot create resource")),
        "{pass:?}"
    );
}

#[tokio::test]
async fn a_budget_is_named_and_two_are_no_budget() {
    let stage = stage();
    let node = stage.add_node().await;
    let pods = stage.add_pods(&node, 2, Some(0)).await;
    let pass = stage.drainer().evict(&EvictOrder::new(node.clone(), pods.clone())).await.unwrap();
    let named = |pass: &autoscale_core::data::order::EvictPass| match &pass.blocked[0].1 {
        Blocker::Budget { name } => name.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(named(&pass).as_deref(), Some("w1"));
    stage.server.create(json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "second", "namespace": "default"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "w1"}}},
    })).unwrap();
    stage.server.advance(Span::from_secs(5));
    let pass = stage.drainer().evict(&EvictOrder::new(node, pods)).await.unwrap();
    assert!(
        matches!(&pass.blocked[0].1, Blocker::Other { why } if why.contains("more than one")),
        "{pass:?}"
    );
    let survey = stage.drainer().survey(&Scope::Everything).await.unwrap();
    let pod = survey.pods.iter().find(|pod| pod.node.is_some()).unwrap();
    assert_eq!(pod.budgets.len(), 2);
}

#[tokio::test]
async fn facts_about_pods() {
    let stage = stage();
    let node = stage.add_node().await;
    let pod = |name: &str, annotations: serde_json::Value, spec: serde_json::Value| {
        let mut whole =
            json!({"containers": [{"name": "c", "image": "x"}], "nodeSelector": {"only": node.as_str()}});
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        stage
            .server
            .create(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "annotations": annotations}, "spec": whole}))
            .unwrap();
    };
    let claim =
        |claim: &str| json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]});
    for (name, zone, local) in [("zonal", "a", false), ("pinned", "b", true)] {
        let (key, value) = if local {
            ("kubernetes.io/hostname", node.as_str())
        } else {
            ("topology.kubernetes.io/zone", zone)
        };
        stage.server.create(json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("pv-{name}")},
            "spec": {"capacity": {"storage": "1Gi"}, "nodeAffinity": {"required": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]}]}}}})).unwrap();
        stage.server.create(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "default"}, "spec": {"volumeName": format!("pv-{name}")}})).unwrap();
    }
    pod("never", json!({"karpenter.sh/do-not-disrupt": "true"}), json!({}));
    pod("safe", json!({"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}), json!({}));
    pod("disk", json!({}), json!({"volumes": [{"name": "v", "emptyDir": {}}]}));
    pod("memory", json!({}), json!({"volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}]}));
    pod(
        "listed",
        json!({"cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes": "v, w"}),
        json!({"volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "hostPath": {"path": "/x"}}]}),
    );
    pod("zonal", json!({}), claim("zonal"));
    pod("pinned", json!({}), claim("pinned"));
    pod("lost", json!({}), claim("nowhere"));
    stage.server.advance(Span::from_secs(10));
    let survey = stage.drainer().survey(&Scope::Everything).await.unwrap();
    let found = |name: &str| survey.pods.iter().find(|pod| pod.name == name).unwrap();
    assert_eq!(found("never").eviction, Eviction::Never);
    assert_eq!(found("safe").eviction, Eviction::Safe);
    assert_eq!(found("disk").storage, Storage::Local);
    assert_eq!(found("memory").storage, Storage::None);
    assert_eq!(found("listed").storage, Storage::None);
    assert_eq!(found("pinned").storage, Storage::Local);
    let zones: Vec<String> =
        found("zonal").constraints.volume_zones.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(zones, ["a"]);
    assert!(matches!(&found("lost").constraints.spread, Spread::Unjudged { why } if why.contains("nowhere")));
    assert!(found("safe").owner.is_none());
}
