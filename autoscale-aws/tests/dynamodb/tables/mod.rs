//! DynamoDB as far as this crate uses it, in memory.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::collections::BTreeMap;
use std::sync::Mutex;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::{Client, Config};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::{Map, Value, json};

use crate::wire::{Answer, Service, Wire};

/// The largest item, and the most that one query looks at, in bytes.
const MAX_ITEM: usize = 400 << 10;
const MAX_PAGE: usize = 1 << 20;

type Key = (String, String);

/// A table: its items as they are, and as they were before their last change.
#[derive(Debug, Default)]
struct Table {
    sorted: bool,
    items: BTreeMap<Key, Value>,
    before: BTreeMap<Key, Option<Value>>,
}

/// The service.
#[derive(Debug)]
pub(crate) struct Tables {
    tables: Mutex<BTreeMap<String, Table>>,
}

/// A refusal: HTTP code, the service's code, a message; and the item that it met, as an answer has it.
type Refusal = (u16, &'static str, String, Option<Value>);

fn invalid<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err((400, "ValidationException", why.into(), None))
}

impl Tables {
    /// The tables `state` (key `pk`) and `logs` (keys `pk` and `sk`).
    pub(crate) fn new() -> Self {
        let table = |sorted| Table { sorted, ..Table::default() };
        let tables = [("state".to_owned(), table(false)), ("logs".to_owned(), table(true))];
        Self { tables: Mutex::new(tables.into()) }
    }

    /// Removes an item.
    pub(crate) fn erase(&self, table: &str, pk: &str, sk: &str) -> bool {
        let mut tables = self.tables.lock().unwrap();
        tables.get_mut(table).unwrap().items.remove(&(pk.to_owned(), sk.to_owned())).is_some()
    }

    /// Puts an item, as somebody else does.
    pub(crate) fn place(&self, table: &str, item: Value) {
        let mut tables = self.tables.lock().unwrap();
        let table = tables.get_mut(table).unwrap();
        let key = key(table, &item).unwrap();
        table.items.insert(key, item);
    }

    /// All items of a table, by key.
    pub(crate) fn items(&self, table: &str) -> Vec<Value> {
        self.tables.lock().unwrap()[table].items.values().cloned().collect()
    }

    fn act(&self, operation: &str, ask: &Value) -> Result<Value, Refusal> {
        let name = ask["TableName"].as_str().unwrap_or_default();
        let mut tables = self.tables.lock().unwrap();
        let Some(table) = tables.get_mut(name) else {
            return Err((400, "ResourceNotFoundException", "Requested resource not found".to_owned(), None));
        };
        match operation {
            "GetItem" => get(table, ask),
            "PutItem" => put(table, ask),
            "Query" => query(table, ask),
            other => invalid(format!("{other} is not known here")),
        }
    }
}

fn key(table: &Table, of: &Value) -> Result<Key, Refusal> {
    let text = |name: &str| of[name]["S"].as_str().map(str::to_owned);
    let sort = if table.sorted { text("sk") } else { Some(String::new()) };
    match (text("pk"), sort) {
        (Some(pk), Some(sk)) => Ok((pk, sk)),
        _ => invalid("The provided key element does not match the schema"),
    }
}

fn get(table: &Table, ask: &Value) -> Result<Value, Refusal> {
    let key = key(table, &ask["Key"])?;
    // A read that does not ask for more may be behind by one write.
    let found = match table.before.get(&key) {
        Some(before) if ask["ConsistentRead"] != true => before.clone(),
        _ => table.items.get(&key).cloned(),
    };
    Ok(found.map_or_else(|| json!({}), |item| json!({ "Item": item })))
}

/// The size of an item as the service counts it, near enough: names and values in UTF-8.
fn size(item: &Value) -> usize {
    let attributes = item.as_object().into_iter().flatten();
    attributes
        .map(|(name, value)| {
            let value = value.as_object().and_then(|value| value.values().next());
            name.len() + value.map_or(0, |value| value.as_str().map_or(1, str::len))
        })
        .sum()
}

