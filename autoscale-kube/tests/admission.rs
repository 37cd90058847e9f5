//! The admission policy of `rbac/`, evaluated: what it lets pass, and which rule refuses what. By an evaluator of CEL that is not
//! the API server's own; types are not checked here.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cel::{Context, Program, Value as Cel};
use serde_json::{Value, json};

const ACCOUNT: &str = "system:serviceaccount:kube-system:autoscale";

fn documents() -> Vec<Value> {
    let path = format!("{}/rbac/admission-policy.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

/// What the policy says to a request: `None` if it is none of its business, else the messages of the rules that refuse it.
fn judge(policy: &Value, request: &Value, old: &Value, new: &Value) -> Option<BTreeSet<String>> {
    let evaluate = |expression: &Value, variables: &HashMap<String, Cel>| {
        let program = Program::compile(expression.as_str().unwrap()).unwrap();
        let mut context = Context::default();
        context.add_variable("request", request).unwrap();
        context.add_variable("oldObject", old).unwrap();
        context.add_variable("object", new).unwrap();
        context.add_variable_from_value("variables", variables.clone());
        program.execute(&context)
    };
    let list = |pointer: &str| policy.pointer(pointer).unwrap().as_array().unwrap().clone();
    let none = HashMap::new();
    let matches = |rule: &Value| evaluate(&rule["expression"], &none).unwrap() == Cel::Bool(true);
    if !list("/spec/matchConditions").iter().all(matches) {
        return None;
    }
    // Those that no rule asks for may fail: the API server evaluates none before it is needed.
    let mut variables = HashMap::new();
    for variable in list("/spec/variables") {
        if let Ok(value) = evaluate(&variable["expression"], &variables) {
            variables.insert(variable["name"].as_str().unwrap().to_owned(), value);
        }
    }
    // An error refuses, as `failurePolicy: Fail` says.
    let refuses = |rule: &Value| evaluate(&rule["expression"], &variables).ok() != Some(Cel::Bool(true));
    let rules = list("/spec/validations");
    let refusing = rules.iter().filter(|rule| refuses(rule));
    Some(refusing.map(|rule| rule["message"].as_str().unwrap().to_owned()).collect())
}

fn worker() -> Value {
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "n", "labels": {"autoscale.local/pool": "web", "zone": "a"},
            "annotations": {"theirs": "1"}, "finalizers": ["theirs/f"]},
        "spec": {"providerID": "aws:///i-1", "podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.0.0/24"],
            "taints": [{"key": "theirs", "value": "x", "effect": "NoSchedule"}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

/// A worker with something changed.
fn with(changes: &[(&str, Value)]) -> Value {
    let mut node = worker();
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let key = key.replace("~1", "/");
        let parent = node.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        if value.is_null() { drop(parent.remove(&key)) } else { drop(parent.insert(key, value.clone())) }
    }
    node
}

fn asked(operation: &str) -> Value {
    json!({"operation": operation, "userInfo": {"username": ACCOUNT}, "subResource": ""})
}

const PLANE: &str = "/metadata/labels/node-role.kubernetes.io~1control-plane";
const MARK: &str = "/metadata/annotations/autoscale.local~1cordon";
const STAMP: &str = "/metadata/annotations/autoscale.local~1stamp";

/// What, the changes, and a word of the only rule that refuses them.
type Case = (&'static str, Vec<(&'static str, Value)>, Option<&'static str>);

#[test]
fn updates_change_what_is_ours_and_nothing_else() {
    let policy = &documents()[0];
    let theirs = json!({"key": "theirs", "value": "x", "effect": "NoSchedule"});
    let ours = json!({"key": "autoscale.local/leaving", "effect": "NoSchedule"});
    let cases: Vec<Case> = vec![
        ("nothing", vec![], None),
        (
            "cordon",
            vec![("/spec/unschedulable", json!(true)), (MARK, json!("i.1")), (STAMP, json!("4"))],
            None,
        ),
        ("our taint", vec![("/spec/taints", json!([theirs, ours]))], None),
        ("their taint goes", vec![("/spec/taints", json!([ours]))], Some("taints")),
        ("all taints go", vec![("/spec/taints", Value::Null)], Some("taints")),
        (
            "a foreign taint comes",
            vec![("/spec/taints", json!([theirs, {"key": "x", "effect": "NoExecute"}]))],
            Some("taints"),
        ),
        (
            "their taint changes",
            vec![("/spec/taints", json!([{"key": "theirs", "value": "x", "effect": "NoExecute"}]))],
            Some("taints"),
        ),
        ("a label comes", vec![("/metadata/labels/x", json!("y"))], Some("labels")),
        ("a label changes", vec![("/metadata/labels/zone", json!("b"))], Some("labels")),
        (
            "our own label changes",
            vec![("/metadata/labels/autoscale.local~1pool", json!("db"))],
            Some("labels"),
        ),
        ("labels go", vec![("/metadata/labels", Value::Null)], Some("labels")),
        ("it becomes a control plane", vec![(PLANE, json!(""))], Some("labels")),
        ("an annotation changes", vec![("/metadata/annotations/theirs", json!("2"))], Some("annotations")),
        ("an annotation goes", vec![("/metadata/annotations/theirs", Value::Null)], Some("annotations")),
        ("annotations go", vec![("/metadata/annotations", Value::Null)], Some("annotations")),
        (
            "an annotation comes",
            vec![("/metadata/annotations/autoscale.local.evil~1x", json!("2"))],
            Some("annotations"),
        ),
        ("a finalizer goes", vec![("/metadata/finalizers", Value::Null)], Some("finalizers")),
        (
            "an owner comes",
            vec![("/metadata/ownerReferences", json!([{"kind": "Pod", "name": "p"}]))],
            Some("finalizers"),
        ),
        ("another machine", vec![("/spec/providerID", json!("aws:///i-2"))], Some("spec")),
        ("no machine", vec![("/spec/providerID", Value::Null)], Some("spec")),
        ("other addresses", vec![("/spec/podCIDR", json!("10.9.0.0/24"))], Some("spec")),
        ("more addresses", vec![("/spec/podCIDRs", json!(["10.0.0.0/24", "10.9.0.0/24"]))], Some("spec")),
        ("another configuration", vec![("/spec/configSource", json!({"configMap": {}}))], Some("spec")),
    ];
    for (what, changes, refused) in cases {
        let said = judge(policy, &asked("UPDATE"), &worker(), &with(&changes)).unwrap();
        assert_eq!(said.len(), usize::from(refused.is_some()), "{what}: {said:?}");
        assert!(
            refused.is_none_or(|word| said.iter().all(|message| message.contains(word))),
            "{what}: {said:?}"
        );
    }
    // And back: the uncordon takes the mark away and leaves the stamp.
    let closed = with(&[("/spec/unschedulable", json!(true)), (MARK, json!("i.1")), (STAMP, json!("4"))]);
    let open = with(&[(STAMP, json!("5"))]);
    assert_eq!(judge(policy, &asked("UPDATE"), &closed, &open), Some(BTreeSet::new()));
    // A Node with nothing on it but what says whose it is.
    let bare = json!({"metadata": {"name": "n", "labels": {"autoscale.local/pool": "web"}}, "spec": {}});
    let mut cordoned = bare.clone();
    cordoned["metadata"]["annotations"] = json!({"autoscale.local/stamp": "1"});
    cordoned["spec"]["unschedulable"] = true.into();
    assert_eq!(judge(policy, &asked("UPDATE"), &bare, &cordoned), Some(BTreeSet::new()));
}

/// The account can mark any Node it may change: the mark alone proves nothing.
#[test]
fn what_is_of_no_pool_is_not_touched() {
    let policy = &documents()[0];
    let label = "/metadata/labels/autoscale.local~1pool";
    let unready = ("/status/conditions", json!([{"type": "Ready", "status": "Unknown"}]));
    for gone in [(label, Value::Null), ("/metadata/labels", Value::Null)] {
        let before = with(std::slice::from_ref(&gone));
        let marked = with(&[
            gone.clone(),
            (MARK, json!("i.1")),
            (STAMP, json!("4")),
            ("/spec/unschedulable", json!(true)),
        ]);
        let lost = with(&[gone.clone(), unready.clone(), (MARK, json!("i.1"))]);
        for (operation, old, new) in [
            ("UPDATE", &before, &marked),
            ("UPDATE", &marked, &before),
            ("DELETE", &marked, &Value::Null),
            ("DELETE", &lost, &Value::Null),
        ] {
            let said = judge(policy, &asked(operation), old, new).unwrap();
            assert!(
                said.len() == 1 && said.iter().all(|m| m.contains("of one of our pools")),
                "{operation}: {said:?}"
            );
        }
        // Nor can it give itself the label.
        let said = judge(policy, &asked("UPDATE"), &before, &worker()).unwrap();
        assert_eq!(said.len(), 2, "{said:?}");
    }
}

#[test]
fn the_control_plane_is_left_alone() {
    let policy = &documents()[0];
    for role in ["control-plane", "master", "etcd"] {
        let role = format!("node-role.kubernetes.io/{role}");
        let labelled = with(&[
            (&format!("/metadata/labels/{}", role.replace('/', "~1")), json!("")),
            (MARK, json!("i.1")),
        ]);
        let tainted =
            with(&[("/spec/taints", json!([{"key": role, "effect": "NoSchedule"}])), (MARK, json!("i.1"))]);
        for node in [labelled, tainted] {
            for operation in ["UPDATE", "DELETE"] {
                let said = judge(policy, &asked(operation), &node, &node).unwrap();
                assert!(
                    said.len() == 1 && said.iter().all(|m| m.contains("control plane")),
                    "{operation} {role}: {said:?}"
                );
            }
        }
    }
}

#[test]
fn only_what_is_marked_is_deleted() {
    let policy = &documents()[0];
    let unready = ("/status/conditions", json!([{"type": "Ready", "status": "Unknown"}]));
    for (what, node, allowed) in [
        ("marked", with(&[(MARK, json!("i.1"))]), true),
        ("of a pool, and lost", with(std::slice::from_ref(&unready)), true),
        ("of a pool, and never heard of", with(&[("/status", Value::Null)]), true),
        ("of a pool, and well", worker(), false),
        ("of nobody, and lost", with(&[unready, ("/metadata/labels", Value::Null)]), false),
        ("stamped long ago", with(&[(STAMP, json!("4"))]), false),
        (
            "of nobody",
            with(&[("/metadata/labels", Value::Null), ("/metadata/annotations", Value::Null)]),
            false,
        ),
    ] {
        let said = judge(policy, &asked("DELETE"), &node, &Value::Null).unwrap();
        assert_eq!(said.is_empty(), allowed, "{what}: {said:?}");
    }
}

#[test]
fn nodes_are_not_made_and_nothing_below_them_is_touched() {
    let policy = &documents()[0];
    assert!(!judge(policy, &asked("CREATE"), &Value::Null, &worker()).unwrap().is_empty());
    for sub in ["status", "proxy"] {
        let mut request = asked("UPDATE");
        request["subResource"] = sub.into();
        assert_eq!(judge(policy, &request, &worker(), &worker()).unwrap().len(), 1, "{sub}");
    }
}

#[test]
fn others_are_none_of_its_business() {
    let policy = &documents()[0];
    for user in [
        "system:node:n",
        "admin",
        "system:serviceaccount:default:autoscale",
        "system:serviceaccount:kube-system:autoscale2",
    ] {
        let mut request = asked("DELETE");
        request["userInfo"]["username"] = user.into();
        assert_eq!(judge(policy, &request, &worker(), &Value::Null), None, "{user}");
    }
}

#[test]
fn it_is_bound_and_fails_closed() {
    let documents = documents();
    let (policy, binding) = (&documents[0], &documents[1]);
    assert_eq!(policy["spec"]["failurePolicy"], "Fail");
    assert_eq!(binding["spec"]["policyName"], policy["metadata"]["name"]);
    assert_eq!(binding["spec"]["validationActions"], json!(["Deny"]));
    assert!(binding["spec"].get("matchResources").is_none(), "it is bound everywhere");
    let rules = policy["spec"]["matchConstraints"]["resourceRules"].as_array().unwrap();
    assert_eq!(rules.len(), 1);
    let expected = BTreeMap::from([
        ("apiGroups", json!([""])),
        ("apiVersions", json!(["v1"])),
        ("operations", json!(["CREATE", "UPDATE", "DELETE"])),
        ("resources", json!(["nodes", "nodes/*"])),
    ]);
    for (field, value) in expected {
        assert_eq!(rules[0][field], value, "{field}");
    }
}
