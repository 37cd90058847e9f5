//! Whether the controllers of pods are still there.

use std::collections::{BTreeMap, BTreeSet};

use autoscale_core::data::view::{Eviction, Pod};
use autoscale_core::ports::{Error, ErrorKind};

use super::cache::Cache;
use super::config::OwnerKind;
use super::meta::{Bare, OwnerReference};
use super::pod::Drafts;
use super::rules::unjudge;
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

/// The controller of a pod.
#[derive(Clone, Debug)]
pub(super) enum Controller {
    /// Of a kind that is looked up, with its uid; its name is the pod's.
    Known(usize, Box<str>),
    /// Of any other kind.
    Other(Box<OwnerKind>),
}

impl Controller {
    pub(super) fn of(owner: &OwnerReference) -> Self {
        let (group, _) = owner.api_version.rsplit_once('/').unwrap_or_default();
        let known = KINDS.iter().position(|(kind, version, _)| {
            *kind == owner.kind && version.rsplit_once('/').map_or("", |(group, _)| group) == group
        });
        match known {
            Some(kind) => Self::Known(kind, owner.uid.as_str().into()),
            None => Self::Other(Box::new(OwnerKind::said(&owner.kind, group))),
        }
    }
}

/// Fills in whether the controllers of pods on nodes exist. With a cache it is asked first. A pod is not judged whose controller
/// may not be looked up, or is of a kind of which nobody has said that it makes its pods again.
pub(super) async fn look_up(
    survey: &Survey<'_>,
    cache: Option<&Cache>,
    drafts: &mut Drafts,
    trusted: &BTreeSet<OwnerKind>,
) -> Result<(), Error> {
    let mut wanted: [Names; KINDS.len()] = Default::default();
    for (pod, open) in drafts.iter().filter(|(pod, _)| pod.node.is_some()) {
        let (Some(owner), Some(Controller::Known(kind, _))) = (&pod.owner, &open.owner) else { continue };
        if let Some(names) = wanted.get_mut(*kind) {
            names.insert((pod.namespace.clone(), owner.name.clone()));
        }
    }
    let mut looked: Vec<Result<Uids, String>> = Vec::with_capacity(KINDS.len());
    for (kind, names) in wanted.iter().enumerate() {
        looked.push(if names.is_empty() {
            Ok(Uids::new())
        } else {
            uids(survey, cache, kind, names).await?
        });
    }
    for (pod, open) in drafts.iter_mut() {
        match &open.owner {
            Some(Controller::Known(kind, uid)) if pod.node.is_some() => {
                if let Some(looked) = looked.get(*kind) {
                    settle(pod, uid, looked);
                }
            }
            Some(Controller::Other(kind)) if !trusted.contains(kind) => distrust(pod, kind),
            Some(Controller::Known(..) | Controller::Other(_)) | None => {}
        }
    }
    Ok(())
}

fn settle(pod: &mut Pod, uid: &str, looked: &Result<Uids, String>) {
    let Some(owner) = &mut pod.owner else { return };
    match looked {
        Ok(uids) => {
            let key = (pod.namespace.clone(), owner.name.clone());
            owner.exists = Some(uids.get(&key).is_some_and(|found| found == uid));
        }
        Err(why) => {
            let why = format!("whether its {} is there may not be looked up: {why}", owner.kind);
            unjudge(pod, &why);
        }
    }
}

/// Whether such a controller makes its pods again, or does when their node is gone, is its own affair. It goes by its full name:
/// a `DaemonSet` of another group may be none. Whom an annotation lets go, goes.
fn distrust(pod: &mut Pod, kind: &OwnerKind) {
    if let Some(owner) = &mut pod.owner {
        owner.kind = kind.to_string();
    }
    if pod.node.is_some() && !pod.mirror && pod.eviction != Eviction::Safe {
        unjudge(pod, &format!("its owner is a {kind}, which is not among the trusted owners"));
    }
}

/// The uids of the controllers of a kind that are there among those that are asked for; why, when they may not be looked up.
async fn uids(
    survey: &Survey<'_>,
    cache: Option<&Cache>,
    kind: usize,
    names: &Names,
) -> Result<Result<Uids, String>, Error> {
    if let Some(cache) = cache
        && let Some(kept) = cache.controllers(survey, kind, names).await
    {
        return Ok(Ok(kept));
    }
    let Some((_, version, plural)) = KINDS.get(kind) else { return Ok(Ok(Uids::new())) };
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
        Ok(found) => Ok(Ok(found)),
        Err(error) if matches!(error.kind(), ErrorKind::Denied { .. }) => Ok(Err(error.chain())),
        Err(error) => Err(error),
    }
}
