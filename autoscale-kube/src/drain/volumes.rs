//! Where the volumes of pods can be attached.

use std::collections::{BTreeMap, BTreeSet};

use autoscale_core::data::view::{Pod, Storage};
use autoscale_core::ports::ErrorKind;
use serde::Deserialize;

use super::cache::Cache;
use super::meta::{Meta, or_default};
use super::place::Place;
use super::pod::{Drafts, Open};
use super::rules::{NodeSelector, unjudge};
use super::survey::Survey;
use crate::request::part;

/// Up to so many are asked for one by one; beyond that all are listed.
const FEW: usize = 12;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawClaim {
    pub(super) metadata: Meta,
    pub(super) spec: ClaimSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ClaimSpec {
    #[serde(deserialize_with = "or_default")]
    pub(super) volume_name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawVolume {
    pub(super) metadata: Meta,
    pub(super) spec: VolumeSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct VolumeSpec {
    #[serde(deserialize_with = "or_default")]
    node_affinity: VolumeAffinity,
    local: Option<serde::de::IgnoredAny>,
    host_path: Option<serde::de::IgnoredAny>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct VolumeAffinity {
    required: Option<NodeSelector>,
}

impl VolumeSpec {
    pub(super) fn place(&self) -> Place {
        let on_a_disk = self.local.is_some() || self.host_path.is_some();
        Place::of(on_a_disk, self.node_affinity.required.as_ref())
    }
}

/// Fills in where pods' volumes can be attached, and whether they are local to a node. A pod of whose volumes nothing can be said is
/// not judged: it holds its node, and nothing is bought for it.
pub(super) async fn look_up(
    survey: &Survey<'_>,
    cache: Option<&Cache>,
    drafts: &mut Drafts,
) -> Result<(), autoscale_core::ports::Error> {
    let mut wanted: BTreeSet<(String, String)> = BTreeSet::new();
    for (pod, open) in drafts.iter() {
        wanted.extend(open.claims.iter().map(|claim| (pod.namespace.clone(), claim.clone())));
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let kept = match cache {
        Some(cache) => cache.places(survey, &wanted).await,
        None => None,
    };
    let looked = match kept {
        Some(places) => Ok(places),
        None => places(survey, &wanted).await,
    };
    let places = match looked {
        Ok(places) => Ok(places),
        Err(error) if matches!(error.kind(), ErrorKind::Denied { .. }) => Err(error.chain()),
        Err(error) => return Err(error),
    };
    for (pod, open) in drafts.iter_mut().filter(|(_, open)| !open.claims.is_empty()) {
        match &places {
            Ok(places) => settle(pod, open, places),
            Err(why) => unjudge(pod, &format!("its volumes: {why}")),
        }
    }
    Ok(())
}

/// By namespace and name of the claim; `None` for one that is bound to a volume which is not there.
pub(super) type Places = BTreeMap<(String, String), Option<Place>>;

fn settle(pod: &mut Pod, open: &Open, places: &Places) {
    for claim in &open.claims {
        match places.get(&(pod.namespace.clone(), claim.clone())) {
            None => unjudge(pod, &format!("there is no claim {claim}")),
            Some(None) => unjudge(pod, &format!("there is no volume of its claim {claim}")),
            Some(Some(place)) => {
                if place.is_local() {
                    pod.storage = Storage::Local;
                }
                if !place.narrow(&mut pod.constraints) {
                    unjudge(pod, "its volumes can be in too many places");
                }
            }
        }
    }
}

/// Each claim that exists, and where its volume can be attached: one that is not bound yet anywhere.
async fn places(
    survey: &Survey<'_>,
    wanted: &BTreeSet<(String, String)>,
) -> Result<Places, autoscale_core::ports::Error> {
    let few = wanted.len() <= FEW;
    let claims: Vec<RawClaim> = if few {
        let one = |(namespace, name): &(String, String)| {
            format!("/api/v1/namespaces/{}/persistentvolumeclaims/{}", part(namespace), part(name))
        };
        survey.each(wanted.iter().map(one), "get persistentvolumeclaims").await?
    } else {
        survey.all("/api/v1/persistentvolumeclaims", "list persistentvolumeclaims").await?
    };
    let key = |meta: &Meta| (meta.namespace.clone(), meta.name.clone());
    let claims: Vec<RawClaim> =
        claims.into_iter().filter(|claim| wanted.contains(&key(&claim.metadata))).collect();
    let names: BTreeSet<&str> =
        claims.iter().map(|claim| claim.spec.volume_name.as_str()).filter(|name| !name.is_empty()).collect();
    let volumes: Vec<RawVolume> = if names.is_empty() {
        Vec::new()
    } else if few {
        let one = |name: &&str| format!("/api/v1/persistentvolumes/{}", part(name));
        survey.each(names.iter().map(one), "get persistentvolumes").await?
    } else {
        survey.all("/api/v1/persistentvolumes", "list persistentvolumes").await?
    };
    let volumes: BTreeMap<String, Place> =
        volumes.into_iter().map(|volume| (volume.metadata.name, volume.spec.place())).collect();
    let place = |claim: &RawClaim| match claim.spec.volume_name.as_str() {
        "" => Some(Place::default()),
        bound => volumes.get(bound).cloned(),
    };
    Ok(claims.iter().map(|claim| (key(&claim.metadata), place(claim))).collect())
}
