//! A Node object as a fact of the view.

use autoscale_core::data::view::{CORDON_TAINT, CordonMark, Node, Ready, Taint, TaintEffect};
use autoscale_core::words::{Extended, Inc, NodeName, NodeUid, PoolName, Resources, Timestamp, Ver, Zone};
use serde::Deserialize;
use std::collections::BTreeMap;

use super::config::DrainConfig;
use super::meta::{Meta, or_default};
use crate::{quantity, time};

const ZONES: [&str; 2] = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];

/// Labels and taints of the control plane.
const CONTROL_PLANE: [&str; 3] = [
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
    "node-role.kubernetes.io/etcd",
];

/// Annotations of others that forbid to remove a node, and the value with which they do.
const KEPT_BY: [(&str, &str); 2] = [
    ("cluster-autoscaler.kubernetes.io/scale-down-disabled", "true"),
    ("karpenter.sh/do-not-disrupt", "true"),
];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawNode {
    pub(super) metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(rename = "providerID")]
    provider_id: Option<String>,
    #[serde(deserialize_with = "or_default")]
    unschedulable: bool,
    #[serde(deserialize_with = "or_default")]
    taints: Vec<RawTaint>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RawTaint {
    key: String,
    #[serde(deserialize_with = "or_default")]
    value: String,
    effect: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "or_default")]
    allocatable: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "or_default")]
    addresses: Vec<Address>,
}

/// One condition of an object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) name: String,
    pub(super) status: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) reason: String,
    pub(super) last_transition_time: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

/// The effect of a taint, as it is written.
pub(super) fn effect(text: &str) -> Option<TaintEffect> {
    match text {
        "NoSchedule" => Some(TaintEffect::NoSchedule),
        "PreferNoSchedule" => Some(TaintEffect::PreferNoSchedule),
        "NoExecute" => Some(TaintEffect::NoExecute),
        _ => None,
    }
}

impl RawNode {
    /// The highest stamp of ours on it.
    pub(super) fn stamp(&self, config: &DrainConfig) -> Option<Ver> {
        self.metadata.annotations.get(&config.stamp())?.parse().ok().map(Ver::new)
    }

    /// As a fact. `None` for an object whose name or uid is none: no API server gives one.
    pub(super) fn fact(&self, config: &DrainConfig) -> Option<Node> {
        let Self { metadata, spec, status } = self;
        let created = metadata.creation_timestamp.as_deref().and_then(time::rfc_3339);
        let (resources, extended) = offered(&status.allocatable);
        let name = NodeName::new(&metadata.name).ok()?;
        let uid = NodeUid::new(&metadata.uid).ok()?;
        let mut node = Node::new(name, uid, created.unwrap_or(Timestamp::from_millis(0)), resources);
        node.provider_id = spec.provider_id.clone().filter(|id| !id.is_empty());
        node.address = status.addresses.iter().find(|a| a.kind == "InternalIP").map(|a| a.address.clone());
        node.pool = metadata.labels.get(&config.pool_label).and_then(|pool| PoolName::new(pool).ok());
        let zone = ZONES.iter().find_map(|label| metadata.labels.get(*label));
        node.zone = zone.and_then(|zone| Zone::new(zone).ok());
        let ready = status.conditions.iter().any(|c| c.name == "Ready" && c.status == "True");
        node.ready = if ready { Ready::Yes } else { Ready::No };
        node.unschedulable = spec.unschedulable;
        node.cordon = metadata.annotations.get(&config.mark()).and_then(|text| read_mark(text));
        node.stamp = self.stamp(config);
        let tainted = |key: &&str| spec.taints.iter().any(|taint| taint.key == **key);
        node.control_plane =
            CONTROL_PLANE.iter().any(|key| metadata.labels.contains_key(*key) || tainted(key));
        node.keep = metadata.says(&config.keep(), "true")
            || KEPT_BY.iter().any(|(annotation, value)| metadata.says(annotation, value));
        node.extended = extended;
        node.labels = metadata.labels.clone();
        let taints = spec.taints.iter().filter(|taint| taint.key != CORDON_TAINT);
        node.taints = taints
            .filter_map(|taint| Some(Taint::new(&taint.key, &taint.value, effect(&taint.effect)?)))
            .collect();
        Some(node)
    }
}

/// What a node offers. Storage that is local to nodes is not counted: what pods ask of it hardly ever decides.
fn offered(amounts: &BTreeMap<String, String>) -> (Resources, Extended) {
    let (mut resources, mut extended) = (Resources::new(0, 0, 0), Extended::none());
    for (name, text) in amounts {
        match name.as_str() {
            "cpu" => resources.cpu_milli = quantity::milli(text).unwrap_or(0),
            "memory" => resources.memory = quantity::whole(text).unwrap_or(0),
            "pods" => resources.pods = u32::try_from(quantity::whole(text).unwrap_or(0)).unwrap_or(u32::MAX),
            other if is_extended(other) => {
                extended = extended.with(other, quantity::whole(text).unwrap_or(0));
            }
            _ => {}
        }
    }
    (resources, extended)
}

/// Whether a resource is counted by its name: devices, huge pages.
pub(super) fn is_extended(name: &str) -> bool {
    (name.contains('/') || name.starts_with("hugepages-")) && !name.starts_with("attachable-volumes-")
}

/// The mark of our cordon, as text.
pub(super) fn write_mark(mark: &CordonMark) -> String {
    format!("{}.{}", mark.inc, mark.seq)
}

fn read_mark(text: &str) -> Option<CordonMark> {
    let (inc, seq) = text.rsplit_once('.')?;
    Some(CordonMark::new(Inc::new(inc).ok()?, seq.parse().ok()?))
}
