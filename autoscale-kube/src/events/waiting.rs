//! What is told of pods that wait: for whom a node is bought, and why for others none is. Pure.

use std::collections::{BTreeMap, BTreeSet};

use autoscale_core::data::explain::Action;
use autoscale_core::data::view::{Cluster, Constraints, Node, PodClass, Spread, TaintEffect};
use autoscale_core::words::Zone;

use super::told::{RoundFacts, Told, holds, pod, told};

/// Of so many pods something is told in one round, the same ones as long as they wait: more than anybody reads, and more
/// than are remembered.
const MAX_PODS: usize = 1_000;

const ZONE: &str = "topology.kubernetes.io/zone";
const TYPE: &str = "node.kubernetes.io/instance-type";
const HOST: &str = "kubernetes.io/hostname";

/// Nodes of one pool that are bought now for pods that wait.
#[derive(Debug)]
struct Bought<'a> {
    count: u32,
    zones: BTreeSet<&'a Zone>,
    /// A node of each machine type that is bought; `None` where not every one is known, and nothing can be said against it.
    like: Option<Vec<&'a Node>>,
}

/// Pods that wait: by which pools something is bought for them now, or why nothing is. And how many more wait.
pub(super) fn of_waiting(facts: &RoundFacts<'_>, cluster: &Cluster) -> (Vec<Told>, u64) {
    let bought = bought(facts, cluster);
    let (held, codes) = holds(facts.explanation);
    let why = if held.is_empty() { "what is bought is not for it".to_owned() } else { held };
    let no = format!("no node is bought for it now: {why}");
    let mut all = Vec::new();
    let mut waiting: u64 = 0;
    for seat in cluster.unbound() {
        let Some(class) = cluster.class(seat).filter(|class| class.waits()) else { continue };
        let names = cluster.names(seat);
        waiting = waiting.saturating_add(names.len() as u64);
        let rest = MAX_PODS.saturating_sub(all.len());
        if rest == 0 {
            continue;
        }
        let pools: Vec<String> = bought
            .iter()
            .filter(|(_, bought)| bought.seats(class))
            .map(|(pool, b)| format!("{pool} +{}", b.count))
            .collect();
        let (reason, note, same) = if pools.is_empty() {
            ("NotTriggerScaleUp", no.clone(), Some(codes.clone()))
        } else {
            let note = format!("nodes are bought for the pods that wait: {}", pools.join(", "));
            ("TriggeredScaleUp", note, None)
        };
        let about = names.iter().take(rest).map(|name| pod(&class.namespace, &name.name, name.uid.as_str()));
        all.extend(about.map(|about| Told { same: same.clone(), ..told(reason, "ScaleUp", about, &note) }));
    }
    let beyond = waiting.saturating_sub(all.len() as u64);
    (all, beyond)
}

/// What is bought, and stored, in pools that pods wait for: other nodes are bought for other reasons.
fn bought<'a>(facts: &RoundFacts<'a>, cluster: &'a Cluster) -> BTreeMap<&'a str, Bought<'a>> {
    let mut all = BTreeMap::new();
    if facts.stored.is_none() {
        return all;
    }
    let awaited = |pool: &str| {
        let mut reports = facts.explanation.pools.iter();
        reports.any(|report| report.pool.as_str() == pool && report.counts.pending_pods > 0)
    };
    for action in &facts.explanation.actions {
        let Action::Launch { pool, offering, replaces: None, .. } = action else { continue };
        if !awaited(pool.as_str()) {
            continue;
        }
        let entry = all.entry(pool.as_str());
        let entry =
            entry.or_insert_with(|| Bought { count: 0, zones: BTreeSet::new(), like: Some(Vec::new()) });
        entry.count += 1;
        entry.zones.insert(&offering.zone);
        let mut nodes = cluster.nodes().iter();
        let like = nodes.find(|node| {
            node.pool.as_ref() == Some(pool) && node.label(TYPE) == Some(offering.shape.as_str())
        });
        entry.like = entry.like.take().zip(like).map(|(mut known, like)| {
            known.push(like);
            known
        });
    }
    all
}

impl Bought<'_> {
    /// Whether one of these nodes may take a pod, as far as the view tells.
    fn seats(&self, class: &PodClass) -> bool {
        let asked = &class.constraints;
        if matches!(asked.spread, Spread::Unjudged { .. }) {
            return false;
        }
        let mut zones = self
            .zones
            .iter()
            .filter(|zone| asked.volume_zones.as_ref().is_none_or(|volumes| volumes.contains(zone)));
        match &self.like {
            None => zones.next().is_some(),
            Some(like) => {
                zones.any(|zone| like.iter().any(|node| admits(node, zone, asked) && has_room(node, class)))
            }
        }
    }
}

/// Whether a node like this one in a zone would be one that the pod asks for.
fn admits(node: &Node, zone: &Zone, asked: &Constraints) -> bool {
    let label = |key: &str| match key {
        ZONE => Some(zone.as_str()),
        // Its name nobody knows yet.
        HOST => None,
        key => node.label(key),
    };
    // Conditions of a node are no part of what a new one is like.
    let lasting = |key: &str| {
        !key.starts_with("node.kubernetes.io/") && !key.starts_with("node.cloudprovider.kubernetes.io/")
    };
    let mut hard = node
        .taints
        .iter()
        .filter(|taint| taint.effect != TaintEffect::PreferNoSchedule && lasting(&taint.key));
    asked.selects(label) && hard.all(|taint| asked.tolerates(taint))
}

