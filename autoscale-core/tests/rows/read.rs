//! How a row is written down.

use std::collections::BTreeMap;
use std::path::Path;

use autoscale_core::data::policy::Policy;
use autoscale_core::data::view::{Eviction, Storage};
use autoscale_core::words::Span;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::seen::Expect;

/// One file: rows of one family, and what they have in common. A row is merged over that, and each of its cases over the
/// row, in the manner of a JSON merge patch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    #[serde(rename = "about")]
    _about: String,
    #[serde(default = "empty")]
    common: Value,
    rows: Vec<RowText>,
}

/// One row: what it is called, what it says, and a scene, or several that differ in parts.
#[derive(Deserialize)]
struct RowText {
    id: String,
    what: String,
    #[serde(default)]
    cases: BTreeMap<String, Value>,
    #[serde(flatten)]
    scene: Value,
}

/// A row that has been read.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) what: String,
    /// By the name of the case, empty where there is only one.
    pub(crate) cases: BTreeMap<String, Scene>,
}

/// Everything that a decision is made from, and what is to come out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scene {
    /// Pools, in the syntax of a policy file.
    #[serde(default = "empty")]
    pub(crate) pools: Value,
    /// What else the policy says: health, signals, choose, tick.
    #[serde(default = "empty")]
    pub(crate) policy: Value,
    #[serde(default)]
    pub(crate) nodes: Vec<NodeText>,
    #[serde(default)]
    pub(crate) pods: Vec<PodText>,
    /// `namespace/name`, and how many disruptions it allows.
    #[serde(default)]
    pub(crate) budgets: BTreeMap<String, i64>,
    #[serde(default)]
    pub(crate) signals: Signals,
    /// For so long, every two minutes, a tick has seen the same.
    #[serde(default, deserialize_with = "span")]
    pub(crate) seen_for: Span,
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
    /// What comes out, where there are no steps.
    pub(crate) expect: Option<Expect>,
}

/// Signals by name, for every pool.
pub(crate) type Signals = BTreeMap<String, Signal>;

/// A reading: a number, a percentage, or in words why there is none.
#[derive(Deserialize, Clone)]
#[serde(untagged)]
pub(crate) enum Signal {
    Number(f64),
    Percent(String),
    None { fails: String },
}

/// A node and its instance, an hour old, of the pool's first shape unless it says otherwise.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeText {
    pub(crate) name: String,
    #[serde(default = "one")]
    pub(crate) count: u32,
    pub(crate) pool: Option<String>,
    pub(crate) zone: Option<String>,
    #[serde(default, deserialize_with = "cpu")]
    pub(crate) cpu: Option<u64>,
    #[serde(default, deserialize_with = "memory")]
    pub(crate) memory: Option<u64>,
    #[serde(default)]
    pub(crate) unready: bool,
    /// An annotation asks to keep it.
    #[serde(default)]
    pub(crate) keep: bool,
}

/// A pod of a ReplicaSet that runs on a node, or waits for one, unless it says otherwise.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PodText {
    pub(crate) name: String,
    #[serde(default = "one")]
    pub(crate) count: u32,
    pub(crate) on: Option<String>,
    #[serde(default = "default_namespace")]
    pub(crate) namespace: String,
    /// `Kind/name`, or `none`.
    #[serde(default = "default_owner")]
    pub(crate) owner: String,
    #[serde(default)]
    pub(crate) owner_gone: bool,
    #[serde(default, deserialize_with = "cpu")]
    pub(crate) cpu: Option<u64>,
    #[serde(default, deserialize_with = "memory")]
    pub(crate) memory: Option<u64>,
    #[serde(default)]
    pub(crate) finished: bool,
    #[serde(default)]
    pub(crate) mirror: bool,
    #[serde(default)]
    pub(crate) eviction: Eviction,
    #[serde(default)]
    pub(crate) storage: Storage,
    #[serde(default, deserialize_with = "some_span")]
    pub(crate) deleted_ago: Option<Span>,
    #[serde(default, deserialize_with = "some_span")]
    pub(crate) deleted_in: Option<Span>,
    /// The zones that its volumes can be attached in.
    pub(crate) volume_zones: Option<Vec<String>>,
    /// At most one pod of this group on a node.
    pub(crate) one_per_node: Option<String>,
    /// The budgets whose selectors match it.
    #[serde(default)]
    pub(crate) budgets: Vec<String>,
}

