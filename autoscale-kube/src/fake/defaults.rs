//! What the server fills in where a new object says nothing.

use serde_json::{Value, json};

use super::json::{array, default, flag, list, object, put, slot, take, text, words};
use super::kinds::{K, KindInfo};
use super::store::Key;
use super::world::World;

/// Fills in a new object.
pub(super) fn fill(world: &mut World, kind: K, info: &KindInfo, object: &mut Value) {
    match kind {
        K::NODES => node(object),
        K::PODS => pod(world, object),
        K::NAMESPACES => {
            put(object, &["spec", "finalizers"], json!(["kubernetes"]));
            put(object, &["status"], json!({"phase": "Active"}));
        }
        K::BUDGETS => put(
            object,
            &["status"],
            json!({"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}),
        ),
        K::DEPLOYMENTS => {
            template(object);
            default(object, &["spec", "replicas"], 1);
            default(object, &["spec", "strategy", "type"], "RollingUpdate");
            if words(object, "/spec/strategy/type") == "RollingUpdate" {
                default(object, &["spec", "strategy", "rollingUpdate", "maxUnavailable"], "25%");
                default(object, &["spec", "strategy", "rollingUpdate", "maxSurge"], "25%");
            }
            default(object, &["spec", "revisionHistoryLimit"], 10);
            default(object, &["spec", "progressDeadlineSeconds"], 600);
            put(object, &["status"], json!({}));
        }
        K::REPLICA_SETS | K::CONTROLLERS => {
            template(object);
            default(object, &["spec", "replicas"], 1);
            put(object, &["status"], json!({"replicas": 0}));
        }
        K::STATEFUL_SETS => {
            template(object);
            default(object, &["spec", "replicas"], 1);
            default(object, &["spec", "podManagementPolicy"], "OrderedReady");
            put(object, &["status"], json!({"replicas": 0, "availableReplicas": 0}));
        }
        K::DAEMON_SETS => {
            template(object);
            let zero = json!({"currentNumberScheduled": 0, "numberMisscheduled": 0,
                "desiredNumberScheduled": 0, "numberReady": 0});
            put(object, &["status"], zero);
        }
        K::JOBS => {
            template(object);
            default(object, &["spec", "parallelism"], 1);
            default(object, &["spec", "completions"], 1);
            put(object, &["status"], json!({}));
        }
        K::DEFINITIONS => definition(object),
        _ if info.custom.is_some() && info.status => drop(take(object, &["status"])),
        _ => {}
    }
}

fn node(node: &mut Value) {
    if !super::index::NodeInfo::of(node).ready {
        let taints = array(slot(node, &["spec", "taints"]));
        let not_ready = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
        if !taints.contains(&not_ready) {
            taints.push(not_ready);
        }
    } else {
        default(node, &["spec"], json!({}));
    }
    default(node, &["status", "daemonEndpoints"], json!({"kubeletEndpoint": {"Port": 0}}));
    for field in [
        "machineID",
        "systemUUID",
        "bootID",
        "kernelVersion",
        "osImage",
        "containerRuntimeVersion",
        "kubeletVersion",
        "kubeProxyVersion",
        "operatingSystem",
        "architecture",
    ] {
        default(node, &["status", "nodeInfo", field], "");
    }
}

/// What the spec of a pod gets in a template already.
fn common(spec: &mut Value) {
    for part in ["containers", "initContainers"] {
        for container in spec.get_mut(part).and_then(Value::as_array_mut).into_iter().flatten() {
            let latest = words(container, "/image")
                .rsplit('/')
                .next()
                .is_some_and(|name| !name.contains(':') || name.ends_with(":latest"));
            default(container, &["resources"], json!({}));
            default(container, &["terminationMessagePath"], "/dev/termination-log");
            default(container, &["terminationMessagePolicy"], "File");
            default(container, &["imagePullPolicy"], if latest { "Always" } else { "IfNotPresent" });
            let limits = container.pointer("/resources/limits").cloned();
            for (name, limit) in limits.as_ref().and_then(Value::as_object).into_iter().flatten() {
                default(container, &["resources", "requests", name], limit.clone());
            }
        }
    }
    default(spec, &["restartPolicy"], "Always");
    default(spec, &["terminationGracePeriodSeconds"], 30);
    default(spec, &["dnsPolicy"], "ClusterFirst");
    default(spec, &["securityContext"], json!({}));
    default(spec, &["schedulerName"], "default-scheduler");
}

fn template(workload: &mut Value) {
    common(slot(workload, &["spec", "template", "spec"]));
}

fn pod(world: &mut World, pod: &mut Value) {
    let class = words(pod, "/spec/priorityClassName").to_owned();
    let priority = world
        .store
        .get(K::PRIORITY_CLASSES, &Key::global(class))
        .and_then(|class| class.get("value").cloned())
        .unwrap_or(json!(0));
    let suffix = world.rng.suffix();
    let spec = slot(pod, &["spec"]);
    common(spec);
    default(spec, &["priority"], priority);
    default(spec, &["enableServiceLinks"], true);
    default(spec, &["preemptionPolicy"], "PreemptLowerPriority");
    default(spec, &["serviceAccountName"], "default");
    let account = words(spec, "/serviceAccountName").to_owned();
    put(spec, &["serviceAccount"], account);
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let bears = |toleration: &Value| {
            matches!(text(toleration, "/key"), None | Some("")) || words(toleration, "/key") == key
        };
        let tolerations = array(slot(spec, &["tolerations"]));
        if !tolerations.iter().any(bears) {
            let five_minutes =
                json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
            tolerations.push(five_minutes);
        }
    }
    if spec.get("automountServiceAccountToken") != Some(&Value::Bool(false)) {
        mount_token(spec, &format!("kube-api-access-{suffix}"));
    }
    let class = quality(spec);
    put(pod, &["status"], json!({"phase": "Pending", "qosClass": class}));
}

/// The volume with the token of the pod's ServiceAccount, which every pod gets that does not refuse it.
fn mount_token(spec: &mut Value, name: &str) {
    let volume = json!({"name": name, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace",
            "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]}});
    array(slot(spec, &["volumes"])).push(volume);
    let place = "/var/run/secrets/kubernetes.io/serviceaccount";
    for container in spec.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten() {
        let mount = json!({"name": name, "readOnly": true, "mountPath": place});
        array(slot(container, &["volumeMounts"])).push(mount);
    }
}

fn quality(spec: &Value) -> &'static str {
    let empty = |container: &Value, part: &str| {
        container.pointer(part).and_then(Value::as_object).is_none_or(serde_json::Map::is_empty)
    };
    let containers = list(spec, "/containers");
    let asks = |container: &Value| {
        !empty(container, "/resources/requests") || !empty(container, "/resources/limits")
    };
    let full = |container: &Value| {
        let part = |name: &str| container.pointer(&format!("/resources/{name}")).cloned().unwrap_or_default();
        let (limits, requests) = (part("limits"), part("requests"));
        limits.get("cpu").is_some() && limits.get("memory").is_some() && limits == requests
    };
    if !containers.iter().any(asks) {
        "BestEffort"
    } else if containers.iter().all(full) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

fn definition(definition: &mut Value) {
    let kind = words(definition, "/spec/names/kind").to_owned();
    default(definition, &["spec", "names", "listKind"], format!("{kind}List"));
    default(definition, &["spec", "names", "singular"], kind.to_lowercase());
    default(definition, &["spec", "conversion", "strategy"], "None");
    let stored = list(definition, "/spec/versions").iter().filter(|version| flag(version, "/storage"));
    let stored: Vec<Value> = stored.filter_map(|version| version.get("name").cloned()).collect();
    let status =
        json!({"conditions": null, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored});
    object(definition).insert("status".to_owned(), status);
}
