//! What YAML and TOML are refused for, and what their traps mean.

use autoscale_core::data::policy::{Policy, PolicyErrors};

const YAML: &str = "version: 1
cluster: shop
pools:
  web:
    zones: [a]
    shape: {name: m, cpu: 2, memory: 8Gi, pods: 110}
";

const TOML: &str = "version = 1
cluster = 'shop'
[pools.web]
zones = ['a']
shape = { name = 'm', cpu = 2, memory = '8Gi', pods = 110 }
";

fn told(read: Result<Policy, PolicyErrors>) -> String {
    read.map_or_else(|errors| errors.to_string(), |_| "valid".to_owned())
}

/// Behind a valid pool.
#[test]
fn yaml_in_a_pool() {
    for (text, expected) in [
        (
            "    min: 1_000",
            "line 7, column 10: pools.web.min: \"1_000\": expected a whole number from 0 to 10000",
        ),
        ("    max: 0o17", "valid"),
        ("    max: 0x1F", "valid"),
        ("    min: .5", "line 7, column 10: pools.web.min: 0.5: expected a whole number from 0 to 10000"),
        ("    adopt: yes", "line 7, column 12: pools.web.adopt: \"yes\": expected true or false"),
        ("    adopt: off", "line 7, column 12: pools.web.adopt: \"off\": expected true or false"),
        ("    adopt: True", "valid"),
        ("    labels: {country: no, on: y}", "valid"),
        (
            "    min: 2026-01-01",
            "line 7, column 10: pools.web.min: \"2026-01-01\": expected a whole number from 0 to 10000",
        ),
        (
            "    cooldown_up: 10:30",
            "line 7, column 18: pools.web.cooldown_up: \"10:30\": expected a length of time with a unit, like 90s, 10m or 1h30m",
        ),
        (
            "    labels: {release: 1.10}",
            "line 7, column 23: pools.web.labels.release: 1.1: expected a text; what looks like something else needs quotes",
        ),
        (
            "    labels: {gpu: true}",
            "line 7, column 19: pools.web.labels.gpu: true: expected a text; what looks like something else needs quotes",
        ),
        (
            "    coldown_up: 5m",
            "line 7, column 5: pools.web.coldown_up: \"5m\": expected a known key, like cooldown_up",
        ),
        ("    min: 1\n    min: 2", "line 8, column 5: pools.web.min: 2: expected each key once"),
        (
            "\tmin: 1",
            "line 7, column 2: policy: unreadable: expected YAML, but tabs disallowed within this context (block indentation)",
        ),
        ("    min:\t1", "valid"),
        ("---\na: 1", "line 7, column 1: policy: a second document: expected one document"),
        ("...\n---\n", "line 8, column 1: policy: a second document: expected one document"),
        ("...\n# the end", "valid"),
        (
            "    labels: &l {a: b}\n    taints: *l",
            "line 8, column 13: pools.web.taints: a map: expected a list of taints",
        ),
        ("    min: &a 1\n    step_up: *a", "valid"),
        (
            "    <<: {a: b}",
            "line 7, column 5: policy: <<: expected no merge key; an alias may stand for a whole value",
        ),
        ("    min: !!int 1", "line 7, column 16: policy: the tag \"tag:yaml.org,2002:int\": expected no tag"),
        ("    min: !own {}", "line 7, column 15: policy: the tag \"!own\": expected no tag"),
        ("    template: !!str 1", "valid"),
        (
            "    up: &u [*u]",
            "line 7, column 13: policy: an alias: expected the anchor of a value that is complete",
        ),
        (
            "    min: *nope",
            "line 7, column 10: policy: unreadable: expected YAML, but while parsing node, found unknown anchor",
        ),
        ("    ? [a]\n    : 1", "line 7, column 7: policy: something else: expected a text as the key"),
        ("    min: [1", "line 7, column 10: policy: unreadable: expected YAML, but unclosed bracket '['"),
        ("    adopt:\n    min: 1", "line 7, column 10: pools.web.adopt: null: expected true or false"),
        (
            "    down: [{signal: cpu, below: 30%, for: 1m}]",
            "line 7, column 43: pools.web.down[0].for: \"1m\": expected at least 6m, three times tick.interval: a down-rule must be seen at least three times",
        ),
    ] {
        assert_eq!(told(Policy::from_yaml(&format!("{YAML}{text}\n"))), expected, "{text}");
    }
}

#[test]
fn yaml_as_a_whole() {
    let nothing = "line 1, column 1: policy: null: expected a map with version, cluster and pools";
    let deep = "- ".repeat(100);
    for (text, expected) in [
        ("", nothing),
        ("# nothing", nothing),
        ("- a", "line 1, column 1: policy: a list: expected a map with version, cluster and pools"),
        (
            "a: b: c",
            "line 1, column 5: policy: unreadable: expected YAML, but mapping values are not allowed in this context",
        ),
        (&deep, "line 1, column 33: policy: unreadable: expected YAML, but nested deeper than 16 levels"),
    ] {
        assert_eq!(told(Policy::from_yaml(text)), expected, "{text}");
    }
    assert_eq!(told(Policy::from_yaml(&YAML.replace('\n', "\r\n"))), "valid");
    assert_eq!(told(Policy::from_yaml(&format!("\u{feff}%YAML 1.2\n---\n{YAML}"))), "valid");
}

