//! The program as a function of another Lambda: the server that `AUTOSCALE_TEST_LAMBDA` names. `.ci/ministack` starts MiniStack for that.

use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Client;
use serde_json::{Value, json};

use crate::real;
use crate::runtime::{PATIENCE, bootstrap};

/// What Lambda itself puts into the environment.
const LAMBDAS: [&str; 3] = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// A function of its own for each test.
pub(crate) struct Function {
    at: String,
    client: Client,
    pub(crate) name: String,
}

/// What became of an invocation.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) answer: Value,
    pub(crate) failed: bool,
    /// The end of what it has written.
    pub(crate) written: String,
}

impl Function {
    /// With a time limit in seconds. `None` where no server is named.
    pub(crate) async fn new(variables: &[(String, String)], limit: u32) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let at = real::endpoint("AUTOSCALE_TEST_LAMBDA", ".ci/ministack")?;
        let name = format!("shop-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let function = Self { at, client: Client::builder().no_proxy().build().unwrap(), name };
        // The program is too large for an archive that is sent along: this one starts it.
        let start = format!("#!/bin/sh\nexec '{}'\n", bootstrap().display());
        let variables = variables.iter().filter(|(name, _)| !LAMBDAS.contains(&name.as_str()));
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

    pub(crate) async fn post(&self, path: &str, target: Option<&str>, body: Value) -> reqwest::Response {
        let mut request = self.client.post(format!("{}{path}", self.at)).timeout(PATIENCE);
        if let Some(target) = target {
            request =
                request.header("x-amz-target", target).header("content-type", "application/x-amz-json-1.1");
        }
        request.body(body.to_string()).send().await.unwrap()
    }

    pub(crate) async fn invoke(&self, event: Value) -> Told {
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

/// The processes that a function runs in at present, by number.
fn processes(name: &str) -> Vec<String> {
    let own = format!("AWS_LAMBDA_FUNCTION_NAME={name}");
    let is_it = |process: &std::fs::DirEntry| {
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == own.as_bytes())
    };
    let processes = std::fs::read_dir("/proc").unwrap().map(Result::unwrap).filter(is_it);
    processes.map(|process| process.file_name().into_string().unwrap()).collect()
}

/// Sends all processes of a function a signal.
pub(crate) fn signal(how: &str, name: &str) {
    let processes = processes(name);
    assert!(!processes.is_empty(), "there is no process of {name}");
    let sent = std::process::Command::new("kill").arg(how).args(processes).status().unwrap();
    assert!(sent.success());
}

/// An archive with one file in it, `bootstrap`, as it is.
pub(crate) fn archive(text: &str) -> Vec<u8> {
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
