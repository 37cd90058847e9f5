//! What could be bought: every shape of every pool in every zone, and which pods a node of it would hold.

use std::collections::{BTreeMap, BTreeSet};

use super::scene::{Scene, uncertain};
use crate::data::order::Offering;
use crate::data::policy::{Policy, PoolPolicy, Shape};
use crate::data::record::Record;
use crate::data::view::{Cluster, Node, PodClass, Taint};
use crate::logic::fit::{Bin, Kind, Kinds, Misfit, Site};
use crate::words::{PoolName, Resources, Zone};

/// The label that tells a node's machine type.
const TYPE_LABEL: &str = "node.kubernetes.io/instance-type";

/// Labels that no node has in common with the next.
const OWN_LABELS: [&str; 2] = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"];

/// A node that could be bought.
#[derive(Debug)]
pub(crate) struct Offer<'a> {
    pub(crate) pool: &'a PoolPolicy,
    pub(crate) shape: &'a Shape,
    pub(crate) zone: &'a Zone,
    site: Site<'a>,
    /// What it has for pods, DaemonSets' pods placed.
    pub(crate) empty: Vec<u64>,
}

impl<'a> Offer<'a> {
    /// So many empty nodes of it. A pool that is sized by a number of pods does not look at what they ask for.
    pub(crate) fn bin(&self, site: u32, nodes: u64, new: bool) -> Bin<'a> {
        let (free, room) = match self.pool.pods_per_node {
            Some(pods) => (vec![u64::MAX; self.empty.len()], u64::from(pods)),
            None => (self.empty.clone(), u64::MAX),
        };
        Bin::new(site, nodes, new, free, room)
    }
}

/// Everything that could be bought.
#[derive(Debug)]
pub(crate) struct Market<'a> {
    pub(crate) kinds: Kinds<'a>,
    pub(crate) offers: Vec<Offer<'a>>,
}

impl<'a> Market<'a> {
    pub(crate) fn new(policy: &'a Policy, scene: &Scene<'a>, cluster: &'a Cluster) -> Self {
        let kinds = Kinds::of(cluster);
        let mut asked: Vec<&str> = kinds.iter().flat_map(|kind| kind.constraints.labels()).collect();
        asked.sort_unstable();
        asked.dedup();
        asked.retain(|key| !OWN_LABELS.contains(key));
        let stays = |class: &PodClass| (class.is_daemon() || class.mirror) && class.takes_room();
        let staying: Vec<bool> = cluster.classes().iter().map(stays).collect();
        let mut offers = Vec::new();
        for pool in policy.pools().values() {
            let nodes: Vec<(usize, &'a Node)> =
                scene.members(&pool.name).filter_map(|body| Some((body.node_at?, body.node?))).collect();
            let overhead = overhead(cluster, &staying, pool, &nodes);
            let (labels, taints) = in_common(cluster, &asked, &nodes);
            for shape in &pool.shapes {
                let room = shape.allocatable.minus(&overhead);
                let empty = kinds.amount(&room, &shape.extended);
                for zone in &pool.zones {
                    let declared = |labels: &'a BTreeMap<String, String>| {
                        labels.iter().map(|(key, value)| (key.as_str(), value.as_str()))
                    };
                    // Later ones count: what is declared goes before what is only seen.
                    let all = labels.iter().copied().chain([(TYPE_LABEL, shape.name.as_str())]);
                    let all = all.chain(declared(&pool.labels)).chain(declared(&shape.labels));
                    let site = Site::new(all, pool.taints.iter().chain(taints.iter().copied()), Some(zone));
                    offers.push(Offer { pool, shape, zone, site, empty: empty.clone() });
                }
            }
        }
        Self { kinds, offers }
    }

    /// Whether an empty node of an offer holds a pod of a kind.
    pub(crate) fn holds(&self, kind: &Kind<'_>, offer: &Offer<'_>) -> Result<(), Misfit> {
        offer.site.admits(kind.constraints)?;
        let short = kind.amount.iter().zip(&offer.empty).position(|(amount, room)| amount > room);
        match short {
            Some(dimension) => Err(Misfit::TooLarge(self.kinds.name(dimension).to_owned())),
            None => Ok(()),
        }
    }

    /// Whether any node of a pool would hold a pod of a kind.
    pub(crate) fn pool_holds(&self, kind: &Kind<'_>, pool: &PoolName) -> bool {
        self.offers.iter().any(|offer| offer.pool.name == *pool && self.holds(kind, offer).is_ok())
    }

    /// Why no node of any pool would hold a pod of a kind, pool by pool; nothing when one would.
    pub(crate) fn misfits(&self, kind: &Kind<'_>) -> Option<BTreeMap<&'a PoolName, Misfit>> {
        let mut why: BTreeMap<&PoolName, Misfit> = BTreeMap::new();
        for offer in &self.offers {
            let misfit = self.holds(kind, offer).err()?;
            // The one that is nearest to a fit.
            let nearest = why.entry(&offer.pool.name).or_insert_with(|| misfit.clone());
            *nearest = misfit.max(nearest.clone());
        }
        Some(why)
    }

    fn find(&self, pool: &PoolName, at: &Offering) -> Option<u32> {
        let same = |offer: &Offer<'_>| {
            offer.pool.name == *pool && offer.shape.name == at.shape && offer.zone == &at.zone
        };
        self.offers.iter().position(same).map(|at| at as u32)
    }

