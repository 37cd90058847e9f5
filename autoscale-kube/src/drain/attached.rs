//! How many volumes are attached to the nodes that we have closed.

use std::collections::BTreeMap;

use autoscale_core::data::view::{Node, Scope};
use autoscale_core::ports::{Error, ErrorKind};
use serde::Deserialize;

use super::meta::or_default;
use super::survey::Survey;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawAttachment {
    #[serde(deserialize_with = "or_default")]
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(deserialize_with = "or_default")]
    node_name: String,
}

/// Counts the attachments of every node in the scope that carries our mark; asks for none where there is no such node. To be
/// called when pods have been listed: a volume is detached after its pod is gone. Where they may not be looked up nothing is said.
pub(super) async fn look_up(survey: &Survey<'_>, scope: &Scope, nodes: &mut [Node]) -> Result<(), Error> {
    let is_asked = |node: &Node| node.cordon.is_some() && scope.covers(&node.name);
    if !nodes.iter().any(is_asked) {
        return Ok(());
    }
    let path = "/apis/storage.k8s.io/v1/volumeattachments";
    let on = |raw: RawAttachment| Some(raw.spec.node_name);
    let listed: Vec<String> = match survey.pages(path, &[], "list volumeattachments", on).await {
        Ok(listed) => listed,
        Err(error) if matches!(error.kind(), ErrorKind::Denied { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for name in &listed {
        let count = counts.entry(name).or_default();
        *count = count.saturating_add(1);
    }
    for node in nodes.iter_mut().filter(|node| is_asked(node)) {
        node.attached = Some(counts.get(node.name.as_str()).copied().unwrap_or_default());
    }
    Ok(())
}
