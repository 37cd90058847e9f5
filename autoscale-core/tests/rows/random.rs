//! Properties over clusters drawn at random: several pools, labels, taints, zones of volumes, groups, GPUs, budgets.

use std::collections::BTreeMap;

use autoscale_core::data::policy::Policy;
use autoscale_core::data::view::{
    Budget, Constraints, Node, Operator, Owner, Pod, PodPhase, Reading, Ready, Requirement, Spread, Storage,
    Taint, TaintEffect, Toleration,
};
use autoscale_core::logic::{due, plan, removable, sizing};
use autoscale_core::words::{Fixed, NodeName, PodUid, Resources, Span, Timestamp, Zone};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::read::{Cloud, Scene, Signal};
use super::world::World;

/// What a node is drawn from: pool, zone, CPU, flags.
type NodeSeed = (usize, usize, u64, u8);

/// What a pod is drawn from: node (beyond the last one: none), owner, CPU, memory, constraint, budget, flags.
type PodSeed = (usize, u8, u64, u64, u8, u8, u8);

#[derive(Clone, Debug)]
struct Seed {
    choose: usize,
    nodes: Vec<NodeSeed>,
    pods: Vec<PodSeed>,
    budgets: Vec<i64>,
    load: i64,
    ticks: u8,
}

const CHOOSE: [&str; 4] = [r#""least_waste""#, r#""price""#, r#""priority""#, r#"["steady", "spot"]"#];

/// Three pools that differ in everything that a pod can ask for.
fn policy(choose: usize) -> Policy {
    let text = r#"{"version": 1, "cluster": "shop", "choose": CHOOSE, "pools": {
        "spot": {"min": 1, "zones": ["a", "b", "c"], "purchases": ["spot"], "priority": 2, "max_per_zone": 4,
            "shapes": [
                {"name": "s", "cpu": 2, "memory": "4Gi", "pods": 10, "price": 0.1},
                {"name": "l", "cpu": 8, "memory": "16Gi", "pods": 40, "price": 0.3}],
            "labels": {"tier": "web"}, "pending": {"for": "0s"}, "headroom": {"cpu": "500m"}},
        "steady": {"min": 1, "max": 4, "zones": ["a", "b"], "busy_above": "60%", "step_down": 4,
            "down": [{"signal": "cpu", "below": "30%", "for": "6m"}],
            "shape": {"name": "s", "cpu": 2, "memory": "4Gi", "pods": 10, "price": 0.2},
            "overhead": {"cpu": "100m", "memory": "64Mi", "pods": 2}, "pending": {"for": "0s"}},
        "gpu": {"min": 0, "zones": ["b", "c"], "taints": ["dedicated=gpu:NoSchedule"],
            "shape": {"name": "g", "cpu": 4, "memory": "8Gi", "pods": 10, "price": 2, "extended": {"nvidia.com/gpu": 2}},
            "targets": [{"signal": "cpu", "value": "50%"}], "max_batch": 2, "pending": {"for": "0s"}}}}"#;
    Policy::from_json(&text.replace("CHOOSE", CHOOSE[choose])).unwrap()
}

/// Half of them are calm: no pod waits for a node, and the load is low.
fn seeds(amounts: impl Strategy<Value = u64> + Clone + 'static) -> impl Strategy<Value = Seed> {
    let node = (0_usize..3, 0_usize..4, amounts.clone(), any::<u8>());
    let pod = (0_usize..12, 0_u8..5, amounts.clone(), amounts, 0_u8..12, 0_u8..6, any::<u8>());
    let lists = (prop::collection::vec(node, 0..10), prop::collection::vec(pod, 0..28));
    let budgets = prop::collection::vec(-1_i64..3, 3);
    (0_usize..4, lists, budgets, 0_i64..100, 0_u8..8, any::<bool>()).prop_map(
        |(choose, (nodes, mut pods), budgets, mut load, ticks, calm)| {
            if calm && !nodes.is_empty() {
                load /= 5;
                pods.iter_mut().for_each(|pod| pod.0 %= nodes.len());
            }
            Seed { choose, nodes, pods, budgets, load, ticks }
        },
    )
}

/// Amounts that occur.
fn usual() -> impl Strategy<Value = u64> + Clone {
    select(vec![0, 10, 100, 250, 500, 1_000, 1_900, 2_000, 4_000])
}

/// Amounts that nobody means.
fn hostile() -> impl Strategy<Value = u64> + Clone {
    select(vec![0, 1, 500, 2_000, u64::from(u32::MAX), i64::MAX as u64, u64::MAX - 1, u64::MAX])
}

