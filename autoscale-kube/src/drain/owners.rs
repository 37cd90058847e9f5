//! Whether the controllers of pods are still there.

use std::collections::{BTreeMap, BTreeSet};

use autoscale_core::ports::{Error, ErrorKind};

use super::cache::Cache;
use super::meta::{Bare, OwnerReference};
use super::pod::Drafts;
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
    drafts: &mut Drafts,
) -> Result<(), Error> {
    let mut wanted: [Names; KINDS.len()] = Default::default();
    for (pod, open) in drafts.iter().filter(|(pod, _)| pod.node.is_some()) {
        let (Some(owner), Some((kind, _))) = (&pod.owner, &open.owner) else { continue };
        if let Some(names) = wanted.get_mut(*kind) {
            names.insert((pod.namespace.clone(), owner.name.clone()));
        }
    }
    let mut looked: Vec<Option<Uids>> = Vec::with_capacity(KINDS.len());
    for (kind, names) in wanted.iter().enumerate() {
        looked.push(if names.is_empty() { None } else { uids(survey, cache, kind, names).await? });
    }
    for (pod, open) in drafts.iter_mut().filter(|(pod, _)| pod.node.is_some()) {
        let (Some(shown), Some((kind, uid))) = (&mut pod.owner, &open.owner) else { continue };
        if let Some(uids) = looked.get(*kind).and_then(Option::as_ref) {
            let key = (pod.namespace.clone(), shown.name.clone());
            shown.exists = Some(uids.get(&key).is_some_and(|found| **found == **uid));
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
    let uid = |Bare { metadata }: Bare| ((metadata.namespace, metadata.name), metadata.uid);
    let found: Result<Uids, Error> = if names.len() <= FEW {
        let one = |(namespace, name): &(String, String)| {
            format!("{root}/namespaces/{}/{plural}/{}", part(namespace), part(name))
        };
        let found = survey.each::<Bare>(names.iter().map(one), &format!("get {plural}")).await;
        found.map(|found| found.into_iter().map(uid).collect())
    } else {
        survey
            .pages(&format!("{root}/{plural}"), &[], &format!("list {plural}"), |bare| Some(uid(bare)))
            .await
    };
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), ErrorKind::Denied { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Which kind a controller is of, if it is looked up and of the group that defines it.
pub(super) fn kind(owner: &OwnerReference) -> Option<usize> {
    KINDS.iter().position(|(kind, version, _)| *kind == owner.kind && *version == owner.api_version)
}
