//! A policy in code. The builder writes the same tree as a file, so both are checked by the same function.

mod env;
mod pool;
mod rule;

use super::check::check;
use super::error::PolicyErrors;
use super::names::Named;
use super::raw::Raw;
use super::{Choose, Policy, units, write};
use crate::words::{Ratio, Span, Unit};

pub use pool::PoolBuilder;
pub use rule::{Keep, Threshold, When};

/// What is set so far; a key set again has its last value.
#[derive(Clone, Debug, Default)]
struct Draft(Vec<(String, Raw)>);

impl Draft {
    fn set(mut self, key: &str, value: Raw) -> Self {
        self.0.retain(|(old, _)| old != key);
        self.0.push((key.to_owned(), value));
        self
    }

    /// Adds to a list, or starts one.
    fn add(mut self, key: &str, value: Raw) -> Self {
        match self.0.iter_mut().find(|(old, _)| old == key) {
            Some((_, Raw::List(list))) => list.push(value),
            _ => self.0.push((key.to_owned(), Raw::List(vec![value]))),
        }
        self
    }
}

/// A policy to be; see [`Policy::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct PolicyBuilder {
    rest: Draft,
    tick: Draft,
    signals: Vec<(String, Raw)>,
    pools: Vec<(String, Raw)>,
    /// Each with the name of its pool.
    variables: Vec<(String, env::Variable)>,
}

impl Policy {
    /// Starts a policy for one cluster.
    ///
    /// ```
    /// # use autoscale_core::data::policy::{Policy, PolicyErrors, PoolPolicy, When};
    /// # use autoscale_core::words::{Span, Unit};
    /// let web = PoolPolicy::builder("web")
    ///     .with_zones(["eu-west-1a", "eu-west-1b"])
    ///     .with_shape("m6i.large", 1_930, 7 << 30, 110)
    ///     .with_up(When::above("cpu", "70%"))
    ///     .with_up(When::above("queue_depth", 100).lasting(Span::from_mins(2)));
    /// let batch = PoolPolicy::builder("batch")
    ///     .with_min(0)
    ///     .with_zones(["eu-west-1a"])
    ///     .with_shape("c6i.xlarge", 3_920, 7 << 30, 110);
    /// let policy = Policy::builder("shop")
    ///     .with_signal("queue_depth", Unit::Count)
    ///     .with_pool(web)
    ///     .with_pool(batch)
    ///     .build()?;
    /// assert_eq!(policy.pools().len(), 2);
    /// # Ok::<(), PolicyErrors>(())
    /// ```
    pub fn builder(cluster: impl Into<String>) -> PolicyBuilder {
        let rest = Draft::default().set("version", Raw::Whole(1)).set("cluster", Raw::Text(cluster.into()));
        PolicyBuilder {
            rest,
            tick: Draft::default(),
            signals: Vec::new(),
            pools: Vec::new(),
            variables: Vec::new(),
        }
    }
}

impl PolicyBuilder {
    /// From the start of one tick to the start of the next.
    pub fn with_interval(self, interval: Span) -> Self {
        Self { tick: self.tick.set("interval", Raw::text(interval)), ..self }
    }

    /// After which a tick has ended.
    pub fn with_limit(self, limit: Span) -> Self {
        Self { tick: self.tick.set("limit", Raw::text(limit)), ..self }
    }

    /// How much unreadiness is tolerated: so many nodes, and so large a share of all.
    pub fn with_health(self, tolerated: u32, ratio: Ratio) -> Self {
        let ratio = units::show_ratio(ratio.as_fixed());
        let health =
            Raw::Map(vec![("tolerated".to_owned(), Raw::whole(tolerated)), ("ratio".to_owned(), ratio)]);
        Self { rest: self.rest.set("health", health), ..self }
    }

    /// Which pool and shape a new node is of, where several would do.
    pub fn with_choose(self, choose: Choose) -> Self {
        Self { rest: self.rest.set("choose", write::choose(&choose)), ..self }
    }

    /// Declares a signal that is stale after 3 minutes.
    pub fn with_signal(self, name: impl Into<String>, unit: Unit) -> Self {
        self.declare(name.into(), vec![("unit".to_owned(), Raw::text(unit.name()))])
    }

    /// Declares a signal that is stale after a time of its own.
    pub fn with_signal_stale_after(self, name: impl Into<String>, unit: Unit, stale_after: Span) -> Self {
        let unit = ("unit".to_owned(), Raw::text(unit.name()));
        self.declare(name.into(), vec![unit, ("stale_after".to_owned(), Raw::text(stale_after))])
    }

    fn declare(mut self, name: String, spec: Vec<(String, Raw)>) -> Self {
        self.signals.push((name, Raw::Map(spec)));
        self
    }

    /// Adds a pool. Two of one name are an error.
    pub fn with_pool(mut self, pool: PoolBuilder) -> Self {
        self.variables.extend(pool.variables.into_iter().map(|variable| (pool.name.clone(), variable)));
        self.pools.push((pool.name, Raw::Map(pool.draft.0)));
        self
    }

    /// The policy.
    ///
    /// # Errors
    /// Everything that is wrong at once.
    pub fn build(self) -> Result<Policy, PolicyErrors> {
        let mut draft = self.rest;
        if !self.tick.0.is_empty() {
            draft = draft.set("tick", Raw::Map(self.tick.0));
        }
        if !self.signals.is_empty() {
            draft = draft.set("signals", Raw::Map(self.signals));
        }
        let checked = check(&Raw::Map(draft.set("pools", Raw::Map(self.pools)).0), None);
        env::named(checked, &self.variables)
    }
}