fn world(seed: &Seed) -> World {
    let scene: Scene = serde_json::from_str(
        r#"{"pools": {"x": {"zones": ["a"],
        "shape": {"name": "m", "cpu": 1, "memory": "1Gi", "pods": 1}}}}"#,
    )
    .unwrap();
    let mut world = World::new(&scene);
    world.policy = policy(seed.choose);
    let zones = ["a", "b", "c", "d"].map(|zone| Zone::new(zone).unwrap());
    for (at, (pool, zone, cpu, flags)) in seed.nodes.iter().enumerate() {
        let pool = world.policy.pools().values().nth(*pool).unwrap().clone();
        let (name, zone, born) = (format!("n{at}"), &zones[*zone], world.now.before(Span::from_mins(60)));
        world.runs(&name, &pool, zone, born);
        let of = Resources::new(*cpu, cpu.saturating_mul(2 << 20), 10);
        dress(world.joins(&name, &pool, zone, born, of), *flags);
    }
    let budgets = seed.budgets.iter().zip(["x", "y", "z"]);
    world.cluster.budgets = budgets.map(|(left, name)| Budget::new("default", name, *left)).collect();
    for (at, pod) in seed.pods.iter().enumerate() {
        world.cluster.pods.push(self::pod(at, pod, seed.nodes.len(), world.now));
    }
    world.signals(&[("cpu".to_owned(), Signal::Number(seed.load as f64 / 100.0))].into());
    let cloud = if seed.choose.is_multiple_of(2) { Cloud::Works } else { Cloud::KeepsPods };
    for _ in 0..seed.ticks {
        drop(world.tick());
        world.perform(cloud);
        world.wait(Span::from_mins(2));
    }
    world
}

fn dress(node: &mut Node, flags: u8) {
    if flags & 1 > 0 {
        node.labels.insert("tier".to_owned(), "web".to_owned());
    }
    if flags & 2 > 0 {
        node.taints.push(Taint::new("dedicated", "gpu", TaintEffect::NoSchedule));
    }
    if flags & 4 > 0 {
        node.taints.push(Taint::new("old", "", TaintEffect::PreferNoSchedule));
    }
    if flags & 8 > 0 {
        node.extended = node.extended.clone().with("nvidia.com/gpu", 2);
    }
    (node.keep, node.ready) =
        (flags & 0x30 == 0x30, if flags & 0xc0 == 0xc0 { Ready::No } else { Ready::Yes });
}

fn pod(at: usize, seed: &PodSeed, nodes: usize, now: Timestamp) -> Pod {
    let (node, owner, cpu, memory, constraint, budget, flags) = *seed;
    let asks = Resources::new(cpu, memory.saturating_mul(1 << 20), 1);
    let namespace = if flags & 0x1f == 0x1f { "kube-system" } else { "default" };
    let mut pod = Pod::new(PodUid::new(format!("p{at}")).unwrap(), namespace, format!("p{at}"), asks);
    if node < nodes {
        (pod.node, pod.phase) = (Some(NodeName::new(format!("n{node}")).unwrap()), PodPhase::Running);
    } else {
        pod.unschedulable_since = Some(now);
    }
    let kind = if owner == 4 { "DaemonSet" } else { "ReplicaSet" };
    pod.owner = (flags & 0x3f != 1).then(|| Owner::new(kind, format!("o{owner}")));
    pod.storage = if flags & 0x3f == 2 { Storage::Local } else { Storage::None };
    pod.deleted_at = (flags & 0x3f == 3).then(|| now.after(Span::from_secs(30)));
    if constraint == 11 || flags & 0x3f == 4 {
        pod.extended = pod.extended.with("nvidia.com/gpu", 1 + cpu / 1_000);
    }
    pod.constraints = constraints(constraint);
    pod.budgets = (0..3).filter(|at| *at == u32::from(budget)).collect();
    pod
}

fn constraints(which: u8) -> Constraints {
    let mut asks = Constraints::default();
    let zone = |name: &str| Zone::new(name).unwrap();
    let need = |operator, values: &[&str]| Requirement::new("tier", operator, values.iter().copied());
    match which {
        1 => drop(asks.selector.insert("tier".to_owned(), "web".to_owned())),
        2 => drop(asks.selector.insert("topology.kubernetes.io/zone".to_owned(), "b".to_owned())),
        3 => asks.affinity = vec![vec![need(Operator::NotIn, &["web"])], vec![need(Operator::Gt, &["3"])]],
        4 => asks.spread = Spread::OnePerNode { group: "db".to_owned() },
        5 => asks.spread = Spread::OnePerNode { group: "cache".to_owned() },
        6 => asks.volume_zones = Some(vec![zone("a")]),
        7 => asks.volume_zones = Some(vec![zone("b"), zone("d")]),
        8 => asks.volume_zones = Some(Vec::new()),
        9 => asks.tolerations = vec![Toleration::everything()],
        10 => asks.spread = Spread::Unjudged { why: "affinity".to_owned() },
        11 => asks.tolerations = vec![Toleration::of_value("dedicated", "gpu"), Toleration::of("old")],
        _ => {}
    }
    asks
}