fn put(table: &mut Table, ask: &Value) -> Result<Value, Refusal> {
    let item = ask["Item"].clone();
    let key = key(table, &item)?;
    if size(&item) > MAX_ITEM {
        return invalid("Item size has exceeded the maximum allowed size");
    }
    let old = table.items.get(&key).cloned();
    if let Some(condition) = ask["ConditionExpression"].as_str() {
        let nothing = json!({});
        let mut holds = true;
        for clause in condition.split(" AND ") {
            holds &= clause_holds(clause, old.as_ref().unwrap_or(&nothing), ask)?;
        }
        if !holds {
            let shown = old.filter(|_| ask["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD");
            return Err((
                400,
                "ConditionalCheckFailedException",
                "The conditional request failed".to_owned(),
                shown,
            ));
        }
    }
    table.items.insert(key.clone(), item);
    table.before.insert(key, old);
    Ok(json!({}))
}

/// `attribute_not_exists(#a)`, `#a = :b`.
fn clause_holds(clause: &str, item: &Value, ask: &Value) -> Result<bool, Refusal> {
    let name = |text: &str| ask["ExpressionAttributeNames"][text].as_str().map(str::to_owned);
    if let Some(inner) = clause.strip_prefix("attribute_not_exists(") {
        let Some(name) = name(inner.trim_end_matches(')')) else { return invalid(clause) };
        return Ok(item.get(&name).is_none());
    }
    let Some((left, right)) = clause.split_once(" = ") else { return invalid(clause) };
    let Some(name) = name(left) else { return invalid(clause) };
    let wanted = &ask["ExpressionAttributeValues"][right];
    if wanted.is_null() {
        return invalid(clause);
    }
    Ok(item.get(&name) == Some(wanted))
}

fn query(table: &Table, ask: &Value) -> Result<Value, Refusal> {
    if ask["KeyConditionExpression"] != "#pk = :pk AND #sk BETWEEN :first AND :last" || !table.sorted {
        return invalid("KeyConditionExpression");
    }
    let value = |name: &str| ask["ExpressionAttributeValues"][name]["S"].as_str().unwrap_or_default();
    let (pk, first, last) = (value(":pk"), value(":first"), value(":last"));
    if first > last {
        return invalid(
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound",
        );
    }
    let backwards = ask["ScanIndexForward"] == false;
    let after = &ask["ExclusiveStartKey"]["sk"]["S"];
    let range = (pk.to_owned(), first.to_owned())..=(pk.to_owned(), last.to_owned());
    let mut rows: Vec<(&Key, &Value)> = table.items.range(range).collect();
    if backwards {
        rows.reverse();
    }
    let behind = |sk: &str| match after.as_str() {
        None => true,
        Some(after) => {
            if backwards {
                sk < after
            } else {
                sk > after
            }
        }
    };
    let limit = ask["Limit"].as_u64().map_or(usize::MAX, |limit| limit as usize);
    let (mut items, mut looked_at, mut bytes, mut next) = (Vec::new(), 0, 0, None);
    for ((pk, sk), item) in rows.into_iter().filter(|((_, sk), _)| behind(sk)) {
        if ask["ConsistentRead"] != true && table.before.get(&(pk.clone(), sk.clone())) == Some(&None) {
            continue;
        }
        (looked_at, bytes) = (looked_at + 1, bytes + size(item));
        if filtered(item, ask)? {
            items.push(item.clone());
        }
        // The service looks no further, whether or not there is more.
        if looked_at >= limit || bytes >= MAX_PAGE {
            next = Some(json!({ "pk": { "S": pk }, "sk": { "S": sk } }));
            break;
        }
    }
    let mut answer = Map::from_iter([("Items".to_owned(), Value::from(items))]);
    answer.extend(next.map(|next| ("LastEvaluatedKey".to_owned(), next)));
    Ok(answer.into())
}

/// `attribute_not_exists(#at) OR #at BETWEEN :from AND :until`.
fn filtered(item: &Value, ask: &Value) -> Result<bool, Refusal> {
    let Some(filter) = ask["FilterExpression"].as_str() else { return Ok(true) };
    if filter != "attribute_not_exists(#at) OR #at BETWEEN :from AND :until" {
        return invalid(filter);
    }
    let number = |value: &Value| value["N"].as_str().and_then(|number| number.parse::<i64>().ok());
    let name = ask["ExpressionAttributeNames"]["#at"].as_str().unwrap_or_default();
    let bound = |name: &str| number(&ask["ExpressionAttributeValues"][name]);
    let (Some(from), Some(until)) = (bound(":from"), bound(":until")) else { return invalid(filter) };
    Ok(item.get(name).is_none_or(|at| number(at).is_some_and(|at| (from..=until).contains(&at))))
}

impl Service for Tables {
    fn operation(&self, request: &HttpRequest) -> String {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        target.rsplit('.').next().unwrap_or_default().to_owned()
    }

    fn answer(&self, operation: &str, body: &[u8]) -> Answer {
        let ask: Value = serde_json::from_slice(body).unwrap();
        match self.act(operation, &ask) {
            Ok(answer) => Answer::ok(answer.to_string()),
            Err((http, code, message, item)) => {
                let Answer { code: http, body } = self.error(http, code, &message);
                let mut body: Map<String, Value> = serde_json::from_str(&body).unwrap();
                body.extend(item.map(|item| ("Item".to_owned(), item)));
                Answer { code: http, body: Value::from(body).to_string() }
            }
        }
    }

    fn error(&self, http: u16, code: &str, message: &str) -> Answer {
        let kind = format!("com.amazonaws.dynamodb.v20120810#{code}");
        Answer { code: http, body: json!({ "__type": kind, "message": message }).to_string() }
    }
}

/// A client of a service in memory.
pub(crate) fn client(wire: &Wire<Tables>) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "no secret", None, None, "tests"))
        .http_client(wire.clone());
    Client::from_conf(config.build())
}
