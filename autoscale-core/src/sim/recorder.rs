//! What a run leaves behind: the report.

use std::collections::{BTreeMap, VecDeque};

use crate::data::explain::Explanation;
use crate::data::policy::{Policy, Purchase};
use crate::data::view::Ownership;
use crate::driver::Report as TickReport;
use crate::memory::World;
use crate::words::{Resources, Span, Timestamp, Zone};

use super::net::Net;
use super::observer::Fleet;
use super::pods::List;
use super::prices::Prices;
use super::report::{Point, Report, Told};
use super::scenario::first_shape;

/// Most decisions that are told.
const MOST_TOLD: usize = 20;

/// Collects what a report says.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) ticks: u64,
    /// What a node offers, of the first pool where they differ.
    node: Resources,
    /// Whether those of all pools offer the same.
    alike: bool,
    every: Span,
    prices: Prices,
    series: Vec<Point>,
    told: VecDeque<Told>,
    last_quiet: Option<(Timestamp, Explanation)>,
}

impl Recorder {
    pub(super) fn new(policy: &Policy, until: Span) -> Self {
        let mut shapes = policy.pools().values().map(|pool| first_shape(pool).allocatable);
        let node = shapes.next().unwrap_or_default();
        Self {
            ticks: 0,
            node,
            alike: shapes.all(|shape| shape == node),
            every: Span::from_mins(1).max(until.divided(2_000)),
            prices: Prices::of(policy),
            series: Vec::new(),
            told: VecDeque::new(),
            last_quiet: None,
        }
    }

    /// How often the fleet is written down.
    pub(super) const fn every(&self) -> Span {
        self.every
    }

    /// Writes the fleet down, and gives it in more detail than is kept.
    pub(super) fn point<'n>(&mut self, net: &'n Net, at: Span) -> Fleet<'n> {
        let world = &net.world;
        let mut alive: BTreeMap<(&Zone, Purchase), u32> = BTreeMap::new();
        for (_, machine) in world.cloud.alive().filter(|(_, machine)| machine.ownership == Ownership::Ours) {
            *alive.entry((&machine.offering.zone, machine.offering.purchase)).or_default() += 1;
        }
        let (mut ready, mut offered) = (0, [0_u64; 2]);
        for node in world.cluster.nodes.values().filter(|node| node.ready && !node.control_plane) {
            let Resources { cpu_milli, memory, .. } = node.allocatable;
            ready += 1;
            offered.iter_mut().zip([cpu_milli, memory]).for_each(|(sum, part)| *sum += part);
        }
        let point = Point {
            at,
            need: self.need(world, ready, offered),
            ready,
            alive: alive.values().sum(),
            spot: alive.iter().filter(|((_, how), _)| *how == Purchase::Spot).map(|(_, nodes)| nodes).sum(),
            pending: world.cluster.pending(),
        };
        self.series.push(point);
        Fleet { point, alive, cost: self.prices.cost(world, world.now) }
    }

    /// Nodes that hold what all wanted pods ask for; of the average size where sizes differ.
    fn need(&self, world: &World, ready: u32, offered: [u64; 2]) -> u32 {
        let daemon = world.cluster.daemon;
        let [cpu, memory] = world.cluster.wanted;
        let [node_cpu, node_memory] = match u64::from(ready) {
            nodes if nodes > 0 && !self.alike => offered.map(|sum| sum / nodes),
            _ => [self.node.cpu_milli, self.node.memory],
        };
        let by_cpu = cpu.div_ceil(node_cpu.saturating_sub(daemon.cpu_milli).max(1));
        let by_memory = memory.div_ceil(node_memory.saturating_sub(daemon.memory).max(1));
        by_cpu.max(by_memory) as u32
    }

    pub(super) fn tick(&mut self, report: &TickReport) {
        for round in &report.rounds {
            if round.explanation.actions.is_empty() {
                self.last_quiet = Some((report.at, round.explanation.clone()));
            } else {
                self.told.push_back(Told { at: report.at, text: tell(&round.explanation) });
                if self.told.len() > MOST_TOLD {
                    self.told.pop_front();
                }
            }
        }
    }

    pub(super) fn finish(self, net: &mut Net, list: Option<&List>, beginning: Timestamp) -> Report {
        let (spot_hours, on_demand_hours) = net.world.hours();
        net.world.cluster.account(net.world.now);
        if net.world.hangs > 0 {
            net.chaos.counts.insert("boot-hang", net.world.hangs);
        }
        let waits = &net.world.cluster.waits;
        let [p50, p95] = [50, 95].map(|percent| percentile(waits, |[all, _]| *all, percent));
        let waiting = percentile(waits, |[_, waited]| *waited, 95);
        let mut told = Vec::from(self.told);
        told.extend(self.last_quiet.map(|(at, explanation)| Told { at, text: tell(&explanation) }));
        if net.world.cloud.refused_for_capacity > 0 {
            net.chaos.counts.insert("no-capacity", net.world.cloud.refused_for_capacity);
        }
        Report {
            length: net.world.now.since(beginning),
            ticks: self.ticks,
            scale_ups: net.truth.scale_ups,
            scale_downs: net.truth.scale_downs,
            replacements: net.truth.replacements,
            evictions: net.world.cluster.evictions,
            pending_pod_minutes: net.world.cluster.pending_ms / 60_000,
            wait_p50: p50,
            wait_p95: p95,
            wait_p95_of_waiting: waiting,
            spot_hours,
            on_demand_hours,
            cost: self.prices.cost(&net.world, net.world.now),
            series: self.series,
            pods: list.map(|list| list.counts(&net.world)),
            faults: net.chaos.counts.clone(),
            invariants: net.truth.checked.clone(),
            violations: std::mem::take(&mut net.truth.violations),
            told,
            log: net.log.take().unwrap_or_default(),
            digest: net.truth.digest(),
        }
    }
}

fn tell(explanation: &Explanation) -> String {
    explanation.to_string()
}

fn percentile(waits: &BTreeMap<u32, [u64; 2]>, of: impl Fn(&[u64; 2]) -> u64, percent: u64) -> Span {
    let pods: u64 = waits.values().map(&of).sum();
    let at = (pods * percent / 100).min(pods.saturating_sub(1));
    let mut passed = 0;
    let found = waits.iter().find(|(_, counts)| {
        passed += of(counts);
        passed > at
    });
    Span::from_millis(found.map_or(0, |(ms, _)| u64::from(*ms)))
}
