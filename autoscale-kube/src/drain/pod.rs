//! A Pod object as a fact of the view.

use std::collections::BTreeMap;

use autoscale_core::data::view::{Eviction, Owner, Pod, PodPhase, Storage};
use autoscale_core::words::{NodeName, PodUid};
use serde::Deserialize;

use super::budget::Budgets;
use super::meta::{Meta, or_default};
use super::node::Condition;
use super::owners::Controller;
use super::requests::{Container, requests};
use super::rules::{Affinity, RawToleration, TopologySpread, constraints};
use crate::time;

/// Says that a pod may go, or may not, whatever else.
const SAFE: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";

/// Names the volumes whose content may be lost.
const SAFE_VOLUMES: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";

const NEVER: &str = "karpenter.sh/do-not-disrupt";

/// Marks a static pod.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// From this priority on a pod is critical to the system.
const CRITICAL: i32 = 2_000_000_000;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawPod {
    pub(super) metadata: Meta,
    pub(super) spec: Spec,
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
    pub(super) node_name: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) containers: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    pub(super) init_containers: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    pub(super) overhead: BTreeMap<String, String>,
    /// Of the pod as a whole, which go before those of its containers.
    #[serde(deserialize_with = "or_default")]
    pub(super) resources: super::requests::Asked,
    #[serde(deserialize_with = "or_default")]
    priority: i32,
    #[serde(deserialize_with = "or_default")]
    priority_class_name: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) volumes: Vec<Volume>,
    #[serde(deserialize_with = "or_default")]
    pub(super) node_selector: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) affinity: Affinity,
    #[serde(deserialize_with = "or_default")]
    pub(super) tolerations: Vec<RawToleration>,
    #[serde(deserialize_with = "or_default")]
    pub(super) topology_spread_constraints: Vec<TopologySpread>,
}

/// A volume of a pod, as far as it matters where its content is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Volume {
    pub(super) name: String,
    empty_dir: Option<EmptyDir>,
    host_path: Option<serde::de::IgnoredAny>,
    persistent_volume_claim: Option<Claim>,
    ephemeral: Option<serde::de::IgnoredAny>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct EmptyDir {
    #[serde(deserialize_with = "or_default")]
    medium: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Claim {
    claim_name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    #[serde(deserialize_with = "or_default")]
    phase: String,
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "or_default")]
    container_statuses: Vec<ContainerStatus>,
}

/// What the kubelet has set aside for a container, which may be more than it asks for now.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ContainerStatus {
    pub(super) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) allocated_resources: BTreeMap<String, String>,
}

/// A pod, and what is still open about it.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) pod: Pod,
    pub(super) open: Open,
}

/// Whether its controller is there, and where its volumes are.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) owner: Option<Controller>,
    /// By name, in the pod's namespace.
    pub(super) claims: Box<[String]>,
}

/// Many of them. Pods stand alone, as they go into the view: they are by far the most of what a survey holds.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    pub(super) pods: Vec<Pod>,
    pub(super) open: Vec<Open>,
}

impl Drafts {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { pods: Vec::with_capacity(capacity), open: Vec::with_capacity(capacity) }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Pod, &Open)> {
        self.pods.iter().zip(&self.open)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&mut Pod, &Open)> {
        self.pods.iter_mut().zip(&self.open)
    }
}

impl Extend<Draft> for Drafts {
    fn extend<T: IntoIterator<Item = Draft>>(&mut self, drafts: T) {
        for Draft { pod, open } in drafts {
            self.pods.push(pod);
            self.open.push(open);
        }
    }
}

impl RawPod {
    /// Whether it is held back before any scheduler looks at it: no node would help.
    pub(super) fn is_gated(&self) -> bool {
        let gated = |c: &Condition| c.name == "PodScheduled" && c.reason == "SchedulingGated";
        self.node().is_none() && self.status.conditions.iter().any(gated)
    }

    /// Whether it has ended: it needs nothing any more.
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }

    pub(super) fn node(&self) -> Option<&str> {
        self.spec.node_name.as_deref().filter(|node| !node.is_empty())
    }

    /// The claims of its volumes, by name: also those that are made for it alone.
    fn claims(&self) -> impl Iterator<Item = String> {
        self.spec.volumes.iter().filter_map(|volume| {
            match (&volume.persistent_volume_claim, &volume.ephemeral) {
                (Some(claim), _) => Some(claim.claim_name.clone()),
                (None, Some(_)) => Some(format!("{}-{}", self.metadata.name, volume.name)),
                (None, None) => None,
            }
        })
    }

    /// As a fact, as far as it tells by itself. `None` for an object whose uid is none: no API server gives one.
    pub(super) fn fact(&self, budgets: &Budgets) -> Option<Draft> {
        let Self { metadata, spec, status } = self;
        let uid = PodUid::new(&metadata.uid).ok()?;
        let (resources, extended) = requests(spec, &status.container_statuses);
        let mut pod = Pod::new(uid, &metadata.namespace, &metadata.name, resources);
        pod.node = self.node().and_then(|node| NodeName::new(node).ok());
        pod.phase = match status.phase.as_str() {
            "Running" => PodPhase::Running,
            "Succeeded" | "Failed" => PodPhase::Finished,
            _ => PodPhase::Pending,
        };
        pod.extended = extended;
        pod.mirror = metadata.annotations.contains_key(MIRROR);
        pod.priority = spec.priority;
        pod.system_critical = spec.priority >= CRITICAL || spec.priority_class_name.starts_with("system-");
        pod.eviction = self.eviction();
        pod.constraints = constraints(spec, metadata);
        pod.storage = if self.keeps_data() { Storage::Local } else { Storage::None };
        let owner = metadata.controller();
        pod.owner = owner.map(|owner| {
            let mut shown = Owner::new(&owner.kind, &owner.name);
            shown.exists = None;
            shown
        });
        pod.deleted_at = metadata.deletion_timestamp.as_deref().and_then(time::rfc_3339);
        let waits =
            |c: &&Condition| c.name == "PodScheduled" && c.status == "False" && c.reason == "Unschedulable";
        let since = status.conditions.iter().find(waits).filter(|_| pod.node.is_none());
        pod.unschedulable_since =
            since.and_then(|c| c.last_transition_time.as_deref()).and_then(time::rfc_3339);
        pod.budgets = budgets.select(&metadata.namespace, &metadata.labels);
        let owner = owner.map(Controller::of);
        Some(Draft { pod, open: Open { owner, claims: self.claims().collect() } })
    }

    fn eviction(&self) -> Eviction {
        let meta = &self.metadata;
        if meta.says(SAFE, "false") || meta.says(NEVER, "true") {
            Eviction::Never
        } else if meta.says(SAFE, "true") {
            Eviction::Safe
        } else {
            Eviction::Unsaid
        }
    }

    /// Whether it has a volume on its node's disk that nobody has called safe to lose.
    fn keeps_data(&self) -> bool {
        let safe = self.metadata.annotations.get(SAFE_VOLUMES).map(String::as_str).unwrap_or_default();
        let is_safe = |name: &str| safe.split(',').any(|listed| listed.trim() == name);
        self.spec.volumes.iter().any(|volume| {
            let on_disk = volume.empty_dir.as_ref().is_some_and(|dir| dir.medium.is_empty());
            (on_disk || volume.host_path.is_some()) && !is_safe(&volume.name)
        })
    }
}
