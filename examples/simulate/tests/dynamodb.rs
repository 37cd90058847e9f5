//! `explain --dynamodb` on a real DynamoDB: the server that `AUTOSCALE_TEST_DYNAMODB` names, such as Amazon's DynamoDB Local on this
//! machine. `.ci/dynamodb cargo test -p simulate --features dynamodb --test dynamodb` starts one and runs this.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::process::{Command, Output};
use std::sync::Arc;

use autoscale_aws::dynamodb::AuditTable;
use autoscale_core::driver::{Auditor, Report};
use autoscale_core::file::AuditFile;
use autoscale_core::sim::{self, Config as SimConfig, Fleet, Happening, Observer, Scenario};
use autoscale_core::words::{ClusterId, HolderId, Span};
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_dynamodb::{Client, Config};
use common::{file, json, text};

const VARIABLE: &str = "AUTOSCALE_TEST_DYNAMODB";
const CLUSTER: &str = "shop";

/// The server, if there is one. Where there is none the test is skipped, and says so; not where `CI` is set.
fn endpoint() -> Option<String> {
    let endpoint = std::env::var(VARIABLE).ok().filter(|endpoint| !endpoint.is_empty());
    if endpoint.is_none() {
        let missing = format!(
            "{VARIABLE} names no server: run `.ci/dynamodb cargo test -p simulate --features dynamodb --test dynamodb`, which starts one"
        );
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        println!("skipped: {missing}");
    }
    endpoint
}

fn client(endpoint: &str) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "nosecret", None, None, "tests"))
        .endpoint_url(endpoint);
    Client::from_conf(config.build())
}

/// A table for an audit log, under a name that no earlier run has.
async fn table(client: &Client) -> String {
    let name = format!("logs-{}", std::process::id());
    let mut ask = client.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
    for (key, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        let schema = KeySchemaElement::builder().attribute_name(key).key_type(kind);
        let of = AttributeDefinition::builder().attribute_name(key).attribute_type(ScalarAttributeType::S);
        ask = ask.key_schema(schema.build().unwrap()).attribute_definitions(of.build().unwrap());
    }
    ask.send().await.unwrap();
    name
}

/// Keeps what an auditor is given.
#[derive(Debug, Default)]
struct Reports(Vec<Report>);

impl Observer for Reports {
    fn reached(&mut self, _: Span) {}

    fn ticked(&mut self, report: &Report) {
        self.0.push(report.clone());
    }

    fn happened(&mut self, _: Span, _: &Happening) {}

    fn counted(&mut self, _: &Fleet<'_>) {}
}

/// The program, as somebody runs it who has credentials for the table.
fn explain(endpoint: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulate"));
    command.arg("explain").args(args).env_remove("COLUMNS");
    for (name, value) in [
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "nosecret"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ] {
        command.env(name, value);
    }
    command.output().unwrap()
}

#[test]
fn a_log_in_a_table_is_explained_like_one_in_a_file() {
    let Some(endpoint) = endpoint() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = client(&endpoint);
    let path = file("explain-dynamodb", "run.log", b"");
    std::fs::remove_file(&path).unwrap();
    let table = runtime.block_on(async {
        let table = table(&client).await;
        // A day and a half: entries of two days, in differences and in full, and more than one page of them.
        let mut config = SimConfig::new(Scenario::Shop);
        config.until = Span::from_mins(36 * 60);
        let mut reports = Reports::default();
        sim::run(&config, &mut reports);
        // The simulated day is long ago: its entries would have expired.
        let log = AuditTable::new(client.clone(), &table, &ClusterId::new(CLUSTER).unwrap())
            .with_retention(Span::from_mins(100 * 365 * 24 * 60));
        let writer = || HolderId::new("tests").unwrap();
        let mut auditors = [
            Auditor::new(Arc::new(log), writer()),
            Auditor::new(Arc::new(AuditFile::open(&path).unwrap()), writer()),
        ];
        for report in &reports.0 {
            for auditor in &mut auditors {
                auditor.record(report).await.unwrap();
            }
        }
        table
    });
    let path = path.to_str().unwrap();
    for question in
        [&["--acted"][..], &["--at", "20h"], &["--at", "35h", "--json"], &["--acted", "--pool", "workers"]]
    {
        let of_table =
            explain(&endpoint, &[&["--dynamodb", &table, "--cluster", CLUSTER], question].concat());
        let of_file = explain(&endpoint, &[&[path], question].concat());
        let said = (text(&of_table.stdout), text(&of_file.stdout));
        assert_eq!(said.0, said.1, "{question:?}: {}", text(&of_table.stderr));
        assert_eq!((of_table.status.code(), of_file.status.code()), (Some(0), Some(0)), "{question:?}");
        assert!(!said.0.is_empty(), "{question:?}");
    }
    let at = explain(&endpoint, &["--dynamodb", &table, "--cluster", CLUSTER, "--at", "35h", "--json"]);
    assert!(json(&at).is_object());
    // What is not there is said, with the table's name.
    for (args, reason) in [
        (&["--dynamodb", &table, "--cluster", "other"][..], "no entry"),
        (&["--dynamodb", "elsewhere", "--cluster", CLUSTER], "elsewhere"),
    ] {
        let output = explain(&endpoint, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output.stdout));
        assert!(text(&output.stderr).contains(reason), "{args:?}: {}", text(&output.stderr));
    }
    let output = explain(&endpoint, &["--dynamodb", &table]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--cluster"), "{}", text(&output.stderr));
}
