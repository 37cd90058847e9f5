//! A controller that sets a workload's replicas by its usage, like Kubernetes' HorizontalPodAutoscaler.

use std::collections::VecDeque;

use crate::memory::{WorkloadId, World};
use crate::words::{Span, Timestamp};

/// How often replicas are looked at.
pub(super) const EVERY: Span = Span::from_secs(15);

/// For so long the greatest wish counts, before replicas are taken away.
const STABLE: Span = Span::from_mins(5);

/// One workload's controller: wanted replicas are `ceil(replicas * usage / target)`, with a tolerance of 10 %.
#[derive(Clone, Debug)]
pub(super) struct Hpa {
    workload: WorkloadId,
    /// Thousandths of the whole load.
    share: u64,
    /// Wanted usage of one pod, in thousandths of a CPU.
    target: u64,
    least: u32,
    most: u32,
    wishes: VecDeque<(Timestamp, u32)>,
}

impl Hpa {
    pub(super) const fn new(workload: WorkloadId, share: u64, target: u64, least: u32, most: u32) -> Self {
        Self { workload, share, target, least, most, wishes: VecDeque::new() }
    }

    /// Gives the workload its part of the load, and sets its replicas.
    pub(super) fn step(&mut self, world: &mut World, load_milli: u64) {
        let now = world.now();
        world.set_usage(self.workload, load_milli * self.share / 1_000);
        let Some(running) = world.cluster.workload(self.workload.0) else { return };
        let (desired, up, usage) = (running.desired, running.up, running.usage_milli());
        let ratio = (usage * 1_000).checked_div(self.target).unwrap_or(1_000);
        let wish = if up == 0 || (900..=1_100).contains(&ratio) {
            desired
        } else {
            // Pods that are not up yet count as idle on the way up, as they do in Kubernetes.
            let wish = (u64::from(up) * ratio).div_ceil(1_000) as u32;
            if ratio > 1_000 { wish.max(desired) } else { wish.min(desired) }
        };
        let fastest = desired.saturating_mul(2).max(desired + 4);
        let wish = wish.min(fastest).clamp(self.least, self.most);
        self.wishes.push_back((now, wish));
        while self.wishes.front().is_some_and(|(at, _)| now.since(*at) > STABLE) {
            self.wishes.pop_front();
        }
        let stable = self.wishes.iter().map(|(_, wish)| *wish).max().unwrap_or(wish);
        let next = if wish > desired { wish } else { stable.min(desired) };
        if next != desired {
            world.set_replicas(self.workload, next);
        }
    }
}
