//! The kinds that are kept, and to what their objects are reduced.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use autoscale_core::data::view::Node;
use serde::de::DeserializeOwned;

use crate::drain::budget::{Budgets, RawBudget};
use crate::drain::config::DrainConfig;
use crate::drain::meta::{Bare, Meta};
use crate::drain::node::RawNode;
use crate::drain::owners;
use crate::drain::place::Place;
use crate::drain::pod::{Draft, RawPod};
use crate::drain::survey::NOT_ENDED;
use crate::drain::volumes::{RawClaim, RawVolume};

/// One kind of objects.
pub(super) trait Kind: Debug + Send + Sync + 'static {
    /// As it comes.
    type Raw: DeserializeOwned + Send;
    /// As it is kept.
    type Kept: Debug + Send + Sync + 'static;

    /// As in a path: `pods`.
    fn resource(&self) -> &'static str;

    /// Where all of them are listed and watched.
    fn path(&self) -> String;

    /// Which of them.
    fn selector(&self) -> Option<&'static str> {
        None
    }

    fn meta(raw: &Self::Raw) -> &Meta;

    /// `None` for what is looked at by nobody.
    fn keep(&self, raw: Self::Raw, config: &DrainConfig) -> Option<Self::Kept>;
}

/// Nodes. One that is none, by its name or uid, is kept as such: a view with it is not complete.
#[derive(Debug)]
pub(super) struct Nodes;

impl Kind for Nodes {
    type Raw = RawNode;
    type Kept = Option<Node>;

    fn resource(&self) -> &'static str {
        "nodes"
    }

    fn path(&self) -> String {
        "/api/v1/nodes".to_owned()
    }

    fn meta(raw: &RawNode) -> &Meta {
        &raw.metadata
    }

    fn keep(&self, raw: RawNode, config: &DrainConfig) -> Option<Option<Node>> {
        Some(raw.fact(config))
    }
}

type Labels = BTreeMap<String, String>;

/// A pod before budgets are matched with it.
#[derive(Clone, Debug)]
pub(super) struct KeptPod {
    pub(super) draft: Draft,
    pub(super) labels: Arc<Labels>,
}

/// Pods that have not ended. Those of one controller have the same labels: these are kept once.
#[derive(Debug, Default)]
pub(super) struct Pods {
    labels: Mutex<BTreeSet<Arc<Labels>>>,
}

impl Pods {
    fn shared(&self, labels: Labels) -> Arc<Labels> {
        let mut all = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(&labels) {
            return Arc::clone(known);
        }
        if all.len() >= 1_024 && all.len().is_power_of_two() {
            all.retain(|labels| Arc::strong_count(labels) > 1);
        }
        let labels = Arc::new(labels);
        all.insert(Arc::clone(&labels));
        labels
    }
}

impl Kind for Pods {
    type Raw = RawPod;
    type Kept = KeptPod;

    fn resource(&self) -> &'static str {
        "pods"
    }

    fn path(&self) -> String {
        "/api/v1/pods".to_owned()
    }

    fn selector(&self) -> Option<&'static str> {
        Some(NOT_ENDED)
    }

    fn meta(raw: &RawPod) -> &Meta {
        &raw.metadata
    }

    fn keep(&self, raw: RawPod, _: &DrainConfig) -> Option<KeptPod> {
        if raw.is_finished() || raw.is_gated() {
            return None;
        }
        let draft = raw.fact(&Budgets::default())?;
        Some(KeptPod { draft, labels: self.shared(raw.metadata.labels) })
    }
}

/// Disruption budgets.
#[derive(Debug)]
pub(super) struct PodBudgets;

impl Kind for PodBudgets {
    type Raw = RawBudget;
    type Kept = RawBudget;

    fn resource(&self) -> &'static str {
        "poddisruptionbudgets"
    }

    fn path(&self) -> String {
        "/apis/policy/v1/poddisruptionbudgets".to_owned()
    }

    fn meta(raw: &RawBudget) -> &Meta {
        &raw.metadata
    }

    fn keep(&self, mut raw: RawBudget, _: &DrainConfig) -> Option<RawBudget> {
        raw.metadata.annotations.clear();
        raw.metadata.labels.clear();
        raw.metadata.owner_references.clear();
        Some(raw)
    }
}

/// Controllers of one kind: their uids.
#[derive(Debug)]
pub(super) struct Controllers(pub(super) usize);

impl Kind for Controllers {
    type Raw = Bare;
    type Kept = Box<str>;

    fn resource(&self) -> &'static str {
        owners::KINDS.get(self.0).map_or("", |(.., plural)| plural)
    }

    fn path(&self) -> String {
        owners::KINDS
            .get(self.0)
            .map(|(_, version, plural)| format!("{}/{plural}", owners::root(version)))
            .unwrap_or_default()
    }

    fn meta(raw: &Bare) -> &Meta {
        &raw.metadata
    }

    fn keep(&self, raw: Bare, _: &DrainConfig) -> Option<Box<str>> {
        Some(raw.metadata.uid.into())
    }
}

/// Claims: the names of their volumes.
#[derive(Debug)]
pub(super) struct Claims;

impl Kind for Claims {
    type Raw = RawClaim;
    type Kept = Box<str>;

    fn resource(&self) -> &'static str {
        "persistentvolumeclaims"
    }

    fn path(&self) -> String {
        "/api/v1/persistentvolumeclaims".to_owned()
    }

    fn meta(raw: &RawClaim) -> &Meta {
        &raw.metadata
    }

    fn keep(&self, raw: RawClaim, _: &DrainConfig) -> Option<Box<str>> {
        Some(raw.spec.volume_name.into())
    }
}

/// Volumes: where they can be attached.
#[derive(Debug)]
pub(super) struct Volumes;

impl Kind for Volumes {
    type Raw = RawVolume;
    type Kept = Place;

    fn resource(&self) -> &'static str {
        "persistentvolumes"
    }

    fn path(&self) -> String {
        "/api/v1/persistentvolumes".to_owned()
    }

    fn meta(raw: &RawVolume) -> &Meta {
        &raw.metadata
    }

    fn keep(&self, raw: RawVolume, _: &DrainConfig) -> Option<Place> {
        Some(raw.spec.place())
    }
}