/// Everything that a view leads to, as bytes.
fn answers(world: &mut World, tick: &autoscale_core::logic::Tick) -> Vec<String> {
    let (policy, record, view, now) = (&world.policy, &world.record, world.view(), world.now);
    let planned = plan(policy, record, &view, tick, now).unwrap();
    let mut all = vec![
        serde_json::to_string(&planned.next).unwrap(),
        serde_json::to_string(&planned.explanation).unwrap(),
        planned.explanation.to_string(),
        format!("{:?}", due(policy, &planned.next, &view)),
        format!("{:?}", sizing(policy, record, &view, tick, now, 50)),
    ];
    for pool in policy.pools().keys() {
        all.push(format!("{:?}", removable(policy, record, &view, tick, now, (pool, 50))));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Invariant I12: the same facts in any order lead to the same bytes.
    #[test]
    fn no_order_of_a_list_matters(seed in seeds(usual()), turns in any::<[Index; 4]>()) {
        let mut world = world(&seed);
        let tick = world.brings();
        let plain = answers(&mut world, &tick);
        fn turn<T>(list: &mut [T], by: &Index) {
            list.reverse();
            list.rotate_left(if list.is_empty() { 0 } else { by.index(list.len()) });
        }
        turn(&mut world.instances, &turns[0]);
        turn(&mut world.cluster.nodes, &turns[1]);
        turn(&mut world.cluster.pods, &turns[2]);
        turn(&mut world.samples, &turns[3]);
        world.cluster.budgets.reverse();
        world.cluster.pods.iter_mut().flat_map(|pod| &mut pod.budgets).for_each(|at| *at = 2 - *at);
        prop_assert_eq!(plain, answers(&mut world, &tick));
    }

    /// Whatever providers tell, nothing overflows and something is decided.
    #[test]
    fn no_value_makes_it_panic(
        seed in seeds(hostile()),
        (micros, age) in (any::<i64>(), any::<u64>()),
        (times, gpus) in (any::<[i64; 3]>(), select(vec![0, 1, u64::MAX])),
        zoneless in any::<bool>(),
    ) {
        let mut world = world(&Seed { ticks: seed.ticks.min(2), ..seed });
        for sample in &mut world.samples {
            sample.reading = Reading::Value { value: Fixed::from_micros(micros), age: Span::from_millis(age) };
        }
        let [born, ends, at] = times.map(Timestamp::from_millis);
        for node in &mut world.cluster.nodes {
            node.created_at = born;
            node.extended = node.extended.clone().with("nvidia.com/gpu", gpus);
            node.allocatable.pods = if zoneless { u32::MAX } else { 0 };
            node.zone = node.zone.take().filter(|_| !zoneless);
        }
        for (index, pod) in world.cluster.pods.iter_mut().enumerate() {
            pod.requests.pods = [0, 1, u32::MAX][index % 3];
            pod.deleted_at = pod.deleted_at.map(|_| ends);
            pod.unschedulable_since = pod.unschedulable_since.map(|_| ends);
            pod.extended = pod.extended.clone().with("nvidia.com/gpu", gpus);
            pod.budgets.extend([7, u32::MAX]);
        }
        for instance in &mut world.instances {
            instance.launched_at = Some(born);
            instance.zone = instance.zone.take().filter(|_| !zoneless);
        }
        let tick = world.brings();
        prop_assert!(!answers(&mut world, &tick).is_empty());
        world.now = at;
        prop_assert!(!answers(&mut world, &tick).is_empty());
    }
}

/// A property over clusters in which nothing happens proves nothing.
#[test]
fn the_clusters_that_are_drawn_are_of_every_kind() {
    let mut runner = TestRunner::deterministic();
    let mut met: BTreeMap<&str, u32> = WITNESSES.iter().map(|witness| (*witness, 0)).collect();
    for _ in 0..400 {
        let mut world = world(&seeds(usual()).new_tree(&mut runner).unwrap().current());
        let tick = world.brings();
        let all = answers(&mut world, &tick).join("\n");
        met.iter_mut().for_each(|(witness, times)| *times += u32::from(all.contains(witness)));
    }
    assert!(met.values().all(|times| *times >= 3), "{met:#?}");
}

/// Text that is to be found in the answers of some of them.
const WITNESSES: [&str; 20] = [
    "grow by",
    "shrink by",
    "stay pending",
    "launch 1.0 for pool gpu",
    "zone: Some(",
    "asks for other labels",
    "has volumes in other zones",
    "does not tolerate",
    "asks for more nvidia.com/gpu",
    "has rules that are not judged",
    "NowhereToGo",
    "NoDisruptionLeft",
    "LocalStorage",
    "Headroom",
    "Busy",
    "Protected",
    "chosen: true",
    "InProgress",
    "Launch(LaunchOrder",
    "Cordon(CordonOrder",
];
