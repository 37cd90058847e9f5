//! Errors in a pool and its rules.

use serde_json::json;

use super::check;

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
        (r#"{"bare_pods": "go"}"#, "pools.web.bare_pods: \"go\": expected one of hold, evict"),
        (r#"{"local_storage": 1}"#, "pools.web.local_storage: 1: expected one of hold, evict"),
        (r#"{"critical_pods": "hold "}"#, "pools.web.critical_pods: \"hold \": expected one of hold, evict"),
        (r#"{"system_pods": "-x"}"#, "pools.web.system_pods: \"-x\": expected one of hold, budgeted"),
        (r#"{"coldown_up": "5m"}"#, "pools.web.coldown_up: \"5m\": expected a known key, like cooldown_up"),
        (r#"{"shape": "-"}"#, "pools.web: a map: expected exactly one of shape, shapes"),
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
