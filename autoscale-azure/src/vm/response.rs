//! What Azure answers: machines and pages. Pure, and total: nothing in an answer is believed before it has been parsed.

use std::collections::BTreeMap;

use autoscale_core::data::policy::Purchase;
use autoscale_core::data::view::{Instance, Ownership, Phase};
use autoscale_core::words::{InstanceId, PoolName, ShapeName, Timestamp, Token};
use serde::Deserialize;
use serde_json::Value;

use super::config::VmConfig;
use super::request::{self, CONTROL_PLANE, Made, WORKER};
use super::time;

#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    pub(super) value: Vec<Value>,
    #[serde(default, rename = "nextLink")]
    pub(super) next: Option<String>,
}

#[derive(Deserialize)]
struct Raw {
    name: String,
    #[serde(default)]
    tags: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    zones: Option<Vec<String>>,
    #[serde(default)]
    properties: RawProperties,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawProperties {
    provisioning_state: Option<String>,
    priority: Option<String>,
    time_created: Option<String>,
    hardware_profile: RawHardware,
    storage_profile: RawStorage,
    instance_view: Option<InstanceView>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawHardware {
    #[serde(rename = "vmSize")]
    size: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawStorage {
    #[serde(rename = "imageReference")]
    image: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct InstanceView {
    statuses: Vec<Status>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    code: String,
}

/// One machine, as far as anything is believed about it.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) id: InstanceId,
    pub(super) name: String,
    pub(super) ownership: Ownership,
    pub(super) provisioning: Provisioning,
    pub(super) power: Option<Power>,
    pub(super) pool: Option<PoolName>,
    pub(super) token: Option<Token>,
    pub(super) made: Made,
    pub(super) kept: bool,
    pub(super) created: Option<Timestamp>,
    /// What the runtime state says of a failure, such as `AllocationFailed`. None where it was not asked for.
    pub(super) failure: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Provisioning {
    Creating,
    Done,
    Deleting,
    /// Nothing has its name any more.
    Gone,
    Failed,
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Power {
    Starting,
    Running,
    Stopped,
    Unknown,
}

impl Machine {
    /// `None` for what cannot be a machine of the workers' group.
    pub(super) fn parse(config: &VmConfig, value: &Value) -> Option<Self> {
        let Raw { name, tags, zones, properties } = Raw::deserialize(value).ok()?;
        let id = request::instance(config, &name).filter(|_| request::is_name(&name))?;
        let tags = Tags(tags.unwrap_or_default());
        let statuses = properties.instance_view.unwrap_or_default().statuses;
        let after = |prefix: &str| {
            let codes = statuses.iter().map(|status| status.code.as_str());
            codes.filter_map(|code| strip_ignoring_case(code, prefix)).next_back().map(str::to_owned)
        };
        let purchase = match properties.priority.as_deref() {
            Some("Spot" | "Low") => Purchase::Spot,
            _ => Purchase::OnDemand,
        };
        Some(Self {
            ownership: ownership(config, &tags),
            provisioning: provisioning(properties.provisioning_state.as_deref().unwrap_or_default()),
            power: after("PowerState/").map(|state| power(&state)),
            pool: tags.get(&config.tag("pool")).and_then(|text| PoolName::new(text).ok()),
            token: tags.get(&config.tag("token")).and_then(|text| Token::new(text).ok()),
            kept: tags.get(&config.tag("keep")).is_some_and(|text| text.eq_ignore_ascii_case("true")),
            created: properties.time_created.as_deref().and_then(time::rfc3339),
            failure: after("ProvisioningState/failed").map(|code| code.trim_start_matches('/').to_owned()),
            made: Made {
                zone: request::zone_of(config, &zones.unwrap_or_default()),
                shape: properties.hardware_profile.size.and_then(|size| ShapeName::new(size).ok()),
                purchase,
                image: request::image_words(&properties.storage_profile.image),
            },
            id,
            name,
        })
    }

    /// Where it is in its life. A machine that failed before it ever ran counts as one that has not come yet: it is given up like
    /// one that does not join, and then deleted with all its parts, so that nothing of it is left behind.
    pub(super) const fn phase(&self) -> Phase {
        match (self.provisioning, self.power) {
            (Provisioning::Deleting, _) => Phase::ShuttingDown,
            (Provisioning::Gone, _) => Phase::Terminated,
            (Provisioning::Unknown, _) => Phase::Unknown,
            (Provisioning::Creating, _) => Phase::Pending,
            (Provisioning::Done | Provisioning::Failed, Some(Power::Running)) => Phase::Running,
            (Provisioning::Done | Provisioning::Failed, Some(Power::Stopped)) => Phase::Stopped,
            (Provisioning::Done | Provisioning::Failed, Some(Power::Starting)) => Phase::Pending,
            (Provisioning::Done | Provisioning::Failed, Some(Power::Unknown)) => Phase::Unknown,
            (Provisioning::Done, None) => Phase::Running,
            (Provisioning::Failed, None) => Phase::Pending,
        }
    }

    /// Whether it failed, and whether it runs is not known.
    pub(super) const fn is_doubtful(&self) -> bool {
        matches!((self.provisioning, self.power), (Provisioning::Failed, None))
    }

    /// Whether it failed and never ran, by its runtime state: nothing of worth is on it. Without a runtime state nothing is believed.
    pub(super) const fn is_stillborn(&self) -> bool {
        self.is_doubtful() && self.failure.is_some()
    }

    /// Whether it carries this cluster's tags, or the tag of workers that somebody else has made.
    pub(super) const fn is_worker(&self) -> bool {
        matches!(self.ownership, Ownership::Ours | Ownership::WorkerTag)
    }

    /// The same, after its end.
    pub(super) fn gone(self) -> Self {
        Self { provisioning: Provisioning::Gone, ..self }
    }

    pub(super) fn listed(self) -> Instance {
        let mut instance = Instance::new(self.id.clone(), self.ownership);
        instance.phase = self.phase();
        instance.zone = self.made.zone;
        instance.purchase = Some(self.made.purchase);
        instance.shape = self.made.shape;
        instance.protected = self.kept;
        instance.launched_at = self.created;
        if self.ownership == Ownership::Ours {
            (instance.pool, instance.token) = (self.pool, self.token);
        }
        instance
    }
}

/// Tags; their names are compared without case, as Azure does.
struct Tags(BTreeMap<String, Value>);

impl Tags {
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .and_then(|(_, value)| value.as_str())
    }
}

fn ownership(config: &VmConfig, tags: &Tags) -> Ownership {
    let (cluster, role) = (tags.get(&config.tag("cluster")), tags.get(&config.tag("role")));
    if role == Some(CONTROL_PLANE) {
        return Ownership::ControlPlane;
    }
    if cluster.is_some_and(|cluster| cluster != config.cluster.as_str()) {
        return Ownership::Foreign;
    }
    let pool = tags.get(&config.tag("pool")).is_some_and(|pool| PoolName::new(pool).is_ok());
    if cluster.is_some() && role == Some(WORKER) && pool {
        return Ownership::Ours;
    }
    match &config.worker_tag {
        Some((name, value)) if tags.get(name) == Some(value) => Ownership::WorkerTag,
        _ => Ownership::Foreign,
    }
}

fn provisioning(state: &str) -> Provisioning {
    match state.to_ascii_lowercase().as_str() {
        "creating" | "accepted" => Provisioning::Creating,
        "succeeded" | "updating" | "migrating" | "running" => Provisioning::Done,
        "deleting" => Provisioning::Deleting,
        "failed" | "canceled" => Provisioning::Failed,
        _ => Provisioning::Unknown,
    }
}

fn power(state: &str) -> Power {
    match state.to_ascii_lowercase().as_str() {
        "starting" | "creating" => Power::Starting,
        "running" => Power::Running,
        "stopping" | "stopped" | "deallocating" | "deallocated" => Power::Stopped,
        _ => Power::Unknown,
    }
}

fn strip_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}
