//! Deployments.

use serde_json::{Value, json};

use super::super::json::{number, put, slot, words};
use super::super::kinds::K;
use super::super::store::Key;
use super::super::world::{CONTROLLER_MANAGER, CONTROLLER_STATUS, World};
use super::owned_by;

/// The label that tells the pods of one template from those of another.
const HASH: &str = "pod-template-hash";

impl World {
    /// Lets the ReplicaSet of the current template have all replicas, and the others none once its pods are ready.
    pub(in super::super) fn roll_out(&mut self, key: &Key) {
        let Some(deployment) = self.store.get(K::DEPLOYMENTS, key).cloned() else { return };
        let replicas = number(&deployment, "/spec/replicas").unwrap_or(1);
        let hash = hash(deployment.pointer("/spec/template"));
        let current = Key::new(key.namespace.as_str(), format!("{}-{hash}", key.name));
        if self.store.get(K::REPLICA_SETS, &current).is_none() {
            self.make_set(&deployment, &current, &hash, replicas);
        } else {
            self.scale(&current, replicas);
        }
        let ready = |set: &Key, world: &Self| {
            world
                .store
                .get(K::REPLICA_SETS, set)
                .and_then(|set| number(set, "/status/readyReplicas"))
                .unwrap_or(0)
        };
        let all_ready = ready(&current, self) >= replicas;
        let (mut count, mut up) = (0, 0);
        for set in self.makers.sets(words(&deployment, "/metadata/uid")) {
            if set != current && all_ready {
                self.scale(&set, 0);
            }
            up += ready(&set, self);
            let object = self.store.get(K::REPLICA_SETS, &set);
            count += object.and_then(|set| number(set, "/status/replicas")).unwrap_or(0);
        }
        let updated =
            self.store.get(K::REPLICA_SETS, &current).and_then(|set| number(set, "/status/replicas"));
        let generation = number(&deployment, "/metadata/generation").unwrap_or(1);
        self.update(K::DEPLOYMENTS, key, CONTROLLER_STATUS, |deployment| {
            let status = slot(deployment, &["status"]);
            put(status, &["observedGeneration"], generation);
            for (field, amount) in [
                ("replicas", count),
                ("updatedReplicas", updated.unwrap_or(0)),
                ("readyReplicas", up),
                ("availableReplicas", up),
                ("unavailableReplicas", replicas - up),
            ] {
                if amount > 0 {
                    put(status, &[field], amount);
                } else {
                    super::super::json::take(status, &[field]);
                }
            }
        });
    }

    fn scale(&mut self, set: &Key, replicas: i64) {
        self.update(K::REPLICA_SETS, set, CONTROLLER_MANAGER, |set| {
            put(set, &["spec", "replicas"], replicas)
        });
    }

    fn make_set(&mut self, deployment: &Value, key: &Key, hash: &str, replicas: i64) {
        let mut set = json!({"metadata": {"name": key.name, "ownerReferences": owned_by(deployment)}});
        for field in ["selector", "template"] {
            let part = deployment.pointer(&format!("/spec/{field}")).cloned().unwrap_or_default();
            put(&mut set, &["spec", field], part);
        }
        put(&mut set, &["spec", "replicas"], replicas);
        put(&mut set, &["spec", "selector", "matchLabels", HASH], hash);
        put(&mut set, &["spec", "template", "metadata", "labels", HASH], hash);
        let labels = set.pointer("/spec/template/metadata/labels").cloned().unwrap_or_default();
        put(&mut set, &["metadata", "labels"], labels);
        // The name is that of no other set, or this would not have been called.
        let _ = self.create(K::REPLICA_SETS, &key.namespace, set, CONTROLLER_MANAGER, false);
    }
}

/// FNV-1a over the template, in the letters of generated names.
fn hash(template: Option<&Value>) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let text = template.map(Value::to_string).unwrap_or_default();
    let mut hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut letters = String::new();
    for _ in 0..8 {
        let at = (hash % LETTERS.len() as u64) as usize;
        letters.push(LETTERS.get(at).copied().map_or('b', char::from));
        hash /= LETTERS.len() as u64;
    }
    letters
}
