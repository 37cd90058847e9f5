//! The JSON Schema says what the reader does, and so does the reference in the documentation.
#![cfg(feature = "schema")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod checker;
#[cfg(feature = "yaml")]
mod examples;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use autoscale_core::data::policy::{Keep, Policy, PoolPolicy};
use checker::check;
use serde_json::{Value, json};

const RENEW: &str = "RENEW=1 cargo test -p autoscale-core --features schema --test policy_schema";

fn minimal() -> Value {
    json!({"version": 1, "cluster": "shop", "pools": {"web": {"zones": ["a"],
        "shape": {"name": "m", "cpu": 2, "memory": "8Gi", "pods": 110}}}})
}

/// A file of the crate is what it should be; or it is made so.
fn is_current(file: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("RENEW").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{file} is not what the tables of keys say; `{RENEW}` writes it anew");
}

#[test]
fn the_file_is_current() {
    let text = serde_json::to_string_pretty(&Policy::json_schema()).unwrap();
    is_current("policy.schema.json", &format!("{text}\n"));
}

#[test]
fn the_reference_is_current() {
    let mut table = String::from("| key | value | default | meaning |\n|---|---|---|---|\n");
    for (path, key) in keys() {
        let default = match (key.needed, key.schema.get("default")) {
            (true, _) => "needed".to_owned(),
            (false, Some(default)) => format!("`{default}`"),
            (false, None) => String::new(),
        };
        let text = |name: &str| key.schema[name].as_str().unwrap().to_owned();
        writeln!(table, "| `{path}` | {} | {default} | {} |", text("title"), text("description")).unwrap();
    }
    is_current("src/data/policy/reference.md", &table);
}

/// One property of the schema.
struct Found {
    schema: Value,
    needed: bool,
}

/// Every property of the schema, with its path.
fn keys() -> Vec<(String, Found)> {
    let mut found = Vec::new();
    walk("", &Policy::json_schema(), &mut found);
    found
}

fn walk(path: &str, schema: &Value, found: &mut Vec<(String, Found)>) {
    let dot = if path.is_empty() { "" } else { "." };
    if schema["additionalProperties"] == json!(false) {
        let needed: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
        for (name, schema) in schema["properties"].as_object().unwrap() {
            let path = format!("{path}{dot}{name}");
            let needed = needed.contains(&&json!(name));
            found.push((path.clone(), Found { schema: schema.clone(), needed }));
            walk(&path, schema, found);
        }
    } else if schema["additionalProperties"].is_object() {
        walk(&format!("{path}{dot}*"), &schema["additionalProperties"], found);
    }
    if schema["items"].is_object() {
        walk(&format!("{path}[]"), &schema["items"], found);
    }
    for inner in schema["anyOf"].as_array().into_iter().flatten() {
        walk(path, inner, found);
    }
}

/// A policy in which every map and every list of maps that there may be is there.
fn everything() -> Value {
    let mut policy = minimal();
    policy["tick"] = json!({});
    policy["health"] = json!({});
    policy["signals"] = json!({"depth": {"unit": "count"}});
    let shape = policy["pools"]["web"]["shape"].clone();
    let pool = &mut policy["pools"]["web"];
    pool["shapes"] = json!([shape]);
    pool["overhead"] = json!({});
    pool["targets"] = json!([{}]);
    pool["up"] = json!([{}]);
    pool["down"] = json!([{}]);
    pool["pending"] = json!({});
    pool["headroom"] = json!({});
    policy
}

