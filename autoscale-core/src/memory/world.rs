//! The world: what is really there, and what happens next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::data::order::Offering;
use crate::data::policy::Purchase;
use crate::data::record::{IncomingNotice, NoticeKind};
use crate::data::view::{Ownership, Phase, SignalQuery};
use crate::words::{Fixed, InstanceId, NodeName, PoolName, ShapeName, SignalName, Span, Timestamp, Zone};

use super::cloud::{Cloud, New, lag};
use super::cluster::Cluster;
use super::happen::Event;
use super::metrics::Metrics;
use super::rng::Rng;
use super::settings::Settings;
use super::store::Store;
use super::workload::{Workload, WorkloadId};

/// A whole small cloud and cluster in one value: instances, nodes, pods, metrics and the store, in virtual time.
///
/// It is the ground truth. What the [ports](super::quick) show of it may lag behind, as it does in a cloud.
/// The same settings, seed and calls give the same world.
#[derive(Debug)]
pub struct World {
    pub(crate) settings: Settings,
    pub(crate) now: Timestamp,
    pub(crate) rng: Rng,
    pub(crate) cloud: Cloud,
    pub(crate) cluster: Cluster,
    pub(crate) store: Store,
    pub(crate) metrics: Metrics,
    events: BinaryHeap<Reverse<(Timestamp, u64, Event)>>,
    planned: u64,
    outbox: Vec<IncomingNotice>,
    noticed: u64,
    /// When something outside took a node from its pool, in the order of time: deaths, notices, outages, people.
    pub(crate) outside_losses: Vec<Timestamp>,
    /// Instances that were announced to go, recommended to go, died, or never came up: what may be replaced.
    pub(crate) replaceable: u64,
    /// Boots that hung.
    pub(crate) hangs: u64,
}

impl World {
    /// A world with one control-plane node and nothing else.
    pub fn new(settings: Settings, seed: u64) -> Self {
        let now = settings.beginning;
        let mut world = Self {
            rng: Rng::new(seed).fork(1),
            cloud: Cloud::default(),
            cluster: Cluster::new(settings.daemon, now),
            store: Store::default(),
            metrics: Metrics::default(),
            events: BinaryHeap::new(),
            planned: 0,
            outbox: Vec::new(),
            noticed: 0,
            outside_losses: Vec::new(),
            replaceable: 0,
            hangs: 0,
            now,
            settings,
        };
        world.plan(Span::ZERO, Event::Scrape);
        if let (Some(zone), Some(shape)) = (world.settings.zones.first(), world.settings.shapes.first()) {
            let new = New {
                ownership: Ownership::ControlPlane,
                pool: None,
                offering: Offering::new(zone.clone(), Purchase::OnDemand, shape.name.clone()),
                pinned: String::new(),
                allocatable: shape.allocatable,
                token: None,
            };
            world.add_ready(new);
        }
        world
    }

    /// How it behaves. Changes hold for what happens from now on.
    pub const fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// The time in this world.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// When something happens next by itself.
    pub fn next_event(&self) -> Option<Timestamp> {
        self.events.peek().map(|Reverse((at, ..))| *at)
    }

    /// Lets everything happen up to and at `time`; a time in the past is now.
    pub fn advance_to(&mut self, time: Timestamp) {
        while let Some(Reverse((at, ..))) = self.events.peek()
            && *at <= time
        {
            let Some(Reverse((at, _, event))) = self.events.pop() else { break };
            self.now = self.now.max(at);
            self.happen(event);
        }
        self.now = self.now.max(time);
        self.settle();
    }

    /// Adds a worker with a Ready node to the first pool, as if launched before the world began.
    pub fn add_worker(&mut self, zone: &Zone, purchase: Purchase, shape: &ShapeName) -> Option<InstanceId> {
        let pool = self.settings.pool()?.clone();
        self.add_worker_to(&pool, zone, purchase, shape)
    }

    /// Adds a worker with a Ready node to a pool, as if launched before the world began.
    pub fn add_worker_to(
        &mut self,
        pool: &PoolName,
        zone: &Zone,
        purchase: Purchase,
        shape: &ShapeName,
    ) -> Option<InstanceId> {
        let shape = self.settings.shape(shape)?;
        let index = self.add_ready(New {
            ownership: Ownership::Ours,
            pool: Some(pool.clone()),
            offering: Offering::new(zone.clone(), purchase, shape.name.clone()),
            pinned: String::new(),
            allocatable: shape.allocatable,
            token: None,
        });
        self.settle();
        self.cloud.machine(index).map(|machine| machine.id.clone())
    }

