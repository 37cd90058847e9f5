//! What Lambda sees of the program.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::place::{Place, SECRETS, TICKED, TICKS};
use crate::runtime::{PATIENCE, Process, is_release, program};
use crate::wire::Fault;

pub(crate) fn schedule() -> Value {
    json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
}

pub(crate) fn interruption(instance: &str) -> Value {
    json!({"id": "event-1", "source": "aws.ec2", "detail-type": "EC2 Spot Instance Interruption Warning",
        "detail": {"instance-id": instance, "instance-action": "terminate"}})
}

/// Secrets are nowhere in what was written, of which each line of standard output is an object.
fn judge(written: &str) {
    assert!(!written.is_empty(), "nothing was written");
    for secret in SECRETS {
        assert!(!written.contains(secret), "{secret} is shown");
    }
    for line in written.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()), "no object: {line}");
    }
    assert!(written.contains("CloudWatchMetrics"), "CloudWatch is told nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_buys_and_is_quiet_and_drains_what_is_taken_back() {
    let Some(place) = Place::new().await else { return };
    let mut process = Process::start(place.variables()).await;
    let begun = Instant::now();
    let answer = process.runtime.invoke(schedule()).await.unwrap();
    let first = begun.elapsed();
    assert_eq!((&answer["ended"], &answer["orders"]), (&json!("done"), &json!(1)), "{answer}");
    assert_eq!(place.machines().len(), 1);
    place.settle();
    process.runtime.invoke(schedule()).await.unwrap();
    // Quiet.
    let before = place.cloud.asked();
    let begun = Instant::now();
    let answer = process.runtime.invoke(schedule()).await.unwrap();
    let took = begun.elapsed();
    assert_eq!((&answer["ended"], &answer["orders"]), (&json!("done"), &json!(0)), "{answer}");
    let mut calls: BTreeMap<String, u32> = BTreeMap::new();
    for call in place.cloud.asked() {
        *calls.entry(call).or_default() += 1;
    }
    let kind = if is_release() { "a release build" } else { "a debug build" };
    let memory = process.peak_memory();
    println!(
        "{kind}: ready after {:?}; the first invocation in {first:?}; a quiet tick in {took:?} with {calls:?}; at most {memory:?} KiB of memory",
        process.cold
    );
    // Two lists: of what was launched, and of what was there before.
    let most =
        [("DynamoDB_20120810.GetItem", 1), ("DynamoDB_20120810.PutItem", 1), ("EC2.DescribeInstances", 2)];
    for (call, count) in &calls {
        let most = most.iter().find(|(name, _)| name == call).map_or(0, |(_, most)| *most);
        assert!(*count <= most, "{count} times {call} in a quiet tick: {calls:?}");
    }
    if is_release() {
        assert!(memory.is_some_and(|memory| memory < 64 << 10), "{memory:?} KiB");
    }
    // Prometheus says that it is busy.
    place.busy.store(90, Ordering::SeqCst);
    process.runtime.invoke(schedule()).await.unwrap();
    let why = run(place.variables(), &["explain"]).await.1;
    assert_eq!(place.machines().len(), 2, "nothing is bought for a busy machine: {why}");
    place.busy.store(50, Ordering::SeqCst);
    place.settle();
    process.runtime.invoke(schedule()).await.unwrap();
    // One is taken back: another is bought at once, and the node takes no pods any more.
    let worker = place.machines().remove(0).0;
    let answer = process.runtime.invoke(interruption(&worker)).await.unwrap();
    assert!(answer["orders"].as_u64().is_some_and(|orders| orders > 0), "{answer}");
    assert_eq!(place.machines().len(), 3);
    assert!(!place.server.is_open(&worker));
    // What cannot be stored is not acknowledged.
    for _ in 0..40 {
        place.cloud.tables.plan("PutItem", Fault::Refused(500, "InternalServerError", "down"));
    }
    let other = place.machines().remove(1).0;
    let failed = process.runtime.invoke(interruption(&other)).await.unwrap_err();
    assert_eq!(failed["errorType"], "NotDone", "{failed}");
    assert!(
        failed["errorMessage"].as_str().is_some_and(|why| why.contains("deliver the event again")),
        "{failed}"
    );
    // The role of the template names every action that was asked for.
    let template = include_str!("../../infrastructure/template.yaml");
    for call in calls.keys().chain(&before).chain(&place.cloud.asked()) {
        let action = call
            .replace("DynamoDB_20120810.", "dynamodb:")
            .replace("AmazonSSM.", "ssm:")
            .replace("EC2.", "ec2:");
        assert!(template.contains(&format!("\"{action}\"")), "{action} is not in the template");
    }
    // Prometheus is told by way of the Pushgateway, where another process was before.
    let pushed = place.pushed.lock().unwrap().clone();
    for (text, ticks) in pushed.iter().zip(TICKED..).take(3) {
        let line = format!("{TICKS}{}\n", ticks + 1);
        assert!(text.contains(&line), "{line} is not pushed: {text}");
    }
    let pushed = pushed.join("\n");
    for line in [
        "# TYPE autoscale_ticks_total counter",
        "autoscale_wanted_nodes{cluster=\"shop\",pool=\"workers\"} 2",
    ] {
        assert!(pushed.contains(line), "{line} is not pushed: {pushed}");
    }
    judge(&process.kill());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_killed_behind_its_request_buys_nothing_twice() {
    let Some(place) = Place::new().await else { return };
    let process = Process::start(place.variables()).await;
    place.cloud.mute.send_replace(true);
    process.runtime.send(schedule(), Duration::from_secs(50));
    let mut bought = place.cloud.bought.subscribe();
    tokio::time::timeout(PATIENCE, bought.wait_for(|bought| *bought))
        .await
        .expect("nothing is bought")
        .unwrap();
    judge_killed(&process.kill());
    place.cloud.mute.send_replace(false);
    // The dead one holds the lease for a minute; an operator who knows that it is dead need not wait.
    let (code, record) = run(place.variables(), &["status", "--json"]).await;
    assert_eq!(code, Some(0), "{record}");
    let record: Value = serde_json::from_str(&record).unwrap();
    assert!(record["lease"].is_object(), "{record}");
    let version = record["ver"].to_string();
    let (code, said) = run(place.variables(), &["unlock", "77"]).await;
    assert_eq!(code, Some(1), "another version than the newest is taken: {said}");
    let (code, said) = run(place.variables(), &["unlock", &version]).await;
    assert_eq!(code, Some(0), "{said}");
    // Another process, whom nobody has told anything.
    let mut process = Process::start(place.variables()).await;
    let answer = process.runtime.invoke(schedule()).await.unwrap();
    assert_eq!(answer["ended"], "done", "{answer}");
    assert_eq!(place.cloud.ec2.sent("RunInstances"), 2, "it was not asked what became of the request");
    place.settle();
    process.runtime.invoke(schedule()).await.unwrap();
    assert_eq!(place.machines().len(), 1, "{:?}", place.machines());
    judge(&process.kill());
}

/// The program with a command: its code, and what was asked for, or why there is nothing. No secret is in any of it.
pub(crate) async fn run(variables: &[(String, String)], args: &[&str]) -> (Option<i32>, String) {
    let mut program = program(variables.iter().cloned());
    program.args(args);
    // The servers are in this process and have to go on.
    let output = tokio::task::spawn_blocking(move || program.output()).await.unwrap().unwrap();
    let (out, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    judge_killed(&out);
    judge_killed(&said);
    (output.status.code(), if out.is_empty() { said } else { out })
}

pub(crate) fn judge_killed(written: &str) {
    for secret in SECRETS {
        assert!(!written.contains(secret), "{secret} is shown");
    }
}

#[tokio::test]
async fn it_says_what_is_missing_and_ends() {
    let output = program([]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().filter(|line| line.contains("missing: expected ")).count(), 16, "{said}");
    assert!(output.stdout.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_runs_it_without_lambda() {
    let Some(place) = Place::new().await else { return };
    let (code, said) = run(place.variables(), &[]).await;
    assert_eq!(code, Some(2));
    assert!(said.contains("AWS_LAMBDA_RUNTIME_API") && said.contains("--local EVENT.json"), "{said}");
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let event = folder.join("schedule.json");
    std::fs::write(&event, schedule().to_string()).unwrap();
    let (code, said) = run(place.variables(), &["--local", event.to_str().unwrap()]).await;
    assert_eq!(code, Some(0), "{said}");
    let answer: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(answer["orders"], 1, "{answer}");
    let (code, said) = run(place.variables(), &["--local", "nowhere.json"]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--local: \"nowhere.json\": expected a file with an event"), "{said}");
    for (args, expected) in [
        (&["status"][..], "launch"),
        (&["explain"], "workers"),
        (&["pause", "--why", "a test", "--who", "me"], "paused until resumed"),
        (&["status"], "a test"),
        (&["resume"], "resumed"),
    ] {
        let (code, said) = run(place.variables(), args).await;
        assert_eq!(code, Some(0), "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
    }
}
