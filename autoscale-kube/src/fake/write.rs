//! Replacing, patching and deleting objects.

use std::sync::Arc;

use autoscale_core::words::Span;
use serde_json::{Value, json};

use super::agenda::Event;
use super::json::{list, number, object, put, take, text, words};
use super::kinds::{K, KindInfo};
use super::patch::Form;
use super::refusal::{Refusal, Result, named};
use super::store::Key;
use super::validate;
use super::world::{CONTROLLER_MANAGER, World, Writer};

/// How long the pods of a node that is gone are left alone.
const QUARANTINE: Span = Span::from_secs(40);

/// Who asks for a change, and how seriously.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'c> {
    pub(super) writer: Writer<'c>,
    pub(super) dry: bool,
}

impl World {
    pub(super) fn find(&self, kind: K, info: &KindInfo, key: &Key) -> Result<Arc<Value>> {
        self.store.get(kind, key).cloned().ok_or_else(|| Refusal::not_found(info, &key.name))
    }

    /// Puts an object in the place of another; whether it was made by that.
    pub(super) fn replace(
        &mut self,
        kind: K,
        key: &Key,
        mut new: Value,
        change: Change<'_>,
    ) -> Result<(Arc<Value>, bool)> {
        let info = self.info(kind)?;
        let inner = words(&new, "/metadata/name");
        if inner != key.name {
            let message =
                format!("the name of the object ({inner}) does not match the name on the URL ({})", key.name);
            return Err(Refusal::bad_request(message));
        }
        let uid = text(&new, "/metadata/uid").map(str::to_owned);
        if self.store.get(kind, key).is_none() && kind == K::LEASES {
            // Leases are made by a replacement too.
            return match uid {
                Some(uid) => Err(Refusal::other_uid(&info, &key.name, &uid, "")),
                None => Ok((self.create(kind, &key.namespace, new, change.writer, change.dry)?, true)),
            };
        }
        let old = self.find(kind, &info, key)?;
        let is = words(&old, "/metadata/uid");
        if let Some(uid) = uid.filter(|uid| uid != is) {
            return Err(Refusal::other_uid(&info, &key.name, &uid, is));
        }
        if text(&new, "/metadata/resourceVersion").is_none()
            && matches!(kind, K::LEASES | K::BUDGETS | K::DEFINITIONS)
        {
            let what = "Invalid value: 0x0: must be specified for an update";
            return Err(Refusal::invalid(&info, &key.name, "metadata.resourceVersion", what));
        }
        super::json::prune(super::json::slot(&mut new, &["metadata"]));
        self.put_in(kind, &info, key, &old, new, change).map(|new| (new, false))
    }

    /// Changes an object by a patch.
    pub(super) fn patch(
        &mut self,
        kind: K,
        key: &Key,
        form: Form,
        patch: &Value,
        change: Change<'_>,
    ) -> Result<(Arc<Value>, bool)> {
        let info = self.info(kind)?;
        if form == Form::Apply && self.store.get(kind, key).is_none() {
            let made = self.create(kind, &key.namespace, patch.clone(), change.writer, change.dry)?;
            return Ok((made, true));
        }
        if info.custom.is_some() && form == Form::Strategic {
            return Err(Refusal::media_type("application/strategic-merge-patch+json"));
        }
        let old = self.find(kind, &info, key)?;
        let mut new = Value::clone(&old);
        form.apply(&mut new, patch)?;
        self.put_in(kind, &info, key, &old, new, change).map(|new| (new, false))
    }

    /// Checks an object that takes the place of another, and puts it there.
    fn put_in(
        &mut self,
        kind: K,
        info: &KindInfo,
        key: &Key,
        old: &Arc<Value>,
        mut new: Value,
        change: Change<'_>,
    ) -> Result<Arc<Value>> {
        let version = |object: &Value| words(object, "/metadata/resourceVersion").to_owned();
        let asked = version(&new);
        if !asked.is_empty() && asked != version(old) {
            return Err(Refusal::modified(info, &key.name));
        }
        let part = |from: &Value, to: &mut Value, field: &str| match from.get(field) {
            Some(value) => put(to, &[field], value.clone()),
            None => drop(take(to, &[field])),
        };
        if change.writer.1 == Some("status") {
            let mut kept = Value::clone(old);
            part(&new, &mut kept, "status");
            new = kept;
        } else if info.status {
            part(old, &mut new, "status");
        }
        put(&mut new, &["apiVersion"], info.api_version());
        put(&mut new, &["kind"], info.kind.clone());
        validate::check_update(info, &key.name, old, &new)?;
        for field in [
            "namespace",
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "generation",
            "managedFields",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ] {
            match old.pointer(&format!("/metadata/{field}")) {
                Some(value) => put(&mut new, &["metadata", field], value.clone()),
                None => drop(take(&mut new, &["metadata", field])),
            }
        }
        if change.dry {
            return Ok(Arc::new(new));
        }
        Ok(self.settle(kind, key, old, new, change.writer))
    }

