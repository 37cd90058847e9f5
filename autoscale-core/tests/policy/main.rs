//! A policy is the same however it was written, and another one has another hash.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod env;
#[cfg(feature = "yaml")]
mod files;
mod keys;

use std::collections::BTreeSet;

use autoscale_core::data::policy::{
    Awkward, Choose, OnRebalance, Policy, PoolBuilder, PoolPolicy, Purchase, SystemPods, When,
};
use autoscale_core::words::{PoolName, Ratio, SignalName, Span, Unit};
use proptest::prelude::*;
use serde_json::{Value, json};

const FULL: &str = r#"{"version": 1, "cluster": "shop", "tick": {"interval": "2m", "limit": "30s"},
    "health": {"tolerated": 3, "ratio": "45%"}, "choose": "least_waste",
    "signals": {"depth": {"unit": "count", "stale_after": "3m"}},
    "pools": {"web": {"min": 2, "max": 10, "priority": 0, "zones": ["a", "b"], "max_per_zone": false,
        "shapes": [{"name": "m", "cpu": "1500m", "memory": "8Gi", "pods": 110, "extended": {}, "labels": {},
            "price": false}], "labels": {}, "taints": [], "overhead": false, "template": "",
        "purchases": ["spot", "on_demand"], "pods_per_node": false, "targets": [],
        "up": [{"signal": "cpu", "above": 0.7, "for": "0s"}, {"signal": "depth", "above": 12.5, "for": "2m"}],
        "down": [{"signal": "cpu", "below": "30%", "for": "10m"}], "pending": {"for": "3m"},
        "headroom": {"cpu": 0, "memory": 0, "nodes": 0},
        "step_up": 1, "step_down": 1, "max_batch": 10, "max_drains": 5, "busy_above": false, "cooldown_up": "5m", "cooldown_down": "10m",
        "join_timeout": "10m", "drain_timeout": "6m", "max_zone_skew": 2, "backoff_initial": "5m",
        "backoff_max": "30m", "replacement_surge": 0, "on_rebalance": "replace", "adopt": false,
        "system_pods": "hold", "bare_pods": "hold", "local_storage": "hold", "critical_pods": "hold"}}}"#;

fn web() -> PoolBuilder {
    zoned().with_shape("m", 1_500, 8 << 30, 110)
}

fn zoned() -> PoolBuilder {
    PoolPolicy::builder("web").with_zones(["a", "b"])
}

fn with_rules(pool: PoolBuilder) -> PoolBuilder {
    pool.with_up(When::above("cpu", "70%")).with_up(When::above("depth", 12.5).lasting(Span::from_mins(2)))
}

fn built() -> Policy {
    Policy::builder("shop").with_signal("depth", Unit::Count).with_pool(with_rules(web())).build().unwrap()
}

#[test]
fn a_file_and_the_builder_and_serde_agree() {
    let policy = built();
    assert_eq!(Policy::from_json(FULL).unwrap(), policy);
    assert_eq!(serde_json::from_str::<Policy>(FULL).unwrap(), policy);
    let value: Value = serde_json::from_str(FULL).unwrap();
    assert_eq!(serde_json::from_value::<Policy>(value).unwrap(), policy);
}

#[test]
fn defaults_follow_the_tick() {
    let of = |interval| {
        let policy = Policy::builder("shop").with_interval(interval).with_pool(web()).build().unwrap();
        policy.pool(&PoolName::new("web").unwrap()).unwrap().clone()
    };
    let (quick, slow) = (of(Span::from_secs(60)), of(Span::from_mins(15)));
    assert_eq!((quick.drain_timeout, quick.join_timeout), (Span::from_secs(300), Span::from_secs(600)));
    assert_eq!((slow.drain_timeout, slow.join_timeout), (Span::from_mins(45), Span::from_mins(15)));
    assert_eq!((quick.down[0].lasting, slow.down[0].lasting), (Span::from_secs(600), Span::from_mins(45)));
    assert_eq!(quick.up[0].to_string(), "cpu above 0.7 for 0s");
}

#[test]
fn cpu_and_memory_are_always_declared() {
    let policy = Policy::builder("shop").with_pool(web()).build().unwrap();
    let names: Vec<_> = policy.signals().keys().map(SignalName::as_str).collect();
    assert_eq!(names, ["cpu", "memory"]);
    let stale_after = Span::from_mins(9);
    let own =
        Policy::builder("shop").with_signal_stale_after("cpu", Unit::Ratio, stale_after).with_pool(web());
    assert_eq!(own.build().unwrap().signals()["cpu"].stale_after, stale_after);
}

#[test]
fn the_builder_reports_everything_at_once() {
    let errors = Policy::builder("shop")
        .with_pool(web().with_min(11).with_up(When::above("cpu", f64::NAN)))
        .with_pool(PoolPolicy::builder("web"))
        .build()
        .unwrap_err();
    assert_eq!(
        errors.to_string(),
        "pools.web: an empty map: expected each key once\n\
         pools.web.min: 11: expected at most max, which is 10\n\
         pools.web.up[0].above: NaN: expected a percentage like 70%, or a fraction from 0 to 1"
    );
}

