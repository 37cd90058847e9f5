//! Which pods wait because of our own evictions (rule R16).

use crate::data::record::{OpKind, Record};
use crate::data::view::{ClusterView, Pod, PodPhase};
use crate::words::{Fnv128, NodeName};

/// Most controllers remembered for one removal.
pub(crate) const MAX_DISPLACED: usize = 128;

/// A short hash of a pod's controller. Two controllers with the same one only delay a recall.
pub(crate) fn owner_hash(pod: &Pod) -> Option<u32> {
    let owner = pod.owner.as_ref()?;
    let text = format!("{}/{}/{}", pod.namespace, owner.kind, owner.name);
    let hash = Fnv128::default().with(text.as_bytes()).finish();
    Some((hash ^ (hash >> 64)) as u32)
}

/// Whether a pod waits for a node, as the scheduler says.
pub(crate) fn waits(pod: &Pod) -> bool {
    pod.node.is_none()
        && pod.phase == PodPhase::Pending
        && pod.unschedulable_since.is_some()
        && pod.deleted_at.is_none()
        && !pod.is_daemon()
}

/// Whether an open removal has moved pods of the same controller.
pub(crate) fn is_displaced(record: &Record, pod: &Pod) -> bool {
    let Some(hash) = owner_hash(pod) else { return false };
    record.ops.iter().any(|op| match &op.kind {
        OpKind::Remove(remove) => remove.displaced.binary_search(&hash).is_ok(),
        OpKind::Launch(_) => false,
    })
}

/// The controllers whose pods have to leave a node, as sorted short hashes.
pub(crate) fn displaced_by(cluster: &ClusterView, node: &NodeName) -> Vec<u32> {
    let pods = crate::logic::movable::evictable(cluster, node);
    let hashes: std::collections::BTreeSet<u32> = pods.filter_map(owner_hash).collect();
    hashes.into_iter().take(MAX_DISPLACED).collect()
}