    /// Deletes an object, or begins to; gives the answer.
    pub(super) fn delete(&mut self, kind: K, key: &Key, options: &Value, dry: bool) -> Result<Value> {
        let info = self.info(kind)?;
        let old = self.find(kind, &info, key)?;
        preconditions(&info, &key.name, options, &old)?;
        let uid = words(&old, "/metadata/uid").to_owned();
        let mut details = named(&key.name, &info.group, &info.plural);
        put(&mut details, &["uid"], uid.clone());
        let done = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
        let grace = if kind == K::PODS { grace(&old, options) } else { 0 };
        if dry {
            return Ok(if info.shows_deleted { Value::clone(&old) } else { done });
        }
        if words(options, "/propagationPolicy") == "Orphan" {
            self.orphan(&uid);
        }
        let waits = grace > 0 || !list(&old, "/metadata/finalizers").is_empty() && kind != K::NAMESPACES;
        if !waits {
            let mut last = Value::clone(&old);
            put(&mut last, &["metadata", "deletionTimestamp"], self.now.to_string());
            put(&mut last, &["metadata", "deletionGracePeriodSeconds"], 0);
            self.remove(kind, key);
            return Ok(if info.shows_deleted { last } else { done });
        }
        let left = number(&old, "/metadata/deletionGracePeriodSeconds");
        if text(&old, "/metadata/deletionTimestamp").is_some() && left.is_none_or(|left| left <= grace) {
            return Ok(Value::clone(&old));
        }
        let end = self.now.after(Span::from_secs(grace.unsigned_abs())).to_string();
        let new = self.update(kind, key, CONTROLLER_MANAGER, |object| {
            put(object, &["metadata", "deletionTimestamp"], end);
            put(object, &["metadata", "deletionGracePeriodSeconds"], grace);
            let generation = number(object, "/metadata/generation");
            if let Some(generation) = generation {
                put(object, &["metadata", "generation"], generation + 1);
            }
        });
        Ok(Value::clone(&new.unwrap_or(old)))
    }

    /// Deletes a pod as a controller does.
    pub(super) fn delete_pod(&mut self, key: &Key) {
        // A pod that is gone already needs no deletion.
        let _ = self.delete(K::PODS, key, &json!({}), false);
    }

    /// Deletes what an object that is gone owned.
    pub(super) fn collect_dependents(&mut self, owner: &Value) {
        let uid = words(owner, "/metadata/uid").to_owned();
        if words(owner, "/kind") == "Node" {
            let event = Event::NodeGone(words(owner, "/metadata/name").to_owned());
            self.agenda.at(self.now.after(QUARANTINE), event);
        }
        let pods: Vec<Key> = self.pods.owned(&uid).map(|(key, _)| key.clone()).collect();
        pods.iter().for_each(|key| self.delete_pod(key));
        if words(owner, "/kind") == "Deployment" {
            for key in self.makers.sets(&uid) {
                self.remove(K::REPLICA_SETS, &key);
            }
        }
    }

    /// Lets the dependents of an owner stay when it goes.
    fn orphan(&mut self, uid: &str) {
        let free = |object: &mut Value| drop(take(object, &["metadata", "ownerReferences"]));
        let pods: Vec<Key> = self.pods.owned(uid).map(|(key, _)| key.clone()).collect();
        for key in pods {
            self.update(K::PODS, &key, CONTROLLER_MANAGER, free);
        }
        for key in self.makers.sets(uid) {
            self.update(K::REPLICA_SETS, &key, CONTROLLER_MANAGER, free);
        }
    }
}

/// How long a pod has to end.
fn grace(pod: &Value, options: &Value) -> i64 {
    let finished = matches!(words(pod, "/status/phase"), "Succeeded" | "Failed");
    if finished || words(pod, "/spec/nodeName").is_empty() {
        return 0;
    }
    let own = || number(pod, "/spec/terminationGracePeriodSeconds");
    let asked = number(options, "/gracePeriodSeconds").or_else(own).unwrap_or(30);
    if asked < 0 { 1 } else { asked }
}

/// Refuses a deletion whose preconditions do not hold.
pub(super) fn preconditions(info: &KindInfo, name: &str, options: &Value, found: &Value) -> Result<()> {
    for (field, what) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
        let asked = text(options, &format!("/preconditions/{field}"));
        let is = words(found, &format!("/metadata/{field}"));
        if let Some(asked) = asked.filter(|asked| *asked != is) {
            return Err(Refusal::precondition(info, name, what, asked, is));
        }
    }
    Ok(())
}

/// What a deletion says in its body and in its parameters.
pub(super) fn options(mut body: Value, query: &super::route::Query) -> Result<(Value, bool)> {
    let map = object(&mut body);
    if let Some(grace) = query.number("gracePeriodSeconds")? {
        map.insert("gracePeriodSeconds".to_owned(), grace.into());
    }
    if let Some(policy) = query.get("propagationPolicy") {
        map.insert("propagationPolicy".to_owned(), policy.into());
    }
    let dry = query.dry() || list(&body, "/dryRun").iter().any(|stage| stage.as_str() == Some("All"));
    Ok((body, dry))
}
