//! The kubelets: nodes become ready, pods start and end. And what happens when a kubelet says nothing any more.

use autoscale_core::words::Span;
use serde_json::{Value, json};

use super::agenda::{Event, Task};
use super::fit::patience;
use super::index::condition;
use super::json::{array, flag, list, number, put, slot, text, words};
use super::kinds::K;
use super::scheduler::set_condition;
use super::store::Key;
use super::world::{CONTROLLER_MANAGER, CONTROLLER_STATUS, KUBELET_STATUS, World};

/// Says for how long the pod of a Job runs, such as `90s`.
pub(super) const RUNS_FOR: &str = "fake.autoscale/runs-for";

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// The conditions of a node that is well.
pub(super) fn well(now: &str) -> Value {
    let one = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "lastHeartbeatTime": now, "lastTransitionTime": now,
            "reason": reason, "message": message})
    };
    json!([
        one("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        one(
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available"
        ),
        one("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        one("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        one("NetworkUnavailable", "False", "RouteCreated", "RouteController created a route"),
    ])
}

impl World {
    /// The node, if it is the one of that uid.
    fn is_node(&self, name: &str, uid: &str) -> bool {
        self.nodes.get(name).is_some_and(|node| node.uid == uid)
    }

    /// The kubelet of a node says that it is ready.
    pub(super) fn node_up(&mut self, name: &str, uid: &str) {
        if !self.is_node(name, uid) || self.silent.contains(name) {
            return;
        }
        let now = self.now.to_string();
        self.update(K::NODES, &Key::global(name), KUBELET_STATUS, |node| {
            put(node, &["status", "phase"], "Running");
            put(node, &["status", "conditions"], well(&now));
            for field in ["kernelVersion", "containerRuntimeVersion", "kubeletVersion", "kubeProxyVersion"] {
                put(node, &["status", "nodeInfo", field], "fake");
            }
            put(node, &["status", "nodeInfo", "operatingSystem"], "linux");
            put(node, &["status", "nodeInfo", "architecture"], "amd64");
        });
        let pods: Vec<Key> = self.pods.on(name).cloned().collect();
        for key in pods {
            let Some(pod) = self.store.get(K::PODS, &key).cloned() else { continue };
            let uid = words(&pod, "/metadata/uid").to_owned();
            if text(&pod, "/metadata/deletionTimestamp").is_some() {
                self.agenda.at(self.now, Event::PodEnd(key, uid));
            } else if words(&pod, "/status/phase") == "Pending" {
                self.agenda.at(self.now.after(self.settings.pod_boot), Event::PodUp(key, uid));
            } else {
                self.set_ready(&key, true);
            }
        }
    }

