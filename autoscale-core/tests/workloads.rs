//! Three problems whose exact answers are known by arithmetic, each with its names in any order and with sizes one off.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use autoscale_core::data::policy::{Policy, PoolPolicy};
use autoscale_core::data::record::{Fingerprint, Record};
use autoscale_core::data::view::{
    ClusterView, Instance, Listing, Node, Owner, Ownership, Pod, PodPhase, Scope, Seen, View,
};
use autoscale_core::logic::{Tick, removable, sizing};
use autoscale_core::words::{
    HolderId, Inc, InstanceId, NodeName, NodeUid, PodUid, PoolName, Resources, Span, Timestamp, WriteId, Zone,
};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const SEEDS: [u64; 3] = [1, 2, 3];

/// Numbers that look like chance: the constants of Knuth's MMIX.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }

    /// So many different numbers, in any order: names that say nothing about what came first.
    fn numbers(&mut self, count: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..count).collect();
        self.shuffle(&mut numbers);
        numbers
    }
}

/// A cluster of one pool and one zone.
struct Shop {
    shape: Resources,
    instances: Vec<Instance>,
    survey: ClusterView,
    rng: Lcg,
}

impl Shop {
    fn new(shape: Resources, seed: u64) -> Self {
        let survey = ClusterView::new(NOW, Scope::Everything);
        Self { shape, instances: Vec::new(), survey, rng: Lcg(seed) }
    }

    fn waiting(mut self, count: usize, requests: Resources, owner: &str) -> Self {
        for number in self.rng.numbers(count) {
            let mut pod = pod(&format!("{owner}-{number}"), owner, requests);
            pod.unschedulable_since = Some(NOW);
            self.survey.pods.push(pod);
        }
        self
    }

    fn running(mut self, nodes: usize, pods: usize, requests: Resources) -> Self {
        let mut names = self.rng.numbers(nodes * pods).into_iter();
        let ids = self.rng.numbers(nodes);
        for (number, id) in self.rng.numbers(nodes).into_iter().zip(ids) {
            let made = NOW.before(Span::from_mins(60 * 24));
            let mut instance = Instance::new(InstanceId::new(format!("i-{id}")).unwrap(), Ownership::Ours);
            (instance.pool, instance.zone) = (Some(pool()), Zone::new("a").ok());
            self.instances.push(instance);
            let name = NodeName::new(format!("n-{number}")).unwrap();
            let mut node =
                Node::new(name.clone(), NodeUid::new(format!("u-{number}")).unwrap(), made, self.shape);
            node.provider_id = Some(format!("lab:///a/i-{id}"));
            self.survey.nodes.push(node);
            for name_of in names.by_ref().take(pods) {
                let mut pod = pod(&format!("p-{name_of}"), "web", requests);
                (pod.node, pod.phase) = (Some(name.clone()), PodPhase::Running);
                self.survey.pods.push(pod);
            }
        }
        self
    }

    fn seen(mut self) -> (Policy, Record, View, Tick) {
        let Resources { cpu_milli, memory, pods, .. } = self.shape;
        let pool = PoolPolicy::builder("web")
            .with_min(0)
            .with_max(10_000)
            .with_zones(["a"])
            .with_shape("m", cpu_milli, memory, pods);
        let policy = Policy::builder("shop").with_pool(pool).build().unwrap();
        let (inc, write) = (Inc::new("shop0001").unwrap(), WriteId::new("w0").unwrap());
        let record = Record::founding(Fingerprint::of(policy.cluster(), ""), inc, write.clone(), NOW);
        self.rng.shuffle(&mut self.instances);
        self.rng.shuffle(&mut self.survey.nodes);
        self.rng.shuffle(&mut self.survey.pods);
        let listing = Seen::Known(Listing::new(NOW, self.instances));
        let view = View::new(NOW, listing, Seen::Known(self.survey), Vec::new());
        (policy, record, view, Tick::new(HolderId::new("me").unwrap(), write, Span::ZERO))
    }

    /// How many nodes are bought, and how many pods are left over.
    fn bought(self) -> (usize, u64) {
        let (policy, record, view, tick) = self.seen();
        let sizing = sizing(&policy, &record, &view, &tick, NOW, 10_000);
        (sizing.nodes() as usize, sizing.left)
    }