#[test]
fn the_hash_stays_what_it_is() {
    assert_eq!(built().hash().as_str(), "83de367e6aa4f84147067ff0e1b48dbf");
    let mut canonical: Value = serde_json::from_str(FULL).unwrap();
    canonical["pools"]["web"]["up"][0]["above"] = json!("70%");
    canonical["pools"]["web"]["up"][1]["above"] = json!("12.5");
    for name in ["cpu", "memory"] {
        canonical["signals"][name] = json!({"unit": "ratio", "stale_after": "3m"});
    }
    assert_eq!(serde_json::to_value(built()).unwrap(), canonical);
}

/// The README prints the hash of its first example.
#[test]
fn the_readme_shows_the_hash_of_its_policy() {
    let web = PoolPolicy::builder("web").with_zones(["a", "b", "c"]);
    let web = web.with_shape("m6i.large", 2_000, 8 << 30, 110);
    let web = web.with_min(2).with_max(10).with_up(When::above("cpu", "70%"));
    let policy = Policy::builder("shop").with_pool(web).build().unwrap();
    let line = format!("  policy {}\n", &policy.hash().as_str()[..12]);
    assert!(include_str!("../../README.md").contains(&line), "{line}");
}

/// Every setter of a pool moves the hash, and no two land on the same.
#[test]
fn every_setting_of_the_builder_changes_the_hash() {
    let span = Span::from_mins(17);
    let pools: Vec<PoolBuilder> = vec![
        web(),
        web().with_min(1),
        web().with_max(11),
        web().with_zones(["b", "a"]),
        zoned().with_shape("n", 1_500, 8 << 30, 110),
        zoned().with_shape("m", 1_501, 8 << 30, 110),
        zoned().with_shape("m", 1_500, 1 + (8 << 30), 110),
        zoned().with_shape("m", 1_500, 8 << 30, 111),
        web().with_purchases([Purchase::OnDemand]),
        web().with_pods_per_node(11),
        web().with_up(When::above("cpu", "71%")),
        web().with_up(When::above("memory", "70%")),
        web().with_up(When::above("cpu", "70%").lasting(span)),
        web().with_down(When::below("cpu", Ratio::percent(31))),
        web().without_up(),
        web().without_down(),
        web().without_pending(),
        web().with_pending(span),
        web().with_step_up(2),
        web().with_step_down(2),
        web().with_max_batch(11),
        web().with_cooldown_up(span),
        web().with_cooldown_down(span),
        web().with_join_timeout(span),
        web().with_drain_timeout(span),
        web().with_max_zone_skew(3),
        web().with_backoff_initial(span),
        web().with_backoff_max(span),
        web().with_replacement_surge(1),
        web().with_on_rebalance(OnRebalance::Ignore),
        web().with_adopt(true),
        web().with_template("lt-1:7"),
        web().with_system_pods(SystemPods::Budgeted),
        web().with_bare_pods(Awkward::Evict),
        web().with_local_storage(Awkward::Evict),
        web().with_critical_pods(Awkward::Evict),
    ];
    let start = || Policy::builder("shop");
    let mut policies: Vec<Policy> =
        pools.into_iter().chain(keys::pools()).map(|pool| start().with_pool(pool).build().unwrap()).collect();
    for other in [
        Policy::builder("shop2"),
        start().with_interval(Span::from_secs(90)),
        start().with_limit(Span::from_secs(31)),
        start().with_health(4, Ratio::percent(45)),
        start().with_health(3, Ratio::percent(46)),
        start().with_signal("depth", Unit::Count),
        start().with_signal("depth", Unit::PerSecond),
        start().with_signal_stale_after("depth", Unit::Count, span),
        start().with_choose(Choose::Priority),
        start().with_choose(Choose::Order(vec![PoolName::new("web").unwrap()])),
    ] {
        policies.push(other.with_pool(web()).build().unwrap());
    }
    policies.push(
        start()
            .with_pool(web())
            .with_pool(PoolPolicy::builder("x").with_zones(["a"]).with_shape("m", 1, 1, 1))
            .build()
            .unwrap(),
    );
    let hashes: BTreeSet<_> = policies.iter().map(Policy::hash).collect();
    assert_eq!(hashes.len(), policies.len());
    for policy in &policies {
        #[cfg(feature = "yaml")]
        files::agree(policy);
        let text = serde_json::to_string(policy).unwrap();
        assert_eq!(&Policy::from_json(&text).unwrap(), policy, "{text}");
    }
}