    /// Nobody has heard of a kubelet for too long.
    pub(super) fn node_lost(&mut self, name: &str, uid: &str) {
        if !self.is_node(name, uid) || !self.silent.contains(name) {
            return;
        }
        let now = self.now.to_string();
        self.update(K::NODES, &Key::global(name), CONTROLLER_STATUS, |node| {
            for kind in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
                let known = list(node, "/status/conditions").iter().find(|at| words(at, "/type") == kind);
                let heard = known.and_then(|at| at.get("lastHeartbeatTime").cloned()).unwrap_or_default();
                set_condition(node, json!({
                    "type": kind, "status": "Unknown", "lastHeartbeatTime": heard, "lastTransitionTime": now,
                    "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status.",
                }));
            }
        });
        let pods: Vec<Key> = self.pods.on(name).cloned().collect();
        pods.iter().for_each(|key| self.set_ready(key, false));
    }

    fn set_ready(&mut self, key: &Key, ready: bool) {
        let now = self.now.to_string();
        self.update(K::PODS, key, CONTROLLER_STATUS, |pod| {
            if words(pod, "/status/phase") == "Running" {
                let status = if ready { "True" } else { "False" };
                set_condition(
                    pod,
                    json!({
                        "type": "Ready", "status": status, "lastProbeTime": null, "lastTransitionTime": now,
                    }),
                );
            }
        });
    }

    /// The containers of a pod run.
    pub(super) fn pod_up(&mut self, key: &Key, uid: &str) {
        let Some(info) =
            self.pods.get(key).filter(|info| info.uid == uid && !info.deleting && !info.finished)
        else {
            return;
        };
        if self.silent.contains(&info.node) || !self.nodes.get(&info.node).is_some_and(|node| node.ready) {
            return;
        }
        let (now, draw) = (self.now.to_string(), self.rng.below(1 << 16));
        let ip = format!("10.{}.{}.{}", draw >> 12, (draw >> 6) & 63, draw & 63);
        let up = self.update(K::PODS, key, KUBELET_STATUS, |pod| {
            let containers: Vec<Value> = list(pod, "/spec/containers").iter().map(|container| json!({
                "name": container.get("name"), "state": {"running": {"startedAt": now}}, "lastState": {},
                "ready": true, "restartCount": 0, "image": container.get("image"), "imageID": "",
            })).collect();
            let conditions = ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map(|kind| {
                json!({
                    "type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": now,
                })
            });
            let status = slot(pod, &["status"]);
            put(status, &["phase"], "Running");
            put(status, &["conditions"], conditions.to_vec());
            put(status, &["podIP"], ip.clone());
            put(status, &["podIPs"], json!([{"ip": ip}]));
            put(status, &["startTime"], now.clone());
            put(status, &["containerStatuses"], containers);
        });
        let runs = up.as_deref().and_then(|pod| {
            let annotation = RUNS_FOR.replace('/', "~1");
            text(pod, &format!("/metadata/annotations/{annotation}"))?.parse::<Span>().ok()
        });
        if let Some(runs) = runs {
            self.agenda.at(self.now.after(runs), Event::Complete(key.clone(), uid.to_owned()));
        }
    }

    /// A pod ends well by itself.
    pub(super) fn complete(&mut self, key: &Key, uid: &str) {
        if self.pods.get(key).is_some_and(|info| info.uid == uid && !info.finished) {
            self.finish(key, true);
        }
    }

    /// A pod ends by itself.
    pub(super) fn finish(&mut self, key: &Key, well: bool) {
        let now = self.now.to_string();
        self.update(K::PODS, key, KUBELET_STATUS, |pod| {
            put(pod, &["status", "phase"], if well { "Succeeded" } else { "Failed" });
            set_condition(
                pod,
                json!({
                    "type": "Ready", "status": "False", "lastProbeTime": null, "lastTransitionTime": now,
                    "reason": "PodCompleted",
                }),
            );
        });
    }

    /// The containers of a pod that is being deleted have ended.
    pub(super) fn pod_end(&mut self, key: &Key, uid: &str) {
        let Some(info) = self.pods.get(key).filter(|info| info.uid == uid && info.deleting) else { return };
        let held =
            self.store.get(K::PODS, key).is_some_and(|pod| !list(pod, "/metadata/finalizers").is_empty());
        if !held && !self.silent.contains(&info.node) {
            self.remove(K::PODS, key);
        }
    }

    /// When the kubelet has ended a pod that is being deleted.
    pub(super) fn end_later(&mut self, key: &Key, pod: &Value) {
        let grace = number(pod, "/metadata/deletionGracePeriodSeconds").unwrap_or_default();
        let grace = Span::from_secs(grace.unsigned_abs());
        let span = self.settings.pod_stop.map_or(grace, |stop| stop.min(grace));
        let uid = words(pod, "/metadata/uid").to_owned();
        self.agenda.at(self.now.after(span), Event::PodEnd(key.clone(), uid));
    }

    /// The pods of a node that is gone go too, without grace.
    pub(super) fn node_gone(&mut self, name: &str) {
        if !self.nodes.contains_key(name) {
            let pods: Vec<Key> = self.pods.on(name).cloned().collect();
            for key in pods {
                self.remove(K::PODS, &key);
            }
        }
    }

    /// Gives a node the taints that its condition asks for, and lets the pods go that do not bear them.
    pub(super) fn taint_node(&mut self, name: &str) {
        let (now, key) = (self.now.to_string(), Key::global(name));
        let seen =
            |node: &Value| node.pointer("/metadata/annotations/node.alpha.kubernetes.io~1ttl").is_some();
        if self.store.get(K::NODES, &key).is_some_and(|node| !seen(node)) {
            // Another controller's work, before that of the one for taints.
            self.update(K::NODES, &key, CONTROLLER_MANAGER, |node| {
                put(node, &["metadata", "annotations", "node.alpha.kubernetes.io/ttl"], "0");
            });
            return self.react(Task::Node(name.to_owned()));
        }
        let node = self.update(K::NODES, &key, CONTROLLER_MANAGER, |node| {
            let ready = condition(node, "Ready").map(str::to_owned);
            let mut wanted = vec![(UNSCHEDULABLE, "NoSchedule", flag(node, "/spec/unschedulable"))];
            if let Some(ready) = ready {
                for effect in ["NoSchedule", "NoExecute"] {
                    wanted.push((NOT_READY, effect, ready == "False"));
                    wanted.push((UNREACHABLE, effect, ready == "Unknown"));
                }
            }
            let taints = array(slot(node, &["spec", "taints"]));
            for (key, effect, on) in wanted {
                let same = |taint: &Value| words(taint, "/key") == key && words(taint, "/effect") == effect;
                match (taints.iter().position(same), on) {
                    (Some(at), false) => drop(taints.remove(at)),
                    (None, true) => taints.push(json!({"key": key, "effect": effect, "timeAdded": now})),
                    _ => {}
                }
            }
            if taints.is_empty() {
                super::json::take(node, &["spec", "taints"]);
            }
        });
        let Some(node) = node else { return };
        let evicting = list(&node, "/spec/taints").iter().any(|taint| words(taint, "/effect") == "NoExecute");
        if evicting {
            let pods: Vec<Key> = self.pods.on(name).cloned().collect();
            pods.iter().for_each(|key| self.judge_taints(key, true));
        }
    }

    /// Deletes a pod that cannot bear the taints of its node any longer; looks again later if it can for now.
    fn judge_taints(&mut self, key: &Key, later: bool) {
        let Some(pod) = self.store.get(K::PODS, key).cloned() else { return };
        let Some(node) = self.store.get(K::NODES, &Key::global(words(&pod, "/spec/nodeName"))) else {
            return;
        };
        let taints = list(node, "/spec/taints").iter().filter(|taint| words(taint, "/effect") == "NoExecute");
        let spans = taints.filter_map(|taint| {
            let (key, value) = (words(taint, "/key"), words(taint, "/value"));
            patience(list(&pod, "/spec/tolerations"), key, value, "NoExecute")
        });
        let Some(seconds) = spans.min() else { return };
        if seconds == 0 || !later {
            self.delete_pod(key);
        } else {
            let event = Event::TaintOut(key.clone(), words(&pod, "/metadata/uid").to_owned());
            self.agenda.at(self.now.after(Span::from_secs(seconds)), event);
        }
    }

    /// A pod has borne the taints of its node long enough.
    pub(super) fn taint_out(&mut self, key: &Key, uid: &str) {
        if self.pods.get(key).is_some_and(|info| info.uid == uid && !info.deleting) {
            self.judge_taints(key, false);
        }
    }

    /// Lets the kubelet of a node fall silent, or speak again.
    pub(super) fn hush(&mut self, name: &str, silent: bool) {
        let Some(uid) = self.nodes.get(name).map(|node| node.uid.clone()) else { return };
        if silent && self.silent.insert(name.to_owned()) {
            let event = Event::NodeLost(name.to_owned(), uid);
            self.agenda.at(self.now.after(self.settings.node_grace), event);
        } else if !silent && self.silent.remove(name) {
            self.agenda.at(self.now, Event::NodeUp(name.to_owned(), uid));
        }
        self.react(Task::Node(name.to_owned()));
    }
}
