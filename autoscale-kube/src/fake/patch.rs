//! Changing an object by a patch: merge, strategic merge, JSON patch.

use serde_json::{Map, Value};

use super::json::{list, text};
use super::refusal::{Refusal, Result};

/// How a patch is meant, by its content type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Merge,
    Strategic,
    Json,
    /// Server-side apply, taken as a strategic merge by its manager.
    Apply,
}

impl Form {
    pub(super) fn of(content_type: &str) -> Result<Self> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" => Ok(Self::Strategic),
            "application/json-patch+json" => Ok(Self::Json),
            "application/apply-patch+yaml" => Ok(Self::Apply),
            other => Err(Refusal::media_type(other)),
        }
    }

    /// Changes an object.
    pub(super) fn apply(self, object: &mut Value, patch: &Value) -> Result<()> {
        match self {
            Self::Merge => merge(object, patch),
            Self::Strategic | Self::Apply => strategic("", object, patch),
            Self::Json => {
                for step in list(patch, "") {
                    operate(object, step).ok_or_else(Refusal::unpatchable)?;
                }
            }
        }
        Ok(())
    }
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    let target = super::json::object(target);
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}

/// By which field the entries of a list are told apart; `None`: the list is replaced as a whole.
fn merge_key(list: &str) -> Option<&'static str> {
    match list {
        "conditions" | "addresses" => Some("type"),
        "containers" | "initContainers" | "volumes" | "env" => Some("name"),
        "taints" => Some("key"),
        "ownerReferences" => Some("uid"),
        "volumeMounts" => Some("mountPath"),
        _ => None,
    }
}

fn strategic(name: &str, target: &mut Value, patch: &Value) {
    match patch {
        Value::Object(patch) => strategic_object(target, patch),
        Value::Array(entries) => match merge_key(name) {
            Some(key) => strategic_list(key, target, entries),
            None => *target = patch.clone(),
        },
        _ => *target = patch.clone(),
    }
}

fn strategic_object(target: &mut Value, patch: &Map<String, Value>) {
    if patch.get("$patch").and_then(Value::as_str) == Some("replace") {
        let mut whole = patch.clone();
        whole.remove("$patch");
        *target = Value::Object(whole);
        return;
    }
    let target = super::json::object(target);
    for (key, value) in patch {
        if key.starts_with('$') {
            continue;
        }
        if value.is_null() {
            target.remove(key);
        } else {
            strategic(key, target.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}

fn strategic_list(key: &str, target: &mut Value, entries: &[Value]) {
    let target = super::json::array(target);
    let mode = |entry: &Value| entry.get("$patch").and_then(Value::as_str).map(str::to_owned);
    if entries.iter().any(|entry| mode(entry).as_deref() == Some("replace")) {
        *target = entries.iter().filter(|entry| mode(entry).is_none()).cloned().collect();
        return;
    }
    for entry in entries {
        let place = target.iter().position(|found| found.get(key) == entry.get(key));
        match (mode(entry).as_deref(), place) {
            (Some("delete"), Some(place)) => drop(target.remove(place)),
            (Some("delete"), None) => {}
            (_, place) => match place.and_then(|place| target.get_mut(place)) {
                Some(found) => strategic("", found, entry),
                None => {
                    let mut new = Value::Null;
                    strategic("", &mut new, entry);
                    target.push(new);
                }
            },
        }
    }
}

/// One step of RFC 6902; `None`: it cannot be done.
fn operate(object: &mut Value, step: &Value) -> Option<()> {
    let (path, value) = (text(step, "/path")?, step.get("value"));
    match text(step, "/op")? {
        "test" => (object.pointer(path)? == value?).then_some(()),
        "add" => add(object, path, value?.clone()),
        "replace" => {
            *object.pointer_mut(path)? = value?.clone();
            Some(())
        }
        "remove" => remove(object, path).map(drop),
        "move" => {
            let moved = remove(object, text(step, "/from")?)?;
            add(object, path, moved)
        }
        "copy" => {
            let copied = object.pointer(text(step, "/from")?)?.clone();
            add(object, path, copied)
        }
        _ => None,
    }
}

/// The parent of a pointer, and the last step to it.
fn parent<'v>(object: &'v mut Value, path: &str) -> Option<(&'v mut Value, String)> {
    let (way, last) = path.rsplit_once('/')?;
    Some((object.pointer_mut(way)?, last.replace("~1", "/").replace("~0", "~")))
}

fn add(object: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *object = value;
        return Some(());
    }
    match parent(object, path)? {
        (Value::Object(map), last) => drop(map.insert(last, value)),
        (Value::Array(list), last) if last == "-" => list.push(value),
        (Value::Array(list), last) => {
            let place = last.parse().ok().filter(|place: &usize| *place <= list.len())?;
            list.insert(place, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(object: &mut Value, path: &str) -> Option<Value> {
    match parent(object, path)? {
        (Value::Object(map), last) => map.remove(&last),
        (Value::Array(list), last) => {
            let place = last.parse().ok().filter(|place: &usize| *place < list.len())?;
            Some(list.remove(place))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(form: Form, mut object: Value, patch: Value) -> Option<Value> {
        form.apply(&mut object, &patch).ok().map(|()| object)
    }

    #[test]
    fn a_merge_replaces_lists_and_removes_nulls() {
        let object = json!({"a": {"b": 1, "c": 2}, "l": [1]});
        let patch = json!({"a": {"b": null, "d": {"e": null}}, "l": [2]});
        assert_eq!(patched(Form::Merge, object, patch), Some(json!({"a": {"c": 2, "d": {}}, "l": [2]})));
    }

    #[test]
    fn a_strategic_merge_joins_lists_by_their_key() {
        let object =
            json!({"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "b"}], "args": [1]}});
        let patch = json!({"spec": {"args": [2], "taints": [
            {"key": "a", "effect": "NoExecute"}, {"key": "c"}, {"key": "b", "$patch": "delete"}]}});
        let wanted =
            json!({"spec": {"taints": [{"key": "a", "effect": "NoExecute"}, {"key": "c"}], "args": [2]}});
        assert_eq!(patched(Form::Strategic, object, patch), Some(wanted));
    }

    #[test]
    fn a_json_patch_is_all_or_nothing() {
        let object = json!({"m": {"uid": "u"}, "l": [1, 3]});
        let patch = json!([{"op": "test", "path": "/m/uid", "value": "u"}, {"op": "add", "path": "/l/1", "value": 2},
            {"op": "add", "path": "/m/x~1y", "value": true}, {"op": "remove", "path": "/l/0"}]);
        let wanted = json!({"m": {"uid": "u", "x/y": true}, "l": [2, 3]});
        assert_eq!(patched(Form::Json, object.clone(), patch), Some(wanted));
        let other = json!([{"op": "test", "path": "/m/uid", "value": "v"}]);
        assert_eq!(patched(Form::Json, object.clone(), other), None);
        let missing = json!([{"op": "remove", "path": "/m/none"}]);
        assert_eq!(patched(Form::Json, object, missing), None);
    }
}
