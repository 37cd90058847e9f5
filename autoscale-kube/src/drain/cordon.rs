//! Cordons: one conditional write each.

use autoscale_core::data::order::{CordonOrder, Cordoned, ForgetOrder};
use autoscale_core::ports::Error;
use serde_json::{Value, json};

use super::config::DrainConfig;
use super::node::{RawNode, write_mark};
use crate::connection::{Connection, silent};
use crate::request::{delete, get, part, patch};

/// How often a write is tried again that lost against another change of the node.
const MAX_TRIES: u32 = 5;

/// Whether new pods are kept away, and the traces we leave, in one patch that names the version it was made for.
fn change(order: &CordonOrder, away: bool, seen: &RawNode, config: &DrainConfig) -> Value {
    let mark = if away { Value::from(write_mark(&order.mark)) } else { Value::Null };
    json!({
        "metadata": {
            "resourceVersion": seen.metadata.resource_version,
            "uid": seen.metadata.uid,
            "annotations": { (config.mark()): mark, (config.stamp()): order.stamp.get().to_string() },
        },
        "spec": { "unschedulable": if away { Value::from(true) } else { Value::Null } },
    })
}

/// Reads the node, and writes if it is still the one that was read. `late` tells that nothing more may be sent.
pub(super) async fn cordon(
    (connection, config): (&Connection, &DrainConfig),
    order: &CordonOrder,
    away: bool,
    late: impl Fn() -> Result<(), Error>,
) -> Result<Cordoned, Error> {
    let path = format!("/api/v1/nodes/{}", part(order.node.as_str()));
    let attempted = if away { format!("cordon {}", order.node) } else { format!("uncordon {}", order.node) };
    let mut tries = 0;
    loop {
        tries += 1;
        let answer = connection.send(get(&path, &[])).await;
        let answer = answer.map_err(|silence| silent(silence, &attempted, false))?;
        match answer.failure() {
            Some(failure) if failure.code == 404 => return Ok(Cordoned::Gone),
            Some(failure) => return Err(failure.into_error(&attempted, "get nodes", false)),
            None => {}
        }
        let node: RawNode = answer.parse().map_err(|error| {
            Error::new(autoscale_core::ports::ErrorKind::Unavailable, &attempted).with_source(error)
        })?;
        if node.metadata.uid != order.node_uid.as_str() {
            return Ok(Cordoned::Gone);
        }
        if node.stamp(config).is_some_and(|stamp| stamp > order.stamp) {
            return Ok(Cordoned::Superseded);
        }
        late()?;
        let answer = connection.send(patch(&path, &change(order, away, &node, config))).await;
        let answer = answer.map_err(|silence| silent(silence, &attempted, true))?;
        match answer.failure() {
            None => return Ok(Cordoned::Done),
            Some(failure) if failure.code == 404 => return Ok(Cordoned::Gone),
            // The node has changed since it was read; most often its kubelet has reported.
            Some(failure) if failure.code == 409 && tries < MAX_TRIES => late()?,
            Some(failure) if failure.code == 409 => {
                let why = format!("{attempted}: the node kept changing");
                return Err(Error::new(
                    autoscale_core::ports::ErrorKind::Throttled { retry_after: None },
                    why,
                ));
            }
            Some(failure) => return Err(failure.into_error(&attempted, "patch nodes", true)),
        }
    }
}

/// Deletes the Node object, if it is the one of the order.
pub(super) async fn forget(connection: &Connection, order: &ForgetOrder) -> Result<(), Error> {
    let path = format!("/api/v1/nodes/{}", part(order.node.as_str()));
    let attempted = format!("delete the Node object {}", order.node);
    let body = json!({ "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": { "uid": order.node_uid.as_str() } });
    let answer = connection.send(delete(&path, &body)).await;
    let answer = answer.map_err(|silence| silent(silence, &attempted, true))?;
    match answer.failure() {
        None => Ok(()),
        // Gone already, or another one under its name: that one is not ours to delete.
        Some(failure) if matches!(failure.code, 404 | 409) => Ok(()),
        Some(failure) => Err(failure.into_error(&attempted, "delete nodes", true)),
    }
}
