//! The scheduler: first fit over open nodes in the order of their names, the highest priority and then the oldest pod
//! first. It honours what pods ask of their nodes beside room. Nothing is preempted, and a cordon keeps everybody away.
//!
//! It is the judge of what is decided elsewhere, and shares no code with it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::data::view::{Constraints, Spread, Taint, TaintEffect};
#[cfg(feature = "sim")]
use crate::data::{order::Offering, policy::Purchase, view::Pod};
use crate::words::{Extended, Resources, Timestamp, Zone};
#[cfg(feature = "sim")]
use crate::words::{NodeName, PoolName, ShapeName};

use super::cluster::{Cluster, NodeState};
use super::workload::Workload;
#[cfg(feature = "sim")]
use super::{happen::labels, world::World};

/// With so many nodes grown, all nodes are looked at rather than those.
const FEW: usize = 16;

/// What a pod asks of its node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Ask {
    priority: i32,
    requests: Resources,
    extended: Extended,
    constraints: Constraints,
    /// Where that matters: groups that spread are of one namespace.
    namespace: Option<String>,
}

/// Waiting pods that ask for the same: when the first finds no node, none does.
#[derive(Clone, Debug)]
struct Line {
    ask: Ask,
    pods: BTreeSet<u64>,
    /// Whether the first found no node, and only nodes that have grown since could hold it.
    stuck: bool,
}

/// Priority, pod and line.
type Head = (Reverse<i32>, u64, u32);

/// Every pod that waits for a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    all: Vec<Line>,
    known: BTreeMap<Ask, u32>,
    /// The first pod of each line that has any, by what is scheduled first.
    heads: BTreeSet<Head>,
    /// No line with pods asks for less of anything than this.
    least: Option<Resources>,
    /// Lines that pods have joined since the scheduler last looked.
    joined: BTreeSet<u32>,
    /// Nodes that have more room, or are open, since then.
    grown: BTreeSet<u32>,
    /// All waiting pods.
    pub(super) pods: BTreeSet<u64>,
}

impl Lines {
    /// The line for the pods of a workload.
    pub(super) fn of(&mut self, spec: &Workload) -> u32 {
        let spreads = matches!(spec.constraints.spread, Spread::OnePerNode { .. });
        let ask = Ask {
            priority: spec.priority,
            requests: spec.requests,
            extended: spec.extended.clone(),
            constraints: spec.constraints.clone(),
            namespace: spreads.then(|| spec.namespace.clone()),
        };
        let next = self.all.len() as u32;
        let line = *self.known.entry(ask.clone()).or_insert(next);
        if line == next {
            self.all.push(Line { ask, pods: BTreeSet::new(), stuck: false });
        }
        line
    }

    fn line(&self, line: u32) -> Option<&Line> {
        self.all.get(line as usize)
    }

    fn join(&mut self, line: u32, pod: u64) {
        let before = self.head(line);
        let Some(joined) = self.all.get_mut(line as usize) else { return };
        joined.pods.insert(pod);
        self.pods.insert(pod);
        self.joined.insert(line);
        self.rehead(line, before);
    }

    fn leave(&mut self, line: u32, pod: u64) {
        let before = self.head(line);
        let Some(left) = self.all.get_mut(line as usize) else { return };
        left.pods.remove(&pod);
        self.pods.remove(&pod);
        // Nobody tells an empty line what has grown.
        left.stuck &= !left.pods.is_empty();
        self.rehead(line, before);
    }

    /// A line has another first pod than before.
    fn rehead(&mut self, line: u32, before: Option<Head>) {
        let after = self.head(line);
        if before == after {
            return;
        }
        if let Some(head) = before {
            self.heads.remove(&head);
        }
        self.heads.extend(after);
        if self.heads.is_empty() {
            self.least = None;
        } else if before.is_none() {
            let requests = self.line(line).map(|line| line.ask.requests);
            self.least = least(self.least.into_iter().chain(requests));
        }
    }

