//! What the orchestrator schedules on. Facts only: the rules live in `logic`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Taint;
use crate::words::{Extended, Inc, NodeName, NodeUid, PoolName, Resources, Timestamp, Ver, Zone};

/// The label that tells a node's zone.
pub(crate) const ZONE_LABEL: &str = "topology.kubernetes.io/zone";

/// The label that tells a node's name.
const HOST_LABEL: &str = "kubernetes.io/hostname";

/// Whether a node's kubelet says that it is ready.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ready {
    /// It does.
    Yes,
    /// It says that it is not, or is not heard of.
    No,
}

/// The mark our cordon leaves on a node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CordonMark {
    /// The record it was made under.
    pub inc: Inc,
    /// The action it belongs to.
    pub seq: u64,
}

impl CordonMark {
    /// The mark of an action.
    pub const fn new(inc: Inc, seq: u64) -> Self {
        Self { inc, seq }
    }
}

/// One node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// The uid of this Node object.
    pub uid: NodeUid,
    /// As the kubelet or the cloud controller set it.
    pub provider_id: Option<String>,
    /// Its internal address.
    pub address: Option<String>,
    /// From its label, for counting only.
    pub pool: Option<PoolName>,
    /// From its label.
    pub zone: Option<Zone>,
    /// Whether its kubelet is ready.
    pub ready: Ready,
    /// Whether new pods are kept away, by whomever.
    pub unschedulable: bool,
    /// Our mark, while it is cordoned by us.
    pub cordon: Option<CordonMark>,
    /// The highest stamp that a cordon or uncordon of ours left on it.
    pub stamp: Option<Ver>,
    /// Whether it carries the label or the taint of the control plane.
    pub control_plane: bool,
    /// Whether an annotation forbids to remove it.
    pub keep: bool,
    /// How many volumes are attached to it, those that are being attached or detached counted too; `None` where that was not
    /// looked up. A `Drainer` that can tell tells it of the nodes in the scope that carry our mark: a node that is
    /// ended with a volume attached keeps the volume from its next node for minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached: Option<u32>,
    /// When the Node object was made, by the API server's clock.
    pub created_at: Timestamp,
    /// What it offers to pods.
    pub allocatable: Resources,
    /// What it offers beside.
    pub extended: Extended,
    /// Its labels; at least those that pods may ask for.
    pub labels: BTreeMap<String, String>,
    /// Its taints, without the one that stands for a cordon.
    pub taints: Vec<Taint>,
}

impl Node {
    /// A ready, schedulable node of which nothing else is known.
    pub const fn new(name: NodeName, uid: NodeUid, created_at: Timestamp, allocatable: Resources) -> Self {
        Self {
            name,
            uid,
            provider_id: None,
            address: None,
            pool: None,
            zone: None,
            ready: Ready::Yes,
            unschedulable: false,
            cordon: None,
            stamp: None,
            control_plane: false,
            keep: false,
            attached: None,
            created_at,
            allocatable,
            extended: Extended::none(),
            labels: BTreeMap::new(),
            taints: Vec::new(),
        }
    }

    /// The value of a label, also where only the facts beside tell it: the zone and the name.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str).or_else(|| match key {
            ZONE_LABEL => self.zone.as_ref().map(Zone::as_str),
            HOST_LABEL => Some(self.name.as_str()),
            _ => None,
        })
    }
}
