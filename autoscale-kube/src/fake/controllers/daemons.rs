//! DaemonSets: one pod on every node that takes it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::fit::Ask;
use super::super::index::PodInfo;
use super::super::json::{array, list, number, put, slot, text, words};
use super::super::kinds::K;
use super::super::store::Key;
use super::super::world::{CONTROLLER_STATUS, World};
use super::pin;

impl World {
    /// Makes a pod for every node that has none, and deletes those on nodes that do not take it.
    pub(in super::super) fn spread_daemon(&mut self, key: &Key) {
        let Some(owner) = self.store.get(K::DAEMON_SETS, key).cloned() else { return };
        if text(&owner, "/metadata/deletionTimestamp").is_some() {
            return;
        }
        let uid = words(&owner, "/metadata/uid").to_owned();
        let mut sample = json!({"spec": owner.pointer("/spec/template/spec")});
        tolerate(&mut sample);
        let ask = Ask::of(self, key, &sample);
        let mut there: BTreeMap<String, Vec<(Key, PodInfo)>> = BTreeMap::new();
        for (pod, info) in self.pods.owned(&uid) {
            // One that waits for its node is on it already.
            let node = if info.node.is_empty() { self.pinned(pod) } else { info.node.clone() };
            there.entry(node).or_default().push((pod.clone(), info.clone()));
        }
        let taking: Vec<String> = self
            .nodes
            .iter()
            .filter(|(name, node)| ask.not_here(name, node).is_none())
            .map(|(name, _)| name.clone())
            .collect();
        let mut ready = 0;
        for name in &taking {
            let pods = there.remove(name).unwrap_or_default();
            ready += pods.iter().filter(|(_, info)| info.ready && !info.deleting).count();
            for (pod, _) in pods.iter().filter(|(_, info)| info.finished && !info.deleting) {
                self.delete_pod(pod);
            }
            if pods.is_empty() {
                self.make_pod(&owner, None, |pod| {
                    tolerate(pod);
                    pin(pod, name);
                });
            }
        }
        for (pod, info) in there.into_values().flatten() {
            if !info.deleting {
                self.delete_pod(&pod);
            }
        }
        let (count, generation) = (taking.len(), number(&owner, "/metadata/generation").unwrap_or(1));
        self.update(K::DAEMON_SETS, key, CONTROLLER_STATUS, |set| {
            for field in ["currentNumberScheduled", "desiredNumberScheduled"] {
                put(set, &["status", field], count);
            }
            put(set, &["status", "numberReady"], ready);
            put(set, &["status", "observedGeneration"], generation);
        });
    }

    /// The node that a pod of a DaemonSet waits for.
    fn pinned(&self, pod: &Key) -> String {
        let required = "requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
        let pod = self.store.get(K::PODS, pod);
        let terms =
            pod.map(|pod| list(pod, &format!("/spec/affinity/nodeAffinity/{required}"))).unwrap_or_default();
        let fields = terms.iter().flat_map(|term| list(term, "/matchFields"));
        let names = fields.flat_map(|field| list(field, "/values")).filter_map(Value::as_str);
        names.map(str::to_owned).next().unwrap_or_default()
    }
}

/// What every pod of a DaemonSet tolerates.
fn tolerate(pod: &mut Value) {
    let tolerations = array(slot(pod, &["spec", "tolerations"]));
    for (key, effect) in [
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    ] {
        let key = format!("node.kubernetes.io/{key}");
        tolerations.push(json!({"key": key, "operator": "Exists", "effect": effect}));
    }
}
