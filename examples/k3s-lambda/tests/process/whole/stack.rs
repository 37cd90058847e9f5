//! `template.yaml` created on a server that knows CloudFormation, and what it gives the function.

use std::collections::BTreeMap;

use reqwest::{Client, Method, Url};
use serde_json::Value;

use crate::function::archive;
use crate::runtime::PATIENCE;

const TEMPLATE: &str = include_str!("../../../infrastructure/template.yaml");

/// What has to be said of a stack; nobody fetches any of it here.
const GIVEN: [(&str, &str); 4] = [
    ("K3sBinary", "https://mirror.invalid/k3s"),
    ("K3sBinarySha256", "0000000000000000000000000000000000000000000000000000000000000000"),
    ("K3sInstaller", "https://mirror.invalid/install.sh"),
    ("K3sInstallerSha256", "1111111111111111111111111111111111111111111111111111111111111111"),
];

/// Where a bucket is to be.
const HERE: &str = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
    <LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";

/// A stack that was created.
#[derive(Debug)]
pub(crate) struct Stack {
    outputs: BTreeMap<String, String>,
    /// The environment of the function.
    pub(crate) variables: BTreeMap<String, String>,
}

impl Stack {
    /// On moto, for this cluster.
    pub(crate) async fn create(moto: &str, cluster: &str) -> Self {
        let server = Services { client: Client::builder().no_proxy().build().unwrap(), moto };
        let code = archive("#!/bin/sh\n");
        server.ask("s3", Method::PUT, &format!("/{cluster}-code"), HERE.into()).await;
        server.ask("s3", Method::PUT, &format!("/{cluster}-code/function.zip"), code).await;
        let bucket = format!("{cluster}-code");
        let own =
            [("Cluster", cluster), ("CodeBucket", &bucket), ("CodeKey", "function.zip"), ("MinWorkers", "1")];
        let mut form = vec![
            ("Action".to_owned(), "CreateStack".to_owned()),
            ("Capabilities.member.1".to_owned(), "CAPABILITY_IAM".to_owned()),
            ("StackName".to_owned(), cluster.to_owned()),
            ("TemplateBody".to_owned(), TEMPLATE.to_owned()),
        ];
        for (number, (key, value)) in (1..).zip(GIVEN.iter().chain(&own)) {
            form.push((format!("Parameters.member.{number}.ParameterKey"), (*key).to_owned()));
            form.push((format!("Parameters.member.{number}.ParameterValue"), (*value).to_owned()));
        }
        server.form(&form).await;
        let form = [("Action", "DescribeStacks"), ("StackName", cluster)];
        let told = server.form(&form.map(|(name, value)| (name.to_owned(), value.to_owned()))).await;
        assert!(told.contains("CREATE_COMPLETE"), "{told}");
        let keys = within(&told, "OutputKey").map(str::to_owned);
        let outputs: BTreeMap<_, _> = keys.zip(within(&told, "OutputValue").map(str::to_owned)).collect();
        let name = outputs["FunctionArn"].rsplit(':').next().unwrap();
        let path = format!("/2015-03-31/functions/{name}/configuration");
        let function = server.ask("lambda", Method::GET, &path, Vec::new()).await;
        let function: Value = serde_json::from_str(&function).unwrap();
        let variables = function["Environment"]["Variables"].as_object().unwrap().iter();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let variables = variables.map(|(name, value)| (name.clone(), text(value))).collect();
        Self { outputs, variables }
    }

    pub(crate) fn output(&self, name: &str) -> &str {
        &self.outputs[name]
    }
}

/// The services of an account behind one address.
struct Services<'a> {
    client: Client,
    moto: &'a str,
}

impl Services<'_> {
    /// Which service is meant is told from the credentials.
    async fn ask(&self, service: &str, method: Method, path: &str, body: Vec<u8>) -> String {
        let login =
            format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/eu-central-1/{service}/aws4_request");
        let request = self.client.request(method, format!("{}{path}", self.moto)).timeout(PATIENCE);
        let kind = if service == "cloudformation" {
            "application/x-www-form-urlencoded"
        } else {
            "application/octet-stream"
        };
        let request = request.header("content-type", kind);
        let answer = request.header("authorization", login).body(body).send().await.unwrap();
        let (status, told) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{service} {path}: {status} {told}");
        told
    }

    async fn form(&self, fields: &[(String, String)]) -> String {
        let mut url = Url::parse(self.moto).unwrap();
        url.query_pairs_mut().extend_pairs(fields);
        let body = url.query().unwrap().as_bytes().to_vec();
        self.ask("cloudformation", Method::POST, "/", body).await
    }
}

/// What is within elements of that name.
fn within<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).map(|rest| rest.split(&close).next().unwrap()).collect::<Vec<_>>().into_iter()
}
