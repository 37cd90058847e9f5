//! Whether the controllers of pods are still there.

use std::collections::{BTreeMap, BTreeSet};

use autoscale_core::ports::ErrorKind;

use super::meta::{Bare, OwnerReference};
use super::pod::Draft;
use super::survey::Survey;
use crate::request::part;

/// Controllers that are looked up: kind, group and version, plural.
const KINDS: [(&str, &str, &str); 5] = [
    ("ReplicaSet", "apps/v1", "replicasets"),
    ("StatefulSet", "apps/v1", "statefulsets"),
    ("DaemonSet", "apps/v1", "daemonsets"),
    ("Job", "batch/v1", "jobs"),
    ("ReplicationController", "v1", "replicationcontrollers"),
];

/// Up to so many are asked for one by one; beyond that all of a kind are listed.
const FEW: usize = 12;

/// A controller: its kind, namespace and name.
type Key = (String, String, String);

/// Fills in whether the controllers of pods on nodes exist. What may not be looked up stays unknown.
pub(super) async fn look_up(
    survey: &Survey<'_>,
    drafts: &mut [Draft],
) -> Result<(), autoscale_core::ports::Error> {
    let mut wanted: BTreeMap<&str, BTreeSet<(String, String)>> = BTreeMap::new();
    for draft in drafts.iter().filter(|draft| draft.pod.node.is_some()) {
        let Some(owner) = &draft.owner else { continue };
        if let Some((kind, ..)) = known(owner) {
            wanted.entry(kind).or_default().insert((draft.pod.namespace.clone(), owner.name.clone()));
        }
    }
    let mut uids: BTreeMap<Key, String> = BTreeMap::new();
    let mut looked: BTreeSet<&str> = BTreeSet::new();
    for (kind, version, plural) in KINDS {
        let Some(names) = wanted.get(kind) else { continue };
        let root = if version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{version}") };
        let found = if names.len() <= FEW {
            let one = |(namespace, name): &(String, String)| {
                format!("{root}/namespaces/{}/{plural}/{}", part(namespace), part(name))
            };
            survey.each::<Bare>(names.iter().map(one), &format!("get {plural}")).await
        } else {
            survey.all::<Bare>(&format!("{root}/{plural}"), &format!("list {plural}")).await
        };
        let found = match found {
            Ok(found) => found,
            Err(error) if matches!(error.kind(), ErrorKind::Denied { .. }) => continue,
            Err(error) => return Err(error),
        };
        looked.insert(kind);
        for Bare { metadata } in found {
            uids.insert((kind.to_owned(), metadata.namespace, metadata.name), metadata.uid);
        }
    }
    for draft in drafts {
        let (Some(reference), Some(shown)) = (&draft.owner, &mut draft.pod.owner) else { continue };
        let Some((kind, ..)) = known(reference).filter(|(kind, ..)| looked.contains(kind)) else { continue };
        let key = (kind.to_owned(), draft.pod.namespace.clone(), reference.name.clone());
        shown.exists = Some(uids.get(&key).is_some_and(|uid| *uid == reference.uid));
    }
    Ok(())
}

/// A controller of a kind that is looked up, of the group that defines it.
fn known(owner: &OwnerReference) -> Option<(&'static str, &'static str, &'static str)> {
    KINDS.into_iter().find(|(kind, version, _)| *kind == owner.kind && *version == owner.api_version)
}
