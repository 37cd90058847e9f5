//! Everything that the server and the modelled cluster consist of.

use std::collections::BTreeMap;
use std::sync::Arc;

use autoscale_core::words::Timestamp;
use serde_json::{Value, json};

use super::access::Access;
use super::agenda::{Agenda, Event, Task};
use super::budgets::Budgets;
use super::faults::Faults;
use super::index::{Makers, NodeInfo, Pods};
use super::journal::Journal;
use super::json::{list, number, object, put, slot, text, words};
use super::kinds::{K, KindInfo, Kinds};
use super::list::Snapshots;
use super::metrics::Usage;
use super::refusal::{Refusal, Result};
use super::rng::Rng;
use super::scheduler::Scheduler;
use super::settings::Settings;
use super::store::{Key, Store};

/// Everything behind the lock.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) settings: Settings,
    pub(super) rng: Rng,
    pub(super) kinds: Kinds,
    pub(super) store: Store,
    pub(super) agenda: Agenda,
    pub(super) pods: Pods,
    pub(super) makers: Makers,
    pub(super) nodes: BTreeMap<String, NodeInfo>,
    /// Nodes whose kubelet says nothing.
    pub(super) silent: std::collections::BTreeSet<String>,
    pub(super) budgets: Budgets,
    pub(super) scheduler: Scheduler,
    pub(super) snapshots: Snapshots,
    pub(super) access: Access,
    pub(super) faults: Faults,
    pub(super) journal: Journal,
    pub(super) usage: Usage,
    /// Definitions that are not served yet, by plural and group.
    pub(super) unserved: BTreeMap<String, bool>,
}

/// Who writes: the manager of the fields, and the subresource it writes through.
pub(super) type Writer<'w> = (&'w str, Option<&'w str>);

pub(super) const CONTROLLER_MANAGER: Writer<'static> = ("kube-controller-manager", None);
pub(super) const CONTROLLER_STATUS: Writer<'static> = ("kube-controller-manager", Some("status"));
pub(super) const SCHEDULER_STATUS: Writer<'static> = ("kube-scheduler", Some("status"));
pub(super) const KUBELET_STATUS: Writer<'static> = ("kubelet", Some("status"));

