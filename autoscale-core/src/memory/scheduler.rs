//! The scheduler: first fit by requests, over open nodes in the order of their names, the oldest pod first.

use crate::words::Timestamp;

use super::cluster::Cluster;

impl Cluster {
    /// Binds what can be bound, and gives the pods that were; the rest is marked unschedulable.
    ///
    /// Pods of one workload ask for the same, so that one that finds no node stands for all behind it.
    pub(crate) fn schedule(&mut self, now: Timestamp) -> Vec<u64> {
        if !std::mem::take(&mut self.dirty) || self.pending == 0 {
            return Vec::new();
        }
        self.account(now);
        let mut bound = Vec::new();
        let mut heads: Vec<(u64, u32)> = Vec::new();
        for (id, running) in (0..).zip(&self.workloads) {
            heads.extend(running.queue.front().map(|pod| (*pod, id)));
        }
        while let Some((at, (pod, id))) =
            heads.iter().copied().enumerate().min_by_key(|(_, (pod, id))| (*pod, *id))
        {
            let Some(running) = self.workloads.get_mut(id as usize) else { break };
            let requests = running.spec.requests;
            let room = self.nodes.iter().find(|(_, node)| node.is_open() && requests.fits(&node.free));
            let Some(index) = room.map(|(index, _)| *index) else {
                heads.remove(at);
                self.mark_unschedulable(id, now);
                continue;
            };
            running.queue.pop_front();
            match (running.queue.front(), heads.get_mut(at)) {
                (Some(next), Some(head)) => *head = (*next, id),
                _ => drop(heads.remove(at)),
            }
            self.place(pod, index, requests, now);
            self.pending -= 1;
            bound.push(pod);
        }
        bound
    }

    /// Those already marked are at the front: pods come in at the back.
    fn mark_unschedulable(&mut self, id: u32, now: Timestamp) {
        let Some(running) = self.workloads.get(id as usize) else { return };
        for pod in running.queue.iter().rev() {
            match self.pods.get_mut(pod) {
                Some(pod) if pod.unschedulable_since.is_none() => pod.unschedulable_since = Some(now),
                _ => break,
            }
        }
    }
}
