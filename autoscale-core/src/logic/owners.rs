//! Which pods wait because of our own evictions (rule R16).

use crate::data::record::{OpKind, Record, RemoveState};
use crate::data::view::{Cluster, PodClass};
use crate::words::Fnv128;

/// Most controllers remembered for one removal.
pub(crate) const MAX_DISPLACED: usize = 128;

/// A short hash of a controller. Two controllers with the same one only delay a recall.
pub(crate) fn owner_hash(class: &PodClass) -> Option<u32> {
    let owner = class.owner.as_ref()?;
    let text = format!("{}/{}/{}", class.namespace, owner.kind, owner.name);
    let hash = Fnv128::default().with(text.as_bytes()).finish();
    Some((hash ^ (hash >> 64)) as u32)
}

/// Whether an open removal that may yet be taken back has moved pods of the same controller. One that goes forward for good,
/// or that is parked, gives no room back: what waits because of it is demand like any other.
pub(crate) fn is_displaced(record: &Record, class: &PodClass) -> bool {
    let mut removals = record.ops.iter().filter_map(|op| match &op.kind {
        OpKind::Remove(remove) => match remove.state {
            RemoveState::Planned | RemoveState::Cordoned | RemoveState::RollingBack { .. } => Some(remove),
            RemoveState::Terminating { .. } | RemoveState::Gone | RemoveState::Parked { .. } => None,
        },
        OpKind::Launch(_) => None,
    });
    let Some(first) = removals.next() else { return false };
    let Some(hash) = owner_hash(class) else { return false };
    let mut all = std::iter::once(first).chain(removals);
    all.any(|remove| remove.displaced.binary_search(&hash).is_ok())
}

/// The controllers whose pods have to leave a node, as sorted short hashes.
pub(crate) fn displaced_by(cluster: &Cluster, node: usize) -> Vec<u32> {
    let classes = cluster.evictable(node).map(|(_, class)| class);
    let hashes: std::collections::BTreeSet<u32> = classes.filter_map(owner_hash).collect();
    hashes.into_iter().take(MAX_DISPLACED).collect()
}
