//! The program in another Lambda, which starts it, calls it by its own schedule and kills it at its time limit: the server that
//! `AUTOSCALE_TEST_LAMBDA` names. `.ci/ministack` starts MiniStack for that.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Client;
use serde_json::{Value, json};

use crate::place::Place;
use crate::real;
use crate::runtime::PATIENCE;
use crate::story::{interruption, judge_killed, run, schedule};

/// What Lambda itself puts into the environment.
const LAMBDAS: [&str; 3] = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// A schedule of one minute, and the time to notice it.
const SCHEDULED: Duration = Duration::from_secs(180);

/// A function of its own for each test.
struct Function {
    at: String,
    client: Client,
    name: String,
}

/// What became of an invocation.
#[derive(Debug)]
struct Told {
    answer: Value,
    failed: bool,
    /// The end of what it has written.
    written: String,
}

impl Function {
    /// With a time limit in seconds. `None` where no server is named.
    async fn new(place: &Place, limit: u32) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let at = real::endpoint("AUTOSCALE_TEST_LAMBDA", ".ci/ministack")?;
        let name = format!("shop-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let function = Self { at, client: Client::builder().no_proxy().build().unwrap(), name };
        // The program is too large for an archive that is sent along: this one starts it.
        let start = format!("#!/bin/sh\nexec '{}'\n", env!("CARGO_BIN_EXE_bootstrap"));
        let variables = place.variables().iter().filter(|(name, _)| !LAMBDAS.contains(&name.as_str()));
        let variables: Vec<_> = variables.map(|(name, value)| (name.clone(), json!(value))).collect();
        let made = function.post(
            "/2015-03-31/functions",
            None,
            json!({
                "FunctionName": function.name,
                "Runtime": "provided.al2023",
                "Handler": "bootstrap",
                "Role": "arn:aws:iam::000000000000:role/shop-autoscaler",
                "Timeout": limit,
                "MemorySize": 256,
                "Environment": { "Variables": serde_json::Map::from_iter(variables) },
                "Code": { "ZipFile": STANDARD.encode(archive(&start)) },
            }),
        );
        assert_eq!(made.await.status(), 201);
        Some(function)
    }

    async fn post(&self, path: &str, target: Option<&str>, body: Value) -> reqwest::Response {
        let mut request = self.client.post(format!("{}{path}", self.at)).timeout(PATIENCE);
        if let Some(target) = target {
            request =
                request.header("x-amz-target", target).header("content-type", "application/x-amz-json-1.1");
        }
        request.body(body.to_string()).send().await.unwrap()
    }

    async fn invoke(&self, event: Value) -> Told {
        let path = format!("{}/2015-03-31/functions/{}/invocations", self.at, self.name);
        let request = self.client.post(path).timeout(PATIENCE).header("x-amz-log-type", "Tail");
        let answer = request.body(event.to_string()).send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let failed = header("x-amz-function-error").is_some();
        let written = header("x-amz-log-result").map(|log| STANDARD.decode(log).unwrap()).unwrap_or_default();
        let written = String::from_utf8(written).unwrap();
        Told { failed, written, answer: answer.json().await.unwrap() }
    }
}

/// An archive with one file in it, `bootstrap`, as it is.
fn archive(text: &str) -> Vec<u8> {
    let name = b"bootstrap";
    let crc = text.bytes().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    });
    let size = u32::try_from(text.len()).unwrap();
    let mut about = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    for word in [!crc, size, size] {
        about.extend(word.to_le_bytes());
    }
    about.extend([name.len() as u8, 0, 0, 0]);
    let mut zip = [&b"PK\x03\x04"[..], &about, name, text.as_bytes()].concat();
    let directory = u32::try_from(zip.len()).unwrap();
    // Of Unix, and to be executed.
    let mode = 0o100_755_u32 << 16;
    let central = [&b"PK\x01\x02\x14\x03"[..], &about, &[0; 6], &mode.to_le_bytes(), &[0; 4], name].concat();
    let length = u32::try_from(central.len()).unwrap();
    zip.extend(central);
    zip.extend(
        [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &length.to_le_bytes(), &directory.to_le_bytes(), &[0; 2]]
            .concat(),
    );
    zip
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_buys_and_replaces_and_two_at_once_do_one_thing() {
    let Some(place) = Place::new().await else { return };
    let Some(function) = Function::new(&place, 30).await else { return };
    let told = function.invoke(schedule()).await;
    assert_eq!(
        (told.failed, &told.answer["ended"], &told.answer["orders"]),
        (false, &json!("done"), &json!(1)),
        "{told:?}"
    );
    judge_killed(&told.written);
    place.settle();
    function.invoke(schedule()).await;
    // It is busy, and two sandboxes see it at the same time.
    place.busy.store(90, Ordering::SeqCst);
    let (one, two) = tokio::join!(function.invoke(schedule()), function.invoke(schedule()));
    assert!(!one.failed && !two.failed, "{one:?} {two:?}");
    assert_eq!(place.machines().len(), 2, "{one:?} {two:?}");
    place.busy.store(50, Ordering::SeqCst);
    place.settle();
    function.invoke(schedule()).await;
    let worker = place.machines().remove(0).0;
    let told = function.invoke(interruption(&worker)).await;
    assert!(told.answer["orders"].as_u64().is_some_and(|orders| orders > 0), "{told:?}");
    assert_eq!(place.machines().len(), 3);
    assert!(!place.server.is_open(&worker));
}

