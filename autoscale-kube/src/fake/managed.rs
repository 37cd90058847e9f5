//! Who manages the fields of an object. Which fields is not modelled: `fieldsV1` is empty.

use autoscale_core::words::Timestamp;
use serde_json::{Value, json};

use super::json::{array, put, slot, text, words};
use super::world::Writer;

/// Whether an object that somebody sends has any field to manage.
pub(super) fn has_fields(object: &Value) -> bool {
    let parts = object.as_object().into_iter().flatten();
    let mut rest =
        parts.filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind" | "metadata" | "status"));
    let meta = ["labels", "annotations", "ownerReferences", "finalizers", "generateName"];
    rest.any(|(_, value)| !value.is_null())
        || meta
            .iter()
            .any(|field| object.pointer(&format!("/metadata/{field}")).is_some_and(|at| !at.is_null()))
}

/// Notes who wrote last, and when.
pub(super) fn sign(
    object: &mut Value,
    (manager, subresource): Writer<'_>,
    api_version: &str,
    now: Timestamp,
) {
    let entries = array(slot(object, &["metadata", "managedFields"]));
    let same = |entry: &&mut Value| {
        words(entry, "/manager") == manager && text(entry, "/subresource") == subresource
    };
    if let Some(entry) = entries.iter_mut().find(same) {
        put(entry, &["time"], now.to_string());
        return;
    }
    let mut entry = json!({
        "manager": manager, "operation": "Update", "apiVersion": api_version, "time": now.to_string(),
        "fieldsType": "FieldsV1", "fieldsV1": {},
    });
    if let Some(subresource) = subresource {
        put(&mut entry, &["subresource"], subresource);
    }
    entries.push(entry);
}