impl World {
    pub(super) fn new(settings: Settings) -> Self {
        let mut world = Self {
            now: settings.start,
            rng: Rng::new(settings.seed),
            kinds: Kinds::new(),
            store: Store::default(),
            agenda: Agenda::default(),
            pods: Pods::default(),
            makers: Makers::default(),
            nodes: BTreeMap::new(),
            silent: std::collections::BTreeSet::new(),
            budgets: Budgets::default(),
            scheduler: Scheduler::default(),
            snapshots: Snapshots::default(),
            access: Access::new(),
            faults: Faults::new(settings.seed),
            journal: Journal::default(),
            usage: Usage::default(),
            unserved: BTreeMap::new(),
            settings,
        };
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            let namespace = json!({"metadata": {"name": name}});
            // Of an empty store nothing can stand in the way.
            let _ = world.create(K::NAMESPACES, "", namespace, CONTROLLER_MANAGER, false);
        }
        world
    }

    pub(super) fn info(&self, kind: K) -> Result<Arc<KindInfo>> {
        self.kinds.get(kind).ok_or_else(Refusal::no_path)
    }

    pub(super) fn react(&mut self, task: Task) {
        self.agenda.react(self.now, self.settings.reaction, task);
    }

    /// Makes an object, unless it is a dry run.
    pub(super) fn create(
        &mut self,
        kind: K,
        namespace: &str,
        mut object: Value,
        writer: Writer<'_>,
        dry: bool,
    ) -> Result<Arc<Value>> {
        let info = self.info(kind)?;
        let generated =
            text(&object, "/metadata/generateName").map(|prefix| format!("{prefix}{}", self.rng.suffix()));
        let given = text(&object, "/metadata/name").map(str::to_owned).filter(|name| !name.is_empty());
        let name = given.or(generated).ok_or_else(|| {
            Refusal::invalid(&info, "", "metadata.name", "Required value: name or generateName is required")
        })?;
        let inner = words(&object, "/metadata/namespace").to_owned();
        if info.namespaced && !inner.is_empty() && inner != namespace {
            return Err(Refusal::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        let key = Key::new(if info.namespaced { namespace } else { "" }, name.clone());
        if info.namespaced && self.store.get(K::NAMESPACES, &Key::global(namespace)).is_none() {
            return Err(Refusal::not_found(&*self.info(K::NAMESPACES)?, namespace));
        }
        if self.store.get(kind, &key).is_some() {
            return Err(Refusal::exists(&info, &name));
        }
        put(&mut object, &["apiVersion"], info.api_version());
        put(&mut object, &["kind"], info.kind.clone());
        super::validate::check(&info, &name, &object)?;
        let managed = super::managed::has_fields(&object);
        super::defaults::fill(self, kind, &info, &mut object);
        let meta = slot(&mut object, &["metadata"]);
        for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "selfLink"] {
            super::json::object(meta).remove(field);
        }
        put(meta, &["name"], name);
        if info.namespaced {
            put(meta, &["namespace"], namespace);
        }
        put(meta, &["uid"], self.rng.uid());
        put(meta, &["creationTimestamp"], self.now.to_string());
        if info.generation {
            put(meta, &["generation"], 1);
        }
        if managed {
            super::managed::sign(&mut object, writer, &info.api_version(), self.now);
        }
        super::json::prune(slot(&mut object, &["metadata"]));
        if dry {
            return Ok(Arc::new(object));
        }
        Ok(self.commit(kind, &key, object))
    }

    /// Changes an object, if the change is one; gives it as it is then. `None`: there is no such object.
    pub(super) fn update(
        &mut self,
        kind: K,
        key: &Key,
        writer: Writer<'_>,
        change: impl FnOnce(&mut Value),
    ) -> Option<Arc<Value>> {
        let old = Arc::clone(self.store.get(kind, key)?);
        let mut new = Value::clone(&old);
        change(&mut new);
        Some(self.settle(kind, key, &old, new, writer))
    }

    /// Stores an object that takes the place of another, if they differ.
    pub(super) fn settle(
        &mut self,
        kind: K,
        key: &Key,
        old: &Arc<Value>,
        mut new: Value,
        writer: Writer<'_>,
    ) -> Arc<Value> {
        if new == **old {
            return Arc::clone(old);
        }
        if let Some(info) = self.kinds.get(kind) {
            if info.generation && writer.1.is_none() && spec_differs(old, &new) {
                let generation = number(old, "/metadata/generation").unwrap_or(1);
                put(&mut new, &["metadata", "generation"], generation + 1);
            }
            super::managed::sign(&mut new, writer, &info.api_version(), self.now);
        }
        let finished = text(&new, "/metadata/deletionTimestamp").is_some()
            && list(&new, "/metadata/finalizers").is_empty()
            && kind != K::PODS;
        if finished {
            return self.remove(kind, key).unwrap_or_else(|| Arc::new(new));
        }
        self.commit(kind, key, new)
    }

    /// Stores an object as it is, and tells everybody.
    pub(super) fn commit(&mut self, kind: K, key: &Key, object: Value) -> Arc<Value> {
        let (new, old) = self.store.write(kind, key, object);
        self.changed(kind, key, Some(&new), old.as_deref());
        new
    }

    /// Removes an object at once, and tells everybody.
    pub(super) fn remove(&mut self, kind: K, key: &Key) -> Option<Arc<Value>> {
        let last = self.store.remove(kind, key)?;
        self.changed(kind, key, None, Some(&last));
        self.collect_dependents(&last);
        Some(last)
    }

    /// Lets all happen that is due until `end`.
    pub(super) fn run_until(&mut self, end: Timestamp) {
        while let Some((time, event)) = self.agenda.pop(end) {
            self.now = self.now.max(time);
            self.happen(event);
        }
        self.now = self.now.max(end);
    }

    /// Lets all happen that is due now.
    pub(super) fn run(&mut self) {
        self.run_until(self.now);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::React(task) => self.perform(task),
            Event::PodUp(key, uid) => self.pod_up(&key, &uid),
            Event::PodEnd(key, uid) => self.pod_end(&key, &uid),
            Event::NodeUp(name, uid) => self.node_up(&name, &uid),
            Event::NodeLost(name, uid) => self.node_lost(&name, &uid),
            Event::TaintOut(key, uid) => self.taint_out(&key, &uid),
            Event::Unblock(key) => self.react(Task::Budget(key)),
            Event::Complete(key, uid) => self.complete(&key, &uid),
            Event::Establish(name, ready) => self.establish(&name, ready),
            Event::NodeGone(name) => self.node_gone(&name),
            Event::Tick => {}
        }
    }
}

/// Whether anything but metadata and status differs.
fn spec_differs(old: &Value, new: &Value) -> bool {
    let parts = |value: &Value| {
        let mut value = value.clone();
        let map = object(&mut value);
        map.remove("metadata");
        map.remove("status");
        value
    };
    old.get("spec") != new.get("spec") || parts(old) != parts(new)
}
