//! The cluster: nodes, pods and their controllers, as they are.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::view::CordonMark;
use crate::words::{NodeName, NodeUid, PodUid, PoolName, Resources, Timestamp, Ver, Zone};

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
    pub(crate) pods: BTreeSet<u64>,
    /// How many pods of each workload are up here, by the workload's number.
    pub(crate) up: Vec<u32>,
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
    pub(crate) pending: u32,
    pub(crate) pending_ms: u64,
    pending_at: Timestamp,
    /// How many pods came to run after so many milliseconds: all of them, and those that had to wait for a node.
    pub(crate) waits: BTreeMap<u32, [u64; 2]>,
    pub(crate) evictions: u64,
    /// What the DaemonSet's pod on every node asks for.
    pub(crate) daemon: Resources,
    /// Whether the scheduler has something to look at.
    pub(crate) dirty: bool,
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
        self.workloads.push(Running::new(spec));
        self.reconcile(id, now);
        WorkloadId(id)
    }

    /// Adds the pending time up to `now`.
    pub(crate) fn account(&mut self, now: Timestamp) {
        self.pending_ms += u64::from(self.pending) * now.since(self.pending_at).as_millis();
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
            self.place(pod, index, self.daemon, now);
            if let Some(pod) = self.pods.get_mut(&pod) {
                pod.started = ready;
            }
        }
        self.dirty = true;
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
        self.dirty |= ready;
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
        let slot = workload as usize;
        if node.up.len() <= slot {
            node.up.resize(slot + 1, 0);
        }
        let running = self.workloads.get_mut(slot);
        for count in node.up.get_mut(slot).into_iter().chain(running.map(|running| &mut running.up)) {
            *count = if up { *count + 1 } else { count.saturating_sub(1) };
        }
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
                    running.desired = running.desired.saturating_sub(1);
                }
            }
            self.reconcile(workload, now);
        }
    }

    /// A pod's object is gone.
    pub(crate) fn remove_pod(&mut self, pod: u64, now: Timestamp) {
        self.delete_pod(pod, now, now);
        let Some(state) = self.pods.remove(&pod) else { return };
        let Some(node) = state.node.and_then(|node| self.nodes.get_mut(&node)) else { return };
        node.pods.remove(&pod);
        if let Some(workload) = state.workload.and_then(|id| self.workloads.get(id as usize)) {
            node.free = node.free.plus(&workload.spec.requests);
            self.dirty = true;
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
        if let Some(running) = self.workload_mut(workload) {
            running.queue.retain(|queued| *queued != pod);
            running.pods.remove(&pod);
        }
        self.pending -= 1;
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
                running.queue.push_back(pod);
                self.pending += 1;
                self.dirty = true;
            } else if let Some(pod) = running.queue.back().copied().filter(|_| live > desired) {
                let Some(running) = self.workload_mut(id) else { return };
                running.queue.pop_back();
                running.pods.remove(&pod);
                self.pending -= 1;
                self.pods.remove(&pod);
            } else {
                return;
            }
        }
    }

    /// A running pod that its controller would delete first: on the node with most of its kind, the newest.
    pub(crate) fn surplus(&self, id: u32) -> Option<u64> {
        let running = self.workload(id)?;
        if running.pods.len() <= running.desired as usize {
            return None;
        }
        let here = |pod: &u64| {
            let node = self.pods.get(pod)?.node?;
            self.nodes.get(&node)?.up.get(id as usize).copied()
        };
        running.pods.iter().copied().max_by_key(|pod| (here(pod), *pod))
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
    pub(crate) fn place(&mut self, pod: u64, index: u32, requests: Resources, now: Timestamp) {
        let (Some(state), Some(node)) = (self.pods.get_mut(&pod), self.nodes.get_mut(&index)) else { return };
        state.node = Some(index);
        state.bound_at = Some(now);
        node.pods.insert(pod);
        node.free = node.free.minus(&requests);
    }
}