fn has_room(node: &Node, class: &PodClass) -> bool {
    let (has, asks) = (&node.allocatable, &class.requests);
    asks.cpu_milli <= has.cpu_milli && asks.memory <= has.memory
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use autoscale_core::data::policy::{Policy, PoolPolicy};
    use autoscale_core::data::view::{ClusterView, Pod, Scope, Seen, Taint, View};
    use autoscale_core::driver::{Driver, Trigger};
    use autoscale_core::memory::{Workload, quick};
    use autoscale_core::words::{NodeName, NodeUid, PodUid, Resources, Timestamp};

    use super::*;

    const START: Timestamp = Timestamp::from_millis(0);

    fn node() -> Node {
        let (name, uid) = (NodeName::new("n").unwrap(), NodeUid::new("u").unwrap());
        let mut node = Node::new(name, uid, START, Resources::new(4_000, 8 << 30, 100));
        node.labels.insert("disk".to_owned(), "ssd".to_owned());
        node.taints = vec![
            Taint::new("team", "a", TaintEffect::NoSchedule),
            Taint::new("node.kubernetes.io/not-ready", "", TaintEffect::NoSchedule),
        ];
        node
    }

    #[test]
    fn a_pod_is_seated_where_nothing_is_said_against_it() {
        let (zone, other) = (Zone::new("a").unwrap(), Zone::new("b").unwrap());
        type Change = fn(&mut Pod);
        let cases: [(&str, Change, bool, bool); 9] = [
            ("as it is", |_| {}, true, true),
            ("a label", |pod| drop(pod.constraints.selector.insert("disk".into(), "ssd".into())), true, true),
            (
                "another label",
                |pod| drop(pod.constraints.selector.insert("disk".into(), "hdd".into())),
                false,
                true,
            ),
            ("its zone", |pod| drop(pod.constraints.selector.insert(ZONE.into(), "a".into())), true, true),
            (
                "another zone",
                |pod| drop(pod.constraints.selector.insert(ZONE.into(), "b".into())),
                false,
                true,
            ),
            ("that node", |pod| drop(pod.constraints.selector.insert(HOST.into(), "n".into())), false, true),
            (
                "a volume",
                |pod| pod.constraints.volume_zones = Some(vec![Zone::new("b").unwrap()]),
                false,
                false,
            ),
            ("not judged", |pod| pod.constraints.spread = Spread::Unjudged { why: "?".into() }, false, false),
            ("too large", |pod| pod.requests.memory = 9 << 30, false, true),
        ];
        for (what, change, known, unknown) in cases {
            let mut pod =
                Pod::new(PodUid::new("p").unwrap(), "default", "p", Resources::new(100, 1 << 20, 1));
            pod.unschedulable_since = Some(START);
            pod.constraints.tolerations.push(autoscale_core::data::view::Toleration::of_value("team", "a"));
            change(&mut pod);
            let mut survey = ClusterView::new(START, Scope::Pending);
            survey.pods = vec![pod];
            let view =
                View::new(START, Seen::Unknown { why: String::new() }, Seen::Known(survey), Vec::new());
            let class = &view.cluster().known().unwrap().classes()[0];
            let node = node();
            let bought = |like| Bought { count: 1, zones: BTreeSet::from([&zone]), like };
            assert_eq!(bought(Some(vec![&node])).seats(class), known, "{what}");
            assert_eq!(bought(None).seats(class), unknown, "{what}: no such node has been seen yet");
            let elsewhere = Bought { zones: BTreeSet::from([&other]), ..bought(None) };
            assert_eq!(elsewhere.seats(class), what != "not judged", "{what}: in the other zone");
        }
        let mut bare = node();
        bare.taints.push(Taint::new("gpu", "", TaintEffect::NoExecute));
        assert!(!admits(&bare, &zone, &Constraints::default()), "a taint");
    }

    #[tokio::test]
    async fn of_very_many_pods_not_each_is_looked_at() {
        let pool = PoolPolicy::builder("web").with_zones(["a"]).with_shape("m5.large", 1_930, 7 << 30, 29);
        let policy = Arc::new(Policy::builder("shop").with_pool(pool).build().unwrap());
        let world = quick(&policy, 2).unwrap();
        world.lock().add_workload(Workload::new("shop", 2_506, 500, 256 << 20));
        // Six of them find room on the two nodes.
        let report = Driver::new(policy, world.ports()).tick(&Trigger::Schedule).await;
        let round = &report.rounds[0];
        let facts = RoundFacts::new(&round.view, &round.explanation, round.stored.as_ref(), &round.outcomes);
        let (told, beyond) = of_waiting(&facts, round.view.cluster().known().unwrap());
        assert_eq!((told.len(), beyond), (MAX_PODS, 1_500));
    }
}
