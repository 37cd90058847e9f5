//! What can be launched.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::words::{Extended, Fixed, Resources, ShapeName};

/// A machine type and what a node of it offers to pods.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Shape {
    /// The cloud's name for it.
    pub name: ShapeName,
    /// What a node of it offers to pods (allocatable, not capacity).
    pub allocatable: Resources,
    /// What it offers beside, like GPUs. Default nothing.
    pub extended: Extended,
    /// Labels that its nodes have beside those of the pool, the zone and the machine type. Default none. Where the pool
    /// has the same key, this value counts.
    pub labels: BTreeMap<String, String>,
    /// What an hour of it costs, in any currency, to compare it with others. Default unknown.
    pub price: Option<Fixed>,
}

impl Shape {
    /// A machine type and its allocatable resources.
    pub const fn new(name: ShapeName, allocatable: Resources) -> Self {
        Self { name, allocatable, extended: Extended::none(), labels: BTreeMap::new(), price: None }
    }

    /// The same, with an amount of an extended resource, like `nvidia.com/gpu`.
    #[must_use]
    pub fn with_extended(mut self, name: impl Into<String>, amount: u64) -> Self {
        self.extended = self.extended.with(name, amount);
        self
    }

    /// The same, whose nodes have a label.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// The same, at a price an hour.
    #[must_use]
    pub const fn with_price(mut self, price: Fixed) -> Self {
        self.price = Some(price);
        self
    }
}