/// Stops the function's process where it is: it would end in time otherwise.
fn freeze(function: &Function) {
    let own = format!("AWS_LAMBDA_FUNCTION_NAME={}", function.name);
    let is_it = |process: &std::fs::DirEntry| {
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == own.as_bytes())
    };
    let processes = std::fs::read_dir("/proc").unwrap().map(Result::unwrap).filter(is_it);
    let numbers: Vec<String> = processes.map(|process| process.file_name().into_string().unwrap()).collect();
    assert!(!numbers.is_empty(), "there is no process of {}", function.name);
    let stopped = std::process::Command::new("kill").arg("-STOP").args(&numbers).status().unwrap();
    assert!(stopped.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_is_killed_at_its_limit_buys_nothing_twice() {
    let Some(place) = Place::new().await else { return };
    let Some(function) = Function::new(&place, 20).await else { return };
    place.cloud.mute.send_replace(true);
    let mut bought = place.cloud.bought.subscribe();
    let frozen = async {
        tokio::time::timeout(PATIENCE, bought.wait_for(|bought| *bought))
            .await
            .expect("nothing is bought")
            .unwrap();
        freeze(&function);
    };
    let (told, ()) = tokio::join!(function.invoke(schedule()), frozen);
    assert!(told.failed && told.answer["errorMessage"].to_string().contains("timed out"), "{told:?}");
    place.cloud.mute.send_replace(false);
    let (_, record) = run(&place, &["status", "--json"]).await;
    let record: Value = serde_json::from_str(&record).unwrap();
    // The dead one holds the lease for a minute; an operator who knows that it is dead need not wait.
    assert!(record["lease"].is_object(), "{record}");
    let (code, said) = run(&place, &["unlock", &record["ver"].to_string()]).await;
    assert_eq!(code, Some(0), "{said}");
    let told = function.invoke(schedule()).await;
    assert_eq!((told.failed, &told.answer["ended"]), (false, &json!("done")), "{told:?}");
    assert_eq!(place.cloud.ec2.sent("RunInstances"), 2, "it was not asked what became of the request");
    place.settle();
    function.invoke(schedule()).await;
    assert_eq!(place.machines().len(), 1, "{:?}", place.machines());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_calls_the_function() {
    let Some(place) = Place::new().await else { return };
    let Some(function) = Function::new(&place, 30).await else { return };
    let mut bought = place.cloud.bought.subscribe();
    let (rule, arn) = (
        json!({ "Name": function.name, "ScheduleExpression": "rate(1 minute)" }),
        format!("arn:aws:lambda:eu-central-1:000000000000:function:{}", function.name),
    );
    let target = json!({ "Rule": function.name, "Targets": [{ "Id": "1", "Arn": arn }] });
    for (action, body) in [("AWSEvents.PutRule", rule), ("AWSEvents.PutTargets", target)] {
        let answer = function.post("/", Some(action), body).await;
        assert_eq!(answer.status(), 200, "{action}: {}", answer.text().await.unwrap());
    }
    let called = tokio::time::timeout(SCHEDULED, bought.wait_for(|bought| *bought));
    called.await.expect("the schedule has called nobody").unwrap();
    assert_eq!(place.machines().len(), 1);
}
