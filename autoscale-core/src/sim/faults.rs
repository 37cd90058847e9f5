//! Faults: how often each happens, and how often each has happened.

use std::collections::BTreeMap;

use crate::memory::Rng;
use crate::words::{InstanceId, Span};

use super::config::Faults;
use super::news::Happening;
use super::odds::Odd;

/// How often each fault happens. Rates are per call, in a million; `every` is a mean distance, zero for never.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates {
    /// The process dies at one of four points of a call: before it, sent, landed, answered (F1).
    pub(super) crash: u32,
    /// The request never arrives (F4, F13).
    pub(super) lost_request: u32,
    /// The request is carried out, the answer never arrives (F4, F13).
    pub(super) lost_answer: u32,
    /// The request is carried out up to 5 minutes later; the sender hears nothing (F4).
    pub(super) late_request: u32,
    /// The answer takes 3 to 12 s (F4).
    pub(super) late_answer: u32,
    /// Nothing is done but to ask for patience (F12, F35).
    pub(super) throttled: u32,
    /// The client sends a swap twice and hears of the second (F4).
    pub(super) swap_resent: u32,
    /// The process stops at the answer and goes on 1 to 20 minutes later, after others (F11).
    pub(super) frozen: u32,
    /// A page of the list is missing, and the list says so (F20).
    pub(super) incomplete_list: u32,
    /// The survey fails (F36).
    pub(super) survey_failed: u32,
    /// A sample is missing (F37).
    pub(super) metrics_missing: u32,
    /// The list lags by at most this (F20).
    pub(super) list_lag: Span,
    /// Boots in a million that hang (F21).
    pub(super) boot_hang: u32,
    /// Notices in a million that are delivered twice or more (F2, F32).
    pub(super) duplicate_notice: u32,
    /// Notices in a million that come minutes to hours late (F2, F32).
    pub(super) late_notice: u32,
    /// A person uncordons a node that we cordoned, in a million of our cordons (F30).
    pub(super) human_uncordon: u32,
    /// A spot instance is taken (F32).
    pub(super) interrupt_every: Span,
    /// A rebalance recommendation (F32).
    pub(super) rebalance_every: Span,
    /// An instance dies without a word (F25, F31).
    pub(super) kill_every: Span,
    /// An offering has no capacity for a while (F15).
    pub(super) no_capacity_every: Span,
    /// The store is out for a while (F12).
    pub(super) store_out_every: Span,
    /// Metrics are out for a while (F38).
    pub(super) silence_every: Span,
    /// A person cordons a node (F30).
    pub(super) human_cordon_every: Span,
    /// An operator pauses the record.
    pub(super) pause_every: Span,
    /// An operator clears the lease (F9).
    pub(super) unlock_every: Span,
    /// A second tick starts beside a running one (F3).
    pub(super) overlap_every: Span,
    /// For how long a frozen process stands still.
    pub(super) frozen_for: (Span, Span),
    /// Whether everything else strikes too, by the odds of each.
    pub(super) hostile: bool,
}

impl Rates {
    /// The rates of a level of faults.
    pub(super) fn of(faults: Faults) -> Self {
        match faults {
            Faults::None => Self::default(),
            Faults::Mild => Self {
                crash: 1_500,
                lost_request: 800,
                lost_answer: 800,
                late_request: 800,
                late_answer: 1_500,
                throttled: 1_500,
                swap_resent: 2_000,
                frozen: 800,
                incomplete_list: 20_000,
                survey_failed: 10_000,
                metrics_missing: 20_000,
                list_lag: Span::from_mins(2),
                boot_hang: 40_000,
                duplicate_notice: 200_000,
                late_notice: 100_000,
                human_uncordon: 50_000,
                interrupt_every: Span::from_mins(150),
                rebalance_every: Span::from_mins(240),
                kill_every: Span::from_mins(300),
                no_capacity_every: Span::from_mins(90),
                store_out_every: Span::from_mins(300),
                silence_every: Span::from_mins(240),
                human_cordon_every: Span::from_mins(400),
                pause_every: Span::from_mins(500),
                unlock_every: Span::from_mins(120),
                overlap_every: Span::from_mins(40),
                frozen_for: (Span::from_mins(1), Span::from_mins(20)),
                hostile: false,
            },
            Faults::Hostile => Self {
                crash: 2_500,
                list_lag: Span::from_mins(15),
                interrupt_every: Span::from_mins(100),
                kill_every: Span::from_mins(160),
                store_out_every: Span::from_mins(160),
                overlap_every: Span::from_mins(60),
                frozen_for: (Span::from_secs(1), Span::from_mins(120)),
                hostile: true,
                ..Self::of(Faults::Mild)
            },
        }
    }
}