    /// The next after `last`.
    fn after(&self, last: Option<Head>) -> Option<Head> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.heads.range((from, Bound::Unbounded)).next().copied()
    }

    /// A node has more room, or is open.
    pub(super) fn grew(&mut self, node: u32) {
        self.grown.insert(node);
    }

    fn get_stuck(&mut self, line: u32) {
        if let Some(line) = self.all.get_mut(line as usize) {
            line.stuck = true;
        }
    }

    /// The first pod of a line, by what is scheduled first.
    fn head(&self, id: u32) -> Option<Head> {
        let line = self.line(id)?;
        Some((Reverse(line.ask.priority), *line.pods.first()?, id))
    }
}

impl Cluster {
    /// A pod begins to wait for a node.
    pub(super) fn enqueue(&mut self, id: u32, pod: u64) {
        let Some(running) = self.workloads.get_mut(id as usize) else { return };
        running.queue.insert(pod);
        self.lines.join(running.line, pod);
    }

    /// A pod waits no longer.
    pub(super) fn dequeue(&mut self, id: u32, pod: u64) {
        let Some(running) = self.workloads.get_mut(id as usize) else { return };
        running.queue.remove(&pod);
        self.lines.leave(running.line, pod);
    }

    /// Binds what can be bound, and gives the pods that were; the rest is marked unschedulable.
    pub(crate) fn schedule(&mut self, now: Timestamp) -> Vec<u64> {
        let mut joined = std::mem::take(&mut self.lines.joined);
        let grown = std::mem::take(&mut self.lines.grown);
        if self.lines.pods.is_empty() || (joined.is_empty() && grown.is_empty()) {
            return Vec::new();
        }
        self.account(now);
        let mut bound = Vec::new();
        let mut last = None;
        // All lines in their order, for as long as what has grown can hold anything.
        while self.may_take(&grown) {
            let Some(head) = self.lines.after(last) else {
                let lines = self.lines.heads.iter().filter_map(|(_, _, id)| self.lines.line(*id));
                self.lines.least = least(lines.map(|line| line.ask.requests));
                break;
            };
            match self.seat(head, &grown, now) {
                Some(pod) => bound.push(pod),
                None => drop(joined.remove(&head.2)),
            }
            last = Some(head);
        }
        // Then those alone that were never looked at; the others would find what they found before.
        let mut heads: BTreeSet<Head> = joined.into_iter().filter_map(|id| self.lines.head(id)).collect();
        while let Some(head) = heads.pop_first() {
            if let Some(pod) = self.seat(head, &grown, now) {
                bound.push(pod);
                heads.extend(self.lines.head(head.2));
            }
        }
        bound
    }

    /// Whether nodes that have grown could hold a pod that asks for the least.
    fn may_take(&self, grown: &BTreeSet<u32>) -> bool {
        let Some(least) = self.lines.least else { return false };
        let fits = |node: &NodeState| node.is_open() && least.fits(&node.free);
        grown.len() > FEW || grown.iter().filter_map(|node| self.nodes.get(node)).any(fits)
    }

    /// Binds the first pod of a line, or marks all of it.
    fn seat(&mut self, (_, pod, id): Head, grown: &BTreeSet<u32>, now: Timestamp) -> Option<u64> {
        let line = self.lines.line(id)?;
        let room = match line.stuck && grown.len() <= FEW {
            true => first(grown.iter().filter_map(|node| Some((*node, self.takes(&line.ask, *node)?)))),
            false => self.room_for(&line.ask),
        };
        let Some(node) = room else {
            self.lines.get_stuck(id);
            self.mark_unschedulable(id, now);
            return None;
        };
        if let Some(workload) = self.pods.get(&pod).and_then(|pod| pod.workload) {
            self.dequeue(workload, pod);
        }
        self.place(pod, node, now);
        Some(pod)
    }

    /// The first open node that can hold a pod; one that would rather not comes after all others.
    fn room_for(&self, ask: &Ask) -> Option<u32> {
        let mut unwilling = None;
        let willing = self.room.first(&ask.requests, &mut |node| match self.takes(ask, node) {
            Some(Welcome::Warm) => true,
            Some(Welcome::Cold) => {
                unwilling.get_or_insert(node);
                false
            }
            None => false,
        });
        willing.or(unwilling)
    }

