//! What is simulated: a load, a policy, faults, a seed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::data::policy::Policy;
use crate::words::Span;

use super::blow::Blow;
use super::pods::PodSpan;

/// A named situation: a load curve, and what the cloud does to the nodes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Scenario {
    /// A web shop: busy from 9 to 21 h, flash sales, spot interruptions, an hour without metrics, one zone out of spot capacity.
    Shop,
    /// The same load all the time.
    Steady,
    /// A day's curve, repeated, with nothing going wrong.
    Diurnal,
    /// Short, steep peaks on a low base.
    FlashSale,
    /// Many spot interruptions, several at once.
    SpotStorm,
    /// A whole zone fails, and comes back.
    ZoneOutage,
    /// Metrics stay away for an hour at the worst of times.
    MetricsOutage,
    /// A day's curve, repeated, of about 1,000 nodes at its height, on a pool of spot nodes and one of on-demand nodes.
    ThousandNodes,
}

impl Scenario {
    /// All of them, with the name each is called by.
    pub const ALL: [(&'static str, Self); 8] = [
        ("shop", Self::Shop),
        ("steady", Self::Steady),
        ("diurnal", Self::Diurnal),
        ("flash-sale", Self::FlashSale),
        ("spot-storm", Self::SpotStorm),
        ("zone-outage", Self::ZoneOutage),
        ("metrics-outage", Self::MetricsOutage),
        ("1000-nodes", Self::ThousandNodes),
    ];

    /// How many times the load and the workloads of the others its own are.
    const fn times(self) -> u32 {
        match self {
            Self::ThousandNodes => 100,
            _ => 1,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, scenario)| scenario == self).map_or("?", |(name, _)| name);
        f.pad(name)
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, scenario)| *scenario);
        found.ok_or_else(|| format!("expected one of {}", Self::ALL.map(|(name, _)| name).join(", ")))
    }
}

/// How much goes wrong between the library and the services it talks to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Faults {
    /// Nothing but what the scenario itself does.
    #[default]
    None,
    /// Crashes before and after calls, lost and late requests and answers, throttling, lagging lists, lost samples,
    /// unannounced deaths, boots that hang: each every now and then.
    Mild,
    /// Everything in the fault table, on top of those: clocks off by years, frozen processes, damaged records, lists and
    /// signals that lie, people who change things by hand.
    Hostile,
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "mild" => Ok(Self::Mild),
            "hostile" => Ok(Self::Hostile),
            _ => Err("expected none, mild or hostile".to_owned()),
        }
    }
}

/// One point of a real load: so much, from then on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub struct LoadPoint {
    /// Since the start of the run.
    pub at: Span,
    /// Thousandths of a CPU that the load uses.
    pub cpu_milli: u64,
}

impl LoadPoint {
    /// So much, from then on.
    pub const fn new(at: Span, cpu_milli: u64) -> Self {
        Self { at, cpu_milli }
    }
}

/// One run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The situation.
    pub scenario: Scenario,
    /// What is thrown for every choice: the same seed is the same run.
    pub seed: u64,
    /// How much goes wrong.
    pub faults: Faults,
    /// How long it runs, in virtual time.
    pub until: Span,
    /// At least so many ticks, whatever `until` says: when they are done faults cease, and after a calm the run ends.
    pub ticks: Option<u64>,
    /// Under which policy; `None` takes the scenario's own.
    pub policy: Option<Arc<Policy>>,
    /// A real load in place of the scenario's, in the order of time.
    pub load: Option<Vec<LoadPoint>>,
    /// A list of pods in place of the scenario's workloads and load, in any order. Each uses what it asks for.
    pub pods: Option<Arc<Vec<PodSpan>>>,
    /// Whether the report has a log of every stored record and every effect.
    pub log: bool,
    /// How many times the scenario's load, and the sizes of its policy: 10 runs on 50 nodes and more.
    pub scale: u32,
    /// Faults at given times, counted from the start, besides those of `faults`.
    pub script: Vec<(Span, Blow)>,
}

impl Config {
    /// A scenario with nothing going wrong, seed 1, for 7 days.
    pub const fn new(scenario: Scenario) -> Self {
        Self {
            scenario,
            seed: 1,
            faults: Faults::None,
            until: Span::from_mins(7 * 24 * 60),
            ticks: None,
            policy: None,
            load: None,
            pods: None,
            log: false,
            scale: 1,
            script: Vec::new(),
        }
    }

    /// How many times the load and the workloads of the small scenarios.
    pub(super) const fn times(&self) -> u32 {
        self.scale.saturating_mul(self.scenario.times())
    }
}
