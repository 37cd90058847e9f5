//! What the controllers look up: pods by node and by owner, room on nodes. Kept with every change, never recomputed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::json::{flag, list, milli, text, texts, units, words};
use super::kinds::K;
use super::store::Key;

/// Amounts of what nodes offer and pods ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) cpu: u64,
    pub(super) memory: u64,
    pub(super) pods: u64,
    pub(super) other: BTreeMap<String, u64>,
}

impl Room {
    fn of(map: Option<&Value>) -> Self {
        let mut room = Self::default();
        for (name, value) in map.and_then(Value::as_object).into_iter().flatten() {
            match name.as_str() {
                "cpu" => room.cpu = milli(value).unwrap_or_default(),
                "memory" => room.memory = units(value).unwrap_or_default(),
                "pods" => room.pods = units(value).unwrap_or_default(),
                _ => drop(room.other.insert(name.clone(), units(value).unwrap_or_default())),
            }
        }
        room
    }

    pub(super) fn add(&mut self, more: &Self) {
        self.merge(more, u64::saturating_add);
    }

    pub(super) fn subtract(&mut self, less: &Self) {
        self.merge(less, u64::saturating_sub);
        self.other.retain(|_, amount| *amount > 0);
    }

    fn merge(&mut self, with: &Self, by: fn(u64, u64) -> u64) {
        self.cpu = by(self.cpu, with.cpu);
        self.memory = by(self.memory, with.memory);
        self.pods = by(self.pods, with.pods);
        for (name, amount) in &with.other {
            let slot = self.other.entry(name.clone()).or_default();
            *slot = by(*slot, *amount);
        }
    }

    /// What is short if so much is used already, in the words of the scheduler.
    pub(super) fn lacks(&self, used: &Self, ask: &Self) -> Option<String> {
        if used.pods.saturating_add(ask.pods) > self.pods {
            return Some("Too many pods".to_owned());
        }
        if ask.cpu > 0 && used.cpu.saturating_add(ask.cpu) > self.cpu {
            return Some("Insufficient cpu".to_owned());
        }
        if ask.memory > 0 && used.memory.saturating_add(ask.memory) > self.memory {
            return Some("Insufficient memory".to_owned());
        }
        let amount = |room: &Self, name: &str| room.other.get(name).copied().unwrap_or_default();
        let short =
            |(name, ask): &(&String, &u64)| amount(used, name).saturating_add(**ask) > amount(self, name);
        ask.other.iter().find(short).map(|(name, _)| format!("Insufficient {name}"))
    }
}

/// What the requests of a pod add up to.
pub(super) fn requests(spec: &Value) -> Room {
    let of = |container: &Value| Room::of(container.pointer("/resources/requests"));
    let mut sum = Room::default();
    list(spec, "/containers").iter().for_each(|container| sum.add(&of(container)));
    for container in list(spec, "/initContainers") {
        let ask = of(container);
        if words(container, "/restartPolicy") == "Always" {
            sum.add(&ask);
        } else {
            sum.merge(&ask, u64::max);
        }
    }
    sum.add(&Room::of(spec.pointer("/overhead")));
    sum.pods = 1;
    sum
}

/// A pod as the controllers know it.
#[derive(Clone, Debug)]
pub(super) struct PodInfo {
    pub(super) uid: String,
    /// Empty while it waits for one.
    pub(super) node: String,
    pub(super) ask: Room,
    pub(super) finished: bool,
    pub(super) ready: bool,
    pub(super) deleting: bool,
    /// The uid of its controller, or empty.
    pub(super) owner: String,
    pub(super) labels: BTreeMap<String, String>,
}

impl PodInfo {
    fn of(pod: &Value) -> Self {
        Self {
            uid: words(pod, "/metadata/uid").to_owned(),
            node: words(pod, "/spec/nodeName").to_owned(),
            ask: pod.get("spec").map(requests).unwrap_or_default(),
            finished: matches!(words(pod, "/status/phase"), "Succeeded" | "Failed"),
            ready: condition(pod, "Ready") == Some("True"),
            deleting: text(pod, "/metadata/deletionTimestamp").is_some(),
            owner: controller(pod).map(|owner| words(owner, "/uid").to_owned()).unwrap_or_default(),
            labels: texts(pod, "/metadata/labels"),
        }
    }
}

/// The owner that controls an object.
pub(super) fn controller(object: &Value) -> Option<&Value> {
    list(object, "/metadata/ownerReferences").iter().find(|owner| flag(owner, "/controller"))
}

/// The status of a condition.
pub(super) fn condition<'v>(object: &'v Value, kind: &str) -> Option<&'v str> {
    let found = list(object, "/status/conditions").iter().find(|at| words(at, "/type") == kind);
    found.and_then(|at| text(at, "/status"))
}

