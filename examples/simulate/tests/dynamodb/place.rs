//! A table and a bucket for a test, and the program beside them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use autoscale_aws::dynamodb::AuditTable;
use autoscale_aws::s3::{BucketStore, S3Config};
use autoscale_core::driver::Report;
use autoscale_core::sim::{self, Config as SimConfig, Fleet, Happening, Observer, Scenario};
use autoscale_core::words::{ClusterId, HolderId, Span};
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_dynamodb::{Client, Config};
use tokio::runtime::Runtime;

pub(crate) const CLUSTER: &str = "shop";
pub(crate) const BUCKET: &str = "simulate-test";

/// The server in an environment variable. Where there is none the test is skipped, and says so; not where `CI` is set.
fn endpoint(variable: &str) -> Option<String> {
    let endpoint = std::env::var(variable).ok().filter(|endpoint| !endpoint.is_empty());
    if endpoint.is_none() {
        let missing = format!(
            "{variable} names no server: run `.ci/dynamodb .ci/moto cargo test -p simulate --features dynamodb --test dynamodb`, \
             which starts one"
        );
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        println!("skipped: {missing}");
    }
    endpoint
}

/// A table of its own on the server, and a path of its own in the bucket.
pub(crate) struct Place {
    pub(crate) runtime: Runtime,
    pub(crate) client: Client,
    pub(crate) table: String,
    pub(crate) path: String,
    endpoints: [String; 2],
}

impl Place {
    pub(crate) fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let endpoints = [endpoint("AUTOSCALE_TEST_DYNAMODB")?, endpoint("AUTOSCALE_TEST_S3")?];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "nosecret", None, None, "tests"))
            .endpoint_url(&endpoints[0]);
        let client = Client::from_conf(config.build());
        let run = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let (table, path) = (format!("logs-{run}"), format!("run-{run}"));
        runtime.block_on(make_table(&client, &table));
        let place = Self { runtime, client, table, path, endpoints };
        // Made twice, in the region of those who do not say theirs, it is the same one.
        let made = place.object("PUT", "", "");
        assert!(made.starts_with("HTTP/1.1 200"), "{made}");
        Some(place)
    }

    /// The port of the object store.
    fn port(&self) -> u16 {
        let port = self.endpoints[1].strip_prefix("http://127.0.0.1:").unwrap();
        port.trim_end_matches('/').parse().unwrap()
    }

    /// What the object store answers about an object of the bucket.
    pub(crate) fn object(&self, method: &str, key: &str, body: &str) -> String {
        let port = self.port();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let head = format!("{method} /{BUCKET}/{key} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
        // Who asks is looked at, the signature is not.
        let who =
            "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/s3/aws4_request\r\n";
        let length = format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all(format!("{head}{who}{length}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The log in the table, of simulated days that are long ago: they would have expired.
    pub(crate) fn log(&self) -> AuditTable {
        AuditTable::new(self.client.clone(), &self.table, &cluster())
            .with_retention(Span::from_mins(100 * 365 * 24 * 60))
    }

    /// The same, with entries of more bytes than `above` in the bucket, where the function puts them: as `STATE_S3` says.
    pub(crate) fn log_above(&self, above: usize) -> AuditTable {
        let config = S3Config::new(cluster(), BUCKET, "us-east-1");
        let config = config.with_prefix(format!("{}/autoscale", self.path)).build().unwrap();
        let bucket = BucketStore::on_emulator(config, self.port()).unwrap();
        self.log().with_overflow(above, bucket.large().unwrap())
    }

    /// The program, as somebody runs it who has credentials for both.
    pub(crate) fn simulate(&self, args: &[&str]) -> Output {
        let mut command = program(args);
        command.env("AWS_ENDPOINT_URL_DYNAMODB", &self.endpoints[0]);
        command.env("AWS_ENDPOINT_URL_S3", &self.endpoints[1]).output().unwrap()
    }
}

/// The program, with credentials and a region and no server.
pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulate"));
    command.args(args).env_remove("COLUMNS").env_remove("AWS_ENDPOINT_URL");
    for (name, value) in [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "nosecret"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ] {
        command.env(name, value);
    }
    command
}

fn cluster() -> ClusterId {
    ClusterId::new(CLUSTER).unwrap()
}

/// One of several processes, one after the other.
pub(crate) fn writer(number: usize) -> HolderId {
    HolderId::new(format!("tests.{number}")).unwrap()
}

/// A table for an audit log.
async fn make_table(client: &Client, name: &str) {
    let mut ask = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (key, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        let schema = KeySchemaElement::builder().attribute_name(key).key_type(kind);
        let of = AttributeDefinition::builder().attribute_name(key).attribute_type(ScalarAttributeType::S);
        ask = ask.key_schema(schema.build().unwrap()).attribute_definitions(of.build().unwrap());
    }
    ask.send().await.unwrap();
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

/// What the ticks of the simulated shop reported.
pub(crate) fn reports(until: Span) -> Vec<Report> {
    let mut config = SimConfig::new(Scenario::Shop);
    config.until = until;
    let mut reports = Reports::default();
    sim::run(&config, &mut reports);
    reports.0
}