/// Every kind of fault that [`Faults::Mild`] has to exercise, by the name it is counted under.
pub const KINDS: [&str; 37] = [
    "boot-hang",
    "crash-before-effect",
    "crash-before-read",
    "crash-before-swap",
    "crash-effect-answered",
    "crash-effect-landed",
    "crash-effect-sent",
    "crash-read-answered",
    "crash-swap-answered",
    "crash-swap-landed",
    "crash-swap-sent",
    "duplicate-notice",
    "frozen",
    "human-cordon",
    "human-uncordon",
    "incomplete-list",
    "late-answer",
    "late-notice",
    "late-request",
    "late-swap",
    "list-lag",
    "lost-answer",
    "lost-request",
    "lost-swap",
    "lost-swap-answer",
    "metrics-missing",
    "metrics-outage",
    "no-capacity",
    "operator-pause",
    "operator-unlock",
    "overlapping-ticks",
    "rebalance",
    "spot-interruption",
    "store-unavailable",
    "swap-resent",
    "throttled",
    "unannounced-death",
];

/// The rates in force, the seed, and what has happened.
#[derive(Clone, Debug)]
pub(super) struct Chaos {
    pub(super) rates: Rates,
    pub(super) rng: Rng,
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// Faults that a script wants at their next opportunity.
    pub(super) forced: BTreeMap<&'static str, u32>,
    /// What has happened and was not told yet.
    pub(super) news: Vec<Happening>,
}

impl Chaos {
    pub(super) const fn new(rates: Rates, rng: Rng) -> Self {
        Self { rates, rng, counts: BTreeMap::new(), forced: BTreeMap::new(), news: Vec::new() }
    }

    /// Counts a fault that really happened.
    pub(super) fn count(&mut self, kind: &'static str) {
        self.count_about(kind, None);
    }

    /// Counts a fault that really happened to an instance.
    pub(super) fn count_about(&mut self, kind: &'static str, instance: Option<InstanceId>) {
        *self.counts.entry(kind).or_default() += 1;
        self.news.push(Happening { kind, instance });
    }

    /// Whether a fault with this rate happens now.
    pub(super) fn chance(&mut self, per_million: u32, weight: u32) -> bool {
        self.rng.chance(per_million.saturating_mul(weight))
    }

    /// Whether a fault strikes now, by its rate or because a script wants it; it is counted.
    pub(super) fn strikes(&mut self, name: &'static str, per_million: u32, weight: u32) -> bool {
        let strikes = self.is_forced(name) || self.chance(per_million, weight);
        if strikes {
            self.count(name);
        }
        strikes
    }

    /// Whether a hostile fault strikes now; it is counted.
    pub(super) fn hit(&mut self, Odd(name, per_million): Odd) -> bool {
        let strikes = self.is_forced(name) || (self.rates.hostile && self.rng.chance(per_million));
        if strikes {
            self.count(name);
        }
        strikes
    }

    fn is_forced(&mut self, name: &'static str) -> bool {
        match self.forced.get_mut(name) {
            None | Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    /// Ends all faults.
    pub(super) fn cease(&mut self) {
        self.rates = Rates::default();
    }
}