    /// How many nodes may go together.
    fn gone(self) -> usize {
        let (policy, record, view, tick) = self.seen();
        removable(&policy, &record, &view, &tick, NOW, (&pool(), 10_000)).instances.len()
    }
}

fn pool() -> PoolName {
    PoolName::new("web").unwrap()
}

fn pod(name: &str, owner: &str, requests: Resources) -> Pod {
    let mut pod = Pod::new(PodUid::new(name).unwrap(), "default", name, requests);
    pod.owner = Some(Owner::new("ReplicaSet", owner));
    pod
}

/// Of one size, so many fit on a node.
fn per_node(shape: Resources, each: Resources) -> usize {
    let (cpu, memory) = (shape.cpu_milli / each.cpu_milli, shape.memory / each.memory);
    usize::try_from(cpu.min(memory).min(u64::from(shape.pods))).unwrap()
}

#[test]
fn pods_of_one_size_need_the_nodes_that_they_fill() {
    let shape = Resources::new(10_000, 100 << 30, 110);
    // The last two: so small that the number of pods is the limit, and just too large for one more.
    for (milli, nodes) in
        [(200, Some(1_000)), (199, None), (201, Some(1_021)), (90, Some(455)), (5_000, None), (5_001, None)]
    {
        let each = Resources::new(milli, 1 << 20, 1);
        let expected = 50_000_usize.div_ceil(per_node(shape, each));
        assert_eq!(nodes.unwrap_or(expected), expected, "the table at {milli}");
        if expected <= 10_000 {
            for seed in SEEDS {
                let bought = Shop::new(shape, seed).waiting(50_000, each, "web").bought();
                assert_eq!(bought, (expected, 0), "{milli} thousandths, seed {seed}");
            }
        } else {
            let left = 50_000 - 10_000 * per_node(shape, each);
            let bought = Shop::new(shape, 1).waiting(50_000, each, "web").bought();
            assert_eq!(bought, (10_000, left as u64), "{milli} thousandths");
        }
    }
}

#[test]
fn nodes_go_until_the_others_are_full() {
    let shape = Resources::new(10_000, 100 << 30, 110);
    for (milli, gone) in [(100, Some(1_200)), (101, None), (99, None), (80, None), (250, Some(0))] {
        let each = Resources::new(milli, 1 << 20, 1);
        // All pods on as few nodes as hold them; those that stay are never fewer.
        let expected = 2_000 - 80_000_usize.div_ceil(per_node(shape, each));
        assert_eq!(gone.unwrap_or(expected), expected, "the table at {milli}");
        for seed in SEEDS {
            assert_eq!(
                Shop::new(shape, seed).running(2_000, 40, each).gone(),
                expected,
                "{milli} thousandths, seed {seed}"
            );
        }
    }
}

/// First-fit decreasing by hand: the large ones first, then small ones into what is left of those nodes, then new nodes.
fn two_sizes(shape: Resources, (large, larges): (u64, u64), (small, smalls): (u64, u64)) -> usize {
    let on_one = shape.cpu_milli / large;
    let (full, rest) = (larges / on_one, larges % on_one);
    let beside = |count: u64| {
        let room = (shape.cpu_milli - count * large) / small;
        room.min(u64::from(shape.pods) - count)
    };
    let filled = full * beside(on_one) + if rest > 0 { beside(rest) } else { 0 };
    let each = (shape.cpu_milli / small).min(u64::from(shape.pods));
    let more = smalls.saturating_sub(filled).div_ceil(each);
    usize::try_from(full + u64::from(rest > 0) + more).unwrap()
}

#[test]
fn two_sizes_share_nodes() {
    let shape = Resources::new(1_000, 5_000, 100);
    for (large, small, nodes) in [
        (95, 50, Some(2_595)),
        (94, 50, None),
        (96, 50, None),
        (95, 51, None),
        (95, 49, None),
        (100, 50, Some(2_600)),
        (101, 50, None),
    ] {
        let expected = two_sizes(shape, (large, 1_000), (small, 50_000));
        assert_eq!(nodes.unwrap_or(expected), expected, "the table at {large} and {small}");
        for seed in SEEDS {
            let shop = Shop::new(shape, seed)
                .waiting(50_000, Resources::new(small, 2 * small, 1), "small")
                .waiting(1_000, Resources::new(large, 2 * large, 1), "large");
            assert_eq!(shop.bought(), (expected, 0), "{large} and {small}, seed {seed}");
        }
    }
}
