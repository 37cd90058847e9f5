//! The canonical form of a policy: every setting spelled out, in one order and one way of writing.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use super::check::check;
use super::error::PolicyErrors;
use super::names::Named;
use super::raw::{MAX_SIZE, Raw};
use super::{Bound, HealthPolicy, Policy, PoolPolicy, Rule, Shape, SignalSpec, TickPolicy, units};
use crate::words::{Resources, truncated};

impl Policy {
    /// Reads a policy from JSON of at most 1 MiB.
    ///
    /// # Errors
    /// Everything that is wrong at once: where, what stands there and what was expected.
    pub fn from_json(text: &str) -> Result<Self, PolicyErrors> {
        if text.len() > MAX_SIZE {
            let expected = format!("at most {MAX_SIZE} bytes");
            return Err(PolicyErrors::whole(format!("{} bytes", text.len()), expected));
        }
        let raw = serde_json::from_str(text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            let message = error.to_string();
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
            PolicyErrors::whole(place, format!("JSON, but {}", truncated(message, 200)))
        })?;
        check(&raw)
    }
}

/// From any self-describing format, with the checks of [`Policy::from_json`]; the error's text has all errors.
impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        check(&Raw::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The canonical form: every setting spelled out. It reads back to an equal policy.
impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        canonical(self).serialize(serializer)
    }
}

/// What the content hash is of. A tree without floating-point numbers always has a JSON form.
pub(super) fn canonical_bytes(policy: &Policy) -> Vec<u8> {
    serde_json::to_vec(&canonical(policy)).unwrap_or_default()
}

fn canonical(policy: &Policy) -> Raw {
    let Policy { cluster, tick, health, signals, pools, hash: _ } = policy;
    let TickPolicy { interval, limit } = tick;
    let HealthPolicy { tolerated, ratio } = health;
    map([
        ("version", Raw::Whole(1)),
        ("cluster", Raw::text(cluster)),
        ("tick", map([("interval", Raw::text(interval)), ("limit", Raw::text(limit))])),
        (
            "health",
            map([("tolerated", Raw::whole(*tolerated)), ("ratio", units::show_ratio(ratio.as_fixed()))]),
        ),
        ("signals", Raw::Map(signals.iter().map(|(name, spec)| (name.to_string(), signal(*spec))).collect())),
        (
            "pools",
            Raw::Map(pools.iter().map(|(name, part)| (name.to_string(), pool(policy, part))).collect()),
        ),
    ])
}

fn signal(SignalSpec { unit, stale_after }: SignalSpec) -> Raw {
    map([("unit", Raw::text(unit.name())), ("stale_after", Raw::text(stale_after))])
}

fn pool(policy: &Policy, pool: &PoolPolicy) -> Raw {
    #[rustfmt::skip]
    let PoolPolicy {
        name: _, min, max, zones, shape, template, purchases, pods_per_node, up, down, pending_for, step_up, step_down,
        max_batch, cooldown_up, cooldown_down, join_timeout, drain_timeout, max_zone_skew, backoff_initial,
        backoff_max, replacement_surge, on_rebalance, adopt, system_pods,
    } = pool;
    let Shape { name, allocatable: Resources { cpu_milli, memory, pods }, extended: _, labels: _, price: _ } =
        shape;
    let rules = |rules: &[Rule]| Raw::List(rules.iter().map(|part| rule(policy, part)).collect());
    let shape = map([
        ("name", Raw::text(name)),
        ("cpu", units::show_cpu(*cpu_milli)),
        ("memory", units::show_memory(*memory)),
        ("pods", Raw::whole(*pods)),
    ]);
    map([
        ("min", Raw::whole(*min)),
        ("max", Raw::whole(*max)),
        ("zones", Raw::List(zones.iter().map(Raw::text).collect())),
        ("shape", shape),
        ("template", Raw::text(template)),
        ("purchases", Raw::List(purchases.iter().map(|purchase| Raw::text(purchase.name())).collect())),
        ("pods_per_node", Raw::whole(*pods_per_node)),
        ("up", rules(up)),
        ("down", rules(down)),
        ("pending", pending_for.map_or(Raw::Bool(false), |span| map([("for", Raw::text(span))]))),
        ("step_up", Raw::whole(*step_up)),
        ("step_down", Raw::whole(*step_down)),
        ("max_batch", Raw::whole(*max_batch)),
        ("cooldown_up", Raw::text(cooldown_up)),
        ("cooldown_down", Raw::text(cooldown_down)),
        ("join_timeout", Raw::text(join_timeout)),
        ("drain_timeout", Raw::text(drain_timeout)),
        ("max_zone_skew", Raw::whole(*max_zone_skew)),
        ("backoff_initial", Raw::text(backoff_initial)),
        ("backoff_max", Raw::text(backoff_max)),
        ("replacement_surge", Raw::whole(*replacement_surge)),
        ("on_rebalance", Raw::text(on_rebalance.name())),
        ("adopt", Raw::Bool(*adopt)),
        ("system_pods", Raw::text(system_pods.name())),
    ])
}

fn rule(policy: &Policy, Rule { signal, bound, lasting }: &Rule) -> Raw {
    // A rule over an undeclared signal cannot exist in a policy.
    let unit = policy.signals.get(signal).map(|spec| spec.unit).unwrap_or_default();
    let side = match bound {
        Bound::Above(_) => "above",
        Bound::Below(_) => "below",
    };
    map([
        ("signal", Raw::text(signal)),
        (side, units::show_threshold(unit, bound.threshold())),
        ("for", Raw::text(lasting)),
    ])
}

fn map<const N: usize>(entries: [(&str, Raw); N]) -> Raw {
    Raw::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
