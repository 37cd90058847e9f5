//! What people and clouds do to a world that no program asked for.

use crate::data::order::Offering;
use crate::data::policy::Purchase;
use crate::data::record::{IncomingNotice, NoticeKind};
use crate::data::view::Ownership;
use crate::words::{InstanceId, Span, Token};

use super::cloud::New;
use super::happen::Event;
use super::world::World;

impl World {
    /// A person creates an instance with our tags.
    pub(crate) fn create_by_hand(&mut self) {
        let (Some(zone), Some(shape)) =
            (self.settings.zones.first().cloned(), self.settings.shapes.first().cloned())
        else {
            return;
        };
        let index = self.boot(New {
            ownership: Ownership::Ours,
            pool: self.settings.pool().cloned(),
            offering: Offering::new(zone, Purchase::OnDemand, shape.name),
            pinned: String::new(),
            allocatable: shape.allocatable,
            token: None,
        });
        let now = self.now;
        if let Some(machine) = self.cloud.machine_mut(index) {
            machine.by_hand = Some(now);
        }
    }

    /// A person takes our tags off an instance, and ends it after a while.
    pub(crate) fn strip_tags(&mut self, instance: &InstanceId, after: Span) {
        let now = self.now;
        let Some(index) = self.cloud.index_of(instance) else { return };
        if let Some(machine) = self.cloud.machine_mut(index).filter(|machine| machine.is_alive()) {
            (machine.ownership, machine.pool, machine.by_hand) = (Ownership::Foreign, None, Some(now));
            self.lost(now);
            self.plan(after, Event::ByHand(index));
        }
    }

    /// A person copies the tags of a worker onto the control plane.
    pub(crate) fn copy_tags(&mut self) {
        let pool = self.settings.pool().cloned();
        let worker = self.cloud.alive().find_map(|(_, machine)| machine.token.clone());
        let token: Option<Token> = worker;
        let masters: Vec<u32> = self
            .cloud
            .alive()
            .filter(|(_, machine)| machine.ownership == Ownership::ControlPlane)
            .map(|(index, _)| index)
            .collect();
        for index in masters {
            if let Some(machine) = self.cloud.machine_mut(index) {
                (machine.pool, machine.token) = (pool.clone(), token.clone());
            }
        }
    }

    /// The control plane moves to a new instance.
    pub(crate) fn move_control_plane(&mut self) {
        let old: Vec<u32> = self
            .cloud
            .alive()
            .filter(|(_, machine)| machine.ownership == Ownership::ControlPlane)
            .map(|(index, _)| index)
            .collect();
        let (Some(zone), Some(shape)) =
            (self.settings.zones.first().cloned(), self.settings.shapes.first().cloned())
        else {
            return;
        };
        self.add_ready(New {
            ownership: Ownership::ControlPlane,
            pool: None,
            offering: Offering::new(zone, Purchase::OnDemand, shape.name),
            pinned: String::new(),
            allocatable: shape.allocatable,
            token: None,
        });
        for index in old {
            self.end(index);
            self.plan(Span::from_mins(3), Event::Cleanup(index));
        }
    }

    /// A person deletes a Node object; a kubelet that lives registers again.
    pub(crate) fn delete_node_by_hand(&mut self, index: u32) {
        self.lost(self.now);
        self.cluster.remove_node(index, self.now);
        self.rejoin(index);
        self.settle();
    }

    /// A node is NotReady for a moment.
    pub(crate) fn flap(&mut self, index: u32, span: Span) {
        self.lost(self.now);
        self.darken(index);
        self.plan(span, Event::Heard(index));
        self.settle();
    }

    /// A notice of something that does not happen.
    pub(crate) fn announce_falsely(&mut self, instance: &InstanceId) {
        self.replaceable += 1;
        self.lost(self.now);
        self.announce(instance, NoticeKind::Interruption, Span::from_mins(2));
    }

    /// A notice was withdrawn.
    pub(crate) fn withdraw(&mut self, instance: &InstanceId) {
        self.announce(instance, NoticeKind::Withdrawn, Span::ZERO);
    }

    /// A notice about an instance that is none of ours.
    pub(crate) fn foreign_notice(&mut self, id: &str) -> Option<IncomingNotice> {
        let instance = InstanceId::new(id).ok()?;
        Some(IncomingNotice::new(id, instance, NoticeKind::Interruption, Span::from_mins(2)))
    }

    /// Somebody binds a waiting pod to a node by hand, cordoned or not.
    pub(crate) fn bind_by_hand(&mut self, index: u32) -> bool {
        let now = self.now;
        let waiting = self.cluster.lines.pods.first().and_then(|pod| self.cluster.pods.get(pod)?.workload);
        let workload = waiting.unwrap_or(0);
        let Some(running) = self.cluster.workload(workload) else { return false };
        let node = self.cluster.nodes.get(&index);
        if !node.is_some_and(|node| self.cluster.could_hold(&running.spec, node)) {
            return false;
        }
        if waiting.is_none() {
            let more = running.desired + 1;
            self.cluster.want(workload, more);
            self.cluster.reconcile(workload, now);
        }
        let first = self.cluster.workload(workload).and_then(|running| running.queue.first().copied());
        let Some(pod) = first else { return false };
        self.cluster.account(now);
        self.cluster.dequeue(workload, pod);
        self.cluster.place(pod, index, now);
        if let Some(node) = self.cluster.nodes.get_mut(&index) {
            node.meddled_at = Some(now);
        }
        self.start_pod(pod);
        true
    }

    /// A person deletes the Node objects of instances that ended so long ago that no list tells of them any more.
    pub(crate) fn clear_dead_nodes(&mut self) {
        let ended = |index: &u32| !self.cloud.machine(*index).is_some_and(super::cloud::Machine::is_alive);
        let dead: Vec<u32> = self.cluster.nodes.keys().filter(|index| ended(index)).copied().collect();
        for index in dead {
            self.cluster.remove_node(index, self.now);
        }
        self.settle();
    }

    /// Nodes lead to their instances again, and none twice.
    pub(crate) fn heal(&mut self) {
        for node in self.cluster.nodes.values_mut() {
            (node.nameless, node.twin) = (false, false);
        }
        for machine in self.cloud.machines.values_mut() {
            (machine.nameless, machine.twin, machine.joins_late) = (false, false, Span::ZERO);
        }
    }
}
