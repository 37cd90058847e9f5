//! ReplicaSets, ReplicationControllers, StatefulSets and Jobs.

use serde_json::Value;

use super::super::index::PodInfo;
use super::super::json::{number, put, slot, text, words};
use super::super::kinds::K;
use super::super::store::Key;
use super::super::world::{CONTROLLER_STATUS, World};
use super::ordinal;

impl World {
    /// Makes or deletes pods until there are as many as wanted.
    pub(in super::super) fn replicate(&mut self, kind: K, key: &Key) {
        let Some(owner) = self.store.get(kind, key).cloned() else { return };
        if text(&owner, "/metadata/deletionTimestamp").is_some() {
            return;
        }
        let uid = words(&owner, "/metadata/uid").to_owned();
        let pods: Vec<(Key, PodInfo)> =
            self.pods.owned(&uid).map(|(key, info)| (key.clone(), info.clone())).collect();
        match kind {
            K::STATEFUL_SETS => self.order(key, &owner, &pods),
            K::JOBS => self.work(key, &owner, &pods),
            _ => self.level(&owner, &pods),
        }
        let pods: Vec<PodInfo> = self.pods.owned(&uid).map(|(_, info)| info.clone()).collect();
        self.report(kind, key, &owner, &pods);
    }

    fn level(&mut self, owner: &Value, pods: &[(Key, PodInfo)]) {
        let wanted = number(owner, "/spec/replicas").unwrap_or(1).max(0).unsigned_abs() as usize;
        let mut active: Vec<&(Key, PodInfo)> =
            pods.iter().filter(|(_, info)| !info.deleting && !info.finished).collect();
        for _ in active.len()..wanted {
            self.make_pod(owner, None, |_| {});
        }
        // Those that do not run go first.
        active.sort_by_key(|(key, info)| (info.ready, !info.node.is_empty(), key.clone()));
        let surplus = active.len().saturating_sub(wanted);
        for (key, _) in active.into_iter().take(surplus) {
            self.delete_pod(key);
        }
    }

    /// One after the other, unless the set says otherwise.
    fn order(&mut self, set: &Key, owner: &Value, pods: &[(Key, PodInfo)]) {
        let wanted = number(owner, "/spec/replicas").unwrap_or(1).max(0).unsigned_abs();
        let parallel = words(owner, "/spec/podManagementPolicy") == "Parallel";
        let name = |at: u64| ordinal(set, at);
        for at in 0..wanted {
            match pods.iter().find(|(key, _)| *key == name(at)) {
                None => {
                    if self.pods.get(&name(at)).is_none() {
                        self.make_pod(owner, Some(name(at).name), |_| {});
                    }
                }
                Some((_, info)) if info.ready && !info.deleting => continue,
                Some((key, info)) if info.finished && !info.deleting => self.delete_pod(key),
                Some(_) => {}
            }
            if !parallel {
                return;
            }
        }
        let beyond = |key: &Key| !(0..wanted).any(|at| name(at) == *key);
        let mut surplus: Vec<&Key> =
            pods.iter().filter(|(key, info)| beyond(key) && !info.deleting).map(|(key, _)| key).collect();
        surplus.sort_by_key(|key| std::cmp::Reverse((key.name.len(), key.name.clone())));
        for key in surplus.into_iter().take(if parallel { usize::MAX } else { 1 }) {
            self.delete_pod(key);
        }
    }

    fn work(&mut self, key: &Key, owner: &Value, pods: &[(Key, PodInfo)]) {
        let done = self.succeeded(pods);
        let completions = number(owner, "/spec/completions").unwrap_or(1).max(0).unsigned_abs() as usize;
        let parallel = number(owner, "/spec/parallelism").unwrap_or(1).max(0).unsigned_abs() as usize;
        let active = pods.iter().filter(|(_, info)| !info.finished && !info.deleting).count();
        let wanted = parallel.min(completions.saturating_sub(done));
        for _ in active..wanted {
            self.make_pod(owner, None, |pod| put(pod, &["spec", "restartPolicy"], "Never"));
        }
        let now = self.now.to_string();
        self.update(K::JOBS, key, CONTROLLER_STATUS, |job| {
            put(job, &["status", "succeeded"], done);
            if done >= completions {
                let complete =
                    serde_json::json!({"type": "Complete", "status": "True", "lastTransitionTime": now});
                super::super::scheduler::set_condition(job, complete);
            }
        });
    }

    fn succeeded(&self, pods: &[(Key, PodInfo)]) -> usize {
        let ended_well = |key: &Key| {
            self.store.get(K::PODS, key).is_some_and(|pod| words(pod, "/status/phase") == "Succeeded")
        };
        pods.iter().filter(|(key, info)| info.finished && ended_well(key)).count()
    }

    fn report(&mut self, kind: K, key: &Key, owner: &Value, pods: &[PodInfo]) {
        let generation = number(owner, "/metadata/generation").unwrap_or(1);
        let active = pods.iter().filter(|info| !info.deleting && !info.finished);
        let (count, ready) = (active.clone().count(), active.filter(|info| info.ready).count());
        self.update(kind, key, CONTROLLER_STATUS, |object| {
            let status = slot(object, &["status"]);
            if kind == K::JOBS {
                put(status, &["active"], count);
                put(status, &["ready"], ready);
                return;
            }
            put(status, &["replicas"], count);
            for field in ["readyReplicas", "availableReplicas"] {
                if ready > 0 {
                    put(status, &[field], ready);
                } else {
                    super::super::json::take(status, &[field]);
                }
            }
            put(status, &["observedGeneration"], generation);
        });
    }
}