/// The reader lists the keys that it knows; those of the schema are the same, in each map.
#[test]
fn the_schema_has_the_keys_of_the_reader_and_no_others() {
    let all = keys();
    let mut maps: BTreeSet<&str> =
        all.iter().map(|(path, _)| path.rsplit_once('.').map_or("", |(map, _)| map)).collect();
    maps.retain(|map| !map.ends_with('*') || ["pools.*", "signals.*"].contains(map));
    assert_eq!(maps.len(), 13, "{maps:?}");
    for map in maps {
        let pointer =
            map.replace("pools.*", "pools.web").replace("signals.*", "signals.depth").replace("[]", ".0");
        let pointer = if pointer.is_empty() { pointer } else { format!("/{}", pointer.replace('.', "/")) };
        let mut policy = everything();
        let place = policy.pointer_mut(&pointer).unwrap_or_else(|| panic!("{pointer}"));
        place["unheard-of-by-anyone"] = json!(1);
        let errors = Policy::from_json(&policy.to_string()).unwrap_err();
        let error = errors.iter().find(|error| error.path.ends_with("unheard-of-by-anyone")).unwrap();
        let known: Vec<&str> =
            error.expected.strip_prefix("a known key, one of ").unwrap().split(", ").collect();
        let prefix = if map.is_empty() { String::new() } else { format!("{map}.") };
        let listed: BTreeSet<&str> = all
            .iter()
            .filter_map(|(path, _)| path.strip_prefix(&prefix))
            .filter(|rest| !rest.contains(['.', '[']))
            .collect();
        assert_eq!(known.into_iter().collect::<BTreeSet<_>>(), listed, "{map}");
    }
}

/// The default in the schema is what the canonical form of a minimal policy has there.
#[test]
fn each_default_is_the_readers() {
    let pool = |name: &str| PoolPolicy::builder(name).with_zones(["a"]).with_shape("m", 2_000, 8 << 30, 110);
    let policy = Policy::builder("shop").with_pool(pool("web")).build().unwrap();
    let aimed =
        Policy::builder("shop").with_pool(pool("web").with_target(Keep::at("cpu", "50%"))).build().unwrap();
    let (policy, aimed) = (serde_json::to_value(&policy).unwrap(), serde_json::to_value(&aimed).unwrap());
    let mut defaults = 0;
    for (path, found) in keys() {
        let pointer =
            path.replace("pools.*", "pools.web").replace("signals.*", "signals.cpu").replace("[]", ".0");
        let pointer = format!("/{}", pointer.replace(".shape.", ".shapes.0.").replace('.', "/"));
        let read = policy.pointer(&pointer).or_else(|| aimed.pointer(&pointer));
        let is_choice =
            ["shape", "shapes", "above", "below"].iter().any(|key| path.ends_with(&format!(".{key}")));
        match found.schema.get("default") {
            Some(default) => {
                assert_eq!(Some(default), read, "{path}");
                check(&found.schema, default).unwrap_or_else(|why| panic!("the default of {path}: {why}"));
                defaults += 1;
            }
            // What has to be there, what one of two has to be, and what stands in something that is off by default.
            None => assert!(found.needed || is_choice || read.is_none(), "{path} has the default {read:?}"),
        }
    }
    assert_eq!(defaults, 56);
}

/// A number outside of its range is refused by the reader, with the same range.
#[test]
fn each_range_is_the_readers() {
    let mut ranges = 0;
    for (path, found) in keys() {
        let schemas = found.schema["anyOf"].as_array().cloned().unwrap_or_else(|| vec![found.schema.clone()]);
        let Some((least, most)) = schemas.iter().find_map(|schema| {
            Some((schema["minimum"].as_u64()?, schema["maximum"].as_u64()?))
                .filter(|_| schema["type"] == "integer")
        }) else {
            continue;
        };
        let (map, key) = path.rsplit_once('.').unwrap();
        let pointer = map.replace("pools.*", "pools.web").replace("[]", ".0").replace('.', "/");
        let mut policy = everything();
        policy.pointer_mut(&format!("/{pointer}")).unwrap()[key] = json!(most + 1);
        let errors = Policy::from_json(&policy.to_string()).unwrap_err();
        let expected = format!("a whole number from {least} to {most}");
        assert!(
            errors.iter().any(|error| error.expected == expected && error.path.ends_with(key)),
            "{path}: {errors}"
        );
        ranges += 1;
    }
    assert_eq!(ranges, 16);
}

