//! No removal is chosen whose pods would end up pending: over random clusters, judged by the scheduler of the world in
//! memory, which shares no code with the planner.
#![cfg(feature = "memory")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use autoscale_core::data::order::{CordonOrder, Cordoned, EvictOrder, PodRef};
use autoscale_core::data::policy::{Policy, PoolPolicy, Purchase, Shape};
use autoscale_core::data::record::{Fingerprint, Record};
use autoscale_core::data::view::{
    Constraints, CordonMark, Node, Operator, Pod, PodPhase, Requirement, Scope, Seen, Spread, Taint,
    TaintEffect, Toleration, View,
};
use autoscale_core::logic::{Tick, removable};
use autoscale_core::memory::{Settings, Workload, WorkloadId, World};
use autoscale_core::words::{
    HolderId, Inc, PodUid, PoolName, Resources, ShapeName, Span, Ver, WriteId, Zone,
};
use proptest::prelude::*;

const ZONES: [&str; 3] = ["a", "b", "c"];

/// One kind of pods: size, how many, what it asks of its node.
#[derive(Clone, Debug)]
struct Kind {
    cpu: u64,
    memory: u64,
    replicas: u32,
    /// How many of them are left after a while: holes are what makes nodes superfluous.
    left: u32,
    rule: u8,
    gpu: u64,
}

#[derive(Clone, Debug)]
struct Case {
    /// Zone and shape of each node.
    nodes: Vec<(usize, usize)>,
    kinds: Vec<Kind>,
    most: u32,
    /// How many pods of the first kinds are made just before the survey: the scheduler has not seen them.
    come: Vec<u32>,
    /// Which pod is evicted next.
    order: Vec<prop::sample::Index>,
}

fn case() -> impl Strategy<Value = Case> {
    let kind = (1..12_u64, 1..12_u64, 0..12_u32, 0..12_u8, 0..12_u64, 0..100_u32).prop_map(
        |(cpu, memory, replicas, rule, gpu, left)| Kind {
            cpu: cpu * 90,
            memory: memory * 100,
            replicas,
            left: replicas * left / 100,
            rule,
            gpu: if gpu == 0 { 1 } else { 0 },
        },
    );
    let nodes = prop::collection::vec((0..3_usize, 0..3_usize), 2..10);
    let order = prop::collection::vec(any::<prop::sample::Index>(), 64);
    let come = prop::collection::vec(0..4_u32, 0..4);
    (nodes, prop::collection::vec(kind, 0..10), 1..5_u32, come, order)
        .prop_map(|(nodes, kinds, most, come, order)| Case { nodes, kinds, most, come, order })
}

fn policy() -> Policy {
    let shape = |name: &str, cpu, gpu| {
        let shape = Shape::new(ShapeName::new(name).unwrap(), Resources::new(cpu, 2 << 30, 12));
        if gpu > 0 { shape.with_extended("gpu", gpu) } else { shape }
    };
    let web = PoolPolicy::builder("web").with_min(0).with_max(50).with_zones(ZONES).with_shapes([
        shape("small", 1_000, 0),
        shape("large", 2_000, 0),
        shape("gpu", 1_500, 2),
    ]);
    Policy::builder("shop").with_pool(web).build().unwrap()
}

fn constraints(rule: u8) -> Constraints {
    let mut constraints = Constraints::default();
    match rule {
        0 => constraints.volume_zones = Some(vec![Zone::new("a").unwrap()]),
        1 => constraints.spread = Spread::OnePerNode { group: "db".to_owned() },
        2 => {
            let wanted = Requirement::new("topology.kubernetes.io/zone", Operator::NotIn, ["b"]);
            constraints.affinity = vec![vec![wanted]];
        }
        3 => {
            constraints.selector =
                BTreeMap::from([("node.kubernetes.io/instance-type".to_owned(), "large".to_owned())]);
        }
        4 => constraints.tolerations = vec![Toleration::of("other")],
        _ => {}
    }
    constraints
}

/// A settled world in which no pod waits that the scheduler has seen, or nothing.
fn world(policy: &Policy, case: &Case) -> Option<(World, Vec<WorkloadId>)> {
    let mut world = World::new(Settings::for_policy(policy)?, 1);
    for (zone, shape) in &case.nodes {
        let shape = ShapeName::new(["small", "large", "gpu"][*shape]).unwrap();
        world.add_worker(&Zone::new(ZONES[*zone]).unwrap(), Purchase::Spot, &shape)?;
    }
    let mut ids = Vec::new();
    for (number, kind) in case.kinds.iter().enumerate() {
        let workload = Workload::new(format!("w{number}"), kind.replicas, kind.cpu, kind.memory << 20);
        let workload = workload.with_constraints(constraints(kind.rule));
        let gpu = kind.gpu > 0;
        ids.push(world.add_workload(if gpu { workload.with_extended("gpu", kind.gpu) } else { workload }));
    }
    let placed = world.now().after(Span::from_mins(10));
    world.advance_to(placed);
    for (id, kind) in ids.iter().zip(&case.kinds) {
        world.set_replicas(*id, kind.left);
    }
    let settled = world.now().after(Span::from_mins(20));
    world.advance_to(settled);
    (world.pending_pods() == 0).then_some((world, ids))
}

/// The controllers whose pods wait for a node.
fn waiting(world: &World) -> Vec<String> {
    let pods = world.survey(&Scope::Pending).pods;
    pods.into_iter().filter(|pod| pod.node.is_none()).map(|pod| pod.owner.unwrap().name).collect()
}