/// Every leaf of the canonical form is changed in turn: the policy is refused, or it is another one.
#[test]
fn no_setting_is_ignored() {
    let canonical = serde_json::to_value(built()).unwrap();
    let mut leaves = Vec::new();
    leaves_of(&canonical, String::new(), &mut leaves);
    assert!(leaves.len() > 55, "{}", leaves.len());
    for pointer in leaves {
        let mut changed = canonical.clone();
        let leaf = changed.pointer_mut(&pointer).unwrap();
        *leaf = match &*leaf {
            Value::Number(number) => json!(number.as_u64().unwrap() + 1),
            Value::Bool(flag) => json!(!flag),
            Value::String(text) => json!(format!("1{text}")),
            _ => Value::Null,
        };
        if let Ok(policy) = serde_json::from_value::<Policy>(changed) {
            assert_ne!(policy.hash(), built().hash(), "{pointer}");
        }
    }
}

fn leaves_of(value: &Value, path: String, leaves: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| leaves_of(value, format!("{path}/{key}"), leaves))
        }
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(index, value)| leaves_of(value, format!("{path}/{index}"), leaves));
        }
        _ => leaves.push(path),
    }
}

/// Writes JSON with the keys of every map turned round by `seed`.
fn permuted(value: &Value, seed: usize) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}:{}", json!(key), permuted(value, seed / 3)))
                .collect();
            let turn = seed % entries.len().max(1);
            entries.rotate_left(turn);
            format!("{{{}}}", entries.join(","))
        }
        Value::Array(list) => {
            format!("[{}]", list.iter().map(|value| permuted(value, seed)).collect::<Vec<_>>().join(","))
        }
        leaf => leaf.to_string(),
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["cpu", "70%", "5m", "a", "500m", "8Gi", "-1", "spot", ""])
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let key = prop_oneof![
        prop::sample::select(vec!["up", "signal", "above", "for", "unit", "cpu", "interval", "web", "min"])
            .prop_map(str::to_owned),
        any::<String>(),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..5)
                .prop_map(|map| Value::from(map.into_iter().collect::<serde_json::Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = Policy::from_json(&text);
    }

    /// Any value in the place of any part of a valid policy.
    #[test]
    fn no_value_panics(value in any_value(), place in any::<prop::sample::Index>()) {
        let _ = Policy::from_json(&value.to_string());
        let places = ["/tick", "/health/ratio", "/signals", "/pools", "/pools/web", "/pools/web/shapes",
            "/pools/web/up", "/pools/web/up/0", "/pools/web/up/0/above", "/pools/web/down/0/for", "/pools/web/min",
            "/pools/web/zones", "/pools/web/pending", "/pools/web/shapes/0/memory", "/pools/web/shapes/0/extended",
            "/pools/web/labels", "/pools/web/taints", "/pools/web/overhead", "/pools/web/headroom",
            "/pools/web/targets", "/choose"];
        let mut policy: Value = serde_json::from_str(FULL).unwrap();
        *policy.pointer_mut(places[place.index(places.len())]).unwrap() = value;
        if let Err(errors) = Policy::from_json(&policy.to_string()) {
            for error in errors.iter() {
                prop_assert!(!error.to_string().contains('\n'), "{}", error);
                prop_assert!(error.path.len() < 2_000 && error.value.len() < 2_000);
            }
        }
    }

    #[test]
    fn the_order_of_keys_does_not_matter(seed: usize) {
        let value: Value = serde_json::from_str(FULL).unwrap();
        let text = permuted(&value, seed);
        prop_assert_eq!(Policy::from_json(&text).unwrap(), built());
    }

    #[test]
    fn what_is_written_reads_back(
        (min, more, cpu, memory) in (0_u32..5_000, 1_u32..5_000, 1_u64..1 << 40, 1_u64..u64::MAX),
        (up, gap, depth) in (1_u32..=1_000_000, 1_u32..1_000_000, any::<i64>()),
        (interval, lasting) in (1_000_u64..900_000, 10_800_000_u64..604_800_000),
    ) {
        use autoscale_core::words::Fixed;
        let ratio = |micros| Ratio::from_micros(micros).unwrap();
        let down = up.saturating_sub(gap);
        prop_assume!(down < up);
        let pool = PoolPolicy::builder("web").with_zones(["a"]).with_shape("m", cpu, memory, 1)
            .with_min(min).with_max(min + more)
            .with_up(When::above("cpu", ratio(up))).with_up(When::above("depth", Fixed::from_micros(depth)))
            .with_down(When::below("cpu", ratio(down)).lasting(Span::from_millis(lasting)));
        let policy = Policy::builder("shop").with_interval(Span::from_millis(interval))
            .with_signal("depth", Unit::PerSecond).with_pool(pool).build().unwrap();
        let again = Policy::from_json(&serde_json::to_string(&policy).unwrap()).unwrap();
        prop_assert_eq!(again.hash(), policy.hash());
        prop_assert_eq!(&again, &policy);
        #[cfg(feature = "yaml")]
        files::agree(&policy);
    }
}
