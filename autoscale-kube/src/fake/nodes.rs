//! Nodes that join.

use std::collections::BTreeMap;

use autoscale_core::words::{Span, Timestamp};
use serde_json::{Value, json};

use super::json::put;

/// A node that joins the cluster, as its instance and its kubelet make it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct NodeSpec {
    /// The name of the Node object, also its host name.
    pub name: String,
    /// As the cloud knows it.
    pub provider_id: Option<String>,
    /// Beside that of the host name.
    pub labels: BTreeMap<String, String>,
    /// Beside those of its condition.
    pub annotations: BTreeMap<String, String>,
    /// Key, value, effect.
    pub taints: Vec<(String, String, String)>,
    /// What pods can ask for: `cpu`, `memory`, `pods` and others, as Kubernetes writes amounts.
    pub allocatable: BTreeMap<String, String>,
    /// Its internal address.
    pub address: Option<String>,
    /// Whether its kubelet is ready at once; otherwise that takes as long as the settings say.
    pub ready: bool,
    /// For how long it has been there when it is added.
    pub age: Span,
}

impl NodeSpec {
    /// A node with 4 CPUs, 16 GiB and room for 110 pods, ready at once.
    pub fn new(name: impl Into<String>) -> Self {
        let amounts = [("cpu", "4"), ("memory", "16Gi"), ("pods", "110")];
        Self {
            name: name.into(),
            provider_id: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            taints: Vec::new(),
            allocatable: amounts.map(|(name, amount)| (name.to_owned(), amount.to_owned())).into(),
            address: None,
            ready: true,
            age: Span::ZERO,
        }
    }

    /// With the name that the cloud has for it, such as `aws:///eu-central-1a/i-0123`.
    #[must_use]
    pub fn with_provider_id(mut self, id: impl Into<String>) -> Self {
        self.provider_id = Some(id.into());
        self
    }

    /// With a label.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// With the label of a zone.
    #[must_use]
    pub fn with_zone(self, zone: impl Into<String>) -> Self {
        self.with_label("topology.kubernetes.io/zone", zone)
    }

    /// With the label of an instance type.
    #[must_use]
    pub fn with_instance_type(self, name: impl Into<String>) -> Self {
        self.with_label("node.kubernetes.io/instance-type", name)
    }

    /// With an annotation.
    #[must_use]
    pub fn with_annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// With a taint.
    #[must_use]
    pub fn with_taint(mut self, key: &str, value: &str, effect: &str) -> Self {
        self.taints.push((key.to_owned(), value.to_owned(), effect.to_owned()));
        self
    }

    /// With so much of something for pods, such as `cpu` and `8`.
    #[must_use]
    pub fn with_allocatable(mut self, name: impl Into<String>, amount: impl Into<String>) -> Self {
        self.allocatable.insert(name.into(), amount.into());
        self
    }

    /// With an internal address.
    #[must_use]
    pub fn with_address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Not ready at once.
    #[must_use]
    pub const fn starting(mut self) -> Self {
        self.ready = false;
        self
    }

    /// As if it had been there for so long, when it is added.
    #[must_use]
    pub const fn with_age(mut self, age: Span) -> Self {
        self.age = age;
        self
    }

    pub(super) fn object(self, now: Timestamp) -> Value {
        let Self { name, provider_id, labels, annotations, taints, allocatable, address, ready, age: _ } =
            self;
        let taint = |(key, value, effect): (String, String, String)| {
            super::refusal::without_empty(json!({"key": key, "value": value, "effect": effect}))
        };
        let mut node = json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "spec": {},
            "status": {"capacity": allocatable, "allocatable": allocatable},
        });
        for (key, value) in labels {
            put(&mut node, &["metadata", "labels", &key], value);
        }
        for (key, value) in annotations {
            put(&mut node, &["metadata", "annotations", &key], value);
        }
        if let Some(id) = provider_id {
            put(&mut node, &["spec", "providerID"], id);
        }
        if !taints.is_empty() {
            put(&mut node, &["spec", "taints"], taints.into_iter().map(taint).collect::<Vec<_>>());
        }
        let mut addresses = vec![json!({"type": "Hostname", "address": name})];
        addresses.extend(address.map(|address| json!({"type": "InternalIP", "address": address})));
        put(&mut node, &["status", "addresses"], addresses);
        if ready {
            put(&mut node, &["status", "phase"], "Running");
            put(&mut node, &["status", "conditions"], super::kubelet::well(&now.to_string()));
        }
        node
    }
}
