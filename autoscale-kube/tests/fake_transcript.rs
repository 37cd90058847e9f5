//! The fake server answers as a real one did: pairs of requests and answers recorded from release 1.36.2.
//!
//! The facts of the recording are in `data/api-server-1.36.2.jsonl`: every request, and of every answer the status, the reason, the
//! shape, and the values that do not differ from run to run. Uids are numbered, an answer that came before is named
//! (`response_of`), and of objects in a list that are alike all but the first are told by their names. The recording itself is
//! replayed too where it lies in `shared/kube-transcript.jsonl` beside the workspace.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use autoscale_core::words::Span;
use autoscale_kube::fake::{ApiServer, Settings};
use http::Request;
use kube::client::Body;
use serde_json::{Value, json};

const FACTS: &str = include_str!("data/api-server-1.36.2.jsonl");

const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/kube-transcript.jsonl");

/// Where the recording waited until something had happened: before which pair, and how many seconds here.
const WAITS: &[(usize, u64)] =
    &[(3, 1), (10, 1), (13, 5), (15, 1), (18, 1), (21, 1), (22, 5), (43, 1), (46, 1), (47, 1)];

/// Keys whose values are drawn or measured, and differ from run to run; they have to be there all the same.
const VOLATILE: &[&str] = &[
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "lastTransitionTime",
    "lastHeartbeatTime",
    "startTime",
    "startedAt",
    "timeAdded",
    "expirationTimestamp",
    "time",
    "token",
    "podIP",
    "ip",
    "pod-template-hash",
    "generateName",
    "nodeName",
];

/// Where the fake differs, and why.
const DEVIATIONS: &[(&str, &str)] = &[
    ("managedFields[].fieldsV1", "which fields a manager owns is not modelled"),
    ("managedFields[].manager", "the kubelet is called `kubelet` here, and was played by kwok there"),
    ("spec.volumes", "there a platform added the certificate of its service CA as a further source"),
    ("status.nodeInfo", "the versions are those of kwok there"),
];

/// What names and versions of the recording are called here.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn learn(&mut self, there: &Value, here: &Value) {
        if let (Some(there_items), Some(here_items)) = (there["items"].as_array(), here["items"].as_array()) {
            let name = |item: &Value| item["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let known: BTreeSet<&String> = self.0.values().collect();
            let mut new_here: Vec<&Value> =
                here_items.iter().filter(|item| !known.contains(&name(item))).collect();
            new_here.reverse();
            let new_there: Vec<&Value> =
                there_items.iter().filter(|item| !self.0.contains_key(&name(item))).collect();
            for item in new_there {
                if let Some(found) = new_here.pop() {
                    self.learn_one(item, found);
                }
            }
            return;
        }
        self.learn_one(there, here);
    }

    fn learn_one(&mut self, there: &Value, here: &Value) {
        for pointer in
            ["/metadata/name", "/metadata/uid", "/metadata/ownerReferences/0/name", "/status/token"]
        {
            if let (Some(there), Some(here)) = (there.pointer(pointer), here.pointer(pointer)) {
                self.note(there, here);
            }
        }
        // Versions and times are numbers that other things have too.
        let version = |value: &Value| {
            Some(json!(format!("rv-{}", value.pointer("/metadata/resourceVersion")?.as_str()?)))
        };
        if let (Some(there), Some(here)) = (version(there), version(here)) {
            self.note(&there, &here);
        }
        if let (Some(uid), Some(made)) =
            (there.pointer("/metadata/uid"), here.pointer("/metadata/creationTimestamp"))
        {
            self.note(&json!(format!("made-{}", uid.as_str().unwrap())), made);
        }
    }

    fn note(&mut self, there: &Value, here: &Value) {
        if let (Some(there), Some(here)) = (there.as_str(), here.as_str()) {
            self.0.insert(there.to_owned(), here.to_owned());
        }
    }

    /// A text of the recording in the names of this run.
    fn translate(&self, text: &str) -> String {
        let mut long: Vec<_> = self.0.iter().filter(|(there, _)| there.len() > 11).collect();
        // A name may begin with another.
        long.sort_by_key(|(there, _)| std::cmp::Reverse(there.len()));
        long.into_iter().fold(text.to_owned(), |text, (there, here)| text.replace(there.as_str(), here))
    }

    fn translate_body(&self, there: &Value) -> Value {
        let mut body: Value = serde_json::from_str(&self.translate(&there.to_string())).unwrap();
        if let Some(version) = body.pointer_mut("/metadata/resourceVersion") {
            let here =
                self.0.get(&format!("rv-{}", version.as_str().unwrap())).expect("a version seen before");
            *version = json!(here.strip_prefix("rv-").unwrap());
        }
        if let (Some(made), Some(uid)) =
            (body.pointer_mut("/metadata/creationTimestamp"), there.pointer("/metadata/uid"))
        {
            *made = json!(self.0[&format!("made-{}", uid.as_str().unwrap())]);
        }
        body
    }
}

/// Every path in a value; the places of lists are one.
fn shape(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    if DEVIATIONS.iter().any(|(deviation, _)| path.ends_with(deviation)) {
        return;
    }
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            into.insert(path.clone());
            shape(inner, &path, into);
        }),
        Value::Array(list) => list.iter().for_each(|inner| shape(inner, &format!("{path}[]"), into)),
        _ => {}
    }
}

