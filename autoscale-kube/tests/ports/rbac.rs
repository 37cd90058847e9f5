//! The permissions in `rbac/` are enough, and none of them is too much.

use std::collections::BTreeSet;

use autoscale_core::conformance::{self, DrainerStage};
use autoscale_core::data::order::{EvictOrder, ForgetOrder};
use autoscale_core::data::view::{ClusterView, CordonMark, Pod, Scope, Spread};
use autoscale_core::ports::{ErrorKind, Expected, StateStore, Summary};
use autoscale_core::words::{Inc, Ver, WriteId};
use autoscale_kube::Connection;
use autoscale_kube::fake::{ApiServer, Permission};
use autoscale_kube::lease::LeaseStore;
use serde_json::{Value, json};

use super::drain::Stage;

const USER: &str = "system:serviceaccount:kube-system:autoscale";

/// A document of `rbac/`. They are plain enough for a reader of a few lines.
fn document(name: &str) -> Value {
    let path = format!("{}/rbac/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let list = |text: &str| -> Vec<String> {
        let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
        inner.split(',').map(|item| item.trim().trim_matches('"').to_owned()).collect()
    };
    let (mut role, mut rules) = (json!({"metadata": {}}), Vec::new());
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let Some((key, value)) = line.split_once(':') else { continue };
        let (key, value) = (key.trim().trim_start_matches("- "), value.trim());
        match key {
            "apiVersion" | "kind" => role[key] = value.into(),
            "name" | "namespace" => role["metadata"][key] = value.into(),
            "apiGroups" => rules.push(json!({"apiGroups": list(value)})),
            "resources" | "verbs" | "resourceNames" => {
                rules.last_mut().unwrap()[key] = list(value).into();
            }
            _ => {}
        }
    }
    role["rules"] = rules.into();
    role
}

/// Every permission that a document gives.
fn given(role: &Value) -> BTreeSet<Permission> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut all = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    all.insert(Permission::new(verb, &group, &resource));
                }
            }
        }
    }
    all
}

fn server() -> ApiServer {
    let server = ApiServer::default();
    server.grant(USER, [document("cluster-role.yaml")]).unwrap();
    server
}

#[tokio::test]
async fn a_drainer_keeps_its_contract_with_them() {
    let verdicts = conformance::drainer(async || Stage::new(server(), USER)).await;
    verdicts.assert_all();
}

/// Pods of so many controllers of every kind, each with a volume.
fn furnish(server: &ApiServer, many: u32) {
    let template = |app: &str| {
        for (kind, name, spec) in [
            ("PersistentVolume", format!("pv-{app}"), json!({"capacity": {"storage": "1Gi"}})),
            ("PersistentVolumeClaim", app.to_owned(), json!({"volumeName": format!("pv-{app}")})),
        ] {
            let mut metadata = json!({"name": name});
            if kind == "PersistentVolumeClaim" {
                metadata["namespace"] = "default".into();
            }
            server
                .create(json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}))
                .unwrap();
        }
        json!({"metadata": {"labels": {"app": app}}, "spec": {
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": app}}],
            "containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "1m"}}}]}})
    };
    for (version, kind) in [
        ("apps/v1", "ReplicaSet"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("batch/v1", "Job"),
        ("v1", "ReplicationController"),
    ] {
        for number in 0..many {
            let name = format!("{}{number}", kind.to_lowercase());
            let selector = match version {
                "v1" => json!({"app": name}),
                _ => json!({"matchLabels": {"app": name}}),
            };
            let mut template = template(&name);
            if kind == "Job" {
                template["spec"]["restartPolicy"] = "Never".into();
            }
            let mut spec = json!({"template": template});
            match kind {
                "Job" => {}
                "DaemonSet" => spec["selector"] = selector,
                _ => (spec["selector"], spec["replicas"]) = (selector, 1.into()),
            }
            let metadata = json!({"name": name, "namespace": "default"});
            let object = json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec});
            server.create(object).unwrap();
        }
    }
}

/// What one run came to.
struct Seen {
    /// The actions of what failed.
    missing: Vec<String>,
    survey: Option<ClusterView>,
    /// Of the node that was closed.
    attached: Option<u32>,
}

/// One run of everything a drainer and its metrics do.
async fn everything(stage: &Stage) -> Seen {
    let drainer = stage.drainer();
    let mut missing = Vec::new();
    let mut note = |result: Result<(), autoscale_core::ports::Error>| {
        if let Err(error) = result {
            match error.kind() {
                ErrorKind::Denied { action } => missing.push(action.clone()),
                other => panic!("{other:?}: {error}"),
            }
        }
    };
    let name = stage.add_node().await;
    let pods = stage.add_pods(&name, 1, Some(1)).await;
    let node = stage.node(&name).await.unwrap();
    let mut seen = None;
    note(drainer.survey(&Scope::Everything).await.map(|survey| seen = Some(survey)));
    note(drainer.survey(&Scope::Nodes(vec![name.clone()])).await.map(drop));
    let mark = CordonMark::new(Inc::new("rbac").unwrap(), 1);
    let order =
        autoscale_core::data::order::CordonOrder::new(name.clone(), node.uid.clone(), Ver::new(1), mark);
    note(drainer.cordon(&order).await.map(drop));
    let mut attached = None;
    let of_it = Scope::Nodes(vec![name.clone()]);
    note(drainer.survey(&of_it).await.map(|survey| {
        attached = survey.nodes.iter().find(|node| node.name == name).and_then(|node| node.attached);
    }));
    note(drainer.evict(&EvictOrder::new(name.clone(), pods)).await.map(drop));
    note(drainer.forget(&ForgetOrder::new(name, node.uid)).await);
    missing.extend(super::metrics::denied(&stage.server, USER).await);
    Seen { missing, survey: seen, attached }
}

