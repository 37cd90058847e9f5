//! From the lists of a survey to its class form. Everything is sorted; nothing depends on the order of a list.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use super::classes::{Cluster, PodClass, PodName, Seat, Stage};
use super::shared::Shared;
use super::sites::Sites;
use super::{Budget, ClusterView, Node, Pod, PodPhase};
use crate::mutant::{self, Mutant};
use crate::words::{Span, Timestamp};

/// A pod whose deletion should have ended so long ago is not waited for. Cluster Autoscaler ignores one after 90 s.
const OVERDUE_AFTER: Span = Span::from_secs(60);

impl Cluster {
    /// Reduces a survey. Pods that name a node which is not listed are left out.
    ///
    /// Costs time and memory in proportion to the lists, and a logarithm more for sorting.
    pub fn of(survey: ClusterView) -> Self {
        let ClusterView { at, complete, scope, mut nodes, mut pods, budgets } = survey;
        if !mutant::on(Mutant::ListOrder) {
            nodes.sort();
        }
        let (mut pools, mut zones) = (Shared::new(), Shared::new());
        for node in &mut nodes {
            pools.share_any(&mut node.pool);
            zones.share_any(&mut node.zone);
        }
        let budgets = renumber(budgets, &mut pods);
        let places = Places::of(&nodes);
        let mut placed = Vec::with_capacity(pods.len());
        for (pod, index) in pods.iter().zip(0_u32..) {
            let node = match &pod.node {
                None => Some(nodes.len() as u32),
                Some(name) => places.find(&nodes, name.as_str()),
            };
            placed.extend(node.map(|node| Placed { node, pod: index, class: 0, stage: stage(pod, at) }));
        }
        let classes = classify(&pods, &mut placed);
        placed.sort_unstable_by(|a, b| {
            let names = |placed: &Placed| pods.get(placed.pod as usize).map(|pod| (&pod.uid, &pod.name));
            (a.node, a.class).cmp(&(b.node, b.class)).then_with(|| names(a).cmp(&names(b)))
        });
        let mut parts: Vec<Option<PodName>> =
            pods.into_iter().map(|pod| Some(PodName { uid: pod.uid, name: pod.name })).collect();
        let mut seats: Vec<Seat> = Vec::new();
        let mut begins = Vec::with_capacity(nodes.len() + 1);
        let mut names = Vec::with_capacity(placed.len());
        let mut last = None;
        for Placed { node, class, pod, .. } in placed {
            while begins.len() <= node as usize {
                begins.push(seats.len() as u32);
            }
            if last == Some((node, class)) {
                seats.last_mut().into_iter().for_each(|seat| seat.count += 1);
            } else {
                seats.push(Seat { class, count: 1, first: names.len() as u32 });
                last = Some((node, class));
            }
            names.extend(parts.get_mut(pod as usize).and_then(Option::take));
        }
        begins.resize(nodes.len() + 1, seats.len() as u32);
        let leaves = classes.iter().map(PodClass::has_to_leave).collect();
        let sites = Sites::of(&nodes, &classes);
        Self { at, complete, scope, nodes, classes, leaves, sites, budgets, seats, begins, names }
    }
}

/// A pod that counts: on which node, or behind the last one when it has none.
struct Placed {
    node: u32,
    class: u32,
    pod: u32,
    stage: Stage,
}

/// Sorts the budgets and makes the pods point to their new places, in order and without pointing to nothing.
fn renumber(budgets: Vec<Budget>, pods: &mut [Pod]) -> Vec<Budget> {
    let mut order: Vec<(Budget, usize)> = budgets.into_iter().zip(0..).collect();
    order.sort();
    let mut place = vec![0_u32; order.len()];
    for ((_, old), new) in order.iter().zip(0_u32..) {
        place.get_mut(*old).into_iter().for_each(|place| *place = new);
    }
    for pod in pods {
        pod.budgets.retain_mut(|at| match place.get(*at as usize) {
            Some(new) => {
                *at = *new;
                true
            }
            None => false,
        });
        pod.budgets.sort_unstable();
    }
    order.into_iter().map(|(budget, _)| budget).collect()
}

