//! Who is told of a change: indices at once, controllers soon.

use serde_json::Value;

use super::agenda::{Event, Task};
use super::index::{NodeInfo, controller};
use super::json::{list, text, words};
use super::kinds::K;
use super::store::Key;
use super::world::World;

impl World {
    /// Takes over a change of any object. `new`: `None` if it is gone.
    pub(super) fn changed(&mut self, kind: K, key: &Key, new: Option<&Value>, old: Option<&Value>) {
        match kind {
            K::PODS => self.pod_changed(key, new, old),
            K::NODES => self.node_changed(&key.name, new, old),
            K::BUDGETS => self.budget_changed(key, new),
            K::DEPLOYMENTS if new.is_some() => self.react(Task::Deployment(key.clone())),
            K::DAEMON_SETS if new.is_some() => self.react(Task::DaemonSet(key.clone())),
            K::REPLICA_SETS | K::CONTROLLERS | K::STATEFUL_SETS | K::JOBS => {
                self.makers.change(kind, key, new, old);
                if let Some(owner) = new.or(old).and_then(controller) {
                    self.tell(&key.namespace, owner);
                }
                if new.is_some() {
                    self.react(Task::Workload(kind.0, key.clone()));
                }
            }
            K::DEFINITIONS if old.is_none() => {
                self.unserved.insert(key.name.clone(), false);
                let event = Event::Establish(key.name.clone(), false);
                self.agenda.at(self.now.after(self.settings.definition), event);
            }
            K::VOLUMES | K::CLAIMS => self.make_room(),
            _ => {}
        }
    }

    /// Tells the controller that owns an object.
    fn tell(&mut self, namespace: &str, owner: &Value) {
        let key = Key::new(namespace, words(owner, "/name"));
        match self.kinds.of_object(words(owner, "/apiVersion"), words(owner, "/kind")) {
            Some(K::DEPLOYMENTS) => self.react(Task::Deployment(key)),
            Some(K::DAEMON_SETS) => self.react(Task::DaemonSet(key)),
            Some(kind @ (K::REPLICA_SETS | K::CONTROLLERS | K::STATEFUL_SETS | K::JOBS)) => {
                self.react(Task::Workload(kind.0, key));
            }
            _ => {}
        }
    }

    fn pod_changed(&mut self, key: &Key, new: Option<&Value>, old: Option<&Value>) {
        let was = self.pods.change(key, new);
        let is = self.pods.get(key).cloned();
        let same = was.as_ref().zip(is.as_ref()).is_some_and(|(was, is)| {
            (was.ready, was.deleting, was.finished, &was.labels)
                == (is.ready, is.deleting, is.finished, &is.labels)
        });
        if !same {
            for budget in self.budgets.pod_changed(key, is.as_ref().map(|info| &info.labels)) {
                self.react(Task::Budget(budget));
            }
        }
        for owner in [new, old].into_iter().flatten().filter_map(controller) {
            self.tell(&key.namespace, owner);
        }
        let freed = was.as_ref().filter(|was| !was.node.is_empty() && !was.finished);
        if freed.is_some() && is.as_ref().is_none_or(|is| is.finished) {
            self.make_room();
        }
        self.attach_later(was.as_ref(), is.as_ref());
        let (Some(is), Some(pod)) = (is, new) else {
            self.scheduler.leave(key);
            return;
        };
        let newly = |now: bool, before: Option<bool>| now && !before.unwrap_or_default();
        if is.node.is_empty() {
            let waits = !is.finished && !is.deleting;
            if !waits {
                self.scheduler.leave(key);
            } else if !self.scheduler.is_stuck(key) {
                self.scheduler.wait(key.clone());
                self.react(Task::Schedule);
            }
        } else if was.as_ref().is_none_or(|was| was.node.is_empty()) {
            self.scheduler.leave(key);
            self.agenda.at(self.now.after(self.settings.pod_boot), Event::PodUp(key.clone(), is.uid.clone()));
        }
        let grace = |pod: &Value| pod.pointer("/metadata/deletionGracePeriodSeconds").cloned();
        let shortened = old.is_some_and(|old| grace(old) != grace(pod) && is.deleting);
        if newly(is.deleting, was.map(|was| was.deleting)) || shortened {
            self.end_later(key, pod);
        }
    }

