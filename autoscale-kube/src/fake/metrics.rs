//! The metrics server: what nodes use, as the test says it.

use std::collections::BTreeMap;

use autoscale_core::words::Timestamp;
use serde_json::{Value, json};

use super::kinds::K;
use super::refusal::{Refusal, Result};
use super::route::Route;
use super::select::Labels;
use super::store::Key;
use super::world::World;

/// What nodes use.
#[derive(Debug, Default)]
pub(super) struct Usage {
    /// Whether there is a metrics server; `Some(true)`: one that does not answer.
    pub(super) broken: Option<bool>,
    pub(super) nodes: BTreeMap<String, Measured>,
}

/// What one node uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) cpu_milli: u64,
    pub(super) memory: u64,
    /// `None`: measured again and again.
    pub(super) at: Option<Timestamp>,
}

impl World {
    /// What the metrics server answers.
    pub(super) fn measure(&self, route: &Route, labels: &str) -> Result<Value> {
        match self.usage.broken {
            None => return Err(Refusal::no_path()),
            Some(true) => return Err(Refusal::unavailable()),
            Some(false) => {}
        }
        let api = "metrics.k8s.io/v1beta1";
        if let Some(name) = &route.name {
            let mut one = self.measured(name).ok_or_else(|| {
                let message = format!("nodes.metrics.k8s.io {name:?} not found");
                let details = super::refusal::named(name, "metrics.k8s.io", "nodes");
                Refusal::new(404, "NotFound", message, details)
            })?;
            super::json::put(&mut one, &["kind"], "NodeMetrics");
            super::json::put(&mut one, &["apiVersion"], api);
            return Ok(one);
        }
        let labels = Labels::parse(labels)?;
        let names = self.usage.nodes.keys().filter_map(|name| self.measured(name));
        let items: Vec<Value> = names.filter(|item| labels.picks_object(item)).collect();
        Ok(json!({"kind": "NodeMetricsList", "apiVersion": api, "metadata": {}, "items": items}))
    }

    fn measured(&self, name: &str) -> Option<Value> {
        let Measured { cpu_milli, memory, at } = self.usage.nodes.get(name).copied()?;
        let node = self.store.get(K::NODES, &Key::global(name))?;
        let (now, at) = (self.now.to_string(), at.unwrap_or(self.now).to_string());
        Some(json!({
            "metadata": {"name": name, "creationTimestamp": now, "labels": node.pointer("/metadata/labels")},
            "timestamp": at, "window": "20.05s",
            "usage": {"cpu": format!("{}n", cpu_milli.saturating_mul(1_000_000)), "memory": format!("{}Ki", memory >> 10)},
        }))
    }
}
