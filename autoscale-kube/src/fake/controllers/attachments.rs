//! What attaches volumes to nodes and detaches them again.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::agenda::{Event, Task};
use super::super::index::PodInfo;
use super::super::json::{list, put, text, words};
use super::super::kinds::K;
use super::super::store::Key;
use super::super::world::{CONTROLLER_MANAGER, CONTROLLER_STATUS, World};

impl World {
    /// A pod has come to its node, or has left it or ended.
    pub(in super::super) fn attach_later(&mut self, was: Option<&PodInfo>, is: Option<&PodInfo>) {
        let on = |info: Option<&PodInfo>| {
            info.filter(|info| !info.node.is_empty() && !info.finished).map(|info| info.node.clone())
        };
        match (on(was), on(is)) {
            (None, Some(node)) => self.react(Task::Attach(node)),
            (Some(node), None) => {
                let task = Event::React(Task::Detach(node));
                self.agenda.at(self.now.after(self.settings.detach), task);
            }
            _ => {}
        }
    }

    /// The volumes of the pods on a node that are attached by somebody, and by whom.
    fn needed_on(&self, node: &str) -> BTreeSet<(String, String)> {
        let mut needed = BTreeSet::new();
        for key in self.pods.on(node).filter(|key| self.pods.get(key).is_some_and(|pod| !pod.finished)) {
            let Some(pod) = self.store.get(K::PODS, key) else { continue };
            for volume in list(pod, "/spec/volumes") {
                let made_for_it =
                    volume.get("ephemeral").map(|_| format!("{}-{}", key.name, words(volume, "/name")));
                let named = text(volume, "/persistentVolumeClaim/claimName").map(str::to_owned);
                let Some(claim) = named.or(made_for_it) else { continue };
                let claim = self.store.get(K::CLAIMS, &Key::new(key.namespace.as_str(), claim));
                let bound = claim.map(|claim| words(claim, "/spec/volumeName")).unwrap_or_default();
                let volume = self.store.get(K::VOLUMES, &Key::global(bound));
                if let Some(driver) = volume.and_then(|volume| text(volume, "/spec/csi/driver")) {
                    needed.insert((bound.to_owned(), driver.to_owned()));
                }
            }
        }
        needed
    }

    pub(in super::super) fn attach(&mut self, node: &str) {
        for (volume, driver) in self.needed_on(node) {
            let name = name(&volume, node);
            let object = json!({"metadata": {"name": name}, "spec": {
                "attacher": driver, "nodeName": node, "source": {"persistentVolumeName": volume}}});
            // One that is there already stays.
            if self.create(K::ATTACHMENTS, "", object, CONTROLLER_MANAGER, false).is_ok() {
                self.update(K::ATTACHMENTS, &Key::global(name), CONTROLLER_STATUS, |attachment| {
                    put(attachment, &["status", "attached"], true);
                });
            }
        }
    }

    pub(in super::super) fn detach(&mut self, node: &str) {
        let needed: BTreeSet<String> =
            self.needed_on(node).iter().map(|(volume, _)| name(volume, node)).collect();
        let all = self.store.range(K::ATTACHMENTS, None, None);
        let here = all.filter(|(key, at)| words(at, "/spec/nodeName") == node && !needed.contains(&key.name));
        let here: Vec<Key> = here.map(|(key, _)| key.clone()).collect();
        for key in here {
            self.remove(K::ATTACHMENTS, &key);
        }
    }
}

fn name(volume: &str, node: &str) -> String {
    format!("csi-{volume}-{node}")
}
