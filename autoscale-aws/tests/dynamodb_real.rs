//! The record and the audit log on a real DynamoDB: the server that `AUTOSCALE_TEST_DYNAMODB` names, such as Amazon's DynamoDB
//! Local on this machine. `.ci/dynamodb` starts one and runs this.
#![cfg(feature = "dynamodb")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod contest;
mod real;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use autoscale_aws::dynamodb::{AuditTable, TableStore};
use autoscale_core::conformance::{self, AuditStage, StoreStage};
use autoscale_core::data::audit::Line;
use autoscale_core::ports::{AuditLog, ErrorKind, Expected, StateStore, Swapped};
use autoscale_core::words::{ClusterId, Timestamp};
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_dynamodb::{Client, Config};
use contest::{CONTENDERS, ROUNDS, contend, sealed};

/// A client of the server, if there is one.
fn client() -> Option<Client> {
    let endpoint = real::endpoint("AUTOSCALE_TEST_DYNAMODB", ".ci/dynamodb")?;
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "nosecret", None, None, "tests"))
        .endpoint_url(endpoint);
    Some(Client::from_conf(config.build()))
}

/// A name that no other test and no earlier run has.
fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn table(client: &Client, keys: &[&str]) -> String {
    let name = unique("table");
    let mut ask = client.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
    for (key, kind) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
        let schema = KeySchemaElement::builder().attribute_name(*key).key_type(kind);
        let of = AttributeDefinition::builder().attribute_name(*key).attribute_type(ScalarAttributeType::S);
        ask = ask.key_schema(schema.build().unwrap()).attribute_definitions(of.build().unwrap());
    }
    ask.send().await.unwrap();
    name
}

/// One item of one table: another cluster for each test.
struct Item {
    client: Client,
    table: String,
    cluster: ClusterId,
}

impl Item {
    fn new(client: &Client, table: &str) -> Self {
        let cluster = ClusterId::new(unique("c")).unwrap();
        Self { client: client.clone(), table: table.to_owned(), cluster }
    }

    fn table(&self) -> TableStore {
        TableStore::new(self.client.clone(), &self.table, &self.cluster)
    }
}

#[async_trait]
impl StoreStage for Item {
    fn store(&self) -> Arc<dyn StateStore> {
        Arc::new(self.table())
    }

    fn other(&self) -> Arc<dyn StateStore> {
        self.store()
    }

    async fn erase(&self) -> bool {
        let key = AttributeValue::S(format!("asc#{}", self.cluster));
        self.client.delete_item().table_name(&self.table).key("pk", key).send().await.is_ok()
    }
}

#[tokio::test]
async fn the_record_keeps_the_contract() {
    let Some(client) = client() else { return };
    let table = table(&client, &["pk"]).await;
    let verdicts = conformance::store(async || Item::new(&client, &table)).await;
    println!("{verdicts}");
    verdicts.assert_all();
    // A real service loses no answer on demand.
    assert_eq!(verdicts.not_applicable(), ["a_lost_answer_is_unknown", "nothing_expires"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_contenders_wins_each_round() {
    let Some(client) = client() else { return };
    let table = table(&client, &["pk"]).await;
    let (item, begun) = (Item::new(&client, &table), Instant::now());
    contend((0..CONTENDERS).map(|_| item.store()).collect(), ROUNDS).await.unwrap();
    println!("{CONTENDERS} contenders, {ROUNDS} rounds, one winner in each: {:?}", begun.elapsed());
}

#[tokio::test]
async fn wrong_tables_are_found_out() {
    let Some(client) = client() else { return };
    let (state, logs) = (table(&client, &["pk"]).await, table(&client, &["pk", "sk"]).await);
    Item::new(&client, &state).table().check().await.unwrap();
    for (table, kind) in [(logs.as_str(), ErrorKind::Invalid), ("elsewhere", ErrorKind::NotFound)] {
        let store = Item::new(&client, table).table();
        let answers = [
            store.check().await.unwrap_err(),
            store.load().await.unwrap_err(),
            store.swap(&Expected::Absent, &sealed(1, "w-1")).await.unwrap_err(),
        ];
        for error in answers {
            assert_eq!(*error.kind(), kind, "{}", error.chain());
            assert!(error.to_string().contains("whose only key is the text attribute pk"), "{error}");
        }
    }
    let log = AuditTable::new(client.clone(), state, &ClusterId::new("c").unwrap());
    assert_eq!(*log.check().await.unwrap_err().kind(), ErrorKind::Invalid);
    AuditTable::new(client, logs, &ClusterId::new("c").unwrap()).check().await.unwrap();
}

#[tokio::test]
async fn a_lost_swap_carries_what_is_stored() {
    let Some(client) = client() else { return };
    let item = Item::new(&client, &table(&client, &["pk"]).await);
    let first = item.store().swap(&Expected::Absent, &sealed(1, "w-1")).await.unwrap();
    let Swapped::Applied(version) = first else { panic!("{first:?}") };
    let lost = item.store().swap(&Expected::Absent, &sealed(1, "w-2")).await.unwrap();
    let Swapped::Lost(Some(current)) = lost else { panic!("{lost:?}") };
    assert_eq!((current.version, current.bytes), (version, b"1 w-1".to_vec()));
}

struct Log(Client, String, ClusterId, Timestamp);

#[async_trait]
impl AuditStage for Log {
    fn log(&self) -> Arc<dyn AuditLog> {
        Arc::new(AuditTable::new(self.0.clone(), &self.1, &self.2))
    }

    fn other(&self) -> Arc<dyn AuditLog> {
        self.log()
    }

    fn now(&self) -> Timestamp {
        self.3
    }

    async fn leave_a_part(&self, _: &Line) -> bool {
        self.put("part#001795384288043#ended#1#000000", "part").await
    }

    async fn spoil(&self) -> bool {
        self.put("line#009999999999999", "note").await
    }
}

impl Log {
    async fn put(&self, sort: &str, attribute: &str) -> bool {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = self.0.put_item().table_name(&self.1).item("pk", text(&format!("asc#{}", self.2)));
        put.item("sk", text(sort)).item(attribute, text("x")).send().await.is_ok()
    }
}

#[tokio::test]
async fn the_audit_log_keeps_the_contract() {
    let Some(client) = client() else { return };
    let table = table(&client, &["pk", "sk"]).await;
    // Of today, so that nothing expires.
    let now = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
    let fresh = async || Log(client.clone(), table.clone(), ClusterId::new(unique("c")).unwrap(), now);
    let verdicts = conformance::audit(fresh).await;
    println!("{verdicts}");
    verdicts.assert_all();
    assert_eq!(verdicts.not_applicable(), ["a_lost_answer_is_unclear"]);
}
