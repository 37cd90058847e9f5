//! Events as they are sent: pure.

use autoscale_core::words::Timestamp;
use http::Request;
use serde_json::{Value, json};

use super::config::EventConfig;
use super::told::{Regarding, Told};
use crate::request::{part, patch, post};
use crate::time::micros;

fn reference(about: &Regarding, config: &EventConfig) -> Value {
    match about {
        Regarding::Node { name, uid } => {
            json!({"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid})
        }
        Regarding::Pod { namespace, name, uid } => {
            json!({"apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": name, "uid": uid})
        }
        Regarding::Pools => json!({"apiVersion": config.api_version, "kind": config.kind,
            "namespace": config.namespace, "name": config.name}),
    }
}

fn all(namespace: &str) -> String {
    format!("/apis/events.k8s.io/v1/namespaces/{}/events", part(namespace))
}

/// A new event.
pub(super) fn create(
    namespace: &str,
    name: &str,
    told: &Told,
    config: &EventConfig,
    at: Timestamp,
) -> Request<Vec<u8>> {
    let mut event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event",
        "metadata": {"namespace": namespace, "name": name},
        "eventTime": micros(at),
        "type": if told.warning { "Warning" } else { "Normal" },
        "reason": told.reason,
        "action": told.action,
        "note": told.note,
        "reportingController": config.controller(),
        "reportingInstance": config.instance,
        "regarding": reference(&told.regarding, config),
    });
    if let (Some(related), Value::Object(event)) = (&told.related, &mut event) {
        event.insert("related".to_owned(), reference(related, config));
    }
    post(&all(namespace), &event)
}

/// An event that has happened again.
pub(super) fn again(namespace: &str, name: &str, count: u32, at: Timestamp) -> Request<Vec<u8>> {
    let body = json!({"series": {"count": count, "lastObservedTime": micros(at)}});
    patch(&format!("{}/{}", all(namespace), part(name)), &body)
}
