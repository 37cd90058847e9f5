//! Everything that a policy is refused for, with the exact text.
#![allow(clippy::unwrap_used)]

#[cfg(feature = "yaml")]
mod formats;
mod keys;
mod places;
mod pool;

use autoscale_core::data::policy::{Policy, PolicyError, PolicyErrors};
use serde_json::{Value, json};

fn base() -> Value {
    json!({"version": 1, "cluster": "shop", "signals": {"depth": {"unit": "count"}, "lag": {"unit": "seconds"},
        "room": {"unit": "bytes"}}, "pools": {"web": {"zones": ["a"],
        "shape": {"name": "m", "cpu": 2, "memory": "8Gi", "pods": 110}}}})
}

/// Puts `patch` over `value`; `"-"` takes a key away.
fn merge(value: &mut Value, patch: &Value) {
    match (value, patch) {
        (Value::Object(map), Value::Object(patch)) => {
            for (key, patch) in patch {
                if patch == "-" {
                    map.remove(key);
                } else {
                    merge(map.entry(key.as_str()).or_insert(Value::Null), patch);
                }
            }
        }
        (value, patch) => *value = patch.clone(),
    }
}

/// All errors without their places, which `places` is about.
fn placeless(errors: &PolicyErrors) -> String {
    let line = |error: &PolicyError| format!("{}: {}: expected {}", error.path, error.value, error.expected);
    errors.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(rows: &[(&str, &str)], wrap: fn(Value) -> Value) {
    for (patch, expected) in rows {
        let mut value = base();
        merge(&mut value, &wrap(serde_json::from_str(patch).unwrap()));
        let found = match Policy::from_json(&value.to_string()) {
            Ok(_) => "valid".to_owned(),
            Err(errors) => placeless(&errors),
        };
        assert_eq!(found, *expected, "{patch}");
    }
}

#[test]
fn the_whole() {
    let rows = [
        ("{}", "valid"),
        ("[]", "policy: an empty list: expected a map with version, cluster and pools"),
        (r#"{"version": 2}"#, "version: 2: expected 1, the only version that is known here"),
        (r#"{"version": "-"}"#, "version: missing: expected 1"),
        (
            r#"{"cluster": "Shop\n"}"#,
            "cluster: \"Shop\\u{a}\": expected 1 to 32 characters of a-z, 0-9 and inner dashes",
        ),
        (r#"{"cluster": 7}"#, "cluster: 7: expected a text"),
        (r#"{"polls": {}}"#, "polls: an empty map: expected a known key, like pools"),
        (
            r#"{"a.b": 1}"#,
            "[\"a.b\"]: 1: expected a known key, one of version, cluster, tick, health, choose, signals, pools",
        ),
        (r#"{"pools": "-"}"#, "pools: missing: expected a map of pools"),
        (r#"{"pools": {"web": "-"}}"#, "pools: an empty map: expected at least one pool"),
        (r#"{"pools": {"web": 1}}"#, "pools.web: 1: expected a map with zones and shape"),
        (
            r#"{"tick": {"interval": 120}}"#,
            "tick.interval: 120: expected a length of time with a unit, like 90s, 10m or 1h30m",
        ),
        (r#"{"tick": {"interval": "500ms"}}"#, "tick.interval: \"500ms\": expected at least 1s"),
        (r#"{"tick": {"interval": "16m"}}"#, "tick.interval: \"16m\": expected at most 15m"),
        (r#"{"tick": {"interval": "15m"}}"#, "valid"),
        (r#"{"tick": {"limit": "9s"}}"#, "tick.limit: \"9s\": expected at least 10s"),
        (r#"{"tick": {"limit": "16m"}}"#, "tick.limit: \"16m\": expected at most 15m"),
        (r#"{"tick": {"limit": "10s"}}"#, "valid"),
        (r#"{"tick": null}"#, "tick: null: expected a map with interval and limit"),
        (r#"{"health": {"tolerated": -1}}"#, "health.tolerated: -1: expected a whole number from 0 to 10000"),
        (
            r#"{"health": {"ratio": 45}}"#,
            "health.ratio: 45: expected at most 1 without a percent sign; 70 percent is written 70%",
        ),
        (r#"{"health": {"ratio": "101%"}}"#, "health.ratio: \"101%\": expected at most 100%"),
        (
            r#"{"health": {"ratio": true}}"#,
            "health.ratio: true: expected a percentage like 70%, or a fraction from 0 to 1",
        ),
        (
            r#"{"signals": {"Depth": {"unit": "count"}}}"#,
            "signals.Depth: \"Depth\": expected 1 to 63 characters of a-z, 0-9, underscores and dashes, starting with a letter",
        ),
        (
            r#"{"signals": {"depth": {"unit": "-"}}}"#,
            "signals.depth.unit: missing: expected one of ratio, count, seconds, bytes, per_second",
        ),
        (
            r#"{"signals": {"depth": {"stale_after": "0s"}}}"#,
            "signals.depth.stale_after: \"0s\": expected at least 1s",
        ),
        (
            r#"{"signals": {"cpu": {"stale_after": "8d"}}}"#,
            "signals.cpu.stale_after: \"8d\": expected at most 7d",
        ),
        (
            r#"{"signals": {"cpu": {"unit": "count"}}}"#,
            "pools.web.up: missing: expected rules, because the default looks at cpu as a ratio\n\
          pools.web.down: missing: expected rules, because the default looks at cpu as a ratio",
        ),
    ];
    check(&rows, |patch| patch);
}

#[test]
fn text_that_is_no_tree() {
    let deep = "[".repeat(100);
    let long = " ".repeat((1 << 20) + 1);
    for (text, expected) in [
        ("", "line 1, column 1: policy: unreadable: expected JSON, but EOF while parsing a value"),
        ("{} x", "line 1, column 4: policy: unreadable: expected JSON, but trailing characters"),
        (&deep, "line 1, column 17: policy: unreadable: expected JSON, but nested deeper than 16 levels"),
        (&long, "policy: 1048577 bytes: expected at most 1048576 bytes"),
    ] {
        assert_eq!(Policy::from_json(text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_repeated_key_is_an_error() {
    let text = base().to_string().replacen(r#""zones""#, r#""min": 2, "min": 3, "zones""#, 1);
    let errors = Policy::from_json(&text).unwrap_err();
    assert_eq!(placeless(&errors), "pools.web.min: 3: expected each key once");
}

#[test]
fn many_errors_are_counted() {
    let zones = vec!["A"; 64];
    let mut value = base();
    let mut pool = value["pools"]["web"].clone();
    pool["zones"] = json!(zones);
    value["pools"] = json!({"web": pool, "two": pool});
    let errors = Policy::from_json(&value.to_string()).unwrap_err();
    assert_eq!((errors.iter().count(), errors.count()), (100, 128));
    assert!(errors.to_string().ends_with("\nand 28 more"));
}
