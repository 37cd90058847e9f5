//! Shapes, targets and what else is known of a pool's nodes: what a key means, its default, and how it is written back.

use std::collections::BTreeMap;

use autoscale_core::data::policy::{Choose, Headroom, Keep, Policy, PoolBuilder, PoolPolicy, Shape, When};
use autoscale_core::data::view::{Taint, TaintEffect};
use autoscale_core::words::{Extended, Fixed, PoolName, Ratio, Resources, ShapeName, Span, Unit};
use serde_json::{Value, json};

use super::{web, zoned};

fn shape(name: &str) -> Shape {
    Shape::new(ShapeName::new(name).unwrap(), Resources::new(1_500, 8 << 30, 110))
}

/// One pool for each value that a key beside rules, times and steps may have; each is another policy.
pub(super) fn pools() -> Vec<PoolBuilder> {
    let taint = |key, value, effect| web().with_taints([Taint::new(key, value, effect)]);
    vec![
        web().with_shape("n", 1_500, 8 << 30, 110),
        web().with_shapes([shape("n"), shape("m")]),
        web().with_shapes([shape("m").with_extended("nvidia.com/gpu", 1)]),
        web().with_shapes([shape("m").with_extended("nvidia.com/gpu", 2)]),
        web().with_shapes([shape("m").with_extended("amd.com/gpu", 2)]),
        web().with_shapes([shape("m").with_label("arch", "arm64")]),
        web().with_shapes([shape("m").with_label("arch", "amd64")]),
        web().with_shapes([shape("m").with_price(Fixed::ZERO)]),
        web().with_shapes([shape("m").with_price(Fixed::from_micros(96_000))]),
        web().with_labels([("arch", "arm64")]),
        web().with_labels([("arch", "")]),
        web().with_labels([("tier", "arm64"), ("arch", "arm64")]),
        taint("dedicated", "web", TaintEffect::NoSchedule),
        taint("dedicated", "", TaintEffect::NoSchedule),
        taint("dedicated", "", TaintEffect::PreferNoSchedule),
        taint("dedicated", "", TaintEffect::NoExecute),
        web().with_overhead(Resources::default()),
        web().with_overhead(Resources::new(100, 0, 0)),
        web().with_overhead(Resources::new(0, 128 << 20, 0)),
        web().with_overhead(Resources::new(0, 0, 4)),
        web().with_priority(10_000),
        web().with_headroom(Headroom::new(500, 0, 0)),
        web().with_headroom(Headroom::new(0, 1 << 30, 0)),
        web().with_headroom(Headroom::new(0, 0, 1)),
        web().with_pods_per_node(10),
        web().with_max_drains(100),
        web().with_max_per_zone(10_000),
        web().with_max_per_zone(1),
        web().with_busy_above(Ratio::percent(50)),
        web().with_busy_above(Ratio::percent(0)),
        web().with_target(Keep::at("cpu", "50%")),
        web().with_target(Keep::at("cpu", "51%")),
        web().with_target(Keep::at("memory", "50%")),
        web().with_target(Keep::at("cpu", "50%").within(Ratio::percent(9))),
        web().with_target(Keep::at("cpu", "50%").over(Span::ZERO)),
        web().with_target(Keep::at("cpu", "50%")).with_target(Keep::at("memory", "50%")),
        web().with_target(Keep::at("cpu", "50%")).with_up(When::above("cpu", "90%")),
        web().with_target(Keep::at("cpu", "50%")).with_down(When::below("cpu", "50%")),
    ]
}

/// A policy of one pool, from a file with these keys beside zones and a shape.
fn read(patch: Value) -> Policy {
    let mut pool = json!({"zones": ["a", "b"],
        "shape": {"name": "m", "cpu": "1500m", "memory": "8Gi", "pods": 110}});
    let patch = patch.as_object().unwrap();
    if patch.contains_key("shapes") {
        pool.as_object_mut().unwrap().remove("shape");
    }
    pool.as_object_mut().unwrap().extend(patch.clone());
    let policy = json!({"version": 1, "cluster": "shop", "pools": {"web": pool}});
    Policy::from_json(&policy.to_string()).unwrap()
}

fn pool(policy: &Policy) -> &PoolPolicy {
    policy.pool(&PoolName::new("web").unwrap()).unwrap()
}

fn build(pool: PoolBuilder) -> Policy {
    Policy::builder("shop").with_pool(pool).build().unwrap()
}

#[test]
fn the_defaults_are_what_is_documented() {
    let policy = build(web());
    assert_eq!(policy.choose(), &Choose::LeastWaste);
    let pool = pool(&policy);
    assert_eq!(pool.shapes, [shape("m")]);
    assert_eq!((&pool.labels, pool.taints.len()), (&BTreeMap::new(), 0));
    assert_eq!((pool.overhead, pool.priority, pool.headroom), (None, 0, Headroom::new(0, 0, 0)));
    assert_eq!(
        (pool.pods_per_node, pool.max_drains, pool.max_per_zone, pool.busy_above),
        (None, 5, None, None)
    );
    assert_eq!((pool.targets.len(), pool.up.len(), pool.down.len()), (0, 1, 1));
    // What is spelled out as the default is the same policy.
    assert_eq!(
        read(
            json!({"labels": {}, "taints": [], "overhead": false, "priority": 0, "headroom": {}, "targets": [],
            "pods_per_node": false, "max_drains": 5, "max_per_zone": false, "busy_above": false})
        ),
        policy
    );
}