/// What a survey shows, with pods that have just been made: so many more of the first kinds, where one of them runs.
fn view(world: &mut World, come: &[u32]) -> View {
    let (listing, mut survey) = (world.list(), world.survey(&Scope::Everything));
    for (number, more) in come.iter().enumerate() {
        let of = |pod: &&Pod| pod.owner.as_ref().is_some_and(|owner| owner.name == format!("w{number}"));
        let Some(like) = survey.pods.iter().find(of).cloned() else { continue };
        for new in 0..*more {
            let mut pod = like.clone();
            pod.uid = PodUid::new(format!("new-{number}-{new}")).unwrap();
            (pod.node, pod.phase) = (None, PodPhase::Pending);
            survey.pods.push(pod);
        }
    }
    View::new(world.now(), Seen::Known(listing), Seen::Known(survey), Vec::new())
}

/// Drains the nodes as an operation does: all are cordoned, then their pods are evicted, in any order.
fn drain(world: &mut World, nodes: &[Node], order: &[prop::sample::Index]) {
    let mark = CordonMark::new(Inc::new("test0").unwrap(), 1);
    let template =
        |node: &Node| CordonOrder::new(node.name.clone(), node.uid.clone(), Ver::ZERO, mark.clone());
    for node in nodes {
        assert_eq!(world.cordon(&template(node)), Cordoned::Done);
    }
    let mut pods: Vec<Pod> = world.survey(&Scope::Everything).pods;
    pods.retain(|pod| !pod.is_daemon() && nodes.iter().any(|node| pod.node.as_ref() == Some(&node.name)));
    let mut turn = order.iter().cycle();
    while !pods.is_empty() {
        let pod = pods.swap_remove(turn.next().unwrap().index(pods.len()));
        let node = pod.node.clone().unwrap();
        let pod = PodRef::new(pod.uid, pod.namespace, pod.name);
        let pass = world.evict(&EvictOrder::new(node, vec![pod]));
        assert_eq!(pass.accepted.len(), 1);
        let now = world.now();
        world.advance_to(now);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn nobody_ends_up_pending(case in case()) {
        let policy = policy();
        let Some((mut world, workloads)) = world(&policy, &case) else { return Ok(()) };
        let view = view(&mut world, &case.come);
        let write = WriteId::new("w").unwrap();
        let record = Record::founding(
            Fingerprint::of(policy.cluster(), ""), Inc::new("test0").unwrap(), write.clone(), world.now(),
        );
        let tick = Tick::new(HolderId::new("me").unwrap(), write, Span::ZERO);
        let pool = PoolName::new("web").unwrap();
        let answer = removable(&policy, &record, &view, &tick, world.now(), (&pool, case.most));
        let chosen: Vec<Node> = answer
            .nodes
            .iter()
            .filter(|report| report.chosen)
            .map(|report| report.node.clone().unwrap())
            .map(|name| view.cluster().known().unwrap().nodes().iter().find(|node| node.name == name).unwrap().clone())
            .collect();
        let pods = world.survey(&Scope::Everything).pods;
        let went = |pod: &&Pod| !pod.is_daemon() && chosen.iter().any(|node| pod.node.as_ref() == Some(&node.name));
        let moved: Vec<String> = pods.iter().filter(went).map(|pod| pod.owner.clone().unwrap().name).collect();
        // The scheduler sees the new pods before it sees the others, or after them.
        let early = case.order[0].index(2) == 0;
        let come = |world: &mut World| {
            for ((id, kind), more) in workloads.iter().zip(&case.kinds).zip(&case.come).filter(|((_, kind), _)| kind.left > 0) {
                world.set_replicas(*id, kind.left + more);
            }
        };
        if early {
            come(&mut world);
        }
        drain(&mut world, &chosen, &case.order);
        if !early {
            come(&mut world);
        }
        // New pods that had no sure place as it was may wait; those that had to move, and their like, may not.
        let mut waiting = waiting(&world);
        if case.come.iter().any(|more| *more > 0) {
            waiting.retain(|owner| moved.contains(owner));
        }
        prop_assert!(waiting.is_empty(), "{:?} wait, {:?} went", waiting, chosen.iter().map(|node| &node.name).collect::<Vec<_>>());
    }
}

/// The property says something: nodes do go, also with pods on them, and also some are kept for want of room.
#[test]
fn some_nodes_go_and_some_stay() {
    let taint = Taint::new("other", "", TaintEffect::NoSchedule);
    assert!(constraints(4).tolerates(&taint));
    let policy = policy();
    let (mut gone, mut moved, mut kept) = (0, 0, 0);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..300 {
        let case = proptest::strategy::ValueTree::current(&case().new_tree(&mut runner).unwrap());
        let Some((mut world, _)) = world(&policy, &case) else { continue };
        let view = view(&mut world, &[]);
        let write = WriteId::new("w").unwrap();
        let fingerprint = Fingerprint::of(policy.cluster(), "");
        let record = Record::founding(fingerprint, Inc::new("test0").unwrap(), write.clone(), world.now());
        let tick = Tick::new(HolderId::new("me").unwrap(), write, Span::ZERO);
        let pool = PoolName::new("web").unwrap();
        let answer = removable(&policy, &record, &view, &tick, world.now(), (&pool, case.most));
        let cluster = view.cluster().known().unwrap();
        let full = |name| {
            let at = cluster.nodes().iter().position(|node| Some(&node.name) == name).unwrap();
            cluster.evictable(at).next().is_some()
        };
        gone += answer.instances.len();
        moved += answer.nodes.iter().filter(|node| node.chosen && full(node.node.as_ref())).count();
        kept += answer.refused.get("nowhere_to_go").copied().unwrap_or(0);
    }
    assert!(gone > 100 && moved > 20 && kept > 20, "{gone} went, {moved} of them with pods, {kept} kept");
}
