//! A machine as a ConfigMap and as a Node: pure.

use std::collections::BTreeMap;

use autoscale_core::data::order::{LaunchOrder, Offering};
use autoscale_core::data::policy::{Policy, Purchase};
use autoscale_core::data::view::{Instance, Ownership, Phase, TaintEffect};
use autoscale_core::words::{ClusterId, InstanceId, PoolName, Span, Timestamp, Token};
use k8s_openapi::api::core::v1::ConfigMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What all ConfigMaps of machines carry; on a Node the cluster whose machine it is.
pub(super) const SIM: &str = "autoscale.local/sim";
pub(super) const CLUSTER: &str = "autoscale.local/cluster";
pub(super) const ROLE: &str = "autoscale.local/role";
pub(super) const POOL: &str = "autoscale.local/pool";
/// Forbids to end a machine, with the value `true`: for a person to set.
pub(super) const PROTECTED: &str = "autoscale.local/protected";
/// When a machine was ended, in milliseconds since 1970. One without it is alive.
pub(super) const ENDED: &str = "autoscale.local/ended-at";
/// The member of the ConfigMap with everything that was ordered.
const MEMBER: &str = "machine";
/// The longest value of a label, which the name of a node also is.
const LONGEST: usize = 63;

/// What was ordered, written once, when the machine is made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Ordered {
    pub(super) cluster: ClusterId,
    pub(super) pool: PoolName,
    pub(super) offering: Offering,
    pub(super) token: Token,
    pub(super) pinned: String,
}

impl Ordered {
    fn new(order: &LaunchOrder) -> Self {
        Self {
            cluster: order.cluster.clone(),
            pool: order.pool.clone(),
            offering: order.offering.clone(),
            token: order.token.clone(),
            pinned: order.pinned.clone(),
        }
    }
}

/// The whole content of a ConfigMap: the order, and what a node of it offers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) ordered: Ordered,
    /// As Kubernetes writes amounts.
    allocatable: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    /// Key, value, effect.
    taints: Vec<(String, String, String)>,
}

impl Machine {
    /// The machine that an order asks for. `None`: the policy has no such pool or shape.
    pub(super) fn new(order: &LaunchOrder, policy: &Policy) -> Option<Self> {
        let pool = policy.pool(&order.pool)?;
        let shape = pool.shape(&order.offering.shape)?;
        let offers = &shape.allocatable;
        let mut allocatable = BTreeMap::from([
            ("cpu".to_owned(), format!("{}m", offers.cpu_milli)),
            ("memory".to_owned(), offers.memory.to_string()),
            ("pods".to_owned(), offers.pods.to_string()),
        ]);
        let extended = shape.extended.iter().map(|(name, amount)| (name.to_owned(), amount.to_string()));
        allocatable.extend(extended);
        let mut labels = pool.labels.clone();
        labels.extend(shape.labels.clone());
        let taint = |taint: &autoscale_core::data::view::Taint| {
            let effect = match taint.effect {
                TaintEffect::NoSchedule => "NoSchedule",
                TaintEffect::PreferNoSchedule => "PreferNoSchedule",
                TaintEffect::NoExecute => "NoExecute",
                // An effect of a later release: the strictest that keeps pods away and evicts none.
                _ => "NoSchedule",
            };
            (taint.key.clone(), taint.value.clone(), effect.to_owned())
        };
        let taints = pool.taints.iter().map(taint).collect();
        Some(Self { ordered: Ordered::new(order), allocatable, labels, taints })
    }

    /// The name of the ConfigMap, of the instance and of the node: the same token always gives the same. `None`: no API
    /// server would take it.
    pub(super) fn name_of(token: &Token) -> Option<String> {
        let name = format!("sim-{token}");
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        (name.len() <= LONGEST && name.bytes().all(fits) && !name.ends_with('-')).then_some(name)
    }

    /// The request that makes it.
    pub(super) fn config_map(&self, name: &str, namespace: &str) -> Result<ConfigMap, serde_json::Error> {
        let Ordered { cluster, pool, .. } = &self.ordered;
        serde_json::from_value(json!({
            "metadata": { "name": name, "namespace": namespace, "labels": {
                SIM: "machine", ROLE: "worker", CLUSTER: cluster.as_str(), POOL: pool.as_str(),
            } },
            "data": { MEMBER: serde_json::to_string(self)? },
        }))
    }
}

