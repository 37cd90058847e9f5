//! Where the volumes of pods can be attached.

use std::collections::{BTreeMap, BTreeSet};

use autoscale_core::data::view::{Pod, Spread, Storage};
use autoscale_core::ports::ErrorKind;
use autoscale_core::words::Zone;
use serde::Deserialize;

use super::cache::Cache;
use super::meta::{Meta, or_default};
use super::pod::{Drafts, Open};
use super::rules::NodeSelector;
use super::survey::Survey;
use crate::request::part;

/// Up to so many are asked for one by one; beyond that all are listed.
const FEW: usize = 12;

const HOST: &str = "kubernetes.io/hostname";

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

/// Where a volume can be attached.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Place {
    /// Nowhere but on one node.
    local: bool,
    /// In these zones; `None` is any.
    zones: Option<BTreeSet<Zone>>,
}

impl VolumeSpec {
    pub(super) fn place(&self) -> Place {
        let mut place = Place { local: self.local.is_some() || self.host_path.is_some(), zones: None };
        let terms = self.node_affinity.required.iter().flat_map(|required| &required.node_selector_terms);
        let mut zones = BTreeSet::new();
        let mut anywhere = false;
        for term in terms {
            place.local |= term.match_expressions.iter().any(|e| e.key == HOST);
            let zone = term.match_expressions.iter().find(|e| e.key.ends_with("/zone") && e.operator == "In");
            match zone {
                Some(found) => zones.extend(found.values.iter().filter_map(|zone| Zone::new(zone).ok())),
                None => anywhere = true,
            }
        }
        place.zones = Some(zones).filter(|zones| !anywhere && !zones.is_empty());
        place
    }
}

/// Fills in the zones of pods' volumes, and whether they are local to a node. A pod of whose volumes nothing can be said is
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
            Err(why) => pod.constraints.spread = Spread::Unjudged { why: format!("its volumes: {why}") },
        }
    }
    Ok(())
}

pub(super) type Places = BTreeMap<(String, String), Place>;

fn settle(pod: &mut Pod, open: &Open, places: &Places) {
    let mut zones: Option<BTreeSet<Zone>> = None;
    for claim in &open.claims {
        let Some(place) = places.get(&(pod.namespace.clone(), claim.clone())) else {
            pod.constraints.spread = Spread::Unjudged { why: format!("there is no claim {claim}") };
            continue;
        };
        if place.local {
            pod.storage = Storage::Local;
        }
        zones = match (zones, &place.zones) {
            (Some(before), Some(these)) => Some(before.intersection(these).cloned().collect()),
            (None, Some(these)) => Some(these.clone()),
            (before, None) => before,
        };
    }
    pod.constraints.volume_zones = zones.map(|zones| zones.into_iter().collect());
}

/// Each claim that exists, and where its volume can be attached; one that is not bound yet anywhere.
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
    let place = |claim: &RawClaim| volumes.get(&claim.spec.volume_name).cloned().unwrap_or_default();
    Ok(claims.iter().map(|claim| (key(&claim.metadata), place(claim))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_from_the_affinity_of_volumes() {
        let zones = |names: &[&str]| Some(names.iter().map(|name| Zone::new(name).unwrap()).collect());
        let term = |key: &str, value: &str| {
            format!(r#"{{"matchExpressions":[{{"key":"{key}","operator":"In","values":["{value}"]}}]}}"#)
        };
        let required =
            |terms: &str| format!(r#"{{"nodeAffinity":{{"required":{{"nodeSelectorTerms":[{terms}]}}}}}}"#);
        let (a, b) = (term("topology.kubernetes.io/zone", "a"), term("topology.ebs.csi.aws.com/zone", "b"));
        for (spec, local, expected) in [
            ("{}".to_owned(), false, None),
            (required(&a), false, zones(&["a"])),
            (required(&format!("{a},{b}")), false, zones(&["a", "b"])),
            (required(&format!("{a},{}", term("other", "x"))), false, None),
            (required(&term(HOST, "n1")), true, None),
            (r#"{"local":{"path":"/mnt"}}"#.to_owned(), true, None),
            (r#"{"hostPath":{"path":"/mnt"}}"#.to_owned(), true, None),
        ] {
            let spec: VolumeSpec = serde_json::from_str(&spec).unwrap();
            assert_eq!(spec.place(), Place { local, zones: expected });
        }
    }
}
