//! Secrets from a Parameter Store in this process.
#![cfg(feature = "ssm")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../wire/mod.rs"]
mod wire;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use autoscale_aws::ssm::SecretParameter;
use autoscale_core::ports::{Clock, ErrorKind};
use autoscale_core::words::{Deadline, Span, Timestamp};
use aws_sdk_ssm::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ssm::{Client, Config};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::{Value, json};
use wire::{Answer, Fault, Service, Wire};

const TOKEN: &str = "/asc/shop/token";

/// The service: type and value of each parameter.
#[derive(Debug, Default)]
struct Parameters(Mutex<BTreeMap<String, (&'static str, &'static str)>>);

impl Service for Parameters {
    fn operation(&self, request: &HttpRequest) -> String {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        target.rsplit('.').next().unwrap_or_default().to_owned()
    }

    fn answer(&self, operation: &str, body: &[u8]) -> Answer {
        assert_eq!(operation, "GetParameter");
        let ask: Value = serde_json::from_slice(body).unwrap();
        let name = ask["Name"].as_str().unwrap();
        match self.0.lock().unwrap().get(name) {
            None => self.error(400, "ParameterNotFound", "none"),
            Some((kind, value)) => {
                // What is not asked for in the clear comes as it is stored.
                let hidden = *kind == "SecureString" && ask["WithDecryption"] != true;
                let value = if hidden { "AQICAHh" } else { value };
                Answer::ok(json!({ "Parameter": { "Name": name, "Type": kind, "Value": value } }).to_string())
            }
        }
    }

    fn error(&self, http: u16, code: &str, message: &str) -> Answer {
        Answer { code: http, body: json!({ "__type": code, "message": message }).to_string() }
    }
}

/// A clock that is set by hand.
#[derive(Debug, Default)]
struct Hands(AtomicU64);

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
    fn boot(&self) -> Deadline {
        Deadline::from_millis(self.0.load(Ordering::Relaxed))
    }
    async fn sleep(&self, _: Span) {}
}

struct Stage(Wire<Parameters>, Arc<Hands>);

impl Stage {
    fn new() -> Self {
        let stage = Self(Wire::new(Parameters::default()), Arc::default());
        stage.put(TOKEN, "SecureString", "canary-1\n");
        stage
    }

    fn put(&self, name: &str, kind: &'static str, value: &'static str) {
        self.0.service.0.lock().unwrap().insert(name.to_owned(), (kind, value));
    }

    fn parameter(&self, name: &str) -> SecretParameter {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "no secret", None, None, "tests"))
            .http_client(self.0.clone());
        SecretParameter::new(Client::from_conf(config.build()), name, self.1.clone()).unwrap()
    }

    fn pass(&self, minutes: u64) {
        self.1.0.fetch_add(minutes * 60_000, Ordering::Relaxed);
    }

    fn sent(&self) -> usize {
        self.0.sent("GetParameter")
    }
}

#[tokio::test]
async fn a_secret_is_fetched_when_needed_and_a_new_one_is_picked_up() {
    let stage = Stage::new();
    let token = stage.parameter(TOKEN);
    assert_eq!(stage.sent(), 0);
    for _ in 0..3 {
        assert_eq!(token.get().await.unwrap().expose(), "canary-1");
    }
    assert_eq!(stage.sent(), 1);
    stage.put(TOKEN, "SecureString", "canary-2");
    stage.pass(4);
    assert_eq!(token.get().await.unwrap().expose(), "canary-1");
    stage.pass(1);
    assert_eq!(token.get().await.unwrap().expose(), "canary-2");
    assert_eq!(stage.sent(), 2);
}

#[tokio::test]
async fn one_that_was_refused_is_fetched_anew() {
    let stage = Stage::new();
    let token = stage.parameter(TOKEN);
    let old = token.get().await.unwrap();
    stage.put(TOKEN, "SecureString", "canary-2");
    token.refused(&old);
    assert_eq!(token.get().await.unwrap().expose(), "canary-2");
    // A late word about the old one changes nothing.
    token.refused(&old);
    assert_eq!(token.get().await.unwrap().expose(), "canary-2");
    assert_eq!(stage.sent(), 2);
}

#[tokio::test]
async fn silence_leaves_the_last_one_and_a_refusal_does_not() {
    let stage = Stage::new();
    let token = stage.parameter(TOKEN);
    token.get().await.unwrap();
    for fault in [Fault::RequestLost, Fault::Gateway(503), Fault::Refused(400, "ThrottlingException", "slow")]
    {
        stage.pass(10);
        stage.0.plan("GetParameter", fault.clone());
        assert_eq!(token.get().await.unwrap().expose(), "canary-1", "{fault:?}");
    }
    let kms = "User: u is not authorized to perform: kms:Decrypt on this resource";
    for (fault, action) in [
        (Fault::Refused(400, "AccessDeniedException", "no"), "ssm:GetParameter"),
        (Fault::Refused(400, "AccessDeniedException", kms), "kms:Decrypt"),
    ] {
        stage.pass(10);
        stage.0.plan("GetParameter", fault);
        let error = token.get().await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Denied { action: action.to_owned() });
    }
    assert_eq!(stage.sent(), 6);
}

#[tokio::test]
async fn what_is_no_secret_is_refused_and_nothing_shows_one() {
    let stage = Stage::new();
    for (name, kind, value) in
        [("plain", "String", "canary"), ("many", "StringList", "canary,b"), ("empty", "SecureString", " \n")]
    {
        stage.put(name, kind, value);
        let error = stage.parameter(name).get().await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Invalid, "{name}");
        assert!(!error.chain().contains("canary"), "{}", error.chain());
    }
    assert_eq!(stage.parameter("plain").with_plain().get().await.unwrap().expose(), "canary");
    assert!(stage.parameter("many").with_plain().get().await.is_err());
    assert_eq!(*stage.parameter("nowhere").get().await.unwrap_err().kind(), ErrorKind::NotFound);
    let token = stage.parameter(TOKEN);
    let secret = token.get().await.unwrap();
    assert!(!format!("{token:?} {secret:?}").contains("canary"));
    stage.pass(10);
    stage.0.plan("GetParameter", Fault::AnswerCut);
    stage.parameter(TOKEN).get().await.map_or_else(
        |error| assert!(!format!("{error:?} {}", error.chain()).contains("canary"), "{error:?}"),
        |secret| panic!("{secret:?} from half an answer"),
    );
}

#[tokio::test]
async fn names_are_looked_at() {
    let stage = Stage::new();
    let client = Client::from_conf(Config::builder().behavior_version(BehaviorVersion::latest()).build());
    for name in ["", "a b", "x\n", "$(reboot)"] {
        let error = SecretParameter::new(client.clone(), name, stage.1.clone()).unwrap_err();
        assert!(error.to_string().contains("expected 1 to 2048 letters"), "{error}");
    }
}