fn stage(pod: &Pod, now: Timestamp) -> Stage {
    match (pod.phase, pod.deleted_at) {
        (PodPhase::Finished, _) => Stage::Finished,
        (_, Some(end)) if now.since(end) > OVERDUE_AFTER => Stage::Overdue,
        (_, Some(_)) => Stage::Leaving,
        (_, None) if pod.node.is_some() => Stage::Bound,
        (PodPhase::Pending, None) if pod.unschedulable_since.is_some() => Stage::Unschedulable,
        (_, None) => Stage::Queued,
    }
}

/// Node names by hash.
struct Places(Vec<(u64, u32)>);

impl Places {
    fn of(nodes: &[Node]) -> Self {
        let mut places: Vec<_> =
            nodes.iter().zip(0..).map(|(node, at)| (mixed(node.name.as_str()), at)).collect();
        places.sort_unstable();
        Self(places)
    }

    fn find(&self, nodes: &[Node], name: &str) -> Option<u32> {
        let hash = mixed(name);
        let from = self.0.partition_point(|(known, _)| *known < hash);
        let same = self.0.get(from..)?.iter().take_while(|(known, _)| *known == hash);
        let named = |at: &u32| nodes.get(*at as usize).is_some_and(|node| node.name.as_str() == name);
        same.map(|(_, at)| *at).find(named)
    }
}

/// Gives each pod its class, and returns the classes in their order.
///
/// Pods are brought together by a hash and then compared; two classes of one hash only cost a comparison more. The pods are
/// read in the order in which they lie in memory, which is what takes the time.
fn classify(pods: &[Pod], placed: &mut [Placed]) -> Vec<PodClass> {
    // The first pod of each class, and the classes of each hash.
    let mut firsts: Vec<(&Pod, Stage)> = Vec::new();
    let mut by_hash: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for placed in &mut *placed {
        let Some(pod) = pods.get(placed.pod as usize) else { continue };
        let own = key(pod, placed.stage);
        let alike = by_hash.entry(mixed(&own)).or_default();
        let same =
            |class: &u32| firsts.get(*class as usize).is_some_and(|(pod, stage)| key(pod, *stage) == own);
        placed.class = alike.iter().copied().find(same).unwrap_or_else(|| {
            let class = firsts.len() as u32;
            alike.push(class);
            firsts.push((pod, placed.stage));
            class
        });
    }
    let mut classes: Vec<(PodClass, usize)> =
        firsts.into_iter().map(|(pod, stage)| class(pod, stage)).zip(0..).collect();
    classes.sort_by(|(a, _), (b, _)| order(a, b));
    let mut rank = vec![0_u32; classes.len()];
    for ((_, found), new) in classes.iter().zip(0_u32..) {
        rank.get_mut(*found).into_iter().for_each(|rank| *rank = new);
    }
    for placed in placed {
        placed.class = rank.get(placed.class as usize).copied().unwrap_or_default();
    }
    classes.into_iter().map(|(class, _)| class).collect()
}

/// Those that ask for more come first, in the order of first-fit decreasing; then by everything else.
pub(super) fn order(a: &PodClass, b: &PodClass) -> Ordering {
    (&b.requests, &b.extended).cmp(&(&a.requests, &a.extended)).then_with(|| a.cmp(b))
}

/// Everything that makes a class, borrowed from a pod.
fn key(pod: &Pod, stage: Stage) -> impl Hash + PartialEq + '_ {
    let Pod { uid: _, name: _, node: _, phase: _, deleted_at: _, unschedulable_since: _, .. } = pod;
    let what = (&pod.requests, &pod.extended, &pod.constraints, pod.priority, &pod.budgets);
    let who = (&pod.namespace, pod.owner.as_ref().map(|owner| (&owner.kind, &owner.name, owner.exists)));
    (what, who, (stage, pod.mirror, pod.system_critical, pod.eviction, pod.storage))
}

fn class(pod: &Pod, stage: Stage) -> PodClass {
    PodClass {
        requests: pod.requests,
        extended: pod.extended.clone(),
        namespace: pod.namespace.clone(),
        owner: pod.owner.clone(),
        stage,
        mirror: pod.mirror,
        system_critical: pod.system_critical,
        eviction: pod.eviction,
        storage: pod.storage,
        priority: pod.priority,
        constraints: pod.constraints.clone(),
        budgets: pod.budgets.clone(),
    }
}

/// A hash that is the same in every process. Eight bytes at a time; only speed depends on its quality.
#[derive(Default)]
struct Mixer(u64);

/// 2^64 divided by the golden ratio, made odd.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(26) ^ word).wrapping_mul(SPREAD);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

