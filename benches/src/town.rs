//! A mixed cluster: two pools, three zones, labels, taints, DaemonSets, budgets.

use std::collections::BTreeMap;

use autoscale_core::data::policy::{Policy, PoolPolicy, When};
use autoscale_core::data::view::{
    Budget, ClusterView, Constraints, Instance, Node, Owner, Ownership, Pod, PodPhase, Scope, Spread,
    Storage, Taint, TaintEffect, Toleration,
};
use autoscale_core::words::{
    Inc, InstanceId, NodeName, NodeUid, PodUid, PoolName, Ratio, Resources, ShapeName, Span, Timestamp,
    Token, Zone,
};

use crate::Lcg;

/// Pods on each node, of as many owners.
pub const PODS_PER_NODE: usize = 30;

/// Controllers in all, DaemonSets among them.
pub const OWNERS: usize = 2_000;

/// Disruption budgets, each of one controller.
pub const BUDGETS: usize = 200;

const DAEMONS: usize = 3;
const ZONES: [&str; 3] = ["zone-a", "zone-b", "zone-c"];
const MIB: u64 = 1 << 20;
/// Of ten controllers, one runs in the pool `batch`, and of the others every twelfth asks for a fast disk.
const BATCH_EVERY: usize = 10;
const FAST_EVERY: usize = 12;

/// The lists of a cluster, as the ports give them: in no order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Town {
    /// What is asked for.
    pub policy: Policy,
    /// The record under which the nodes were launched.
    inc: Inc,
    /// One for each node.
    pub instances: Vec<Instance>,
    /// Four of five in the pool `web`, every fifth in `batch`, which is tainted.
    pub nodes: Vec<Node>,
    /// On nodes.
    pub pods: Vec<Pod>,
    /// All budgets.
    pub budgets: Vec<Budget>,
}

impl Town {
    /// So many nodes, made before `at`.
    pub fn new(nodes: usize, at: Timestamp) -> Self {
        let mut rng = Lcg::new(nodes as u64);
        let mut town = Self {
            policy: policy(nodes),
            inc: Inc::new("former01").expect("letters and digits"),
            instances: Vec::with_capacity(nodes),
            nodes: Vec::with_capacity(nodes),
            pods: Vec::with_capacity(nodes * PODS_PER_NODE),
            budgets: (0..BUDGETS).map(budget).collect(),
        };
        let (mut next_web, mut next_batch) = (0, 0);
        for index in 0..nodes {
            town.place_node(index, at.before(Span::from_mins(60 + rng.below(10_000) as u64)));
            for owner in 0..DAEMONS {
                town.place_pod(owner, index);
            }
            let mut placed = DAEMONS;
            while placed < PODS_PER_NODE {
                let next = if is_batch(index) { &mut next_batch } else { &mut next_web };
                let owner = DAEMONS + *next % (OWNERS - DAEMONS);
                *next += 1;
                let fits =
                    runs_in_batch(owner) == is_batch(index) && (has_fast_disk(index) || !asks_fast(owner));
                if fits {
                    town.place_pod(owner, index);
                    placed += 1;
                }
            }
        }
        rng.shuffle(&mut town.instances);
        rng.shuffle(&mut town.nodes);
        rng.shuffle(&mut town.pods);
        town
    }

    /// A survey of it, of everything or of the nodes alone.
    pub fn survey(&self, at: Timestamp, scope: Scope) -> ClusterView {
        let mut survey = ClusterView::new(at, scope);
        survey.nodes.clone_from(&self.nodes);
        if survey.scope == Scope::Everything {
            survey.pods.clone_from(&self.pods);
        }
        survey.budgets.clone_from(&self.budgets);
        survey
    }

    /// Pods of any controller but the DaemonSets that no node has had room for since a time.
    pub fn pending(count: usize, since: Timestamp) -> Vec<Pod> {
        let waiting = |index: usize| {
            let mut pod = pod(DAEMONS + index % (OWNERS - DAEMONS), index, "waits");
            (pod.phase, pod.unschedulable_since) = (PodPhase::Pending, Some(since));
            pod
        };
        (0..count).map(waiting).collect()
    }

    fn place_node(&mut self, index: usize, at: Timestamp) {
        let zone = zone(index);
        let pool = PoolName::new(if is_batch(index) { "batch" } else { "web" }).expect("a constant");
        let id = InstanceId::new(format!("i-{index:017x}")).expect("hexadecimal");
        let mut instance = Instance::new(id.clone(), Ownership::Ours);
        instance.pool = Some(pool.clone());
        instance.zone = Some(zone.clone());
        instance.shape = ShapeName::new("m6i.2xlarge").ok();
        instance.launched_at = Some(at);
        instance.token = Some(Token::of(&self.inc, index as u64 / 10, index as u32 % 10, 1));
        self.instances.push(instance);
        let name = NodeName::new(node_name(index)).expect("letters, digits, dots");
        let uid = NodeUid::new(format!("2f1d6c4e-0000-4000-8000-{index:012x}")).expect("hexadecimal");
        let mut node = Node::new(name, uid, at, Resources::new(7_910, 30_000 * MIB, 110));
        node.provider_id = Some(format!("aws:///{zone}/{id}"));
        node.labels = BTreeMap::from([
            ("kubernetes.io/hostname".to_owned(), node_name(index)),
            ("topology.kubernetes.io/zone".to_owned(), zone.to_string()),
            ("disk".to_owned(), if has_fast_disk(index) { "fast" } else { "plain" }.to_owned()),
        ]);
        node.taints.extend(is_batch(index).then(dedicated));
        (node.zone, node.pool) = (Some(zone), Some(pool));
        self.nodes.push(node);
    }

