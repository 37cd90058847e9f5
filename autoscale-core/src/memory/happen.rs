//! What happens in a world by itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::order::Offering;
use crate::data::policy::Shape;
use crate::data::view::{Ownership, Phase};
use crate::words::{NodeName, Span, Timestamp, Zone};

use super::cluster::NodeState;
use super::settings::Pool;
use super::world::World;

/// What happens by itself, and to whom.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Event {
    Running(u32),
    Join(u32),
    Taken(u32),
    Terminated(u32),
    Dark(u32),
    Lost(u32, Timestamp),
    Cleanup(u32),
    Forgotten(u32),
    PodUp(u64),
    PodGone(u64),
    ZoneBack(Zone),
    /// A node is heard of again.
    Heard(u32),
    /// A person ends an instance.
    ByHand(u32),
    Scrape,
}

impl World {
    pub(super) fn darken(&mut self, index: u32) {
        self.cluster.set_ready(index, false, self.now);
        self.plan(self.settings.taint_after, Event::Lost(index, self.now));
    }

    pub(super) fn join(&mut self, index: u32) {
        let Some(machine) = self.cloud.machine(index) else { return };
        if !machine.kubelet || !machine.is_alive() || self.cluster.nodes.contains_key(&index) {
            return;
        }
        if let Some(until) = self.cloud.outages.get(&machine.offering.zone).filter(|until| self.now < **until)
        {
            self.plan_at(until.after(Span::from_secs(5)), Event::Join(index));
            return;
        }
        let name = NodeName::new(format!("node-{index:05}")).expect("letters, a dash and digits");
        let shape = self.settings.shape(&machine.offering.shape);
        let extended = shape.map(|shape| shape.extended.clone()).unwrap_or_default();
        let pool = machine.pool.as_ref().and_then(|pool| self.settings.pool_of(pool));
        let control_plane = machine.ownership == Ownership::ControlPlane;
        let node = NodeState {
            labels: labels(&name, &machine.offering, shape, pool),
            taints: pool.filter(|_| !control_plane).map(|pool| pool.taints.clone()).unwrap_or_default(),
            name,
            uid: self.cluster.fresh_uid(),
            provider_id: format!("mem:///{}/{}", machine.offering.zone, machine.id),
            address: machine.address.clone(),
            pool: machine.pool.clone(),
            zone: machine.offering.zone.clone(),
            ready: true,
            unready_since: None,
            unschedulable: false,
            mark: None,
            stamp: None,
            marked_since: None,
            meddled_at: None,
            control_plane,
            keep: false,
            nameless: machine.nameless,
            twin: machine.twin,
            created_at: self.now,
            allocatable: machine.allocatable,
            free: machine.allocatable,
            free_extended: extended.clone(),
            extended,
            pods: BTreeSet::new(),
            up: BTreeMap::new(),
        };
        self.cluster.add_node(index, node);
    }

    pub(super) fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Scrape => {
                self.metrics.scrape(&mut self.cluster, now);
                self.plan(self.settings.scrape, Event::Scrape);
            }
            Event::Running(index) => {
                if self.cloud.machine(index).is_some_and(|machine| machine.phase == Phase::Pending) {
                    self.cloud.turn(index, Phase::Running, now, Span::ZERO);
                    let late = self.cloud.machine(index).map_or(Span::ZERO, |machine| machine.joins_late);
                    let join = self.rng.span(self.settings.join.0, self.settings.join.1).plus(late);
                    self.plan(join, Event::Join(index));
                }
            }
            Event::Join(index) => self.join(index),
            Event::Taken(index) => self.end(index),
            Event::Terminated(index) => {
                self.cloud.turn(index, Phase::Terminated, now, Span::ZERO);
                self.plan(Span::from_mins(24 * 60), Event::Forgotten(index));
                if let Some(after) = self.settings.cleanup_after {
                    self.plan(after, Event::Cleanup(index));
                }
            }
            Event::Dark(index) => self.darken(index),
            Event::Lost(index, since) => {
                let Some(node) = self.cluster.nodes.get(&index) else { return };
                if node.unready_since.is_none_or(|at| at > since) {
                    return;
                }
                let pods: Vec<u64> = node.pods.iter().copied().collect();
                for pod in pods {
                    if self.cluster.pods.get(&pod).is_some_and(|pod| pod.workload.is_some()) {
                        self.cluster.delete_pod(pod, now, now);
                    }
                }
            }
            Event::Forgotten(index) => self.cloud.forget(index),
            Event::Cleanup(index) => self.cluster.remove_node(index, now),
            Event::PodUp(pod) => self.cluster.pod_started(pod, now),
            Event::PodGone(pod) => {
                let node = self.cluster.pods.get(&pod).and_then(|pod| pod.node);
                if node.and_then(|node| self.cluster.nodes.get(&node)).is_some_and(|node| node.ready) {
                    self.cluster.remove_pod(pod, now);
                }
            }
            Event::ZoneBack(zone) => self.revive(&zone),
            Event::Heard(index) => self.heard(index),
            Event::ByHand(index) => self.ended_by_hand(index),
        }
        self.settle();
    }

    fn revive(&mut self, zone: &Zone) {
        if self.cloud.outages.get(zone).is_some_and(|until| self.now < *until) {
            return;
        }
        self.cloud.outages.remove(zone);
        for index in self.nodes_in(zone) {
            self.heard(index);
        }
    }

    /// A kubelet that lives is heard of again.
    fn heard(&mut self, index: u32) {
        let lives = |machine: &super::cloud::Machine| machine.kubelet && machine.is_alive();
        if !self.cloud.machine(index).is_some_and(lives) {
            return;
        }
        self.cluster.set_ready(index, true, self.now);
        let Some(node) = self.cluster.nodes.get(&index) else { return };
        let pods: Vec<u64> = node.pods.iter().copied().collect();
        for pod in pods {
            if self.cluster.pods.get(&pod).is_some_and(|pod| !pod.started) {
                self.start_pod(pod);
            }
        }
    }

    fn ended_by_hand(&mut self, index: u32) {
        if self.cloud.machine(index).is_some_and(super::cloud::Machine::is_alive) {
            self.lost(self.now);
            self.end(index);
        }
    }
}

/// The labels of a node: of its pool and its shape, and those every node has.
pub(super) fn labels(
    name: &NodeName,
    offering: &Offering,
    shape: Option<&Shape>,
    pool: Option<&Pool>,
) -> BTreeMap<String, String> {
    let mut labels = pool.map(|pool| pool.labels.clone()).unwrap_or_default();
    if let Some(shape) = shape {
        labels.extend(shape.labels.clone());
    }
    for (key, value) in [
        ("kubernetes.io/hostname", name.to_string()),
        ("node.kubernetes.io/instance-type", offering.shape.to_string()),
        ("topology.kubernetes.io/zone", offering.zone.to_string()),
    ] {
        labels.insert(key.to_owned(), value);
    }
    labels
}
