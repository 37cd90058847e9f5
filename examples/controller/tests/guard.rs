//! The admission policy of the node agents, evaluated: what it lets pass, and which rule refuses what. By an evaluator of CEL that
//! is not the API server's own; types are not checked here.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use cel::{Context, Program, Value as Cel};
use serde_json::{Value, json};

const ACCOUNT: &str = "system:serviceaccount:autoscale:autoscale-node-agent";
const NODE: &str = "authentication.kubernetes.io/node-name";
const OURS: &str = "/metadata/annotations/autoscale.local~1announced";

fn policy() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/node-agent/guard.yaml");
    let mut all: Vec<Value> = serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap();
    let binding = all.pop().unwrap();
    assert_eq!(binding["spec"]["policyName"], all[0]["metadata"]["name"]);
    assert_eq!(binding["spec"]["validationActions"], json!(["Deny"]));
    all.remove(0)
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
    let mut variables = HashMap::new();
    for variable in list("/spec/variables") {
        // Those that no rule asks for may fail: the API server evaluates none before it is needed.
        if let Ok(value) = evaluate(&variable["expression"], &variables) {
            variables.insert(variable["name"].as_str().unwrap().to_owned(), value);
        }
    }
    // An error refuses, as `failurePolicy: Fail` says.
    assert_eq!(policy["spec"]["failurePolicy"], "Fail");
    let refuses = |rule: &Value| evaluate(&rule["expression"], &variables).ok() != Some(Cel::Bool(true));
    let rules = list("/spec/validations");
    let refusing = rules.iter().filter(|rule| refuses(rule));
    Some(refusing.map(|rule| rule["message"].as_str().unwrap().to_owned()).collect())
}

fn worker() -> Value {
    json!({"metadata": {"name": "n1", "labels": {"autoscale.local/pool": "web"},
            "annotations": {"theirs": "1"}, "finalizers": ["theirs/f"]},
        "spec": {"providerID": "azure:///x", "taints": [{"key": "theirs", "effect": "NoSchedule"}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

/// A worker with something changed.
fn with(pointer: &str, value: Value) -> Value {
    let mut node = worker();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/");
    let parent = node.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        drop(parent.remove(&key))
    } else {
        drop(parent.insert(key, value))
    }
    node
}

fn asked(operation: &str, name: &str) -> Value {
    json!({"operation": operation, "name": name, "subResource": "",
        "userInfo": {"username": ACCOUNT, "extra": {NODE: ["n1"]}}})
}

#[test]
fn an_agent_changes_one_annotation_of_its_own_node() {
    let policy = policy();
    for (what, pointer, value, refused) in [
        ("its mark", OURS, json!("[]"), None),
        ("nothing", "/metadata/name", json!("n1"), None),
        ("what the server keeps", "/metadata/managedFields", json!([{"manager": "x"}]), None),
        ("a long mark", OURS, json!("x".repeat(4_097)), Some("4096")),
        (
            "what is stored",
            "/metadata/annotations/autoscale.local~1announced-stored",
            json!("[]"),
            Some("annotation but"),
        ),
        ("a cordon", "/metadata/annotations/autoscale.local~1cordon", json!("1"), Some("annotation but")),
        ("another's annotation", "/metadata/annotations/theirs", json!("2"), Some("annotation but")),
        ("one less", "/metadata/annotations/theirs", Value::Null, Some("annotation but")),
        ("none at all", "/metadata/annotations", Value::Null, Some("annotation but")),
        ("a label", "/metadata/labels/x", json!("y"), Some("labels")),
        ("a label less", "/metadata/labels", Value::Null, Some("labels")),
        ("a finalizer less", "/metadata/finalizers", Value::Null, Some("labels")),
        ("an owner", "/metadata/ownerReferences", json!([{"uid": "1"}]), Some("labels")),
        ("unschedulable", "/spec/unschedulable", json!(true), Some("spec")),
        ("a taint less", "/spec/taints", Value::Null, Some("spec")),
        ("another machine", "/spec/providerID", json!("azure:///y"), Some("spec")),
    ] {
        let refusing = judge(&policy, &asked("UPDATE", "n1"), &worker(), &with(pointer, value)).unwrap();
        match refused {
            None => assert_eq!(refusing, BTreeSet::new(), "{what}"),
            Some(word) => {
                assert_eq!(refusing.len(), 1, "{what}: {refusing:?}");
                assert!(refusing.iter().all(|message| message.contains(word)), "{what}: {refusing:?}");
            }
        }
    }
    // The mark goes.
    let refusing = judge(&policy, &asked("UPDATE", "n1"), &with(OURS, json!("[]")), &worker()).unwrap();
    assert_eq!(refusing, BTreeSet::new());
}

#[test]
fn an_agent_speaks_for_the_node_of_its_token_alone() {
    let (policy, new) = (policy(), with(OURS, json!("[]")));
    let mut others = vec![asked("UPDATE", "n2")];
    for extra in
        [json!(null), json!({}), json!({NODE: []}), json!({NODE: ["n2"]}), json!({NODE: ["n1", "n2"]})]
    {
        let mut request = asked("UPDATE", "n1");
        if extra.is_null() {
            request["userInfo"].as_object_mut().unwrap().remove("extra");
        } else {
            request["userInfo"]["extra"] = extra;
        }
        others.push(request);
    }
    for request in others {
        let refusing = judge(&policy, &request, &worker(), &new).unwrap();
        assert!(refusing.iter().any(|message| message.contains("token names")), "{request}: {refusing:?}");
    }
}

#[test]
fn nothing_else_is_done_to_nodes() {
    let policy = policy();
    for (operation, old, new) in [
        ("CREATE", Value::Null, worker()),
        ("DELETE", worker(), Value::Null),
        ("CONNECT", worker(), worker()),
    ] {
        let refusing = judge(&policy, &asked(operation, "n1"), &old, &new).unwrap();
        assert!(refusing.iter().any(|message| message.contains("neither made")), "{operation}: {refusing:?}");
    }
    let mut status = asked("UPDATE", "n1");
    status["subResource"] = json!("status");
    let refusing = judge(&policy, &status, &worker(), &worker()).unwrap();
    assert!(refusing.iter().any(|message| message.contains("below them")), "{refusing:?}");
    // Whoever else it is has other rules.
    let mut other = asked("UPDATE", "n1");
    other["userInfo"]["username"] = json!("system:serviceaccount:autoscale:autoscale");
    assert_eq!(judge(&policy, &other, &worker(), &with("/spec/unschedulable", json!(true))), None);
}
