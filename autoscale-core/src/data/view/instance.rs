//! What the cloud runs.

use serde::{Deserialize, Serialize};

use super::shared::Shared;
use crate::data::policy::Purchase;
use crate::words::{InstanceId, PoolName, ShapeName, Timestamp, Token, Zone};

/// Where an instance is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// Bought, not yet running.
    Pending,
    /// Running.
    Running,
    /// On its way out, and not to be stopped there.
    ShuttingDown,
    /// Stopped, not gone: it can be started again.
    Stopped,
    /// Gone.
    Terminated,
    /// Something this library does not know; counted as alive.
    Unknown,
}

impl Phase {
    /// Whether it counts as capacity that is or will be there.
    pub const fn is_alive(self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::Stopped | Self::Unknown => true,
            Self::ShuttingDown | Self::Terminated => false,
        }
    }
}

/// Whose an instance is, by its tags.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ownership {
    /// It carries all our tags: cluster, pool and the role of a worker.
    Ours,
    /// It carries only the user's own worker tag: counted, removed only with `adopt: true`.
    WorkerTag,
    /// It carries the tag of the control plane, whatever else it carries. Never touched.
    ControlPlane,
    /// Anything else. Never touched.
    Foreign,
}

/// One instance, as the provider lists it. Facts only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Instance {
    /// The provider's id.
    pub id: InstanceId,
    /// Whose it is.
    pub ownership: Ownership,
    /// Where it is in its life.
    pub phase: Phase,
    /// From the tag.
    pub pool: Option<PoolName>,
    /// From the instance.
    pub zone: Option<Zone>,
    /// From the instance.
    pub purchase: Option<Purchase>,
    /// From the instance.
    pub shape: Option<ShapeName>,
    /// The launch token, from the tag.
    pub token: Option<Token>,
    /// Whether it must not be terminated, whoever says so.
    pub protected: bool,
    /// When it was launched, by the provider's clock.
    pub launched_at: Option<Timestamp>,
    /// Its private address, for nodes without a provider id.
    pub private_address: Option<String>,
}

impl Instance {
    /// A running instance of which nothing else is known.
    pub const fn new(id: InstanceId, ownership: Ownership) -> Self {
        Self {
            id,
            ownership,
            phase: Phase::Running,
            pool: None,
            zone: None,
            purchase: None,
            shape: None,
            token: None,
            protected: false,
            launched_at: None,
            private_address: None,
        }
    }
}

/// The answer to one `list`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Listing {
    /// When it was answered, by the provider's clock where it tells it: compared with launch times, and with the time
    /// since which a launch may still be under way.
    pub at: Timestamp,
    /// Whether every page was read. An incomplete listing is unknown, not short (rule R10).
    pub complete: bool,
    /// In any order.
    pub instances: Vec<Instance>,
}

impl Listing {
    /// A complete listing.
    pub const fn new(at: Timestamp, instances: Vec<Instance>) -> Self {
        Self { at, complete: true, instances }
    }

    /// By id, each id once: of two rows the greater one stays, whatever the order of the list.
    pub(super) fn sorted(mut self) -> Self {
        self.instances.sort();
        self.instances.reverse();
        self.instances.dedup_by(|later, first| later.id == first.id);
        self.instances.reverse();
        let (mut pools, mut zones, mut shapes) = (Shared::new(), Shared::new(), Shared::new());
        for instance in &mut self.instances {
            pools.share_any(&mut instance.pool);
            zones.share_any(&mut instance.zone);
            shapes.share_any(&mut instance.shape);
        }
        self
    }

    /// Where an instance stands in a listing that a [`View`](super::View) holds.
    pub fn find(&self, id: &InstanceId) -> Option<usize> {
        self.instances.binary_search_by(|instance| instance.id.cmp(id)).ok()
    }
}
