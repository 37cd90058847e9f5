//! The cluster: nodes, pods and their controllers, as they are.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::data::view::{CordonMark, Taint};
use crate::words::{Extended, NodeName, NodeUid, PodUid, PoolName, Resources, Timestamp, Ver, Zone};

use super::room::Room;
use super::scheduler::Lines;
use super::workload::{Running, Workload, WorkloadId};

/// A Node object. Its number is that of its instance, so that numbers sort as names do.
#[derive(Clone, Debug)]
pub(crate) struct NodeState {
    pub(crate) name: NodeName,
    pub(crate) uid: NodeUid,
    pub(crate) provider_id: String,
    pub(crate) address: String,
    pub(crate) pool: Option<PoolName>,
    pub(crate) zone: Zone,
    pub(crate) ready: bool,
    pub(crate) unready_since: Option<Timestamp>,
    pub(crate) unschedulable: bool,
    pub(crate) mark: Option<CordonMark>,
    pub(crate) stamp: Option<Ver>,
    /// Since when it carries a mark of ours.
    pub(crate) marked_since: Option<Timestamp>,
    /// When a person last uncordoned it.
    pub(crate) meddled_at: Option<Timestamp>,
    pub(crate) control_plane: bool,
    pub(crate) keep: bool,
    /// Whether nothing in it leads to its instance.
    pub(crate) nameless: bool,
    /// Whether a second Node object leads to the same instance.
    pub(crate) twin: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) allocatable: Resources,
    pub(crate) free: Resources,
    pub(crate) extended: Extended,
    pub(crate) free_extended: Extended,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) taints: Vec<Taint>,
    pub(crate) pods: BTreeSet<u64>,
    /// How many pods of each workload are up here, by the workload's number; none of zero.
    pub(crate) up: BTreeMap<u32, u32>,
}

impl NodeState {
    /// Whether the scheduler puts pods here.
    pub(crate) const fn is_open(&self) -> bool {
        self.ready && !self.unschedulable && !self.control_plane
    }
}

/// A pod.
#[derive(Clone, Debug)]
pub(crate) struct PodState {
    /// `None` for the node's DaemonSet pod.
    pub(crate) workload: Option<u32>,
    pub(crate) node: Option<u32>,
    pub(crate) created_at: Timestamp,
    pub(crate) bound_at: Option<Timestamp>,
    pub(crate) started: bool,
    /// Whether it counts in its workload's and its node's `up`.
    pub(crate) up: bool,
    pub(crate) deleted_at: Option<Timestamp>,
    pub(crate) unschedulable_since: Option<Timestamp>,
}

#[cfg(feature = "sim")]
impl PodState {
    /// Whether a drain has to move it: not of a DaemonSet, and not gone but for its object.
    pub(crate) fn is_evictable(&self, now: Timestamp) -> bool {
        self.workload.is_some() && self.deleted_at.is_none_or(|end| end > now)
    }
}

/// The name and uid of a pod lead back to its number.
pub(crate) fn pod_uid(pod: u64) -> PodUid {
    PodUid::new(format!("pod-{pod:08}")).expect("letters, a dash and digits")
}

fn pod_number(uid: &PodUid) -> Option<u64> {
    uid.as_str().strip_prefix("pod-")?.parse().ok()
}

/// What goes on in the cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) nodes: BTreeMap<u32, NodeState>,
    names: BTreeMap<NodeName, u32>,
    pub(crate) pods: BTreeMap<u64, PodState>,
    pub(crate) workloads: Vec<Running>,
    /// What all wanted pods ask for: thousandths of a CPU, and bytes.
    pub(crate) wanted: [u64; 2],
    pub(super) lines: Lines,
    pub(super) room: Room,
    /// Nodes whose measurements have to be taken again.
    pub(super) changed: BTreeSet<u32>,
    /// Whether all of them have to.
    pub(super) all_changed: bool,
    pub(crate) pending_ms: u64,
    pending_at: Timestamp,
    /// How many pods came to run after so many milliseconds: all of them, and those that had to wait for a node.
    pub(crate) waits: BTreeMap<u32, [u64; 2]>,
    pub(crate) evictions: u64,
    /// What the DaemonSet's pod on every node asks for.
    pub(crate) daemon: Resources,
    next_pod: u64,
    next_uid: u64,
}

impl Cluster {
    pub(crate) fn new(daemon: Resources, now: Timestamp) -> Self {
        Self { daemon, pending_at: now, ..Self::default() }
    }

    pub(crate) fn node_by_name(&self, name: &NodeName) -> Option<u32> {
        self.names.get(name).copied()
    }

    pub(crate) fn pod_by_uid(&self, uid: &PodUid) -> Option<u64> {
        pod_number(uid).filter(|pod| self.pods.contains_key(pod))
    }

    pub(crate) fn workload(&self, id: u32) -> Option<&Running> {
        self.workloads.get(id as usize)
    }

    pub(crate) fn workload_mut(&mut self, id: u32) -> Option<&mut Running> {
        self.workloads.get_mut(id as usize)
    }