#[test]
fn what_the_reader_takes_fits_and_what_no_one_takes_does_not() {
    let schema = Policy::json_schema();
    let canonical = serde_json::to_value(Policy::from_json(&minimal().to_string()).unwrap()).unwrap();
    for policy in [minimal(), canonical] {
        assert_eq!(check(&schema, &policy), Ok(()));
    }
    for (pointer, value, fits) in [
        ("/version", json!(2), false),
        ("/cluster", json!("Shop"), false),
        ("/choose", json!(["web"]), true),
        ("/choose", json!([]), false),
        ("/choose", json!("cheapest"), false),
        ("/tick", json!({"interval": "2m"}), true),
        ("/tick", json!({"interval": 120}), false),
        ("/tick", json!({"interval": "120"}), false),
        ("/health", json!({"ratio": 45}), false),
        ("/health", json!({"ratio": " 45 %"}), true),
        ("/health", json!({"ratio": 0.45}), true),
        ("/signals", json!({"cpu": {"stale_after": "1m"}}), true),
        ("/signals", json!({"depth": {"stale_after": "1m"}}), false),
        ("/signals", json!({"Depth": {"unit": "count"}}), false),
        ("/pools", json!({}), false),
        ("/pools/Web", json!({}), false),
        ("/pools/web/min", json!(-1), false),
        ("/pools/web/min", json!("2"), false),
        ("/pools/web/mni", json!(2), false),
        ("/pools/web/zones", json!([]), false),
        ("/pools/web/zones", json!(["a", "a"]), false),
        ("/pools/web/shapes", json!([]), false),
        ("/pools/web/shape/memory", json!("8gb"), false),
        ("/pools/web/shape/memory", json!(8.5), false),
        ("/pools/web/shape/cpu", json!(0.5), true),
        ("/pools/web/shape/cpu", json!("1x"), false),
        ("/pools/web/shape/price", json!(0.096), true),
        ("/pools/web/shape/extended", json!({"nvidia.com/gpu": 1}), true),
        ("/pools/web/shape/extended", json!({"a b": 1}), false),
        ("/pools/web/labels", json!({"a": "b c"}), false),
        ("/pools/web/labels", json!({"a": 1}), false),
        ("/pools/web/taints", json!(["gpu=true:NoSchedule", "a:NoExecute"]), true),
        ("/pools/web/taints", json!(["gpu=true"]), false),
        ("/pools/web/overhead", json!(false), true),
        ("/pools/web/overhead", json!(true), false),
        ("/pools/web/overhead", json!({"cpu": "100m", "memory": "1Gi", "pods": 3}), true),
        ("/pools/web/overhead", json!({"cpu": "100m"}), false),
        ("/pools/web/pending", json!({"for": "1m"}), true),
        ("/pools/web/pending", json!({}), false),
        ("/pools/web/up", json!([{"signal": "cpu", "above": "70%"}]), true),
        ("/pools/web/up", json!([{"signal": "cpu"}]), false),
        ("/pools/web/up", json!([{"signal": "cpu", "above": 0.7, "below": 0.1}]), false),
        ("/pools/web/targets", json!([{"signal": "cpu", "value": "50%", "window": "1m"}]), true),
        ("/pools/web/targets", json!([{"signal": "cpu"}]), false),
        ("/pools/web/busy_above", json!("60%"), true),
        ("/pools/web/on_rebalance", json!("drop"), false),
        ("/pools/web/adopt", json!("yes"), false),
    ] {
        let mut policy = minimal();
        let (map, key) = pointer.rsplit_once('/').unwrap();
        policy.pointer_mut(map).unwrap()[key] = value;
        assert_eq!(check(&schema, &policy).is_ok(), fits, "{policy}");
        assert_eq!(Policy::from_json(&policy.to_string()).is_ok(), fits, "{policy}");
    }
}