/// What an alias stands for counts each time; so do anchors within anchors.
#[test]
fn a_billion_laughs_are_too_many() {
    let mut aliases = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for n in 1..10 {
        let inner = vec![format!("*a{}", n - 1); 10].join(", ");
        aliases.push_str(&format!("a{n}: &a{n} [{inner}]\n"));
    }
    let mut anchors = (0..14).map(|n| format!("&b{n} [")).collect::<String>();
    anchors.push_str(&"lol, ".repeat(100_000));
    anchors.push_str(&"]".repeat(14));
    for text in [aliases, anchors] {
        let told = told(Policy::from_yaml(&text));
        assert!(told.ends_with(": policy: unreadable: expected YAML, but more than 1048576 bytes"), "{told}");
    }
}

/// A value that an alias repeats is wrong where it is written.
#[test]
fn what_an_alias_repeats_has_the_place_of_its_anchor() {
    let text = format!("{YAML}    up: &up\n      - {{signal: cpu, above: 70}}\n    down: *up\n");
    let told = told(Policy::from_yaml(&text));
    let places: Vec<_> = told.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["line 8, column 30", "line 8, column 30"], "{told}");
}

/// Behind a valid pool.
#[test]
fn toml_in_a_pool() {
    for (text, expected) in [
        ("min = 1_000", "line 6, column 7: pools.web.min: 1000: expected at most max, which is 10"),
        ("max = 0o17", "valid"),
        (
            "min = .5",
            "line 6, column 7: policy: unreadable: expected TOML, but invalid mantissa, expected digits",
        ),
        (
            "adopt = yes",
            "line 6, column 9: policy: unreadable: expected TOML, but string values must be quoted, expected literal string",
        ),
        (
            "min = 2026-01-01",
            "line 6, column 7: pools.web.min: \"2026-01-01\": expected a whole number from 0 to 10000",
        ),
        (
            "cooldown_up = 10:30:00",
            "line 6, column 15: pools.web.cooldown_up: \"10:30:00\": expected a length of time with a unit, like 90s, 10m or 1h30m",
        ),
        (
            "coldown_up = '5m'",
            "line 6, column 1: pools.web.coldown_up: \"5m\": expected a known key, like cooldown_up",
        ),
        ("min = 1\nmin = 2", "line 7, column 1: policy: unreadable: expected TOML, but duplicate key"),
        ("[pools.web]", "line 6, column 8: policy: unreadable: expected TOML, but duplicate key"),
        ("min", "line 6, column 4: policy: unreadable: expected TOML, but key with no value, expected `=`"),
        ("[[pools.web.up]]\nsignal = 'cpu'\nabove = '80%'", "valid"),
        (
            "[[pools.web.up]]\nsignal = 'cpu'\nabove = 80",
            "line 8, column 9: pools.web.up[0].above: 80: expected at most 1 without a percent sign; 70 percent is written 70%",
        ),
        (
            "labels.'a/b' = 1.10",
            "line 6, column 16: pools.web.labels[\"a/b\"]: 1.1: expected a text; what looks like something else needs quotes",
        ),
        (
            "max = 99999999999999999999999",
            "line 6, column 7: pools.web.max: 99999999999999999999999: expected a whole number from 1 to 10000",
        ),
        (
            "max = 99999999999999999999999999999999999999999999999999",
            "line 6, column 7: pools.web.max: \"99999999999999999999999999999999999999999999999999\": expected a whole number from 1 to 10000",
        ),
        (
            "busy_above = inf",
            "line 6, column 14: pools.web.busy_above: inf: expected a percentage like 70%, or a fraction from 0 to 1",
        ),
        (
            "pods_per_node = 1e1",
            "line 6, column 17: pools.web.pods_per_node: 10.0: expected a whole number from 1 to 10000",
        ),
        ("x = [", "line 6, column 6: policy: unreadable: expected TOML, but unclosed array, expected `]`"),
    ] {
        assert_eq!(told(Policy::from_toml(&format!("{TOML}{text}\n"))), expected, "{text}");
    }
}

#[test]
fn toml_as_a_whole() {
    let deep = format!("a = {}1{}", "[".repeat(50), "]".repeat(50));
    let deeper = format!("a = {}", "[".repeat(100_000));
    let dotted = format!("a{} = 1", ".a".repeat(500_000));
    for (text, expected) in [
        ("", "line 1, column 1: version: missing: expected 1"),
        (&deep, "line 1, column 20: policy: unreadable: expected TOML, but nested deeper than 16 levels"),
        (
            &deeper,
            "line 1, column 85: policy: unreadable: expected TOML, but cannot recurse further; max recursion depth met",
        ),
        (&dotted, "line 1, column 1: policy: unreadable: expected TOML, but recursion limit"),
    ] {
        let told = told(Policy::from_toml(text));
        assert_eq!(told.lines().next(), Some(expected));
    }
}

#[test]
fn each_format_has_the_same_limit_of_size() {
    let long = format!("# {}", "x".repeat(1 << 20));
    let expected = "policy: 1048578 bytes: expected at most 1048576 bytes";
    assert_eq!(told(Policy::from_yaml(&long)), expected);
    assert_eq!(told(Policy::from_toml(&long)), expected);
}
