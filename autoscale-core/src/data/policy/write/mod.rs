//! The canonical form of a policy: every setting spelled out, in one order and one way of writing.

mod pool;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use super::check::check;
use super::names::Named;
use super::raw::Raw;
use super::{Choose, HealthPolicy, Policy, SignalSpec, TickPolicy, units};
use pool::map;
pub(super) use pool::{headroom, resources, shape};

/// From any self-describing format, with the checks of [`Policy::from_json`] but without places; the error's text has all errors.
impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        check(&Raw::deserialize(deserializer)?, None).map_err(D::Error::custom)
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

pub(super) fn canonical(policy: &Policy) -> Raw {
    let Policy { cluster, tick, health, choose, signals, pools, hash: _ } = policy;
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
        ("choose", self::choose(choose)),
        ("signals", Raw::Map(signals.iter().map(|(name, spec)| (name.to_string(), signal(*spec))).collect())),
        (
            "pools",
            Raw::Map(pools.iter().map(|(name, part)| (name.to_string(), pool::pool(policy, part))).collect()),
        ),
    ])
}

/// As written in a policy.
pub(super) fn choose(choose: &Choose) -> Raw {
    match choose {
        Choose::LeastWaste => Raw::text("least_waste"),
        Choose::Price => Raw::text("price"),
        Choose::Priority => Raw::text("priority"),
        Choose::Order(pools) => Raw::List(pools.iter().map(Raw::text).collect()),
    }
}

fn signal(SignalSpec { unit, stale_after }: SignalSpec) -> Raw {
    map([("unit", Raw::text(unit.name())), ("stale_after", Raw::text(stale_after))])
}