/// What happens next: time passes, things change, a tick decides, the cloud and the cluster answer.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    #[serde(default, deserialize_with = "span")]
    pub(crate) wait: Span,
    /// How often a tick looks meanwhile.
    #[serde(default, deserialize_with = "some_span")]
    pub(crate) every: Option<Span>,
    /// In place of what was seen before.
    pub(crate) signals: Option<Signals>,
    /// Whether an operator has paused scaling.
    #[serde(default)]
    pub(crate) paused: bool,
    #[serde(default)]
    pub(crate) notices: Vec<NoticeText>,
    #[serde(default)]
    pub(crate) cloud: Cloud,
    #[serde(default)]
    pub(crate) expect: Expect,
}

/// How the cloud and the cluster answer.
#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cloud {
    /// Whatever is asked for is done at once.
    #[default]
    Works,
    /// The same, and evictions are refused.
    KeepsPods,
    /// Launches are refused for want of capacity.
    HasNoCapacity,
    /// The same, for spot instances only.
    HasNoSpot,
    /// What is launched runs and never joins.
    LaunchesStray,
    /// Nobody carries anything out.
    Sleeps,
}

/// A notice about a node's instance.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoticeText {
    pub(crate) id: String,
    pub(crate) node: String,
    pub(crate) kind: autoscale_core::data::record::NoticeKind,
    #[serde(default, rename = "in", deserialize_with = "span")]
    pub(crate) left: Span,
}

/// Every row of every file.
pub(crate) fn all() -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rows/data");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| family(file)).collect()
}

fn family(file: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(file).unwrap();
    let shown = file.display();
    let family: Family = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{shown}: {error}"));
    let rows = family.rows.into_iter();
    rows.map(|RowText { id, what, mut cases, scene }| {
        if cases.is_empty() {
            cases.insert(String::new(), empty());
        }
        let scene = merged(family.common.clone(), &scene);
        let read = |(name, case): (String, Value)| {
            let whole = merged(scene.clone(), &case);
            let scene =
                serde_json::from_value(whole).unwrap_or_else(|error| panic!("{shown}: {id} {name}: {error}"));
            (name, scene)
        };
        let cases = cases.into_iter().map(read).collect();
        Row { id, what, cases }
    })
    .collect()
}

/// A JSON merge patch (RFC 7386).
fn merged(mut base: Value, patch: &Value) -> Value {
    let (Some(into), Some(from)) = (base.as_object_mut(), patch.as_object()) else { return patch.clone() };
    for (key, value) in from {
        if value.is_null() {
            into.remove(key);
        } else {
            let old = into.remove(key).filter(Value::is_object).unwrap_or(Value::Null);
            into.insert(key.clone(), merged(old, value));
        }
    }
    base
}

impl Scene {
    pub(crate) fn policy(&self) -> Policy {
        let whole = merged(json!({"version": 1, "cluster": "shop", "pools": self.pools}), &self.policy);
        Policy::from_json(&whole.to_string()).unwrap_or_else(|errors| panic!("{errors}"))
    }
}

fn empty() -> Value {
    json!({})
}

const fn one() -> u32 {
    1
}

fn default_namespace() -> String {
    "default".to_owned()
}

fn default_owner() -> String {
    "ReplicaSet/web".to_owned()
}

fn some_span<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Span>, D::Error> {
    span(from).map(Some)
}

fn span<'de, D: Deserializer<'de>>(from: D) -> Result<Span, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

/// `500m`, or a number of whole ones.
fn cpu<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    amount(from, 1_000, &[("m", 1)]).map(Some)
}

/// `512Mi`, or a number of bytes.
fn memory<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    amount(from, 1, &[("Mi", 1 << 20), ("Gi", 1 << 30)]).map(Some)
}

fn amount<'de, D: Deserializer<'de>>(from: D, plain: u64, units: &[(&str, u64)]) -> Result<u64, D::Error> {
    let given = Value::deserialize(from)?;
    let text = given.as_str().unwrap_or_default();
    let read = |(unit, size): &(&str, u64)| Some(text.strip_suffix(unit)?.parse::<u64>().ok()? * size);
    let whole = given.as_u64().map(|number| number * plain);
    whole
        .or_else(|| units.iter().find_map(read))
        .ok_or_else(|| serde::de::Error::custom(format!("no amount: {given}")))
}