    fn node_changed(&mut self, name: &str, new: Option<&Value>, old: Option<&Value>) {
        let Some(node) = new else {
            self.nodes.remove(name);
            self.silent.remove(name);
            self.tell_daemons();
            return;
        };
        let info = NodeInfo::of(node);
        let was = self.nodes.insert(name.to_owned(), info.clone());
        if old.is_none() && !info.ready {
            let event = Event::NodeUp(name.to_owned(), info.uid.clone());
            self.agenda.at(self.now.after(self.settings.node_boot), event);
        }
        let looks = |info: &NodeInfo| {
            (info.labels.clone(), info.taints.clone(), info.unschedulable, info.ready, info.room.clone())
        };
        if was.as_ref().map(looks) != Some(looks(&info)) {
            self.react(Task::Node(name.to_owned()));
            self.tell_daemons();
            self.make_room();
        }
        if info.ready && was.is_some_and(|was| !was.ready) {
            self.start_pods(name);
        }
    }

    /// Lets the pods start that were bound to a node before it was ready.
    fn start_pods(&mut self, name: &str) {
        let boot = self.settings.pod_boot;
        let pods: Vec<Key> = self.pods.on(name).cloned().collect();
        for key in pods {
            let pod = self.store.get(K::PODS, &key).filter(|pod| words(pod, "/status/phase") == "Pending");
            if let Some(uid) = pod.and_then(|pod| text(pod, "/metadata/uid")) {
                self.agenda.at(self.now.after(boot), Event::PodUp(key.clone(), uid.to_owned()));
            }
        }
    }

    fn tell_daemons(&mut self) {
        let daemons: Vec<Key> =
            self.store.range(K::DAEMON_SETS, None, None).map(|(key, _)| key.clone()).collect();
        for key in daemons {
            self.react(Task::DaemonSet(key));
        }
    }

    /// A controller looks at something.
    pub(super) fn perform(&mut self, task: Task) {
        match task {
            Task::Deployment(key) => self.roll_out(&key),
            Task::Workload(kind, key) => self.replicate(K(kind), &key),
            Task::DaemonSet(key) => self.spread_daemon(&key),
            Task::Budget(key) => self.count_budget(&key),
            Task::Node(name) => self.taint_node(&name),
            Task::Attach(node) => self.attach(&node),
            Task::Detach(node) => self.detach(&node),
            Task::Schedule => self.schedule(),
        }
    }

    /// The kinds of a CustomResourceDefinition are served, first without a storage.
    pub(super) fn establish(&mut self, name: &str, ready: bool) {
        if ready {
            self.unserved.remove(name);
            return;
        }
        let Some(definition) = self.store.get(K::DEFINITIONS, &Key::global(name)).cloned() else { return };
        let status = |version: &Value| version.pointer("/subresources/status").is_some();
        for version in list(&definition, "/spec/versions") {
            self.kinds.add(super::kinds::KindInfo {
                group: words(&definition, "/spec/group").to_owned(),
                version: words(version, "/name").to_owned(),
                plural: words(&definition, "/spec/names/plural").to_owned(),
                kind: words(&definition, "/spec/names/kind").to_owned(),
                namespaced: words(&definition, "/spec/scope") == "Namespaced",
                status: status(version),
                generation: true,
                shows_deleted: false,
                custom: Some(version.pointer("/schema/openAPIV3Schema").cloned().unwrap_or_default()),
            });
        }
        self.unserved.insert(name.to_owned(), true);
        self.update(K::DEFINITIONS, &Key::global(name), super::world::CONTROLLER_STATUS, |definition| {
            let names = definition.pointer("/spec/names").cloned().unwrap_or_default();
            super::json::put(definition, &["status", "acceptedNames"], names);
            for kind in ["NamesAccepted", "Established"] {
                let condition = serde_json::json!({"type": kind, "status": "True"});
                super::scheduler::set_condition(definition, condition);
            }
        });
        self.agenda.at(self.now.after(self.settings.definition), Event::Establish(name.to_owned(), true));
    }
}
