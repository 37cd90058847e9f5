//! What must hold at any time, seen from the API server alone: never from the record or from what a replica believes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::common::text;

/// What the API server has, read in one go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The ConfigMaps of machines.
    pub(crate) machines: Vec<Value>,
    /// All Nodes.
    pub(crate) nodes: Vec<Value>,
    /// The pods of the workload.
    pub(crate) pods: Vec<Value>,
}

const ENDED: &str = "/metadata/annotations/autoscale.local~1ended-at";

impl Seen {
    fn alive(&self) -> impl Iterator<Item = &Value> {
        self.machines.iter().filter(|machine| text(machine, ENDED).is_empty())
    }

    /// Machines that are alive.
    pub(crate) fn living(&self) -> usize {
        self.alive().count()
    }

    /// Nodes of the pool that are Ready.
    pub(crate) fn ready(&self) -> usize {
        let ready = |node: &&Value| {
            let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
            let well = |one: &Value| text(one, "/type") == "Ready" && text(one, "/status") == "True";
            text(node, "/metadata/labels/autoscale.local~1pool") == "web"
                && conditions.is_some_and(|all| all.iter().any(well))
        };
        self.nodes.iter().filter(ready).count()
    }

    /// Nodes of the pool.
    pub(crate) fn pool(&self) -> usize {
        let ours = |node: &&Value| text(node, "/metadata/labels/autoscale.local~1pool") == "web";
        self.nodes.iter().filter(ours).count()
    }

    /// Cordoned nodes of the pool.
    pub(crate) fn cordoned(&self) -> usize {
        let cordoned = |node: &&Value| node.pointer("/spec/unschedulable") == Some(&Value::Bool(true));
        self.nodes.iter().filter(cordoned).count()
    }

    /// Pods of the workload that run and are not on their way out.
    pub(crate) fn running(&self) -> usize {
        let runs = |pod: &&Value| {
            text(pod, "/status/phase") == "Running" && text(pod, "/metadata/deletionTimestamp").is_empty()
        };
        self.pods.iter().filter(runs).count()
    }
}

/// Goes along with a run.
#[derive(Debug)]
pub(crate) struct Witness {
    min: usize,
    max: usize,
    /// Whether there once were as many as there have to be.
    filled: bool,
    /// Every machine ever seen, by launch slot: the token without its attempt.
    slots: BTreeMap<String, BTreeSet<String>>,
    pub(crate) most: usize,
}

impl Witness {
    pub(crate) fn new(min: usize, max: usize) -> Self {
        Self { min, max, filled: false, slots: BTreeMap::new(), most: 0 }
    }

    /// Looks.
    pub(crate) fn see(&mut self, seen: &Seen) -> Result<(), String> {
        let living = seen.living();
        self.most = self.most.max(living);
        if living > self.max {
            return Err(format!("{living} machines are alive, {} are the most", self.max));
        }
        self.filled |= living >= self.min;
        if self.filled && living < self.min {
            return Err(format!("{living} machines are alive, {} are the least", self.min));
        }
        let alive: BTreeSet<&str> = seen.alive().map(|machine| text(machine, "/metadata/name")).collect();
        for machine in &seen.machines {
            let name = text(machine, "/metadata/name");
            let slot = name.rsplit_once('-').map_or(name, |(slot, _)| slot);
            self.slots.entry(slot.to_owned()).or_default().insert(name.to_owned());
        }
        let twice = self
            .slots
            .iter()
            .find(|(_, names)| names.iter().filter(|name| alive.contains(name.as_str())).count() > 1);
        match twice {
            Some((slot, names)) => Err(format!("launch slot {slot} has several machines: {names:?}")),
            None => Ok(()),
        }
    }
}