/// A file, and the builder that says the same.
#[test]
fn a_key_in_a_file_is_a_setter_of_the_builder() {
    let one = json!({"name": "m", "cpu": 1.5, "memory": "8Gi", "pods": 110});
    let with = |key: &str, value: Value| {
        let mut shape = one.clone();
        shape[key] = value;
        json!({"shapes": [shape]})
    };
    let taint = |key, value, effect| Taint::new(key, value, effect);
    let gpu = shape("m").with_extended("nvidia.com/gpu", 2);
    let rows: Vec<(Value, PoolBuilder)> = vec![
        (json!({"shapes": [one]}), web()),
        (with("extended", json!({"nvidia.com/gpu": 2})), zoned().with_shapes([gpu])),
        (with("labels", json!({"arch": ""})), zoned().with_shapes([shape("m").with_label("arch", "")])),
        (
            with("price", json!(0.096)),
            zoned().with_shapes([shape("m").with_price(Fixed::from_micros(96_000))]),
        ),
        (
            with("price", json!(1_000_000)),
            zoned().with_shapes([shape("m").with_price(Fixed::from_int(1_000_000))]),
        ),
        (with("price", json!(false)), web()),
        (json!({"labels": {"a": "1", "b": "2"}}), web().with_labels([("b", "2"), ("a", "1")])),
        (
            json!({"taints": ["b:NoExecute", "a=:NoSchedule", "a=1:PreferNoSchedule"]}),
            web().with_taints([
                taint("a", "", TaintEffect::NoSchedule),
                taint("a", "1", TaintEffect::PreferNoSchedule),
                taint("b", "", TaintEffect::NoExecute),
            ]),
        ),
        (
            json!({"overhead": {"cpu": "300m", "memory": "256Mi", "pods": 4}}),
            web().with_overhead(Resources::new(300, 256 << 20, 4)),
        ),
        (json!({"priority": 7}), web().with_priority(7)),
        (json!({"headroom": {"cpu": "500m"}}), web().with_headroom(Headroom::new(500, 0, 0))),
        (
            json!({"headroom": {"cpu": 2, "memory": "1Gi", "nodes": 10}}),
            web().with_headroom(Headroom::new(2_000, 1 << 30, 10)),
        ),
        (json!({"pods_per_node": 3}), web().with_pods_per_node(3)),
        (json!({"max_drains": 1}), web().with_max_drains(1)),
        (json!({"max_per_zone": 4}), web().with_max_per_zone(4)),
        (json!({"busy_above": 0.5}), web().with_busy_above(Ratio::percent(50))),
        (
            json!({"targets": [{"signal": "cpu", "value": 0.5}]}),
            web().with_target(Keep::at("cpu", Ratio::percent(50))),
        ),
        (
            json!({"targets": [{"signal": "cpu", "value": "50%", "tolerance": "0.0001%", "window": "1h"}]}),
            web().with_target(
                Keep::at("cpu", "50%").within(Ratio::from_micros(1).unwrap()).over(Span::from_mins(60)),
            ),
        ),
    ];
    for (patch, builder) in rows {
        assert_eq!(read(patch.clone()), build(builder), "{patch}");
    }
}

#[test]
fn shapes_are_added_in_the_operators_order() {
    let gpu = shape("p").with_extended("nvidia.com/gpu", 8);
    let policy = build(web().with_shapes([gpu.clone(), shape("z")]).with_shape("b", 1, 1, 1));
    let pool = pool(&policy);
    let names: Vec<_> = pool.shapes.iter().map(|shape| shape.name.as_str()).collect();
    assert_eq!(names, ["p", "z", "b"]);
    assert_eq!((pool.first_shape(), pool.shape(&gpu.name)), (&gpu, Some(&gpu)));
    assert_eq!(pool.shape(&ShapeName::new("m").unwrap()), None);
    assert_eq!(pool.shapes[0].extended, Extended::none().with("nvidia.com/gpu", 8));
}

#[test]
fn taints_are_sorted() {
    let (soft, hard) =
        (Taint::new("k", "", TaintEffect::PreferNoSchedule), Taint::new("a", "x", TaintEffect::NoExecute));
    let either = build(web().with_taints([soft.clone(), hard.clone()]));
    assert_eq!(either, build(web().with_taints([hard.clone(), soft.clone()])));
    assert_eq!(pool(&either).taints, [hard, soft]);
}