/// A ConfigMap that has been read.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) version: String,
    pub(super) made_at: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) protected: bool,
    cluster: Option<String>,
    role: Option<String>,
    /// What is in it, if that can be read.
    pub(super) machine: Option<Machine>,
}

impl Found {
    /// What an answer says. `None`: it is no object that an API server gives.
    pub(super) fn new(map: &ConfigMap) -> Option<Self> {
        let label = |key: &str| map.metadata.labels.as_ref()?.get(key).cloned();
        let annotation = |key: &str| map.metadata.annotations.as_ref()?.get(key).cloned();
        let machine = map.data.as_ref().and_then(|data| serde_json::from_str(data.get(MEMBER)?).ok());
        let ended_at = annotation(ENDED).and_then(|text| text.parse().ok()).map(Timestamp::from_millis);
        let made_at = map.metadata.creation_timestamp.as_ref()?.0.as_millisecond();
        Some(Self {
            name: map.metadata.name.clone()?,
            uid: map.metadata.uid.clone()?,
            version: map.metadata.resource_version.clone()?,
            made_at: Timestamp::from_millis(made_at),
            ended_at,
            protected: label(PROTECTED).as_deref() == Some("true"),
            cluster: label(CLUSTER),
            role: label(ROLE),
            machine,
        })
    }

    /// Whose it is, as its labels say.
    pub(super) fn ownership(&self, cluster: &ClusterId) -> Ownership {
        match self.role.as_deref() {
            Some("control-plane") => Ownership::ControlPlane,
            Some("worker") if self.cluster.as_deref() == Some(cluster.as_str()) => Ownership::Ours,
            _ => Ownership::Foreign,
        }
    }

    /// Whether it is alive and so old that it has a node.
    pub(super) fn has_booted(&self, boot: Span, now: Timestamp) -> bool {
        self.ended_at.is_none() && now.since(self.made_at) >= boot
    }

    /// As the core sees it. `None`: its name is none of an instance.
    pub(super) fn instance(&self, cluster: &ClusterId, boot: Span, now: Timestamp) -> Option<Instance> {
        let mut instance = Instance::new(InstanceId::new(&self.name).ok()?, self.ownership(cluster));
        instance.phase = match self.ended_at {
            Some(_) => Phase::Terminated,
            None if self.has_booted(boot, now) => Phase::Running,
            None => Phase::Pending,
        };
        instance.protected = self.protected;
        instance.launched_at = Some(self.made_at);
        if let Some(Machine { ordered, .. }) = &self.machine {
            instance.pool = Some(ordered.pool.clone());
            instance.token = Some(ordered.token.clone());
            instance.zone = Some(ordered.offering.zone.clone());
            instance.purchase = Some(ordered.offering.purchase);
            instance.shape = Some(ordered.offering.shape.clone());
        }
        Some(instance)
    }

    /// Its Node object, as its kubelet registers it.
    pub(super) fn node(&self) -> Option<Value> {
        let Machine { ordered, labels, taints, .. } = self.machine.as_ref()?;
        let Offering { zone, purchase, shape, .. } = &ordered.offering;
        let purchase = if *purchase == Purchase::Spot { "spot" } else { "on-demand" };
        let mut all = labels.clone();
        for (key, value) in [
            ("kubernetes.io/hostname", self.name.as_str()),
            ("kubernetes.io/os", "linux"),
            ("topology.kubernetes.io/zone", zone.as_str()),
            ("node.kubernetes.io/instance-type", shape.as_str()),
            ("autoscale.local/purchase", purchase),
            (POOL, ordered.pool.as_str()),
            (SIM, ordered.cluster.as_str()),
        ] {
            all.insert(key.to_owned(), value.to_owned());
        }
        let taint = |(key, value, effect): &(String, String, String)| json!({"key": key, "value": value, "effect": effect});
        Some(json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": self.name, "labels": all },
            "spec": {
                "providerID": format!("sim:///{zone}/{}", self.name),
                "taints": taints.iter().map(taint).collect::<Vec<_>>(),
            },
        }))
    }

    /// What its kubelet says of the node: that it is ready, and what it offers.
    pub(super) fn status(&self, now: &str) -> Option<Value> {
        let Machine { allocatable, .. } = self.machine.as_ref()?;
        let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "lastHeartbeatTime": now});
        Some(json!({ "status": {
            "phase": "Running",
            "capacity": allocatable, "allocatable": allocatable,
            "addresses": [{"type": "Hostname", "address": self.name}],
            "conditions": [
                condition("Ready", "True", "KubeletReady"),
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID"),
            ],
        } }))
    }
}
