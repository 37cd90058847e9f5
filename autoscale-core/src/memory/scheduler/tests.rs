//! Where pods go, and where they may not.

use super::*;
use crate::data::policy::{Policy, PoolPolicy, Purchase, Shape};
use crate::data::view::{Operator, Pod, Requirement, Scope, Toleration};
use crate::memory::{Keep, Pool, Rng, Settings, World};
use crate::words::{ClusterId, PoolName, ShapeName, Span};

fn zone(name: &str) -> Zone {
    Zone::new(name).unwrap()
}

fn pool(name: &str) -> PoolName {
    PoolName::new(name).unwrap()
}

/// Two plain nodes in the zones a and b, and one with four GPUs in b that is kept for a team.
fn world() -> World {
    let shape = |name| Shape::new(ShapeName::new(name).unwrap(), Resources::new(2_000, 8 << 30, 20));
    let gpu = shape("gpu").with_extended("gpu", 4).with_label("gpu-model", "T4");
    let zones = vec![zone("a"), zone("b")];
    let mut settings =
        Settings::new(ClusterId::new("c").unwrap(), pool("plain"), zones, vec![shape("m"), gpu]);
    let mut kept = Pool::new(pool("kept"));
    kept.labels.insert("team".to_owned(), "7".to_owned());
    kept.taints.push(Taint::new("team", "7", TaintEffect::NoSchedule));
    settings.pools.push(kept);
    let mut world = World::new(settings, 1);
    for (name, zone_name, shape) in [("plain", "a", "m"), ("plain", "b", "m"), ("kept", "b", "gpu")] {
        let shape = ShapeName::new(shape).unwrap();
        world.add_worker_to(&pool(name), &zone(zone_name), Purchase::OnDemand, &shape).unwrap();
    }
    world
}

/// The node's number for each pod of a workload, 0 for none, in the order of the pods.
fn seats(world: &World, name: &str) -> Vec<u32> {
    let pods = world.survey(&Scope::Everything).pods;
    let mut mine: Vec<&Pod> =
        pods.iter().filter(|pod| pod.owner.as_ref().is_some_and(|owner| owner.name == name)).collect();
    mine.sort_by_key(|pod| &pod.uid);
    let number = |pod: &&Pod| {
        let node = pod.node.as_ref().map(|node| node.as_str().trim_start_matches("node-").parse().unwrap());
        node.unwrap_or(0)
    };
    mine.iter().map(number).collect()
}

fn need(key: &str, operator: Operator, values: &[&str]) -> Requirement {
    Requirement::new(key, operator, values.iter().copied())
}

#[test]
fn a_pod_goes_to_the_first_node_that_it_may_be_on() {
    let tolerant = || Constraints { tolerations: vec![Toleration::of("team")], ..Constraints::default() };
    let selecting = |key: &str, value: &str| Constraints {
        selector: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        ..tolerant()
    };
    let wanting = |terms: &[&[Requirement]]| Constraints {
        affinity: terms.iter().map(|term| term.to_vec()).collect(),
        ..tolerant()
    };
    let volumes = |zones: &[&str]| Constraints {
        volume_zones: Some(zones.iter().map(|name| zone(name)).collect()),
        ..tolerant()
    };
    let other_team =
        Constraints { tolerations: vec![Toleration::of_value("team", "8")], ..Constraints::default() };
    for (constraints, gpus, seat) in [
        (Constraints::default(), 0, 1),
        (tolerant(), 1, 3),
        (Constraints::default(), 1, 0),
        (other_team, 1, 0),
        (tolerant(), 5, 0),
        (selecting("topology.kubernetes.io/zone", "b"), 0, 2),
        (selecting("topology.kubernetes.io/zone", "c"), 0, 0),
        (selecting("node.kubernetes.io/instance-type", "gpu"), 0, 3),
        (selecting("kubernetes.io/hostname", "node-00002"), 0, 2),
        (selecting("team", "7"), 0, 3),
        (selecting("gpu-model", "T4"), 0, 3),
        (selecting("gpu-model", "A10"), 0, 0),
        (wanting(&[&[need("gpu-model", Operator::In, &["A10", "T4"])]]), 0, 3),
        (wanting(&[&[need("gpu-model", Operator::NotIn, &["T4"])]]), 0, 1),
        (
            wanting(&[&[
                need("gpu-model", Operator::DoesNotExist, &[]),
                need("team", Operator::Exists, &[]),
            ]]),
            0,
            0,
        ),
        (wanting(&[&[need("x", Operator::Exists, &[])], &[need("team", Operator::Gt, &["6"])]]), 0, 3),
        (wanting(&[&[need("team", Operator::Lt, &["7"])]]), 0, 0),
        (volumes(&["b"]), 0, 2),
        (volumes(&["c"]), 0, 0),
        (volumes(&["c", "a"]), 0, 1),
    ] {
        let mut world = world();
        let told = format!("{constraints:?}, {gpus} GPUs");
        let workload =
            Workload::new("one", 1, 100, 1 << 20).with_constraints(constraints).with_extended("gpu", gpus);
        world.add_workload(workload);
        assert_eq!(seats(&world, "one"), [seat], "{told}");
        let waiting = world.survey(&Scope::Pending).pods;
        assert_eq!(waiting.iter().any(|pod| pod.unschedulable_since.is_some()), seat == 0, "{told}");
    }
}

