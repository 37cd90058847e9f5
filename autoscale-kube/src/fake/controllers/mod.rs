//! The controllers that make pods and make them again, and the one that attaches their volumes.

mod attachments;
mod daemons;
mod deployments;
mod replicas;

use serde_json::{Value, json};

use super::json::{array, put, slot, words};
use super::kinds::K;
use super::store::Key;
use super::world::{CONTROLLER_MANAGER, World};

/// The reference of an owner that controls.
fn owned_by(owner: &Value) -> Value {
    json!([{
        "apiVersion": owner.get("apiVersion"), "kind": owner.get("kind"), "name": owner.pointer("/metadata/name"),
        "uid": owner.pointer("/metadata/uid"), "controller": true, "blockOwnerDeletion": true,
    }])
}

impl World {
    /// Makes a pod from the template of its owner, of that name or of a generated one.
    fn make_pod(&mut self, owner: &Value, name: Option<String>, change: impl FnOnce(&mut Value)) {
        let mut pod = json!({"metadata": {}, "spec": {}});
        if let Some(spec) = owner.pointer("/spec/template/spec") {
            put(&mut pod, &["spec"], spec.clone());
        }
        for field in ["labels", "annotations"] {
            if let Some(map) =
                owner.pointer(&format!("/spec/template/metadata/{field}")).filter(|map| map.is_object())
            {
                put(&mut pod, &["metadata", field], map.clone());
            }
        }
        match name {
            Some(name) => put(&mut pod, &["metadata", "name"], name),
            None => {
                let prefix = format!("{}-", words(owner, "/metadata/name"));
                put(&mut pod, &["metadata", "generateName"], prefix);
            }
        }
        put(&mut pod, &["metadata", "ownerReferences"], owned_by(owner));
        change(&mut pod);
        let namespace = words(owner, "/metadata/namespace").to_owned();
        // A template that makes no pod makes none again and again, as in the real cluster.
        let _ = self.create(K::PODS, &namespace, pod, CONTROLLER_MANAGER, false);
    }
}

/// Lets a pod be scheduled to one node only.
fn pin(pod: &mut Value, node: &str) {
    let affinity =
        slot(pod, &["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"]);
    let fields = json!([{"key": "metadata.name", "operator": "In", "values": [node]}]);
    let terms = array(slot(affinity, &["nodeSelectorTerms"]));
    if terms.is_empty() {
        terms.push(json!({"matchFields": fields}));
    } else {
        terms.iter_mut().for_each(|term| put(term, &["matchFields"], fields.clone()));
    }
}

/// The name of the pod of a StatefulSet.
fn ordinal(set: &Key, at: u64) -> Key {
    Key::new(set.namespace.as_str(), format!("{}-{at}", set.name))
}