    /// Whether an open node can hold a pod.
    fn takes(&self, ask: &Ask, index: u32) -> Option<Welcome> {
        let node = self.nodes.get(&index).filter(|node| node.is_open() && ask.requests.fits(&node.free))?;
        (ask.extended.fits(&node.free_extended)
            && admits(node, &ask.constraints)
            && self.spreads(node, &ask.constraints.spread, ask.namespace.as_deref()))
        .then(|| {
            let cold = |taint: &Taint| {
                taint.effect == TaintEffect::PreferNoSchedule
                    && !ask.constraints.tolerations.iter().any(|toleration| toleration.covers(taint))
            };
            if node.taints.iter().any(cold) { Welcome::Cold } else { Welcome::Warm }
        })
    }

    /// Whether a node has no pod of the same group.
    fn spreads(&self, node: &NodeState, spread: &Spread, namespace: Option<&str>) -> bool {
        if !matches!(spread, Spread::OnePerNode { .. }) {
            return true;
        }
        let specs = node.pods.iter().filter_map(|pod| self.workload(self.pods.get(pod)?.workload?));
        !specs
            .map(|running| &running.spec)
            .any(|spec| spec.constraints.spread == *spread && Some(spec.namespace.as_str()) == namespace)
    }

    /// Whether a person may put a pod of a workload onto a node, open or not.
    #[cfg(feature = "sim")]
    pub(super) fn could_hold(&self, spec: &Workload, node: &NodeState) -> bool {
        node.ready
            && !node.control_plane
            && spec.requests.fits(&node.free)
            && spec.extended.fits(&node.free_extended)
            && admits(node, &spec.constraints)
            && self.spreads(node, &spec.constraints.spread, Some(&spec.namespace))
    }

    /// Those already marked are at the front: pods join at the back.
    fn mark_unschedulable(&mut self, id: u32, now: Timestamp) {
        let Some(line) = self.lines.line(id) else { return };
        for pod in line.pods.iter().rev() {
            match self.pods.get_mut(pod) {
                Some(pod) if pod.unschedulable_since.is_none() => pod.unschedulable_since = Some(now),
                _ => break,
            }
        }
    }
}

/// The least of each resource.
fn least(requests: impl Iterator<Item = Resources>) -> Option<Resources> {
    requests.reduce(|one, other| {
        Resources::new(
            one.cpu_milli.min(other.cpu_milli),
            one.memory.min(other.memory),
            one.pods.min(other.pods),
        )
    })
}

/// How a node that can hold a pod takes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Welcome {
    Warm,
    /// It has a taint that pods should rather keep away from.
    Cold,
}

/// The first warm node, else the first.
fn first(nodes: impl Iterator<Item = (u32, Welcome)>) -> Option<u32> {
    let mut cold = None;
    for (node, welcome) in nodes {
        match welcome {
            Welcome::Warm => return Some(node),
            Welcome::Cold => drop(cold.get_or_insert(node)),
        }
    }
    cold
}

/// Whether labels, taints and zone of a node let a pod come.
fn admits(node: &NodeState, constraints: &Constraints) -> bool {
    welcomes(&node.labels, &node.taints, &node.zone, constraints)
}

fn welcomes(
    labels: &BTreeMap<String, String>,
    taints: &[Taint],
    zone: &Zone,
    constraints: &Constraints,
) -> bool {
    taints.iter().all(|taint| constraints.tolerates(taint))
        && constraints.volume_zones.as_ref().is_none_or(|zones| zones.contains(zone))
        && constraints.selects(|label| labels.get(label).map(String::as_str))
}

#[cfg(feature = "sim")]
impl World {
    /// Whether an empty new node of a pool could hold a pod, in one of these zones.
    pub(crate) fn could_seat(&self, pool: &PoolName, shape: &ShapeName, zones: &[Zone], pod: &Pod) -> bool {
        let Some(shape) = self.settings.shape(shape) else { return false };
        let (name, pool) = (NodeName::new("new").expect("letters"), self.settings.pool_of(pool));
        let taints = pool.map(|pool| pool.taints.as_slice()).unwrap_or_default();
        pod.requests.plus(&self.settings.daemon).fits(&shape.allocatable)
            && pod.extended.fits(&shape.extended)
            && zones.iter().any(|zone| {
                let offering = Offering::new(zone.clone(), Purchase::OnDemand, shape.name.clone());
                let labels = labels(&name, &offering, Some(shape), pool);
                welcomes(&labels, taints, zone, &pod.constraints)
            })
    }
}

#[cfg(test)]
mod tests;
