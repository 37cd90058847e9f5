//! The JSON Schema of a policy, from the tables that the reader uses, with the defaults that the reader has filled in.

use serde_json::{Map as Object, Value, json};

use super::keys::{Fields, Key, Kind, List, Map, Name, POLICY};
use super::{Keep, Policy, PoolPolicy};

impl Policy {
    /// The JSON Schema (draft 2020-12) of a policy in JSON, YAML or TOML: every key, what may stand there, its default and
    /// what it means. What one setting demands of another is not in it: a policy that fits may still be refused.
    pub fn json_schema() -> Value {
        let mut schema = of(&POLICY, &defaults());
        let mut head = Object::new();
        head.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        head.insert("title".to_owned(), json!("A policy of autoscale"));
        if let Value::Object(body) = &mut schema {
            body.remove("title");
            head.append(body);
        }
        Value::Object(head)
    }
}

/// The canonical form of a policy in which nothing is set that has a default; its first pool has a target, so that the
/// default of each part of one is known.
fn defaults() -> Value {
    let pool = |name: &str| PoolPolicy::builder(name).with_zones(["a"]).with_shape("a", 1, 1, 1);
    let aimed = pool("aimed").with_target(Keep::at("cpu", "50%"));
    let policy = Policy::builder("a").with_pool(aimed).with_pool(pool("plain")).build();
    let mut policy = serde_json::to_value(policy.ok()).unwrap_or_default();
    let targets = policy.pointer("/pools/aimed/targets").cloned().unwrap_or_default();
    // Of a list without items the first is looked up beside it.
    if let Some(Value::Object(plain)) = policy.pointer_mut("/pools/plain") {
        plain.insert("targets[]".to_owned(), targets);
    }
    let plain = policy.pointer("/pools/plain").cloned().unwrap_or_default();
    put(&mut policy, "pools", json!({ "plain": plain }));
    policy
}

/// What may stand in a place, given the canonical form of what stands there by default.
fn of(kind: &Kind, canonical: &Value) -> Value {
    let mut schema = match kind {
        Kind::Version => json!({ "const": 1 }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Span(..) => text(r"^\s*([0-9]+(d|h|ms|m|s))+\s*$"),
        Kind::Share => number_or(r"^\s*-?[0-9]+(\.[0-9]+)?\s*%?\s*$", 0, Some(1)),
        Kind::Cpu => number_or("^[0-9]+(\\.[0-9]+)?m?$", 0, None),
        Kind::Memory => {
            let text = text("^[0-9]+(\\.[0-9]+)?([PTGMK]i|[PTGMkK])?$");
            json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, text] })
        }
        Kind::Price(most) => number_or(r"^\s*[0-9]+(\.[0-9]+)?\s*$", 0, Some(*most)),
        Kind::Threshold => json!({ "type": ["number", "string"] }),
        Kind::Text(most) => json!({ "type": "string", "pattern": "^[!-~]*$", "maxLength": most }),
        Kind::Taint => text("^[!-9;-~]+:(NoSchedule|PreferNoSchedule|NoExecute)$"),
        Kind::Id(name) => text(name.pattern),
        Kind::Word(words) => json!({ "enum": words() }),
        Kind::OrFalse(inner) => json!({ "anyOf": [{ "const": false }, of(inner, canonical)] }),
        Kind::WordOr(words, list) => json!({ "anyOf": [{ "enum": words }, of(list, canonical)] }),
        Kind::List(list) => of_list(list, canonical),
        Kind::Map(map) => of_map(map, canonical),
        Kind::Fields(fields) => of_fields(fields, canonical, true),
    };
    put(&mut schema, "title", Value::String(words(kind)));
    schema
}

/// Every schema here is a map.
fn put(schema: &mut Value, keyword: &str, value: Value) {
    if let Value::Object(schema) = schema {
        schema.insert(keyword.to_owned(), value);
    }
}

fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn number_or(pattern: &str, least: u32, most: Option<u32>) -> Value {
    let mut number = json!({ "type": "number", "minimum": least });
    if let Some(most) = most {
        put(&mut number, "maximum", json!(most));
    }
    json!({ "anyOf": [number, text(pattern)] })
}

fn of_list(list: &List, canonical: &Value) -> Value {
    let item = canonical.get(0).unwrap_or(&Value::Null);
    let mut schema = json!({ "type": "array", "items": of(list.of, item), "maxItems": list.most });
    if list.one.is_some() {
        put(&mut schema, "minItems", json!(1));
    }
    if list.unique {
        put(&mut schema, "uniqueItems", json!(true));
    }
    schema
}