/// Of the pods that a permission was for: why each is not judged.
fn unjudged(survey: &ClusterView, resource: &str) -> Vec<String> {
    let of = |pod: &&Pod| {
        let owner = pod.owner.as_ref().map(|owner| (owner.kind.to_lowercase(), owner.name.as_str()));
        let (kind, name) = owner.unwrap_or_default();
        // The stage's own pods, of ReplicaSets called `w0` and so on, have no volumes.
        let is_concerned = if resource.starts_with("persistent") {
            !name.starts_with('w')
        } else {
            format!("{kind}s") == resource
        };
        pod.node.is_some() && is_concerned
    };
    let why = |pod: &Pod| match &pod.constraints.spread {
        Spread::Unjudged { why } => why.clone(),
        _ => format!("{} is judged", pod.name),
    };
    survey.pods.iter().filter(of).map(why).collect()
}

#[tokio::test]
async fn taking_away_any_one_is_noticed_and_named() {
    // What a drainer may live without: it then says of the pods concerned that they cannot be judged.
    let optional = ["replicasets", "statefulsets", "daemonsets", "jobs", "replicationcontrollers"];
    let optional = |resource: &str| optional.contains(&resource) || resource.starts_with("persistentvolume");
    let mut used = BTreeSet::new();
    for permission in given(&document("cluster-role.yaml")) {
        let Permission { verb, resource, .. } = &permission;
        // Few are asked for one by one, many are listed.
        let many = if optional(resource) && verb == "list" { 15 } else { 1 };
        let server = server();
        server.deny(USER, permission.clone());
        let stage = Stage::new(server, USER);
        furnish(&stage.server, many);
        let Seen { missing, survey, attached } = everything(&stage).await;
        if optional(resource) {
            let said = unjudged(&survey.unwrap(), resource);
            let why = format!("(denied: {verb} {resource})");
            assert!(!said.is_empty(), "{permission:?}: nobody needs it");
            assert!(said.iter().all(|said| said.contains(&why)), "{permission:?}: {said:?}");
        } else {
            let of_group = if permission.group == "metrics.k8s.io" { ".metrics.k8s.io" } else { "" };
            let named = missing.iter().any(|action| *action == format!("{verb} {resource}{of_group}"));
            // Of volumes that are still attached nothing is said then.
            let unsaid = resource == "volumeattachments" && attached.is_none();
            assert!(named || unsaid, "{permission:?} is missing, and nobody says so: {missing:?}");
        }
        let log = stage.server.log();
        if log.iter().any(|entry| entry.status == 403 && entry.permission() == permission) {
            used.insert(permission.clone());
        }
    }
    let unused: Vec<_> =
        given(&document("cluster-role.yaml")).into_iter().filter(|p| !used.contains(p)).collect();
    assert_eq!(unused, [], "given and never asked for");
}

/// The cache goes on without a watch, by lists; it says which one it is not allowed.
#[tokio::test]
async fn a_watch_that_is_not_allowed_is_named_and_none_is_given_in_vain() {
    for missing in given(&document("watch-role.yaml")) {
        let server = server();
        server.grant(USER, [document("watch-role.yaml")]).unwrap();
        server.deny(USER, missing.clone());
        let (stage, cached) = Stage::cached(server, USER);
        furnish(&stage.server, 2);
        assert_eq!(everything(&stage).await.missing, [""; 0], "{missing:?}");
        // Each kind is followed from the first survey on that needs it.
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        let named = format!("watch {}: 403", missing.resource);
        for state in cached.state() {
            let said = state.trouble.unwrap_or_default();
            assert!(state.followed, "{}", state.resource);
            assert_eq!(said.contains(&named), state.resource == missing.resource, "{missing:?}: {said}");
        }
    }
}

#[tokio::test]
async fn the_record_needs_one_lease_by_name() {
    let server = ApiServer::default();
    let role = document("lease-role.yaml");
    server.grant(USER, [role]).unwrap();
    server.create(document("lease.yaml")).unwrap();
    let store = |name: &str| {
        LeaseStore::new(Connection::from_client(server.client_as(USER)), "kube-system", name).unwrap()
    };
    let (inc, write) = (Inc::new("rbac").unwrap(), WriteId::new("w").unwrap());
    let sealed =
        autoscale_core::ports::Sealed::new(inc, Ver::new(1), write, Summary::default(), b"{}".to_vec());
    let swapped = store("autoscale").swap(&Expected::Absent, &sealed).await.unwrap();
    assert!(matches!(swapped, autoscale_core::ports::Swapped::Applied(_)));
    for verb in ["get", "update"] {
        server.deny(USER, Permission::new(verb, "coordination.k8s.io", "leases"));
        let error = store("autoscale").swap(&Expected::Absent, &sealed).await;
        let loaded = store("autoscale").load().await;
        match verb {
            "get" => assert!(loaded.is_err() && error.is_err()),
            _ => {
                let version = loaded.unwrap().unwrap().version;
                let error = store("autoscale").swap(&Expected::At(version), &sealed).await.unwrap_err();
                assert_eq!(*error.kind(), ErrorKind::Denied { action: "update leases".to_owned() });
            }
        }
        server.undo_denials(USER);
    }
    assert!(store("other").load().await.is_err(), "another Lease is none of its business");
}