    pub(crate) fn add_workload(&mut self, spec: Workload, now: Timestamp) -> WorkloadId {
        let id = self.workloads.len() as u32;
        let (line, replicas) = (self.lines.of(&spec), spec.replicas);
        self.workloads.push(Running::new(spec, line));
        self.want(id, replicas);
        self.reconcile(id, now);
        WorkloadId(id)
    }

    /// Sets how many pods a workload wants.
    pub(super) fn want(&mut self, id: u32, desired: u32) {
        let Some(running) = self.workloads.get_mut(id as usize) else { return };
        let before = u64::from(std::mem::replace(&mut running.desired, desired));
        let Resources { cpu_milli, memory, .. } = running.spec.requests;
        for (sum, each) in self.wanted.iter_mut().zip([cpu_milli, memory]) {
            *sum = sum
                .saturating_add(each.saturating_mul(desired.into()))
                .saturating_sub(each.saturating_mul(before));
        }
    }

    /// Pods that wait for a node.
    pub(crate) fn pending(&self) -> u32 {
        self.lines.pods.len() as u32
    }

    /// Adds the pending time up to `now`.
    pub(crate) fn account(&mut self, now: Timestamp) {
        self.pending_ms += u64::from(self.pending()) * now.since(self.pending_at).as_millis();
        self.pending_at = now;
    }

    pub(crate) fn fresh_uid(&mut self) -> NodeUid {
        self.next_uid += 1;
        NodeUid::new(format!("node-uid-{}", self.next_uid)).expect("letters, dashes and digits")
    }

    pub(crate) fn add_node(&mut self, index: u32, node: NodeState) {
        self.names.insert(node.name.clone(), index);
        let now = node.created_at;
        let (ready, host) = (node.ready, !node.control_plane);
        self.nodes.insert(index, node);
        if host {
            let pod = self.make_pod(None, now);
            self.place(pod, index, now);
            if let Some(pod) = self.pods.get_mut(&pod) {
                pod.started = ready;
            }
        }
        self.opened(index);
    }

    /// A node takes pods again, or is new.
    pub(super) fn opened(&mut self, index: u32) {
        self.lines.grew(index);
        self.changed.insert(index);
    }

    /// Deletes a Node object: its pods are lost, and made again by their controllers.
    pub(crate) fn remove_node(&mut self, index: u32, now: Timestamp) {
        let Some(node) = self.nodes.get(&index) else { return };
        let pods: Vec<u64> = node.pods.iter().copied().collect();
        for pod in pods {
            self.remove_pod(pod, now);
        }
        if let Some(node) = self.nodes.remove(&index) {
            self.names.remove(&node.name);
            self.room.set(index, Resources::default());
            self.changed.insert(index);
        }
    }

    /// The kubelet of a node is heard of, or not.
    pub(crate) fn set_ready(&mut self, index: u32, ready: bool, now: Timestamp) {
        let Some(node) = self.nodes.get_mut(&index) else { return };
        if node.ready == ready {
            return;
        }
        node.ready = ready;
        node.unready_since = (!ready).then_some(now);
        self.changed.insert(index);
        if ready {
            self.lines.grew(index);
        }
        let pods: Vec<u64> = node.pods.iter().copied().collect();
        for pod in pods {
            let gone = self.pods.get(&pod).is_some_and(|pod| pod.deleted_at.is_some_and(|end| end <= now));
            if ready && gone {
                self.remove_pod(pod, now);
            } else {
                self.count_up(pod);
            }
        }
    }

    /// Brings a pod's part in the `up` counts in line with what it and its node are.
    pub(crate) fn count_up(&mut self, pod: u64) {
        let Some(state) = self.pods.get_mut(&pod) else { return };
        let (Some(workload), Some(index)) = (state.workload, state.node) else { return };
        let Some(node) = self.nodes.get_mut(&index) else { return };
        let up = state.started && state.deleted_at.is_none() && node.ready;
        if up == state.up {
            return;
        }
        state.up = up;
        let step = |count: &mut u32| *count = if up { *count + 1 } else { count.saturating_sub(1) };
        let here = node.up.entry(workload).or_default();
        step(here);
        if *here == 0 {
            node.up.remove(&workload);
        }
        self.changed.insert(index);
        let Some(running) = self.workloads.get_mut(workload as usize) else { return };
        step(&mut running.up);
        running.ran |= up;
        // The others of a shared load have another share now.
        self.all_changed |= !running.spec.uses_requests;
    }

    /// A pod's containers run.
    pub(crate) fn pod_started(&mut self, pod: u64, now: Timestamp) {
        let Some(state) = self.pods.get_mut(&pod) else { return };
        let ready = state.node.and_then(|node| self.nodes.get(&node)).is_some_and(|node| node.ready);
        if state.started || !ready {
            return;
        }
        state.started = true;
        if state.workload.is_some() && state.deleted_at.is_none() {
            let ms = now.since(state.created_at).as_millis().min(u64::from(u32::MAX)) as u32;
            let [all, waited] = self.waits.entry(ms).or_default();
            *all += 1;
            *waited += u64::from(state.unschedulable_since.is_some());
        }
        self.count_up(pod);
    }