fn mixed(value: impl Hash) -> u64 {
    let mut mixer = Mixer::default();
    value.hash(&mut mixer);
    mixer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::view::{Owner, Scope};
    use crate::words::{NodeName, NodeUid, PodUid, Resources};
    use proptest::prelude::*;

    fn survey(pods: &[(u8, u8, u8)]) -> ClusterView {
        let mut view = ClusterView::new(Timestamp::default(), Scope::Everything);
        for name in ["c", "a", "b", "d"] {
            let (name, uid) = (NodeName::new(name).unwrap(), NodeUid::new(name).unwrap());
            view.nodes.push(Node::new(name, uid, Timestamp::default(), Resources::new(1_000, 1 << 30, 10)));
        }
        view.budgets = vec![Budget::new("n", "z", 1), Budget::new("n", "y", 0)];
        for (index, (node, owner, milli)) in pods.iter().enumerate() {
            let uid = PodUid::new(format!("p{index:02}")).unwrap();
            let requests = Resources::new(u64::from(*milli), 1, 1);
            let mut pod = Pod::new(uid, "n", format!("p{index:02}"), requests);
            pod.owner = Some(Owner::new("ReplicaSet", format!("o{owner}")));
            pod.budgets = vec![u32::from(*owner % 3)];
            let name = ["a", "b", "c", "d", "none", "gone"].get(usize::from(*node)).copied();
            pod.node = name.filter(|name| *name != "none").map(|name| NodeName::new(name).unwrap());
            pod.unschedulable_since = Some(Timestamp::default());
            view.pods.push(pod);
        }
        view
    }

    #[test]
    fn counts_what_is_alike_and_forgets_no_pod() {
        let cluster =
            Cluster::of(survey(&[(0, 1, 9), (0, 1, 9), (1, 1, 9), (0, 2, 50), (4, 1, 9), (5, 1, 9)]));
        let names: Vec<&str> = cluster.nodes().iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        let shown = |seats: &[Seat]| -> Vec<(u64, u32, String)> {
            let row = |seat: &Seat| {
                (cluster.class(seat).unwrap().requests.cpu_milli, seat.count, cluster.name_of(seat))
            };
            seats.iter().map(row).collect()
        };
        assert_eq!(shown(cluster.seats(0)), [(50, 1, "n/p03".to_owned()), (9, 2, "n/p00".to_owned())]);
        assert_eq!(shown(cluster.seats(1)), [(9, 1, "n/p02".to_owned())]);
        assert_eq!(shown(cluster.seats(2)), []);
        assert_eq!(shown(cluster.unbound()), [(9, 1, "n/p04".to_owned())]);
        let seat = cluster.seats(0).get(1).unwrap();
        assert_eq!(
            cluster.names(seat).iter().map(|pod| pod.uid.as_str()).collect::<Vec<_>>(),
            ["p00", "p01"]
        );
        assert_eq!(
            cluster.class(seat).unwrap().budgets,
            [0],
            "the budgets are renumbered as they are sorted"
        );
    }

    proptest! {
        #[test]
        fn no_order_of_a_list_matters(
            pods in prop::collection::vec((0_u8..6, 0_u8..4, 0_u8..3), 0..40),
            turn in any::<prop::sample::Index>(),
        ) {
            let plain = survey(&pods);
            let mut turned = plain.clone();
            turned.nodes.reverse();
            turned.budgets.reverse();
            for pod in &mut turned.pods {
                pod.budgets.iter_mut().filter(|at| **at < 2).for_each(|at| *at = 1 - *at);
            }
            if !turned.pods.is_empty() {
                let by = turn.index(turned.pods.len());
                turned.pods.rotate_left(by);
            }
            prop_assert_eq!(Cluster::of(plain), Cluster::of(turned));
        }

        #[test]
        fn every_pod_of_a_listed_node_has_one_seat(pods in prop::collection::vec((0_u8..6, 0_u8..4, 0_u8..3), 0..40)) {
            let cluster = Cluster::of(survey(&pods));
            let on_nodes = (0..4).flat_map(|node| cluster.seats(node));
            let seated: u32 = on_nodes.chain(cluster.unbound()).map(|seat| seat.count).sum();
            prop_assert_eq!(seated as usize, pods.iter().filter(|(node, ..)| *node < 5).count());
            prop_assert!(cluster.classes().is_sorted_by(|a, b| order(a, b) == Ordering::Less));
        }
    }
}