    /// Adds a workload; its pods are made at once.
    pub fn add_workload(&mut self, workload: Workload) -> WorkloadId {
        let id = self.cluster.add_workload(workload, self.now);
        self.settle();
        id
    }

    /// Sets how many pods a workload wants.
    pub fn set_replicas(&mut self, id: WorkloadId, replicas: u32) {
        self.cluster.want(id.0, replicas);
        self.cluster.reconcile(id.0, self.now);
        for pod in self.cluster.surplus(id.0) {
            let end = self.now.after(self.rng.span(self.settings.pod_grace.0, self.settings.pod_grace.1));
            self.cluster.delete_pod(pod, end, self.now);
            self.plan_at(end, Event::PodGone(pod));
        }
        self.settle();
    }

    /// Sets what all pods of a workload together use, in thousandths of a CPU.
    pub fn set_usage(&mut self, id: WorkloadId, cpu_milli: u64) {
        let Some(running) = self.cluster.workload_mut(id.0) else { return };
        if running.demand_milli != cpu_milli {
            running.demand_milli = cpu_milli;
            self.cluster.all_changed = true;
        }
    }

    /// Keeps a signal at a value, always fresh; `None` lets go of it.
    pub fn set_signal(&mut self, pool: &PoolName, signal: &SignalName, value: Option<Fixed>) {
        self.metrics.set(SignalQuery::new(pool.clone(), signal.clone()), value);
    }

    /// The metrics source does not answer for so long.
    pub fn silence_metrics(&mut self, span: Span) {
        self.metrics.silent_until = Some(self.now.after(span));
    }

    /// At most so many instances of an offering run at a time; `None` is unlimited.
    pub fn set_capacity(&mut self, offering: Offering, most: Option<u32>) {
        self.cloud.set_capacity(offering, most);
    }

    /// Switches an instance's protection against termination.
    pub fn set_protected(&mut self, instance: &InstanceId, protected: bool) {
        if let Some(machine) = self.cloud.index_of(instance).and_then(|index| self.cloud.machine_mut(index)) {
            machine.protected = protected;
        }
    }

    /// The cloud announces that it takes an instance, and takes it 2 minutes later.
    pub fn interrupt(&mut self, instance: &InstanceId) {
        self.interrupt_in(instance, Span::from_mins(2));
    }

    /// A notice so long before the end.
    pub(crate) fn interrupt_in(&mut self, instance: &InstanceId, span: Span) {
        let Some(index) = self.cloud.index_of(instance) else { return };
        let at = self.now.after(span);
        match self.cloud.machine_mut(index) {
            Some(machine) if machine.is_alive() && machine.doomed.is_none() => machine.doomed = Some(at),
            _ => return,
        }
        self.lost(self.now);
        self.replaceable += 1;
        self.announce(instance, NoticeKind::Interruption, span);
        self.plan_at(at, Event::Taken(index));
    }

    /// The cloud recommends to move away from an instance.
    pub fn recommend_rebalance(&mut self, instance: &InstanceId) {
        self.replaceable += 1;
        self.announce(instance, NoticeKind::Rebalance, Span::ZERO);
    }

    pub(super) fn announce(&mut self, instance: &InstanceId, kind: NoticeKind, left: Span) {
        self.noticed += 1;
        self.outbox.push(IncomingNotice::new(
            format!("event-{}", self.noticed),
            instance.clone(),
            kind,
            left,
        ));
    }

    /// The notices sent since this was last asked.
    pub fn take_notices(&mut self) -> Vec<IncomingNotice> {
        std::mem::take(&mut self.outbox)
    }

    /// An instance dies without a word.
    pub fn kill(&mut self, instance: &InstanceId) {
        if let Some(index) = self.cloud.index_of(instance) {
            self.lost(self.now);
            self.replaceable += 1;
            self.end(index);
        }
    }

    /// A zone fails: its nodes are not heard of, nothing can be launched there, its instances are listed as running.
    pub fn fail_zone(&mut self, zone: &Zone, span: Span) {
        self.cloud.outages.insert(zone.clone(), self.now.after(span));
        for index in self.nodes_in(zone) {
            self.lost(self.now);
            self.darken(index);
        }
        self.plan(span, Event::ZoneBack(zone.clone()));
    }