/// The names of some objects of a kind.
pub(super) type Keys = BTreeSet<Key>;

/// The pods.
#[derive(Debug, Default)]
pub(super) struct Pods {
    info: BTreeMap<Key, PodInfo>,
    by_node: BTreeMap<String, Keys>,
    by_owner: BTreeMap<String, Keys>,
    used: BTreeMap<String, Room>,
}

impl Pods {
    pub(super) fn get(&self, key: &Key) -> Option<&PodInfo> {
        self.info.get(key)
    }

    /// Those on a node, in the order of their names; of the empty name: those that wait for one.
    pub(super) fn on(&self, node: &str) -> impl Iterator<Item = &Key> {
        self.by_node.get(node).into_iter().flatten()
    }

    pub(super) fn owned(&self, owner: &str) -> impl Iterator<Item = (&Key, &PodInfo)> {
        let keys = self.by_owner.get(owner).into_iter().flatten();
        keys.filter_map(|key| Some((key, self.info.get(key)?)))
    }

    /// What the pods on a node take.
    pub(super) fn used(&self, node: &str) -> Option<&Room> {
        self.used.get(node)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&Key, &PodInfo)> {
        self.info.iter()
    }

    /// Takes over a change; gives what the pod was before.
    pub(super) fn change(&mut self, key: &Key, pod: Option<&Value>) -> Option<PodInfo> {
        let old = self.info.remove(key);
        if let Some(old) = &old {
            unlink(&mut self.by_node, &old.node, key);
            unlink(&mut self.by_owner, &old.owner, key);
            let used = self.used.get_mut(&old.node).filter(|_| !old.finished && !old.node.is_empty());
            used.into_iter().for_each(|used| used.subtract(&old.ask));
        }
        if let Some(pod) = pod {
            let new = PodInfo::of(pod);
            self.by_node.entry(new.node.clone()).or_default().insert(key.clone());
            self.by_owner.entry(new.owner.clone()).or_default().insert(key.clone());
            if !new.finished && !new.node.is_empty() {
                self.used.entry(new.node.clone()).or_default().add(&new.ask);
            }
            self.info.insert(key.clone(), new);
        }
        old
    }
}

fn unlink(index: &mut BTreeMap<String, Keys>, at: &str, key: &Key) {
    if let Some(keys) = index.get_mut(at) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(at);
        }
    }
}

/// What makes pods: by uid, and ReplicaSets by their owner.
#[derive(Debug, Default)]
pub(super) struct Makers {
    by_uid: BTreeMap<String, (K, Key)>,
    owned: BTreeMap<String, Keys>,
}

impl Makers {
    pub(super) fn get(&self, uid: &str) -> Option<&(K, Key)> {
        self.by_uid.get(uid)
    }

    /// The ReplicaSets that the owner of that uid controls.
    pub(super) fn sets(&self, owner: &str) -> Vec<Key> {
        self.owned.get(owner).into_iter().flatten().cloned().collect()
    }

    /// Takes over a change.
    pub(super) fn change(&mut self, kind: K, key: &Key, new: Option<&Value>, old: Option<&Value>) {
        let owner = |object: &Value| controller(object).map(|owner| words(owner, "/uid").to_owned());
        if let Some(old) = old {
            self.by_uid.remove(words(old, "/metadata/uid"));
            owner(old).iter().for_each(|owner| unlink(&mut self.owned, owner, key));
        }
        if let Some(new) = new {
            self.by_uid.insert(words(new, "/metadata/uid").to_owned(), (kind, key.clone()));
            if let Some(owner) = owner(new) {
                self.owned.entry(owner).or_default().insert(key.clone());
            }
        }
    }
}

/// A node as the scheduler knows it.
#[derive(Clone, Debug)]
pub(super) struct NodeInfo {
    pub(super) uid: String,
    pub(super) labels: BTreeMap<String, String>,
    /// Key, value, effect.
    pub(super) taints: Vec<(String, String, String)>,
    pub(super) unschedulable: bool,
    pub(super) ready: bool,
    pub(super) room: Room,
}

impl NodeInfo {
    pub(super) fn of(node: &Value) -> Self {
        let taint = |taint: &Value| {
            let part = |pointer: &str| words(taint, pointer).to_owned();
            (part("/key"), part("/value"), part("/effect"))
        };
        Self {
            uid: words(node, "/metadata/uid").to_owned(),
            labels: texts(node, "/metadata/labels"),
            taints: list(node, "/spec/taints").iter().map(taint).collect(),
            unschedulable: flag(node, "/spec/unschedulable"),
            ready: condition(node, "Ready") == Some("True"),
            room: Room::of(node.pointer("/status/allocatable")),
        }
    }
}