#[test]
fn a_pool_with_targets_has_only_the_rules_it_is_given() {
    let target = || web().with_target(Keep::at("cpu", "50%"));
    for (builder, rules) in [
        (target(), (0, 0)),
        (target().with_up(When::above("memory", "80%")), (1, 0)),
        (target().with_down(When::below("memory", "80%")), (0, 1)),
        (web(), (1, 1)),
    ] {
        let policy = build(builder);
        let pool = pool(&policy);
        assert_eq!((pool.up.len(), pool.down.len()), rules);
    }
    // Nor does a `cpu` that is no ratio keep it from having none.
    let target = Keep::at("depth", 100).over(Span::ZERO);
    let policy =
        Policy::builder("shop").with_signal("depth", Unit::Count).with_pool(web().with_target(target));
    let policy = policy.build().unwrap();
    assert_eq!(pool(&policy).targets[0].to_string(), "depth at 100 within 10% over 0s");
}

/// In the unit of the signal, as a threshold is.
#[test]
fn a_target_is_read_in_its_signals_unit() {
    for (unit, value, micros, written) in [
        (Unit::Ratio, json!("50%"), 500_000, json!("50%")),
        (Unit::Count, json!(12.5), 12_500_000, json!("12.5")),
        (Unit::PerSecond, json!(0.000_001), 1, json!("0.000001")),
        (Unit::Seconds, json!("90s"), 90_000_000, json!("1m30s")),
        (Unit::Bytes, json!("1Gi"), 1_073_741_824_000_000, json!("1Gi")),
    ] {
        let text = json!({"version": 1, "cluster": "shop", "signals": {"s": {"unit": unit}}, "pools": {"web": {
            "zones": ["a"], "shape": {"name": "m", "cpu": 2, "memory": "8Gi", "pods": 110},
            "targets": [{"signal": "s", "value": value}]}}});
        let policy = Policy::from_json(&text.to_string()).unwrap();
        assert_eq!(pool(&policy).targets[0].value, Fixed::from_micros(micros), "{unit:?}");
        let canonical = serde_json::to_value(&policy).unwrap();
        assert_eq!(
            canonical["pools"]["web"]["targets"],
            json!([{"signal": "s", "value": written, "tolerance": "10%", "window": "5m"}])
        );
    }
}

#[test]
fn the_choice_is_read_as_it_is_written() {
    let name = |name| PoolName::new(name).unwrap();
    let price = || shape("m").with_price(Fixed::from_micros(1));
    for (choose, written) in [
        (Choose::LeastWaste, json!("least_waste")),
        (Choose::Price, json!("price")),
        (Choose::Priority, json!("priority")),
        (Choose::Order(vec![name("web"), name("batch")]), json!(["web", "batch"])),
        (Choose::Order(vec![name("batch")]), json!(["batch"])),
    ] {
        let batch = PoolPolicy::builder("batch").with_zones(["a"]).with_shapes([price()]);
        let policy = Policy::builder("shop")
            .with_choose(choose.clone())
            .with_pool(zoned().with_shapes([price()]))
            .with_pool(batch)
            .build()
            .unwrap();
        assert_eq!(policy.choose(), &choose);
        let canonical = serde_json::to_value(&policy).unwrap();
        assert_eq!(canonical["choose"], written);
        assert_eq!(Policy::from_json(&canonical.to_string()).unwrap(), policy);
    }
}

#[test]
fn the_canonical_form_lists_every_key() {
    let pool = web()
        .with_shapes([shape("m")
            .with_extended("nvidia.com/gpu", 2)
            .with_label("k", "v")
            .with_price(Fixed::from_int(3))])
        .with_labels([("arch", "arm64")])
        .with_taints([Taint::new("dedicated", "web", TaintEffect::NoSchedule)])
        .with_overhead(Resources::new(300, 256 << 20, 4))
        .with_priority(1)
        .with_headroom(Headroom::new(500, 1 << 30, 1))
        .with_pods_per_node(20)
        .with_max_per_zone(6)
        .with_busy_above(Ratio::percent(60));
    let canonical = serde_json::to_value(build(pool)).unwrap();
    let pool = &canonical["pools"]["web"];
    for (key, written) in [
        (
            "shapes",
            json!([{"name": "m", "cpu": "1500m", "memory": "8Gi", "pods": 110, "extended": {"nvidia.com/gpu": 2},
                "labels": {"k": "v"}, "price": 3}]),
        ),
        ("labels", json!({"arch": "arm64"})),
        ("taints", json!(["dedicated=web:NoSchedule"])),
        ("overhead", json!({"cpu": "300m", "memory": "256Mi", "pods": 4})),
        ("priority", json!(1)),
        ("headroom", json!({"cpu": "500m", "memory": "1Gi", "nodes": 1})),
        ("pods_per_node", json!(20)),
        ("max_per_zone", json!(6)),
        ("busy_above", json!("60%")),
    ] {
        assert_eq!(pool[key], written, "{key}");
    }
    assert_eq!(pool.get("shape"), None);
}
