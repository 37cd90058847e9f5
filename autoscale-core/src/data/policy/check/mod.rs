//! The one function that makes a [`Policy`] out of what was written, or says everything that is wrong with it.

mod choose;
mod nodes;
mod pool;
mod rules;
mod shapes;
mod targets;

use std::collections::BTreeMap;

use super::error::PolicyErrors;
use super::keys::BUILT_IN;
use super::mark::Source;
use super::raw::Raw;
use super::read::{At, Sink};
use super::{Choose, HealthPolicy, Policy, PoolPolicy, SignalSpec, TickPolicy, units, write};
use crate::words::{ClusterId, ContentHash, PoolName, Ratio, SignalName, Span, Unit};

/// Makes a policy, or says everything that is wrong, and where in the text if there is one.
pub(super) fn check(raw: &Raw, source: Option<Source<'_>>) -> Result<Policy, PolicyErrors> {
    let sink = Sink::new(source.map(|source| source.text));
    let policy = policy(&At::root(raw, source, &sink));
    sink.finish(policy)
}

/// What the checks of a pool need to know of the rest. `None`: wrong, and said so already.
struct Context {
    interval: Option<Span>,
    /// Whether every shape needs a price.
    priced: bool,
    signals: Option<BTreeMap<SignalName, Option<SignalSpec>>>,
}

fn policy(at: &At<'_>) -> Option<Policy> {
    // Of another version nothing else can be judged: its keys may mean something else.
    if let Some(version) = at
        .given("version")
        .filter(|version| matches!(version.raw(), Some(Raw::Whole(number)) if *number != 1))
    {
        return version.wrong("1, the only version that is known here");
    }
    let fields = at.fields()?;
    let version = fields.get("version");
    if version.raw() != Some(&Raw::Whole(1)) {
        let _: Option<()> = version.wrong("1");
    }
    let cluster = fields.get("cluster").id::<ClusterId>();
    let (interval, limit) = tick(&fields.get("tick"));
    let health = fields.get("health").or(HealthPolicy::default(), health);
    let choose = fields.get("choose");
    let signals = signals(&fields.get("signals"));
    let context = Context { interval, priced: choose::is_by_price(&choose), signals };
    let pools = pools(&fields.get("pools"), &context);
    let choose = choose.or(Choose::default(), |at| choose::choose(at, &fields.get("pools")));
    let signals = context.signals?.into_iter().filter_map(|(name, spec)| Some((name, spec?))).collect();
    let mut policy = Policy {
        cluster: cluster?,
        tick: TickPolicy { interval: interval?, limit: limit? },
        health: health?,
        choose: choose?,
        signals,
        pools: pools?,
        hash: ContentHash::of(&[]),
    };
    policy.hash = ContentHash::of(&write::canonical_bytes(&policy));
    Some(policy)
}

fn tick(at: &At<'_>) -> (Option<Span>, Option<Span>) {
    let TickPolicy { interval, limit } = TickPolicy::default();
    if !at.is_given() {
        return (Some(interval), Some(limit));
    }
    let Some(fields) = at.fields() else {
        return (None, None);
    };
    (fields.get("interval").or(interval, At::span), fields.get("limit").or(limit, At::span))
}

fn health(at: &At<'_>) -> Option<HealthPolicy> {
    let fields = at.fields()?;
    let HealthPolicy { tolerated, ratio } = HealthPolicy::default();
    let tolerated = fields.get("tolerated").or(tolerated, At::whole);
    let ratio = fields.get("ratio").or(ratio, self::ratio);
    Some(HealthPolicy { tolerated: tolerated?, ratio: ratio? })
}

fn ratio(at: &At<'_>) -> Option<Ratio> {
    let micros = at.quantity("a percentage", units::ratio)?.as_micros();
    Ratio::from_micros(u32::try_from(micros).ok()?)
}

fn signals(at: &At<'_>) -> Option<BTreeMap<SignalName, Option<SignalSpec>>> {
    let given = at.clone().or(BTreeMap::new(), At::entries)?;
    let mut signals = BTreeMap::new();
    for name in BUILT_IN.iter().filter_map(|name| SignalName::new(name).ok()) {
        signals.insert(name, Some(SignalSpec::new(Unit::Ratio)));
    }
    for (name, at) in given {
        let spec = signal(&at, BUILT_IN.contains(&name));
        if let Some(name) = at.name::<SignalName>(name) {
            signals.insert(name, spec);
        }
    }
    Some(signals)
}

fn signal(at: &At<'_>, built_in: bool) -> Option<SignalSpec> {
    let fields = at.fields()?;
    let unit = fields.get("unit");
    let unit = if built_in { unit.or(Unit::Ratio, At::word) } else { unit.word() };
    let default = SignalSpec::new(Unit::Ratio).stale_after;
    let stale_after = fields.get("stale_after").or(default, At::span);
    Some(SignalSpec { unit: unit?, stale_after: stale_after? })
}

fn pools(at: &At<'_>, context: &Context) -> Option<BTreeMap<PoolName, PoolPolicy>> {
    let given = at.entries()?;
    let mut pools = BTreeMap::new();
    for (name, at) in given {
        let name = at.name::<PoolName>(name);
        if let (Some(name), Some(pool)) = (name.clone(), pool::pool(&at, name, context)) {
            pools.insert(name, pool);
        }
    }
    Some(pools)
}