fn of_map(map: &Map, canonical: &Value) -> Value {
    let Name { pattern, .. } = map.keys;
    let value = canonical.as_object().and_then(|entries| entries.values().next()).unwrap_or(&Value::Null);
    let mut schema = json!({
        "type": "object",
        "additionalProperties": of(map.of, value),
        "propertyNames": { "pattern": pattern },
        "maxProperties": map.most,
    });
    if map.one.is_some() {
        put(&mut schema, "minProperties", json!(1));
    }
    if let (Kind::Fields(fields), false) = (map.of, map.known.is_empty()) {
        let known = map.known.iter().map(|name| ((*name).to_owned(), of_fields(fields, value, false)));
        put(&mut schema, "properties", Value::Object(known.collect()));
    }
    schema
}

fn of_fields(fields: &Fields, canonical: &Value, with_needs: bool) -> Value {
    let properties = fields.keys.iter().map(|key| (key.name.to_owned(), property(key, fields, canonical)));
    let mut schema = json!({
        "type": "object",
        "properties": properties.collect::<Object<_, _>>(),
        "additionalProperties": false,
    });
    let needed: Vec<_> = fields.keys.iter().filter(|key| key.needed).map(|key| key.name).collect();
    if with_needs && !needed.is_empty() {
        put(&mut schema, "required", json!(needed));
    }
    if let Some((one, other)) = fields.either {
        put(&mut schema, "oneOf", json!([{ "required": [one] }, { "required": [other] }]));
    }
    schema
}

fn property(key: &Key, fields: &Fields, canonical: &Value) -> Value {
    let Key { name, kind, needed, doc } = key;
    // In the canonical form a single shape is a list of one; and see `defaults`.
    let found = match (*name, canonical.get(format!("{name}[]"))) {
        (_, Some(items)) => items,
        ("shape", _) => canonical.get("shapes").and_then(|shapes| shapes.get(0)).unwrap_or(&Value::Null),
        _ => canonical.get(name).unwrap_or(&Value::Null),
    };
    let mut schema = of(kind, found);
    put(&mut schema, "description", json!(doc));
    let is_choice = fields.either.is_some_and(|(one, other)| [one, other].contains(name));
    if let (false, false, Some(default)) = (needed, is_choice, canonical.get(name)) {
        put(&mut schema, "default", default.clone());
    }
    schema
}

/// A kind in words, with its range.
fn words(kind: &Kind) -> String {
    let list = |of: &Kind, name: &str, least: Option<&str>, most| match of {
        Kind::Word(all) => format!("a list of {}", all().join(", ")),
        _ => format!("{} {most} {name}", if least.is_some() { "1 to" } else { "at most" }),
    };
    match kind {
        Kind::Version => "1".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Whole(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Span(least, most) => format!("a length of time like 90s, 10m or 1h30m, from {least} to {most}"),
        Kind::Share => "a percentage like 70%, or a fraction from 0 to 1".to_owned(),
        Kind::Cpu => "an amount of CPU, like 2, 0.5 or 500m".to_owned(),
        Kind::Memory => "an amount of memory, like 8Gi, 512Mi or a number of bytes".to_owned(),
        Kind::Price(most) => format!("a number from 0 to {most}"),
        Kind::Threshold => "a number in the unit of the signal, like 70%, 100, 90s or 4Gi".to_owned(),
        Kind::Text(most) => format!("at most {most} printable ASCII characters without spaces"),
        Kind::Taint => "a taint like key=value:NoSchedule, key:PreferNoSchedule or key:NoExecute".to_owned(),
        Kind::Id(name) => name.words.to_owned(),
        Kind::Word(all) => format!("one of {}", all().join(", ")),
        Kind::OrFalse(inner) => format!("false, or {}", words(inner).trim_start_matches("false, or ")),
        Kind::WordOr(all, inner) => format!("{}, or a list of {}", all.join(", "), words(inner)),
        Kind::List(List { of, name, one, most, .. }) => list(of, name, *one, *most),
        Kind::Map(Map { of, name, one, most, .. }) => format!("a map of {}", list(of, name, *one, *most)),
        Kind::Fields(fields) => fields.words.to_owned(),
    }
}