    /// Nodes that were launched and have not joined: they count as capacity, so many of each offer.
    pub(crate) fn starting(&self, scene: &Scene<'_>, record: &Record) -> Vec<Bin<'a>> {
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        for pool in self.pools() {
            let bodies = scene.members(&pool.name).filter(|body| scene.is_starting(record, body));
            let known = bodies.filter_map(|body| {
                let shape = body.listed.and_then(|listed| listed.shape.as_ref());
                let purchase = body.listed.and_then(|listed| listed.purchase);
                let shape = shape.or_else(|| pool.shapes.first().map(|shape| &shape.name))?;
                let purchase = purchase.or_else(|| pool.purchases.first().copied())?;
                let zone = body.zone().or_else(|| pool.zones.first())?;
                self.find(&pool.name, &Offering::new(zone.clone(), purchase, shape.clone()))
            });
            let asked = uncertain(record, &pool.name);
            let asked = asked.filter_map(|launch| self.find(&pool.name, &launch.attempt.offering));
            for at in known.chain(asked) {
                *counts.entry(at).or_default() += 1;
            }
        }
        let bin = |(at, nodes): (u32, u64)| {
            let offer = self.offers.get(at as usize)?;
            Some(offer.bin(at, nodes, false))
        };
        counts.into_iter().filter_map(bin).collect()
    }

    fn pools(&self) -> impl Iterator<Item = &'a PoolPolicy> {
        let mut last = None;
        self.offers
            .iter()
            .map(|offer| offer.pool)
            .filter(move |pool| last.replace(&pool.name) != Some(&pool.name))
    }
}

/// What DaemonSets' pods and static pods take of a new node: as declared, else the most that they take of any node of the
/// pool, else of any node. `staying` tells of each class whether its pods are such ones.
fn overhead(cluster: &Cluster, staying: &[bool], pool: &PoolPolicy, nodes: &[(usize, &Node)]) -> Resources {
    if let Some(overhead) = pool.overhead {
        return overhead;
    }
    let taken = |at: usize| {
        let stay = cluster.seats(at).iter().filter(|seat| staying.get(seat.class as usize) == Some(&true));
        let stay = stay.filter_map(|seat| Some((seat, cluster.class(seat)?)));
        stay.fold(Resources::default(), |sum, (seat, class)| {
            let times = |each: u64| each.saturating_mul(u64::from(seat.count));
            let requests = &class.requests;
            let pods = requests.pods.saturating_mul(seat.count);
            sum.plus(&Resources::new(times(requests.cpu_milli), times(requests.memory), pods))
        })
    };
    let most = |sum: Resources, at: usize| {
        let here = taken(at);
        let (cpu, memory) = (sum.cpu_milli.max(here.cpu_milli), sum.memory.max(here.memory));
        Resources::new(cpu, memory, sum.pods.max(here.pods))
    };
    if nodes.is_empty() {
        let workers = cluster.nodes().iter().zip(0..).filter(|(node, _)| !node.control_plane);
        return workers.map(|(_, at)| at).fold(Resources::default(), most);
    }
    nodes.iter().map(|(at, _)| *at).fold(Resources::default(), most)
}

/// The labels that are asked for and the taints that all nodes of a pool have.
fn in_common<'a>(
    cluster: &'a Cluster,
    asked: &[&'a str],
    nodes: &[(usize, &'a Node)],
) -> (Vec<(&'a str, &'a str)>, Vec<&'a Taint>) {
    // One node of each site tells for all of them.
    let sites: BTreeSet<u32> = nodes.iter().filter_map(|(at, _)| cluster.site(*at)).collect();
    let samples: Vec<&'a Node> = sites.into_iter().filter_map(|site| cluster.site_sample(site)).collect();
    let Some(first) = samples.first() else { return (Vec::new(), Vec::new()) };
    let same = |key: &str| {
        let value = first.label(key)?;
        // The only node of a pool tells what its own name is in some labels, such as those of local volumes.
        let shared = |node: &&Node| node.label(key) == Some(value) && node.name.as_str() != value;
        samples.iter().all(shared).then_some(value)
    };
    let labels = asked.iter().filter_map(|key| Some((*key, same(key)?))).collect();
    // Conditions of a node are no part of what a new one is like.
    let lasting = |taint: &&Taint| {
        !taint.key.starts_with("node.kubernetes.io/")
            && !taint.key.starts_with("node.cloudprovider.kubernetes.io/")
    };
    let everywhere = |taint: &&Taint| samples.iter().all(|node| node.taints.contains(taint));
    (labels, first.taints.iter().filter(lasting).filter(everywhere).collect())
}
