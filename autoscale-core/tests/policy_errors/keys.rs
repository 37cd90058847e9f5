//! Errors in shapes, targets, what is known of a pool's nodes, and the choice among pools.

use autoscale_core::data::policy::{Choose, Headroom, Policy, PoolPolicy, Shape};
use autoscale_core::data::view::{Taint, TaintEffect};
use autoscale_core::words::{Fixed, Resources, ShapeName};
use serde_json::{Value, json};

use super::check;

fn in_pool(patch: Value) -> Value {
    json!({"pools": {"web": patch}})
}

#[test]
fn shapes() {
    let rows = [
        (
            r#"{"shapes": []}"#,
            "pools.web.shapes: an empty list: expected at least one shape\n\
             pools.web: a map: expected exactly one of shape, shapes",
        ),
        (
            r#"{"shapes": [{"name": "b a d"}]}"#,
            "pools.web.shapes[0].name: \"b a d\": expected 1 to 63 characters of letters, digits, dots, dashes and underscores\n\
             pools.web.shapes[0].cpu: missing: expected an amount of CPU, like 2 or 500m\n\
             pools.web.shapes[0].memory: missing: expected an amount of memory, like 8Gi\n\
             pools.web.shapes[0].pods: missing: expected a whole number from 1 to 10000\n\
             pools.web: a map: expected exactly one of shape, shapes",
        ),
        (r#"{"shape": "-", "shapes": []}"#, "pools.web.shapes: an empty list: expected at least one shape"),
        (r#"{"shape": "-", "shapes": {}}"#, "pools.web.shapes: an empty map: expected a list of shapes"),
        (
            r#"{"shape": "-", "shapes": [7]}"#,
            "pools.web.shapes[0]: 7: expected a map with name, cpu, memory and pods",
        ),
        (r#"{"shape": 7}"#, "pools.web.shape: 7: expected a map with name, cpu, memory and pods"),
        (
            r#"{"shape": "-", "shapes": [{"name": "m", "cpu": 1, "memory": 1, "pods": 1},
                {"name": "n", "cpu": 1, "memory": 1, "pods": 1}, {"name": "m", "cpu": 2, "memory": 1, "pods": 1}]}"#,
            "pools.web.shapes[2].name: \"m\": expected each shape once",
        ),
        (r#"{"shape": {"prize": 1}}"#, "pools.web.shape.prize: 1: expected a known key, like price"),
        (
            r#"{"shape": {"extended": ["gpu"]}}"#,
            "pools.web.shape.extended: a list: expected a map of resources",
        ),
        (
            r#"{"shape": {"extended": {"nvidia.com/gpu": 0, "b": 1.5, "c": "1", "d": 1000000000000001}}}"#,
            "pools.web.shape.extended.b: 1.5: expected a whole number from 1 to 1000000000000000\n\
             pools.web.shape.extended.c: \"1\": expected a whole number from 1 to 1000000000000000\n\
             pools.web.shape.extended.d: 1000000000000001: expected a whole number from 1 to 1000000000000000\n\
             pools.web.shape.extended[\"nvidia.com/gpu\"]: 0: expected a whole number from 1 to 1000000000000000",
        ),
        (r#"{"shape": {"extended": {"d": 1000000000000000}}}"#, "valid"),
        (
            r#"{"shape": {"extended": {"cpu": 2, "g p u": 1}}}"#,
            "pools.web.shape.extended.cpu: 2: expected a resource beside cpu, memory and pods\n\
             pools.web.shape.extended[\"g p u\"]: \"g p u\": expected a key of 1 to 317 printable ASCII characters without spaces",
        ),
        (
            r#"{"shape": {"labels": {"": "x", "k": "a b", "l": 1}}}"#,
            "pools.web.shape.labels[\"\"]: \"\": expected a key of 1 to 317 printable ASCII characters without spaces\n\
             pools.web.shape.labels.k: \"a b\": expected at most 63 printable ASCII characters without spaces\n\
             pools.web.shape.labels.l: 1: expected a text; what looks like something else needs quotes",
        ),
        (r#"{"shape": {"price": -0.1}}"#, "pools.web.shape.price: -0.1: expected a number from 0 to 1000000"),
        (
            r#"{"shape": {"price": 1000000.1}}"#,
            "pools.web.shape.price: 1000000.1: expected a number from 0 to 1000000",
        ),
        (
            r#"{"shape": {"price": "cheap"}}"#,
            "pools.web.shape.price: \"cheap\": expected a number between -9.2e12 and 9.2e12",
        ),
        (r#"{"shape": {"price": 0}}"#, "valid"),
        (r#"{"shape": {"price": 1000000}}"#, "valid"),
    ];
    check(&rows, in_pool);
}

#[test]
fn what_is_known_of_nodes() {
    let rows = [
        (r#"{"labels": ["a"]}"#, "pools.web.labels: a list: expected a map of labels"),
        (
            r#"{"labels": {"\u00fc": "1", "k": "\n"}}"#,
            "pools.web.labels.k: \"\\u{a}\": expected at most 63 printable ASCII characters without spaces\n\
             pools.web.labels[\"ü\"]: \"ü\": expected a key of 1 to 317 printable ASCII characters without spaces",
        ),
        (r#"{"taints": "a:NoSchedule"}"#, "pools.web.taints: \"a:NoSchedule\": expected a list of taints"),
        (
            r#"{"taints": ["a:NoSchedule", "dedicated", "a:noschedule", 7]}"#,
            "pools.web.taints[1]: \"dedicated\": expected a taint like key=value:NoSchedule, key:PreferNoSchedule or key:NoExecute\n\
             pools.web.taints[2]: \"a:noschedule\": expected a taint like key=value:NoSchedule, key:PreferNoSchedule or key:NoExecute\n\
             pools.web.taints[3]: 7: expected a taint like key=value:NoSchedule, key:PreferNoSchedule or key:NoExecute",
        ),
        (
            r#"{"taints": ["a=1:NoSchedule", "a=1:NoExecute", "a=2:NoSchedule"]}"#,
            "pools.web.taints[2]: \"a=2:NoSchedule\": expected each key once for one effect",
        ),
        (
            r#"{"overhead": true}"#,
            "pools.web.overhead: true: expected false, or a map with cpu, memory and pods",
        ),
        (
            r#"{"overhead": {"cpu": "1x", "memory": -1}}"#,
            "pools.web.overhead.cpu: \"1x\": expected an amount of CPU, like 2, 0.5 or 500m\n\
             pools.web.overhead.memory: -1: expected an amount of memory, like 8Gi, 512Mi or a number of bytes\n\
             pools.web.overhead.pods: missing: expected a whole number from 0 to 10000",
        ),
        (
            r#"{"overhead": {"cpu": 2, "memory": "8Gi", "pods": 110}}"#,
            "pools.web.overhead.cpu: 2: expected less than 2, all that m offers\n\
             pools.web.overhead.memory: \"8Gi\": expected less than 8Gi, all that m offers\n\
             pools.web.overhead.pods: 110: expected less than 110, all that m offers",
        ),
        (r#"{"overhead": {"cpu": "1999m", "memory": 8589934591, "pods": 109}}"#, "valid"),
        (
            r#"{"overhead": {"cpu": "300m", "memory": 1, "pods": 1}, "shape": "-", "shapes": [
                {"name": "m", "cpu": 1, "memory": 2, "pods": 2}, {"name": "n", "cpu": "250m", "memory": 2, "pods": 2}]}"#,
            "pools.web.overhead.cpu: \"300m\": expected less than 250m, all that n offers",
        ),
        (r#"{"priority": 10001}"#, "pools.web.priority: 10001: expected a whole number from 0 to 10000"),
        (r#"{"priority": -1}"#, "pools.web.priority: -1: expected a whole number from 0 to 10000"),
        (r#"{"headroom": 2}"#, "pools.web.headroom: 2: expected a map with cpu, memory or nodes"),
        (
            r#"{"headroom": {"cpu": "-1", "memory": "1", "nods": 1}}"#,
            "pools.web.headroom.nods: 1: expected a known key, like nodes\n\
             pools.web.headroom.cpu: \"-1\": expected an amount of CPU, like 2, 0.5 or 500m",
        ),
        (r#"{"headroom": {"nodes": 11}}"#, "pools.web.headroom.nodes: 11: expected at most max, which is 10"),
        (
            r#"{"pods_per_node": true}"#,
            "pools.web.pods_per_node: true: expected a whole number from 1 to 10000",
        ),
        (r#"{"max_drains": 0}"#, "pools.web.max_drains: 0: expected a whole number from 1 to 100"),
        (r#"{"max_drains": 101}"#, "pools.web.max_drains: 101: expected a whole number from 1 to 100"),
        (r#"{"max_per_zone": 0}"#, "pools.web.max_per_zone: 0: expected a whole number from 1 to 10000"),
        (
            r#"{"busy_above": 60}"#,
            "pools.web.busy_above: 60: expected at most 1 without a percent sign; 70 percent is written 70%",
        ),
        (r#"{"busy_abve": "60%"}"#, "pools.web.busy_abve: \"60%\": expected a known key, like busy_above"),
    ];
    check(&rows, in_pool);
}

#[test]
fn targets() {
    let rows = [
        (r#"{"targets": {}}"#, "pools.web.targets: an empty map: expected a list of targets"),
        (r#"{"targets": [50]}"#, "pools.web.targets[0]: 50: expected a map with signal and value"),
        (
            r#"{"targets": [{"above": 1}]}"#,
            "pools.web.targets[0].above: 1: expected a known key, one of signal, value, tolerance, window\n\
             pools.web.targets[0].signal: missing: expected a text\n\
             pools.web.targets[0].value: missing: expected a value in the unit of the signal",
        ),
        (
            r#"{"targets": [{"signal": "dept", "value": 1}]}"#,
            "pools.web.targets[0].signal: \"dept\": expected a declared signal, like depth",
        ),
        (
            r#"{"targets": [{"signal": "cpu", "value": 50}]}"#,
            "pools.web.targets[0].value: 50: expected at most 1 without a percent sign; 70 percent is written 70%",
        ),
        (
            r#"{"targets": [{"signal": "cpu", "value": "0%"}, {"signal": "depth", "value": -1}]}"#,
            "pools.web.targets[0].value: \"0%\": expected more than 0\n\
             pools.web.targets[1].value: -1: expected more than 0",
        ),
        (
            r#"{"targets": [{"signal": "cpu", "value": "50%", "tolerance": 10, "window": "61m"}]}"#,
            "pools.web.targets[0].tolerance: 10: expected at most 1 without a percent sign; 70 percent is written 70%\n\
             pools.web.targets[0].window: \"61m\": expected at most 1h",
        ),
        (
            r#"{"targets": [{"signal": "cpu", "value": "50%"}, {"signal": "cpu", "value": "60%"}]}"#,
            "pools.web.targets[1].signal: \"cpu\": expected each signal once",
        ),
        (
            r#"{"targets": [{"signal": "cpu", "value": "50%"}], "up": [{"signal": "cpu", "above": "49%"}]}"#,
            "pools.web.up[0].above: \"49%\": expected at least 50%, where targets[0] keeps the signal",
        ),
        (
            r#"{"targets": [{"signal": "memory", "value": 1}, {"signal": "cpu", "value": "50%"}],
                "up": [{"signal": "cpu", "below": "5%"}], "down": [{"signal": "cpu", "above": "5%"}]}"#,
            "pools.web.down[0].above: \"5%\": expected more than 5%, below which up[0] grows the pool\n\
             pools.web.up[0].below: \"5%\": expected above, because targets[1] lets the pool shrink below 50%\n\
             pools.web.down[0].above: \"5%\": expected below, because targets[1] grows the pool above 50%",
        ),
        (
            r#"{"targets": [{"signal": "cpu", "value": "50%"}], "up": [{"signal": "cpu", "above": "50%"}],
                "down": [{"signal": "memory", "below": "50%"}]}"#,
            "valid",
        ),
        (
            r#"{"targets": [{"signal": "cpu", "value": "50%"}], "down": [{"signal": "cpu", "below": "90%"}]}"#,
            "valid",
        ),
    ];
    check(&rows, in_pool);
}

#[test]
fn the_choice() {
    let rows = [
        (
            r#"{"choose": "cheapest"}"#,
            "choose: \"cheapest\": expected one of least_waste, price, priority, or a list of pools",
        ),
        (r#"{"choose": 1}"#, "choose: 1: expected one of least_waste, price, priority, or a list of pools"),
        (r#"{"choose": []}"#, "choose: an empty list: expected at least one pool"),
        (r#"{"choose": ["wbe"]}"#, "choose[0]: \"wbe\": expected a known pool, one of web"),
        (r#"{"choose": ["webb"]}"#, "choose[0]: \"webb\": expected a known pool, like web"),
        (
            r#"{"choose": ["web", "W", "web", 3]}"#,
            "choose[1]: \"W\": expected 1 to 63 characters of a-z, 0-9 and inner dashes\n\
             choose[2]: \"web\": expected each pool once\n\
             choose[3]: 3: expected a text",
        ),
        (
            r#"{"choose": ["web"], "pools": {"web": {"min": 12}}}"#,
            "pools.web.min: 12: expected at most max, which is 10",
        ),
        (r#"{"choose": ["web"], "pools": 1}"#, "pools: 1: expected a map of pools"),
        (
            r#"{"choose": "price"}"#,
            "pools.web.shape.price: missing: expected a price, because choose is price",
        ),
        (
            r#"{"choose": "price", "pools": {"web": {"shape": "-", "shapes": [
                {"name": "m", "cpu": 1, "memory": 1, "pods": 1, "price": false},
                {"name": "n", "cpu": 1, "memory": 1, "pods": 1, "price": 0},
                {"name": "o", "cpu": 1, "memory": 1, "pods": 1}]}}}"#,
            "pools.web.shapes[0].price: false: expected a price, because choose is price\n\
             pools.web.shapes[2].price: missing: expected a price, because choose is price",
        ),
        (r#"{"choose": "priority"}"#, "valid"),
    ];
    check(&rows, |patch| patch);
}

/// Lists and maps, and keys and values, of the greatest length and one more.
#[test]
fn lengths() {
    let long = |most: usize| ("k".repeat(most), "k".repeat(most + 1));
    let shape = |index: usize| json!({"name": format!("m{index}"), "cpu": 1, "memory": 1, "pods": 1});
    let ((key, longer_key), (value, longer_value)) = (long(317), long(63));
    let map = |count: usize| {
        Value::from((0..count).map(|n| (format!("k{n}"), json!("v"))).collect::<serde_json::Map<_, _>>())
    };
    let amounts = |count: usize| {
        Value::from((0..count).map(|n| (format!("k{n}"), json!(1))).collect::<serde_json::Map<_, _>>())
    };
    let rows = [
        (json!({"shape": "-", "shapes": (0..16).map(shape).collect::<Vec<_>>()}), ""),
        (
            json!({"shape": "-", "shapes": (0..17).map(shape).collect::<Vec<_>>()}),
            "pools.web.shapes: a list: expected at most 16 shapes",
        ),
        (json!({"labels": map(64)}), ""),
        (json!({"labels": map(65)}), "pools.web.labels: a map: expected at most 64 labels"),
        (json!({"shape": {"extended": amounts(64)}}), ""),
        (
            json!({"shape": {"extended": amounts(65)}}),
            "pools.web.shape.extended: a map: expected at most 64 resources",
        ),
        (json!({"taints": (0..64).map(|n| format!("k{n}:NoSchedule")).collect::<Vec<_>>()}), ""),
        (json!({"taints": vec!["k:NoSchedule"; 65]}), "pools.web.taints: a list: expected at most 64 taints"),
        (json!({"targets": vec![json!({}); 17]}), "pools.web.targets: a list: expected at most 16 targets"),
        (json!({"labels": {&key: value}}), ""),
        (
            json!({"labels": {longer_key: "v"}}),
            "expected a key of 1 to 317 printable ASCII characters without spaces",
        ),
        (
            json!({"labels": {key: longer_value}}),
            "expected at most 63 printable ASCII characters without spaces",
        ),
    ];
    for (patch, expected) in rows {
        let mut policy = super::base();
        super::merge(&mut policy, &in_pool(patch.clone()));
        match Policy::from_json(&policy.to_string()) {
            Ok(_) => assert_eq!(expected, "", "{patch}"),
            Err(errors) => {
                assert!(!expected.is_empty() && errors.to_string().ends_with(expected), "{errors}")
            }
        }
    }
}

/// What a file cannot even say.
#[test]
fn the_builder_is_checked_like_a_file() {
    let shape = |name| Shape::new(ShapeName::new(name).unwrap(), Resources::new(500, 1 << 30, 8));
    let web = PoolPolicy::builder("web")
        .with_zones(["a"])
        .with_shapes([
            shape("m").with_price(Fixed::from_int(-1)),
            shape("m"),
            shape("n").with_label("k", "a b"),
        ])
        .with_labels([("k", "1"), ("k", "2")])
        .with_taints([Taint::new("a=b", "", TaintEffect::NoSchedule)])
        .with_overhead(Resources::new(500, 0, 0))
        .with_headroom(Headroom::new(0, 0, 11));
    let none = PoolPolicy::builder("none").with_zones(["a"]).with_shapes([]);
    let errors =
        Policy::builder("shop").with_choose(Choose::Order(vec![])).with_pool(web).with_pool(none).build();
    assert_eq!(
        errors.unwrap_err().to_string(),
        "pools.none.shapes: an empty list: expected at least one shape\n\
         pools.web.shapes[0].price: -1: expected a number from 0 to 1000000\n\
         pools.web.shapes[2].labels.k: \"a b\": expected at most 63 printable ASCII characters without spaces\n\
         pools.web.labels.k: \"2\": expected each key once\n\
         pools.web.taints[0]: \"a=b=:NoSchedule\": expected a taint like key=value:NoSchedule, key:PreferNoSchedule or key:NoExecute\n\
         pools.web.overhead.cpu: \"500m\": expected less than 500m, all that m offers\n\
         pools.web.headroom.nodes: 11: expected at most max, which is 10\n\
         choose: an empty list: expected at least one pool"
    );
}