    /// Begins a pod's deletion; it ends `end`. Its controller makes another.
    pub(crate) fn delete_pod(&mut self, pod: u64, end: Timestamp, now: Timestamp) {
        let Some(state) = self.pods.get_mut(&pod) else { return };
        if state.deleted_at.is_some() {
            return;
        }
        state.deleted_at = Some(end);
        let workload = state.workload;
        self.count_up(pod);
        if let Some(workload) = workload {
            if let Some(running) = self.workload_mut(workload) {
                running.pods.remove(&pod);
                if running.spec.kind.is_none() {
                    let left = running.desired.saturating_sub(1);
                    self.want(workload, left);
                }
            }
            self.reconcile(workload, now);
        }
    }

    /// A pod's object is gone.
    pub(crate) fn remove_pod(&mut self, pod: u64, now: Timestamp) {
        self.delete_pod(pod, now, now);
        let Some(state) = self.pods.remove(&pod) else { return };
        let Some(index) = state.node else { return };
        let Some(node) = self.nodes.get_mut(&index) else { return };
        node.pods.remove(&pod);
        if let Some(workload) = state.workload.and_then(|id| self.workloads.get(id as usize)) {
            node.free = node.free.plus(&workload.spec.requests);
            node.free_extended = std::mem::take(&mut node.free_extended).plus(&workload.spec.extended);
            self.room.set(index, node.free);
            self.lines.grew(index);
        }
    }

    /// A pod without a node goes at once; its controller makes another.
    pub(crate) fn drop_pending(&mut self, pod: u64, now: Timestamp) {
        self.account(now);
        let Some(workload) =
            self.pods.get(&pod).filter(|pod| pod.node.is_none()).and_then(|pod| pod.workload)
        else {
            return;
        };
        self.dequeue(workload, pod);
        if let Some(running) = self.workload_mut(workload) {
            running.pods.remove(&pod);
        }
        self.pods.remove(&pod);
        self.reconcile(workload, now);
    }

    /// Makes and deletes pods until a workload has as many as it wants.
    pub(crate) fn reconcile(&mut self, id: u32, now: Timestamp) {
        self.account(now);
        loop {
            let Some(running) = self.workload(id) else { return };
            let (live, desired) = (running.pods.len(), running.desired as usize);
            if live < desired {
                let pod = self.make_pod(Some(id), now);
                let Some(running) = self.workload_mut(id) else { return };
                running.pods.insert(pod);
                self.enqueue(id, pod);
            } else if let Some(pod) = running.queue.last().copied().filter(|_| live > desired) {
                self.dequeue(id, pod);
                let Some(running) = self.workload_mut(id) else { return };
                running.pods.remove(&pod);
                self.pods.remove(&pod);
            } else {
                return;
            }
        }
    }

    /// The running pods that its controller deletes, in this order: from the node with most of its kind, the newest.
    pub(super) fn surplus(&self, id: u32) -> Vec<u64> {
        let Some(running) = self.workload(id) else { return Vec::new() };
        let too_many = running.pods.len().saturating_sub(running.desired as usize);
        if too_many == 0 {
            return Vec::new();
        }
        let mut places: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for pod in &running.pods {
            if let Some(node) = self.pods.get(pod).and_then(|pod| pod.node) {
                places.entry(node).or_default().push(*pod);
            }
        }
        let up = |node: &u32| self.nodes.get(node)?.up.get(&id).copied();
        let mut fullest: BinaryHeap<(u32, u64, u32)> = places
            .iter()
            .filter_map(|(node, pods)| Some((up(node).unwrap_or(0), *pods.last()?, *node)))
            .collect();
        let mut gone = Vec::new();
        while let Some((count, pod, node)) = fullest.pop().filter(|_| gone.len() < too_many) {
            gone.push(pod);
            let Some(pods) = places.get_mut(&node) else { continue };
            pods.pop();
            let was_up = self.pods.get(&pod).is_some_and(|pod| pod.up);
            fullest.extend(pods.last().map(|next| (count.saturating_sub(was_up.into()), *next, node)));
        }
        gone
    }

    pub(crate) fn make_pod(&mut self, workload: Option<u32>, now: Timestamp) -> u64 {
        self.next_pod += 1;
        let pod = PodState {
            workload,
            node: None,
            created_at: now,
            bound_at: None,
            started: false,
            up: false,
            deleted_at: None,
            unschedulable_since: None,
        };
        self.pods.insert(self.next_pod, pod);
        self.next_pod
    }

    /// Binds a pod to a node.
    pub(crate) fn place(&mut self, pod: u64, index: u32, now: Timestamp) {
        let (Some(state), Some(node)) = (self.pods.get_mut(&pod), self.nodes.get_mut(&index)) else { return };
        state.node = Some(index);
        state.bound_at = Some(now);
        node.pods.insert(pod);
        match state.workload.and_then(|id| self.workloads.get(id as usize)).map(|running| &running.spec) {
            Some(spec) => {
                node.free = node.free.minus(&spec.requests);
                node.free_extended = std::mem::take(&mut node.free_extended).minus(&spec.extended);
            }
            None => node.free = node.free.minus(&self.daemon),
        }
        self.room.set(index, node.free);
    }
}