/// Every value that does not differ from run to run, with its path.
fn values(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    if DEVIATIONS.iter().any(|(deviation, _)| path.ends_with(deviation)) {
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, inner) in map.iter().filter(|(key, _)| !VOLATILE.contains(&key.as_str())) {
                values(inner, &format!("{path}.{key}"), into);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| values(inner, &format!("{path}[]"), into)),
        Value::String(text) if text.starts_with("kube-api-access-") => {}
        other => drop(into.insert(format!("{path} = {other}"))),
    }
}

/// The answer of the fake: status, content type, `Retry-After`, body.
async fn ask(server: &ApiServer, names: &Names, pair: &Value) -> (u16, String, String, Value) {
    let path = names.translate(pair["path"].as_str().unwrap());
    let method = pair["method"].as_str().unwrap();
    let mut request = Request::builder().method(method).uri(&path);
    let kind = if method == "PATCH" { "application/strategic-merge-patch+json" } else { "application/json" };
    request = request.header("content-type", kind);
    match pair["user"].as_str().unwrap() {
        "admin" => {}
        "TOKEN" => request = request.header("authorization", format!("Bearer {}", names.0["TOKEN"])),
        token => request = request.header("authorization", format!("Bearer {token}")),
    }
    let body = match &pair["body"] {
        Value::Null => Vec::new(),
        body => names.translate_body(body).to_string().into_bytes(),
    };
    let answer = server.client().send(request.body(Body::from(body)).unwrap()).await.unwrap();
    let header = |name: &str| {
        answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    let (kind, retry) = (header("content-type"), header("retry-after"));
    assert!(!header("audit-id").is_empty() && !header("date").is_empty());
    let status = answer.status().as_u16();
    let bytes = answer.into_body().collect_bytes().await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let body =
        if kind.starts_with("application/json") { serde_json::from_str(&text).unwrap() } else { json!(text) };
    (status, kind, retry, body)
}

/// Requests and answers, one JSON object to a line.
fn pairs(text: &str) -> Vec<Value> {
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let whole = |line: &Value| {
        let mut pair = line.clone();
        if let Some(earlier) = line["response_of"].as_u64() {
            pair["response"] = lines[earlier as usize]["response"].clone();
        }
        pair
    };
    lines.iter().map(whole).collect()
}

/// A header, as the recording and as its facts have it.
fn header<'p>(pair: &'p Value, name: &str, short: &str, usual: &'p str) -> &'p str {
    pair["headers"][name].as_str().or_else(|| pair[short].as_str()).unwrap_or(usual)
}

#[tokio::test]
async fn the_facts_of_the_recording_are_met() {
    let pairs = pairs(FACTS);
    assert_eq!(pairs.len(), 49);
    assert!(pairs.iter().all(|pair| !pair["response"].is_null()), "an answer is missing");
    let wrong = replay(&pairs).await;
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn the_recording_is_replayed() {
    let path = Path::new(RECORDING);
    let Ok(recording) = std::fs::read_to_string(path) else {
        eprintln!(
            "SKIPPED: there is no recording at {}; its facts are replayed all the same.",
            path.display()
        );
        return;
    };
    let pairs = pairs(&recording);
    assert_eq!(pairs.len(), 49, "the recording has another length");
    let wrong = replay(&pairs).await;
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    eprintln!("{} pairs replayed; deviations allowed: {DEVIATIONS:?}", pairs.len());
}

/// Sends every request to the fake; what is different from the answers that came there.
async fn replay(pairs: &[Value]) -> Vec<String> {
    let millis = Span::from_millis;
    let settings = Settings::default()
        .with_reaction(millis(1_000))
        .with_node_boot(millis(500))
        .with_pod_boot(millis(500))
        .with_pod_stop(millis(500))
        .with_definition(millis(1_000));
    let server = ApiServer::new(settings);
    server.add_token("admin-token", "admin");
    server.add_token("nobody-token", "nobody");
    let (mut names, mut wrong) = (Names::default(), Vec::new());
    for (number, pair) in pairs.iter().enumerate() {
        for (_, seconds) in WAITS.iter().filter(|(at, _)| *at == number) {
            server.advance(Span::from_secs(*seconds));
        }
        let (status, kind, retry, here) = ask(&server, &names, pair).await;
        let there = &pair["response"];
        names.learn(there, &here);
        let there: Value = serde_json::from_str(&names.translate(&there.to_string())).unwrap();
        let mut differ = |what: &str, there: String, here: String| {
            if there != here {
                wrong.push(format!(
                    "pair {number}, {} {}: {what}\n  there {there}\n  here  {here}",
                    pair["method"], pair["path"]
                ));
            }
        };
        differ("status", pair["status"].to_string(), status.to_string());
        differ("type", header(pair, "Content-Type", "type", "application/json").to_owned(), kind);
        differ("retry", header(pair, "Retry-After", "retry_after", "").to_owned(), retry);
        for (what, by) in [("shape", shape as fn(&Value, &str, &mut BTreeSet<String>)), ("values", values)] {
            let (mut in_there, mut in_here) = (BTreeSet::new(), BTreeSet::new());
            by(&there, "", &mut in_there);
            by(&here, "", &mut in_here);
            let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
                one.difference(other).cloned().collect::<Vec<_>>().join(" | ")
            };
            differ(what, only(&in_there, &in_here), only(&in_here, &in_there));
        }
    }
    wrong
}