    fn place_pod(&mut self, owner: usize, node: usize) {
        let mut pod = pod(owner, node, "runs");
        pod.node = Some(NodeName::new(node_name(node)).expect("letters, digits, dots"));
        pod.phase = PodPhase::Running;
        if owner % 50 == 11 {
            // Its volume is where it runs.
            pod.constraints.volume_zones = Some(vec![zone(node)]);
        }
        self.pods.push(pod);
    }
}

fn zone(node: usize) -> Zone {
    let name = ZONES.iter().cycle().nth(node % ZONES.len()).expect("a cycle has no end");
    Zone::new(name).expect("a constant")
}

fn is_batch(node: usize) -> bool {
    node % 5 == 4
}

fn has_fast_disk(node: usize) -> bool {
    node.is_multiple_of(4)
}

fn runs_in_batch(owner: usize) -> bool {
    owner % BATCH_EVERY == 9
}

fn asks_fast(owner: usize) -> bool {
    !runs_in_batch(owner) && owner % FAST_EVERY == 5
}

fn node_name(index: usize) -> String {
    format!("ip-10-{}-{}-{}.ec2.internal", index >> 16, (index >> 8) & 255, index & 255)
}

fn dedicated() -> Taint {
    Taint::new("dedicated", "batch", TaintEffect::NoSchedule)
}

/// Every tenth controller has a budget; of one budget in twenty nothing may be evicted now.
fn budget(index: usize) -> Budget {
    let (namespace, name) = (namespace(index * 10), format!("owner-{}", index * 10));
    Budget::new(namespace, name, i64::from(!index.is_multiple_of(20)))
}

fn namespace(owner: usize) -> String {
    format!("team-{}", owner % 40)
}

/// A pod of a controller, as its template makes it.
fn pod(owner: usize, number: usize, what: &str) -> Pod {
    let uid = PodUid::new(format!("{what}-{owner:04}-4000-8000-{number:012x}")).expect("letters and digits");
    let name = format!("owner-{owner}-7d4b9c8f6d-{what}-{number}");
    let daemon = owner < DAEMONS;
    let requests = if daemon {
        Resources::new(100, 128 * MIB, 1)
    } else {
        Resources::new(50 + 25 * (owner as u64 % 9), (128 + 64 * (owner as u64 % 7)) * MIB, 1)
    };
    let namespace = if daemon { "kube-system".to_owned() } else { namespace(owner) };
    let mut pod = Pod::new(uid, namespace, name, requests);
    let kind = if daemon { "DaemonSet" } else { "ReplicaSet" };
    pod.owner = Some(Owner::new(kind, format!("owner-{owner}-7d4b9c8f6d")));
    pod.constraints = constraints(owner);
    if daemon {
        pod.constraints.tolerations.push(Toleration::everything());
    } else if owner.is_multiple_of(10) {
        pod.budgets = vec![owner as u32 / 10];
    } else if owner % 400 == 7 {
        pod.storage = Storage::Local;
    }
    pod
}

fn constraints(owner: usize) -> Constraints {
    let mut constraints = Constraints::default();
    if owner < DAEMONS {
        return constraints;
    }
    if runs_in_batch(owner) {
        constraints.tolerations = vec![Toleration::of_value("dedicated", "batch")];
    }
    if asks_fast(owner) {
        constraints.selector = BTreeMap::from([("disk".to_owned(), "fast".to_owned())]);
    }
    if owner % 25 == 6 {
        constraints.spread = Spread::OnePerNode { group: format!("app=owner-{owner}") };
    }
    constraints
}

/// Two pools with room to grow, which shrink by five nodes at once.
fn policy(nodes: usize) -> Policy {
    let pool = |name: &str, nodes: usize| {
        PoolPolicy::builder(name)
            .with_min(1)
            .with_max((nodes as u32 + 2_000).min(10_000))
            .with_zones(ZONES)
            .with_shape("m6i.2xlarge", 7_910, 30_000 * MIB, 110)
            .with_up(When::above("cpu", "70%").lasting(Span::from_secs(120)))
            .with_busy_above(Ratio::percent(70))
            .with_step_down(5)
            .with_max_batch(100)
    };
    let batch = pool("batch", nodes / 5).with_taints([dedicated()]);
    let web = pool("web", nodes - nodes / 5).with_labels([("disk", "fast")]);
    Policy::builder("town").with_pool(batch).with_pool(web).build().expect("fixed but for its sizes")
}