#[test]
fn extended_resources_are_used_up_and_given_back() {
    let mut world = world();
    let tolerant = Constraints { tolerations: vec![Toleration::of("team")], ..Constraints::default() };
    let workload = Workload::new("train", 3, 100, 1 << 20).with_constraints(tolerant).with_extended("gpu", 2);
    let id = world.add_workload(workload);
    assert_eq!(seats(&world, "train"), [3, 3, 0]);
    world.set_replicas(id, 1);
    world.advance_to(world.now().after(Span::from_mins(2)));
    world.set_replicas(id, 2);
    assert_eq!(seats(&world, "train"), [3, 3]);
}

#[test]
fn a_group_spreads_within_its_namespace() {
    let mut world = world();
    let spread =
        Constraints { spread: Spread::OnePerNode { group: "web".to_owned() }, ..Constraints::default() };
    let workload = |name: &str| Workload::new(name, 2, 100, 1 << 20).with_constraints(spread.clone());
    world.add_workload(workload("first"));
    world.add_workload(workload("same-group"));
    world.add_workload(Workload { namespace: "other".to_owned(), ..workload("elsewhere") });
    assert_eq!(seats(&world, "first"), [1, 2]);
    assert_eq!(seats(&world, "same-group"), [0, 0]);
    assert_eq!(seats(&world, "elsewhere"), [1, 2]);
}

#[test]
fn the_highest_priority_goes_first_and_then_the_oldest() {
    let mut world = world();
    let blocker = world.add_workload(Workload::new("blocker", 2, 1_800, 1 << 20));
    for (name, priority) in [("low", -1), ("old", 5), ("new", 5), ("high", 9)] {
        world.add_workload(Workload::new(name, 1, 950, 1 << 20).with_priority(priority));
    }
    assert_eq!(world.pending_pods(), 4);
    world.set_replicas(blocker, 1);
    world.advance_to(world.now().after(Span::from_mins(2)));
    let at = |name| seats(&world, name) == [2];
    assert_eq!(["low", "old", "new", "high"].map(at), [false, true, false, true]);
}

#[test]
fn a_preference_against_a_node_yields_only_to_need() {
    let mut settings = world().settings;
    settings.pools[0].taints.push(Taint::new("slow", "", TaintEffect::PreferNoSchedule));
    settings.pools[1].taints.clear();
    let mut world = World::new(settings, 1);
    let shape = ShapeName::new("m").unwrap();
    for name in ["plain", "kept"] {
        world.add_worker_to(&pool(name), &zone("a"), Purchase::Spot, &shape).unwrap();
    }
    let tolerant = Constraints { tolerations: vec![Toleration::of("slow")], ..Constraints::default() };
    world.add_workload(Workload::new("tolerant", 1, 100, 1 << 20).with_constraints(tolerant));
    world.add_workload(Workload::new("web", 3, 700, 1 << 20));
    assert_eq!(seats(&world, "tolerant"), [1]);
    assert_eq!(seats(&world, "web"), [2, 2, 1]);
}

