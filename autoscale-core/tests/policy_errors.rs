//! Everything that a policy is refused for, with the exact text.
#![allow(clippy::unwrap_used)]

use autoscale_core::data::policy::Policy;
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

#[track_caller]
fn check(rows: &[(&str, &str)], wrap: fn(Value) -> Value) {
    for (patch, expected) in rows {
        let mut value = base();
        merge(&mut value, &wrap(serde_json::from_str(patch).unwrap()));
        let found = match Policy::from_json(&value.to_string()) {
            Ok(_) => "valid".to_owned(),
            Err(errors) => errors.to_string(),
        };
        assert_eq!(found, *expected, "{patch}");
    }
}

#[test]
fn the_whole() {
    let rows = [
        ("{}", "valid"),
        ("[]", "policy: an empty list: expected a map with version, cluster and pools"),
        (r#"{"version": 2}"#, "version: 2: expected 1"),
        (r#"{"version": "-"}"#, "version: missing: expected 1"),
        (
            r#"{"cluster": "Shop\n"}"#,
            "cluster: \"Shop\\u{a}\": expected 1 to 32 characters of a-z, 0-9 and inner dashes",
        ),
        (r#"{"cluster": 7}"#, "cluster: 7: expected a text"),
        (r#"{"polls": {}}"#, "polls: an empty map: expected a known key, like pools"),
        (
            r#"{"a.b": 1}"#,
            "[\"a.b\"]: 1: expected a known key, one of version, cluster, tick, health, signals, pools",
        ),
        (r#"{"pools": "-"}"#, "pools: missing: expected a map of pools"),
        (r#"{"pools": {"web": "-"}}"#, "pools: an empty map: expected at least one pool"),
        (r#"{"pools": {"web": 1}}"#, "pools.web: 1: expected a map with zones and shape"),
        (
            r#"{"tick": {"interval": 120}}"#,
            "tick.interval: 120: expected a length of time with a unit, like 90s, 10m or 1h30m",
        ),
        (r#"{"tick": {"interval": "500ms"}}"#, "tick.interval: \"500ms\": expected at least 1s"),
        (r#"{"tick": {"interval": "61m"}}"#, "tick.interval: \"61m\": expected at most 1h"),
        (r#"{"tick": {"interval": "1h"}}"#, "valid"),
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
fn one_pool() {
    let rows = [
        (r#"{"min": 12}"#, "pools.web.min: 12: expected at most max, which is 10"),
        (r#"{"max": 1}"#, "pools.web.min: 2 (default): expected at most max, which is 1"),
        (r#"{"max": 0, "min": 0}"#, "pools.web.max: 0: expected a whole number from 1 to 10000"),
        (r#"{"max": 10001}"#, "pools.web.max: 10001: expected a whole number from 1 to 10000"),
        (r#"{"max": "ten", "min": 90}"#, "pools.web.max: \"ten\": expected a whole number from 1 to 10000"),
        (r#"{"min": 1.5}"#, "pools.web.min: 1.5: expected a whole number from 0 to 10000"),
        (r#"{"zones": "-"}"#, "pools.web.zones: missing: expected a list of zones"),
        (r#"{"zones": []}"#, "pools.web.zones: an empty list: expected at least one zone"),
        (r#"{"zones": ["a", "b", "a"]}"#, "pools.web.zones[2]: \"a\": expected each zone once"),
        (
            r#"{"zones": ["a b"]}"#,
            "pools.web.zones[0]: \"a b\": expected 1 to 63 characters of a-z, 0-9 and inner dashes",
        ),
        (
            r#"{"purchases": []}"#,
            "pools.web.purchases: an empty list: expected at least one of spot, on_demand",
        ),
        (
            r#"{"purchases": ["spot", "spot"]}"#,
            "pools.web.purchases[1]: \"spot\": expected each purchase once",
        ),
        (
            r#"{"purchases": ["on-demand"]}"#,
            "pools.web.purchases[0]: \"on-demand\": expected one of spot, on_demand",
        ),
        (r#"{"pods_per_node": 0}"#, "pools.web.pods_per_node: 0: expected a whole number from 1 to 10000"),
        (r#"{"step_up": 0}"#, "pools.web.step_up: 0: expected a whole number from 1 to 10000"),
        (r#"{"step_down": 0}"#, "pools.web.step_down: 0: expected a whole number from 1 to 10000"),
        (r#"{"step_up": 11}"#, "pools.web.step_up: 11: expected at most max_batch, which is 10"),
        (
            r#"{"step_down": 3, "max_batch": 2}"#,
            "pools.web.step_down: 3: expected at most max_batch, which is 2",
        ),
        (r#"{"max_batch": 101}"#, "pools.web.max_batch: 101: expected a whole number from 1 to 100"),
        (r#"{"max_zone_skew": 0}"#, "pools.web.max_zone_skew: 0: expected a whole number from 1 to 10000"),
        (
            r#"{"replacement_surge": 11}"#,
            "pools.web.replacement_surge: 11: expected at most max, which is 10",
        ),
        (
            r#"{"template": "lt 1"}"#,
            "pools.web.template: \"lt 1\": expected at most 256 printable ASCII characters without spaces",
        ),
        (r#"{"adopt": "yes"}"#, "pools.web.adopt: \"yes\": expected true or false"),
        (
            r#"{"on_rebalance": "drop"}"#,
            "pools.web.on_rebalance: \"drop\": expected one of replace, cordon, ignore",
        ),
        (r#"{"system_pods": "-x"}"#, "pools.web.system_pods: \"-x\": expected one of hold, budgeted"),
        (r#"{"coldown_up": "5m"}"#, "pools.web.coldown_up: \"5m\": expected a known key, like cooldown_up"),
        (r#"{"shape": "-"}"#, "pools.web.shape: missing: expected a map with name, cpu, memory and pods"),
        (
            r#"{"shape": {"name": "m 6"}}"#,
            "pools.web.shape.name: \"m 6\": expected 1 to 63 characters of letters, digits, dots, dashes and underscores",
        ),
        (
            r#"{"shape": {"cpu": 0, "memory": 0, "pods": 0}}"#,
            "pools.web.shape.cpu: 0: expected at least 1m\n\
          pools.web.shape.memory: 0: expected at least 1 byte\n\
          pools.web.shape.pods: 0: expected a whole number from 1 to 10000",
        ),
        (
            r#"{"shape": {"cpu": "2x", "memory": "8gb"}}"#,
            "pools.web.shape.cpu: \"2x\": expected an amount of CPU, like 2, 0.5 or 500m\n\
          pools.web.shape.memory: \"8gb\": expected an amount of memory, like 8Gi, 512Mi or a number of bytes",
        ),
        (
            r#"{"drain_timeout": "5m"}"#,
            "pools.web.drain_timeout: \"5m\": expected at least 6m, three times tick.interval",
        ),
        (r#"{"drain_timeout": "6m"}"#, "valid"),
        (
            r#"{"join_timeout": "1m"}"#,
            "pools.web.join_timeout: \"1m\": expected at least 2m, which is tick.interval",
        ),
        (
            r#"{"backoff_initial": "31m"}"#,
            "pools.web.backoff_initial: \"31m\": expected at most backoff_max, which is 30m",
        ),
        (r#"{"backoff_max": "8d"}"#, "pools.web.backoff_max: \"8d\": expected at most 7d"),
        (
            r#"{"cooldown_up": "8d", "cooldown_down": 600}"#,
            "pools.web.cooldown_up: \"8d\": expected at most 7d\n\
          pools.web.cooldown_down: 600: expected a length of time with a unit, like 90s, 10m or 1h30m",
        ),
        (r#"{"pending": true}"#, "pools.web.pending: true: expected false, or a map with for"),
        (r#"{"pending": {}}"#, "pools.web.pending.for: missing: expected a length of time"),
        (r#"{"pending": false}"#, "valid"),
    ];
    check(&rows, |patch| json!({"pools": {"web": patch}}));
}

#[test]
fn rules() {
    let rows = [
        (r#"{"up": [], "down": []}"#, "valid"),
        (r#"{"up": null}"#, "pools.web.up: null: expected a list of rules"),
        (
            r#"{"up": [{"signal": "dept", "above": 1}]}"#,
            "pools.web.up[0].signal: \"dept\": expected a declared signal, like depth",
        ),
        (
            r#"{"up": [{"signal": "qps", "above": 1}]}"#,
            "pools.web.up[0].signal: \"qps\": expected a declared signal, one of cpu, depth, lag, memory, room",
        ),
        (r#"{"up": [{"signal": "cpu"}]}"#, "pools.web.up[0]: a map: expected exactly one of above, below"),
        (
            r#"{"up": [{"signal": "cpu", "above": 0.8, "below": 0.9}]}"#,
            "pools.web.up[0]: a map: expected exactly one of above, below",
        ),
        (
            r#"{"up": [{"signal": "cpu", "above": 70}]}"#,
            "pools.web.up[0].above: 70: expected at most 1 without a percent sign; 70 percent is written 70%",
        ),
        (
            r#"{"up": [{"signal": "depth", "above": "70%"}]}"#,
            "pools.web.up[0].above: \"70%\": expected a number between -9.2e12 and 9.2e12",
        ),
        (
            r#"{"up": [{"signal": "lag", "above": "soon"}]}"#,
            "pools.web.up[0].above: \"soon\": expected a number of seconds, or a length of time with a unit, like 90s, 10m or 1h30m",
        ),
        (
            r#"{"up": [{"signal": "room", "below": "9Ti"}]}"#,
            "pools.web.up[0].below: \"9Ti\": expected at most 8Ti",
        ),
        (r#"{"up": [{"signal": "lag", "above": "1m30s"}, {"signal": "room", "below": "4Gi"}]}"#, "valid"),
        (
            r#"{"up": [{"signal": "cpu", "above": 0.8}, {"signal": "cpu", "above": "80%", "for": "5m"}]}"#,
            "pools.web.up[1].above: \"80%\": expected another threshold than up[0] has",
        ),
        (
            r#"{"up": [{"signal": "cpu", "above": 0.8, "for": 5}]}"#,
            "pools.web.up[0].for: 5: expected a length of time with a unit, like 90s, 10m or 1h30m",
        ),
        (
            r#"{"down": [{"signal": "cpu", "below": 0.3, "for": "5m59s"}]}"#,
            "pools.web.down[0].for: \"5m59s\": expected at least 6m, three times tick.interval: a down-rule must be seen at least three times",
        ),
        (r#"{"down": [{"signal": "cpu", "below": 0.3, "for": "6m"}]}"#, "valid"),
        (
            r#"{"down": [{"signal": "cpu", "below": "70%"}]}"#,
            "pools.web.down[0].below: \"70%\": expected less than 70%, above which the default of up grows the pool",
        ),
        (
            r#"{"up": [{"signal": "cpu", "above": "25%"}]}"#,
            "pools.web.down: 30% (default): expected less than 25%, above which up[0] grows the pool",
        ),
        (
            r#"{"up": [{"signal": "room", "below": "4Gi"}], "down": [{"signal": "room", "above": "4Gi"}]}"#,
            "pools.web.down[0].above: \"4Gi\": expected more than 4Gi, below which up[0] grows the pool",
        ),
        (
            r#"{"up": [{"signal": "depth", "above": 9}], "down": [{"signal": "depth", "above": 1}]}"#,
            "pools.web.down[0].above: 1: expected below, because up[0] grows the pool above 9",
        ),
        (
            r#"{"up": [{"signal": "depth", "below": 9}], "down": [{"signal": "depth", "below": 1}]}"#,
            "pools.web.down[0].below: 1: expected above, because up[0] grows the pool below 9",
        ),
        (
            r#"{"down": [{"signal": "depth", "above": 9}, {"signal": "depth", "below": 9}]}"#,
            "pools.web.down[1].below: 9: expected more than 9, because down[0] must hold too",
        ),
    ];
    check(&rows, |patch| json!({"pools": {"web": patch}}));
}

#[test]
fn text_that_is_no_tree() {
    let deep = "[".repeat(100);
    let long = " ".repeat((1 << 20) + 1);
    for (text, expected) in [
        ("", "policy: line 1, column 0: expected JSON, but EOF while parsing a value"),
        ("{} x", "policy: line 1, column 4: expected JSON, but trailing characters"),
        (&deep, "policy: line 1, column 17: expected JSON, but nested deeper than 16 levels"),
        (&long, "policy: 1048577 bytes: expected at most 1048576 bytes"),
    ] {
        assert_eq!(Policy::from_json(text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_repeated_key_is_an_error() {
    let text = base().to_string().replacen(r#""zones""#, r#""min": 2, "min": 3, "zones""#, 1);
    let errors = Policy::from_json(&text).unwrap_err();
    assert_eq!(errors.to_string(), "pools.web.min: 3: expected each key once");
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
