//! A Parameter Store in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use aws_sdk_ssm::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::{Value, json};

use crate::wire::{Answer, Service, Wire};

/// Parameters, all of them secure.
#[derive(Debug, Default)]
pub(crate) struct Parameters(pub(crate) Mutex<BTreeMap<String, String>>);

impl Service for Parameters {
    fn operation(&self, request: &HttpRequest) -> String {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        target.rsplit('.').next().unwrap_or_default().to_owned()
    }

    fn answer(&self, _: &str, body: &[u8]) -> Answer {
        let ask: Value = serde_json::from_slice(body).unwrap();
        let name = ask["Name"].as_str().unwrap();
        match self.0.lock().unwrap().get(name) {
            None => self.error(400, "ParameterNotFound", "none"),
            Some(value) => {
                let found = json!({"Name": name, "Type": "SecureString", "Value": value});
                Answer::ok(json!({ "Parameter": found }).to_string())
            }
        }
    }

    fn error(&self, http: u16, code: &str, message: &str) -> Answer {
        Answer { code: http, body: json!({ "__type": code, "message": message }).to_string() }
    }
}

pub(crate) fn ssm(wire: &Wire<Parameters>) -> aws_sdk_ssm::Client {
    let config = aws_sdk_ssm::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "no secret", None, None, "tests"))
        .http_client(wire.clone());
    aws_sdk_ssm::Client::from_conf(config.build())
}