#[test]
fn surveys_show_what_pods_ask_and_nodes_offer() {
    let mut world = world();
    let constraints = Constraints { tolerations: vec![Toleration::everything()], ..Constraints::default() };
    let workload = Workload::new("all", 1, 100, 1 << 20)
        .with_constraints(constraints.clone())
        .with_extended("gpu", 3)
        .with_priority(7);
    world.add_workload(workload);
    let view = world.survey(&Scope::Everything);
    let pod = view.pods.iter().find(|pod| !pod.is_daemon()).unwrap();
    assert_eq!((&pod.constraints, pod.extended.amount("gpu"), pod.priority), (&constraints, 3, 7));
    let node = view.nodes.iter().find(|node| pod.node.as_ref() == Some(&node.name)).unwrap();
    assert_eq!(node.pool, Some(pool("kept")));
    assert_eq!(node.extended.amount("gpu"), 4, "what it offers, not what is left");
    assert_eq!(node.taints, [Taint::new("team", "7", TaintEffect::NoSchedule)]);
    let labels: Vec<_> = node.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let expected = "gpu-model=T4 kubernetes.io/hostname=node-00003 node.kubernetes.io/instance-type=gpu team=7 \
        topology.kubernetes.io/zone=b";
    assert_eq!(labels, expected.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn a_policy_with_several_pools_is_one_cloud() {
    let web = PoolPolicy::builder("web").with_zones(["b", "c"]).with_shape("m", 2_000, 8 << 30, 20);
    let batch = PoolPolicy::builder("batch").with_zones(["a", "b"]).with_shape("l", 4_000, 16 << 30, 20);
    let policy = Policy::builder("shop").with_pool(web).with_pool(batch).build().unwrap();
    let settings = Settings::for_policy(&policy).unwrap();
    assert_eq!(settings.pools.iter().map(|pool| pool.name.as_str()).collect::<Vec<_>>(), ["batch", "web"]);
    assert_eq!(settings.zones.iter().map(Zone::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(settings.shapes.iter().map(|shape| shape.name.as_str()).collect::<Vec<_>>(), ["l", "m"]);
}

/// Whatever happens: no pod waits that an open node could take, and no node holds more than it offers.
#[test]
fn nobody_waits_who_need_not() {
    let mut world = world();
    let shapes = ["m", "gpu"].map(|name| ShapeName::new(name).unwrap());
    let mut rng = Rng::new(9);
    let mut ids = Vec::new();
    for number in 0..12_u64 {
        let mut constraints = Constraints::default();
        if number % 3 == 0 {
            constraints.tolerations.push(Toleration::of("team"));
        }
        if number % 4 == 1 {
            constraints.spread = Spread::OnePerNode { group: "g".to_owned() };
        }
        if number % 5 == 2 {
            constraints.volume_zones = Some(vec![zone("b")]);
        }
        let workload = Workload::new(format!("w-{number}"), 1, 150 * (1 + number % 6), 1 << 30)
            .with_constraints(constraints)
            .with_extended("gpu", u64::from(number % 6 == 3))
            .with_priority(number as i32 % 2)
            .with_budget(Keep::MaxUnavailable(1));
        ids.push(world.add_workload(workload));
    }
    let (mut waited, mut bound) = (0, 0);
    for step in 0..1_500 {
        match rng.below(6) {
            0 => {
                let zone = zone(if rng.chance(500_000) { "a" } else { "b" });
                let kind = rng.below(2) as usize;
                let pool = pool(["plain", "kept"][kind]);
                world.add_worker_to(&pool, &zone, Purchase::Spot, &shapes[kind]).unwrap();
            }
            1 => {
                let alive = world.alive();
                if let Some(instance) = rng.pick(&alive).filter(|_| alive.len() > 6) {
                    world.kill(instance);
                }
            }
            2 => {
                let open = world.serving();
                if let Some(name) = rng.pick(&open).cloned() {
                    world.cordon_by_hand(&name, true);
                }
            }
            3 => {
                let nodes = world.survey(&Scope::Pending).nodes;
                if let Some(node) = nodes.iter().find(|node| node.unschedulable) {
                    world.cordon_by_hand(&node.name, false);
                }
            }
            _ => {
                let id = *rng.pick(&ids).unwrap();
                world.set_replicas(id, rng.below(7) as u32);
            }
        }
        world.advance_to(world.now().after(rng.span(Span::ZERO, Span::from_secs(90))));
        let cluster = &world.cluster;
        let waiting: Vec<u64> = cluster.workloads.iter().flat_map(|running| running.queue.clone()).collect();
        assert_eq!(waiting.len(), world.pending_pods() as usize);
        waited += waiting.len();
        for pod in waiting {
            let running = cluster.workload(cluster.pods[&pod].workload.unwrap()).unwrap();
            let ask = &cluster.lines.line(running.line).unwrap().ask;
            let seat = cluster.nodes.keys().find(|node| cluster.takes(ask, **node).is_some());
            assert_eq!(seat, None, "step {step}: pod {pod} waits");
        }
        for node in cluster.nodes.values().filter(|node| !node.control_plane) {
            let mut used = cluster.daemon;
            let mut gpus = 0;
            for running in node.pods.iter().filter_map(|pod| cluster.workload(cluster.pods[pod].workload?)) {
                used = used.plus(&running.spec.requests);
                gpus += running.spec.extended.amount("gpu");
                bound += 1;
            }
            assert_eq!(node.free, node.allocatable.minus(&used), "step {step}");
            assert!(used.fits(&node.allocatable), "step {step}");
            assert_eq!(node.free_extended.amount("gpu") + gpus, node.extended.amount("gpu"), "step {step}");
        }
    }
    assert!(waited > 1_000 && bound > 1_000, "{waited} {bound}");
}
