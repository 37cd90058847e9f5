//! The scheduler: gives waiting pods a node, or says why there is none.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::agenda::Task;
use super::fit::Ask;
use super::index::Keys;
use super::json::{array, list, number, put, slot, words};
use super::kinds::K;
use super::store::Key;
use super::world::{SCHEDULER_STATUS, World};

/// The pods that wait.
#[derive(Debug, Default)]
pub(super) struct Scheduler {
    /// To be tried in the next pass.
    waiting: Keys,
    /// Tried in vain, until something changes.
    stuck: Keys,
    /// The node after which the next pass begins to look.
    cursor: String,
}

impl Scheduler {
    pub(super) fn wait(&mut self, key: Key) {
        self.stuck.remove(&key);
        self.waiting.insert(key);
    }

    pub(super) fn leave(&mut self, key: &Key) {
        self.stuck.remove(key);
        self.waiting.remove(key);
    }

    pub(super) fn is_stuck(&self, key: &Key) -> bool {
        self.stuck.contains(key)
    }

    /// Something changed that those who were tried in vain may profit from; whether there are any.
    pub(super) fn retry(&mut self) -> bool {
        self.waiting.append(&mut self.stuck);
        !self.waiting.is_empty()
    }
}

impl World {
    /// Something changed that waiting pods may profit from.
    pub(super) fn make_room(&mut self) {
        if self.scheduler.retry() {
            self.react(Task::Schedule);
        }
    }

    /// Tries all waiting pods, the most important first.
    pub(super) fn schedule(&mut self) {
        let mut pods: Vec<(i64, Key)> = Vec::new();
        for key in std::mem::take(&mut self.scheduler.waiting) {
            let Some(pod) = self.store.get(K::PODS, &key) else { continue };
            let gated = !list(pod, "/spec/schedulingGates").is_empty();
            if !gated {
                pods.push((-number(pod, "/spec/priority").unwrap_or_default(), key));
            }
        }
        pods.sort();
        // Room only shrinks within a pass: what one pod of an owner did not find, the next will not find either.
        let mut failed: HashMap<String, String> = HashMap::new();
        for (_, key) in pods {
            let Some(pod) = self.store.get(K::PODS, &key).cloned() else { continue };
            let owner = self.pods.get(&key).map(|info| info.owner.clone()).unwrap_or_default();
            if let Some(why) = failed.get(&owner).cloned() {
                self.unschedulable(&key, &why);
                continue;
            }
            let ask = Ask::of(self, &key, &pod);
            match self.choose(&ask) {
                Ok(node) => self.bind(&key, &node),
                Err(why) => {
                    if !owner.is_empty() && ask.node.is_none() {
                        failed.insert(owner, why.clone());
                    }
                    self.unschedulable(&key, &why);
                }
            }
        }
    }

    /// The first node with room behind the last one taken.
    fn choose(&mut self, ask: &Ask) -> Result<String, String> {
        if let Some(name) = &ask.node {
            let node = self.nodes.get(name).ok_or_else(|| self.explain(ask))?;
            return match ask.refused_by(self, name, node) {
                None => Ok(name.clone()),
                Some(_) => Err(self.explain(ask)),
            };
        }
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let cursor = self.scheduler.cursor.clone();
        let after = self.nodes.range::<String, _>((Excluded(&cursor), Unbounded));
        let mut all = after.chain(self.nodes.range::<String, _>((Unbounded, Included(&cursor))));
        let found = all.find(|(name, node)| ask.refused_by(self, name, node).is_none());
        match found.map(|(name, _)| name.clone()) {
            Some(name) => {
                self.scheduler.cursor.clone_from(&name);
                Ok(name)
            }
            None => Err(self.explain(ask)),
        }
    }

    /// Why no node will do, in the scheduler's words.
    fn explain(&self, ask: &Ask) -> String {
        let total = self.nodes.len();
        if total == 0 {
            return "no nodes available to schedule pods".to_owned();
        }
        let (mut reasons, mut hopeless) = (BTreeMap::<String, usize>::new(), 0);
        for (name, node) in &self.nodes {
            let reason = match &ask.node {
                Some(wanted) if wanted != name => Some(super::fit::AFFINITY.to_owned()),
                _ => ask.refused_by(self, name, node),
            };
            let Some(reason) = reason else { continue };
            let short = reason.starts_with("Insufficient") || reason.starts_with("Too many");
            if !short || node.room.lacks(&super::index::Room::default(), &ask.room).is_some() {
                hopeless += 1;
            }
            *reasons.entry(reason).or_default() += 1;
        }
        let mut parts: Vec<String> =
            reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        parts.sort();
        let mut after = Vec::new();
        if hopeless > 0 {
            after.push(format!("{hopeless} Preemption is not helpful for scheduling"));
        }
        if hopeless < total {
            after.push(format!("{} No preemption victims found for incoming pod", total - hopeless));
        }
        format!(
            "0/{total} nodes are available: {}. no new claims to deallocate, preemption: 0/{total} nodes are \
             available: {}.",
            parts.join(", "),
            after.join(", ")
        )
    }

    /// Gives a pod its node.
    pub(super) fn bind(&mut self, key: &Key, node: &str) {
        self.scheduler.leave(key);
        let Some(pod) = self.store.get(K::PODS, key) else { return };
        let (mut pod, now) = (Value::clone(pod), self.now.to_string());
        put(&mut pod, &["spec", "nodeName"], node);
        for label in ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"] {
            if let Some(value) = self.nodes.get(node).and_then(|node| node.labels.get(label)) {
                put(&mut pod, &["metadata", "labels", label], value.as_str());
            }
        }
        set_condition(
            &mut pod,
            json!({
                "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now,
            }),
        );
        self.commit(K::PODS, key, pod);
    }

    fn unschedulable(&mut self, key: &Key, why: &str) {
        self.scheduler.stuck.insert(key.clone());
        let (now, why) = (self.now.to_string(), why.to_owned());
        self.update(K::PODS, key, SCHEDULER_STATUS, |pod| {
            let generation = number(pod, "/metadata/generation").unwrap_or(1);
            set_condition(pod, json!({
                "type": "PodScheduled", "status": "False", "observedGeneration": generation, "lastProbeTime": null,
                "lastTransitionTime": now, "reason": "Unschedulable", "message": why,
            }));
        });
    }
}

/// Sets a condition; the time of its last transition stays if its status does.
pub(super) fn set_condition(object: &mut Value, mut condition: Value) {
    let conditions = array(slot(object, &["status", "conditions"]));
    let kind = words(&condition, "/type").to_owned();
    match conditions.iter_mut().find(|at| words(at, "/type") == kind) {
        Some(at) => {
            let same = words(at, "/status") == words(&condition, "/status");
            if let Some(since) = at.get("lastTransitionTime").filter(|_| same) {
                put(&mut condition, &["lastTransitionTime"], since.clone());
            }
            *at = condition;
        }
        None => conditions.push(condition),
    }
}
