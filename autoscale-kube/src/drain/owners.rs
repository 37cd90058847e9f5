//! Whether the controllers of pods are still there.

use std::collections::{BTreeMap, BTreeSet};

use autoscale_core::ports::{Error, ErrorKind};

use super::cache::Cache;
use super::meta::{Bare, OwnerReference};
use super::pod::Draft;
use super::survey::Survey;
use crate::request::part;

/// Controllers that are looked up: kind, group and version, plural.
pub(super) const KINDS: [(&str, &str, &str); 5] = [
    ("ReplicaSet", "apps/v1", "replicasets"),
    ("StatefulSet", "apps/v1", "statefulsets"),
    ("DaemonSet", "apps/v1", "daemonsets"),
    ("Job", "batch/v1", "jobs"),
    ("ReplicationController", "v1", "replicationcontrollers"),
];

/// Up to so many are asked for one by one; beyond that all of a kind are listed.
const FEW: usize = 12;

/// By namespace and name.
pub(super) type Uids = BTreeMap<(String, String), String>;

/// Namespaces and names.
pub(super) type Names = BTreeSet<(String, String)>;

/// Where a group's paths begin.
pub(super) fn root(version: &str) -> String {
    if version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{version}") }
}

/// Fills in whether the controllers of pods on nodes exist. What may not be looked up stays unknown. With a cache it is asked
/// first.
pub(super) async fn look_up(
    survey: &Survey<'_>,
    cache: Option<&Cache>,
    drafts: &mut [Draft],
) -> Result<(), Error> {
    let mut wanted: [Names; KINDS.len()] = Default::default();
    for draft in drafts.iter().filter(|draft| draft.pod.node.is_some()) {
        let Some(owner) = &draft.owner else { continue };
        if let Some(names) = kind(owner).and_then(|kind| wanted.get_mut(kind)) {
            names.insert((draft.pod.namespace.clone(), owner.name.clone()));
        }
    }
    let mut looked: Vec<Option<Uids>> = Vec::with_capacity(KINDS.len());
    for (kind, names) in wanted.iter().enumerate() {
        looked.push(if names.is_empty() { None } else { uids(survey, cache, kind, names).await? });
    }
    for draft in drafts.iter_mut().filter(|draft| draft.pod.node.is_some()) {
        let (Some(reference), Some(shown)) = (&draft.owner, &mut draft.pod.owner) else { continue };
        let uids = kind(reference).and_then(|kind| looked.get(kind)?.as_ref());
        if let Some(uids) = uids {
            let key = (draft.pod.namespace.clone(), reference.name.clone());
            shown.exists = Some(uids.get(&key).is_some_and(|uid| *uid == reference.uid));
        }
    }
    Ok(())
}

/// The uids of the controllers of a kind that are there among those that are asked for; `None` when they may not be looked up.
async fn uids(
    survey: &Survey<'_>,
    cache: Option<&Cache>,
    kind: usize,
    names: &Names,
) -> Result<Option<Uids>, Error> {
    if let Some(cache) = cache
        && let Some(kept) = cache.controllers(survey, kind, names).await
    {
        return Ok(Some(kept));
    }
    let Some((_, version, plural)) = KINDS.get(kind) else { return Ok(None) };
    let root = root(version);
    let found = if names.len() <= FEW {
        let one = |(namespace, name): &(String, String)| {
            format!("{root}/namespaces/{}/{plural}/{}", part(namespace), part(name))
        };
        survey.each::<Bare>(names.iter().map(one), &format!("get {plural}")).await
    } else {
        survey.all::<Bare>(&format!("{root}/{plural}"), &format!("list {plural}")).await
    };
    match found {
        Ok(found) => {
            let uid = |Bare { metadata }: Bare| ((metadata.namespace, metadata.name), metadata.uid);
            Ok(Some(found.into_iter().map(uid).collect()))
        }
        Err(error) if matches!(error.kind(), ErrorKind::Denied { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Which kind a controller is of, if it is looked up and of the group that defines it.
fn kind(owner: &OwnerReference) -> Option<usize> {
    KINDS.iter().position(|(kind, version, _)| *kind == owner.kind && *version == owner.api_version)
}