    /// Somebody cordons a node by hand, or uncordons it.
    pub fn cordon_by_hand(&mut self, node: &NodeName, away: bool) {
        let now = self.now;
        let Some(index) = self.cluster.node_by_name(node) else { return };
        let Some(node) = self.cluster.nodes.get_mut(&index) else { return };
        node.unschedulable = away;
        if away {
            self.cluster.changed.insert(index);
            self.lost(self.now);
        } else {
            node.meddled_at = Some(now);
            self.cluster.opened(index);
        }
        self.settle();
    }

    /// Worker instances that are alive.
    pub fn alive(&self) -> Vec<InstanceId> {
        let workers = self.cloud.alive().filter(|(_, machine)| machine.ownership == Ownership::Ours);
        workers.map(|(_, machine)| machine.id.clone()).collect()
    }

    /// Ready, schedulable worker nodes.
    pub fn serving(&self) -> Vec<NodeName> {
        self.cluster.nodes.values().filter(|node| node.is_open()).map(|node| node.name.clone()).collect()
    }

    /// Pods that wait for a node.
    pub fn pending_pods(&self) -> u32 {
        self.cluster.pending()
    }

    /// Hours of worker instances alive so far, spot and on-demand.
    pub fn hours(&self) -> (f64, f64) {
        self.cloud.hours(self.now)
    }

    /// Remembers that something outside took a node. Only the last hours are ever asked for.
    pub(crate) fn lost(&mut self, at: Timestamp) {
        self.outside_losses.push(at);
        if self.outside_losses.len() > 4_096 {
            self.outside_losses.drain(..2_048);
        }
    }

    pub(super) fn plan(&mut self, span: Span, event: Event) {
        self.plan_at(self.now.after(span), event);
    }

    pub(super) fn plan_at(&mut self, at: Timestamp, event: Event) {
        self.planned += 1;
        self.events.push(Reverse((at, self.planned, event)));
    }

    pub(super) fn nodes_in(&self, zone: &Zone) -> Vec<u32> {
        let here = |node: &&u32| {
            self.cluster.nodes.get(node).is_some_and(|node| node.zone == *zone && !node.control_plane)
        };
        self.cluster.nodes.keys().filter(here).copied().collect()
    }

    pub(super) fn add_ready(&mut self, new: New) -> u32 {
        let index = self.cloud.add(new, self.now, Span::ZERO);
        self.cloud.turn(index, Phase::Running, self.now, Span::ZERO);
        self.join(index);
        index
    }

    /// Adds an instance that has yet to boot.
    pub(crate) fn boot(&mut self, new: New) -> u32 {
        let lag = lag(&self.settings, &mut self.rng);
        let index = self.cloud.add(new, self.now, lag);
        if self.rng.chance(self.settings.hang_per_million) {
            self.hangs += 1;
            self.replaceable += 1;
            if let Some(machine) = self.cloud.machine_mut(index) {
                machine.kubelet = false;
            }
        }
        let boot = self.rng.span(self.settings.boot.0, self.settings.boot.1);
        self.plan(boot, Event::Running(index));
        index
    }

    /// Ends an instance: its kubelet falls silent at once.
    pub(crate) fn end(&mut self, index: u32) {
        let now = self.now;
        if !self.cloud.machine(index).is_some_and(super::cloud::Machine::is_alive) {
            return;
        }
        let lag = lag(&self.settings, &mut self.rng);
        self.cloud.turn(index, Phase::ShuttingDown, now, lag);
        if let Some(machine) = self.cloud.machine_mut(index) {
            machine.kubelet = false;
        }
        let shutdown = self.rng.span(self.settings.shutdown.0, self.settings.shutdown.1);
        self.plan(shutdown, Event::Terminated(index));
        self.plan(self.settings.unready_after, Event::Dark(index));
    }

    /// A Node object was deleted; a kubelet that lives registers again.
    pub(crate) fn rejoin(&mut self, index: u32) {
        let again = self.rng.span(Span::from_secs(10), Span::from_secs(60));
        self.plan(again, Event::Join(index));
    }

    pub(crate) fn pod_leaves(&mut self, pod: u64, end: Timestamp) {
        self.plan_at(end, Event::PodGone(pod));
    }

    /// Lets the scheduler look, and starts what it has bound.
    pub(crate) fn settle(&mut self) {
        self.cluster.account(self.now);
        for pod in self.cluster.schedule(self.now) {
            self.start_pod(pod);
        }
    }

    pub(super) fn start_pod(&mut self, pod: u64) {
        let start = self.rng.span(self.settings.pod_start.0, self.settings.pod_start.1);
        self.plan(start, Event::PodUp(pod));
    }
}
