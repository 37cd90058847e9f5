//! Answers that lie: lists, samples and evictions as a hostile cloud gives them.

use crate::data::order::{Blocker, EvictOrder, EvictPass, LaunchOrder};
use crate::data::view::{Instance, Listing, Ownership, Reading, Sample, SignalQuery};
use crate::ports::{Error, ErrorKind, Result};
use crate::words::{Fixed, InstanceId, Span};

use super::call::{Call, Class, Reply};
use super::net::Net;
use super::odds;

/// Rows of other clusters and regions.
pub(super) fn foreign(prefix: &str, count: u64) -> impl Iterator<Item = Instance> + use<> {
    let ids: Vec<_> =
        (0..count).filter_map(|number| InstanceId::new(format!("{prefix}{number:08x}")).ok()).collect();
    ids.into_iter().map(|id| Instance::new(id, Ownership::Foreign))
}

impl Net {
    /// Whether a storm throttles this call.
    pub(super) fn is_storm(&mut self, call: &Call) -> bool {
        let patient = !matches!(call, Call::Swap(..) | Call::Sample(_) | Call::Load);
        let storm = patient && self.world.now() < self.storm_until && self.chaos.rng.chance(700_000);
        if storm {
            self.chaos.count("throttling-storm");
        }
        storm
    }

    /// Whether this launch is lost because none arrives for a while.
    pub(super) fn is_unanswered(&self, call: &Call) -> bool {
        matches!(call, Call::Launch(_)) && self.world.now() < self.unanswered_until
    }

    /// A late copy of a launch is under way: perhaps the next one finds no capacity, and this one does.
    pub(super) fn older_copy(&mut self, call: &Call) {
        if let Call::Launch(order) = call
            && self.chaos.rates.hostile
            && self.chaos.rng.chance(odds::OLDER_COPY.1)
        {
            self.refuse_once.insert(order.token.clone());
        }
    }

    /// What is not allowed for a while.
    pub(super) fn denied(&mut self, call: &Call) -> Option<Reply> {
        if call.class() != Class::Effect || self.world.now() >= self.denied_until {
            return None;
        }
        self.chaos.count("denied");
        let action = match call {
            Call::Launch(_) => "RunInstances",
            Call::Terminate(_) => "TerminateInstances",
            _ => "patch nodes",
        };
        Some(call.failed(ErrorKind::Denied { action: action.to_owned() }, "credentials expired"))
    }

    pub(super) fn list(&mut self) -> Reply {
        if self.chaos.hit(odds::LIST_FAILED) {
            return Reply::List(Err(Error::new(ErrorKind::Unavailable, "the page token has expired")));
        }
        if self.world.cloud.is_lagging(self.world.now()) {
            self.chaos.count("list-lag");
        }
        let mut listing = self.world.list();
        if self.chaos.strikes("incomplete-list", self.chaos.rates.incomplete_list, 1) {
            let kept = self.chaos.rng.below(listing.instances.len() as u64) as usize;
            listing.instances.truncate(kept);
            listing.complete = false;
        }
        listing.instances.extend(self.second_cluster.iter().cloned());
        self.distort_list(&mut listing);
        Reply::List(Ok(listing))
    }

    fn distort_list(&mut self, listing: &mut Listing) {
        let any = |net: &mut Self, listing: &Listing| {
            net.chaos.rng.below(listing.instances.len().max(1) as u64) as usize
        };
        if !listing.instances.is_empty() && self.chaos.hit(odds::LIST_OMISSION) {
            let at = any(self, listing);
            let omitted = listing.instances.remove(at);
            self.truth.on_omitted(omitted.id);
        }
        if self.chaos.hit(odds::LIST_DUPLICATE) {
            let at = any(self, listing);
            listing.instances.extend(listing.instances.get(at).cloned());
        }
        if self.chaos.hit(odds::LIST_FUTURE) {
            let (at, future) = (any(self, listing), listing.at.after(Span::from_mins(365 * 24 * 60)));
            if let Some(instance) = listing.instances.get_mut(at) {
                instance.launched_at = Some(future);
            }
        }
        if self.chaos.hit(odds::LIST_GARBAGE) {
            listing.instances.extend(foreign("garbage:/../%00;", 3));
            listing.instances.extend(foreign("eu-north-1/i-", 3));
        }
        if self.chaos.hit(odds::LIST_HUGE) {
            listing.instances.extend(foreign("i-f", 20_000));
        }
    }

    /// A launch at the cloud.
    pub(super) fn launch(&mut self, order: &LaunchOrder, late: bool) -> Reply {
        let refuse = |kind| Reply::Launch(Err(Error::new(kind, "launch")));
        let before = self.world.cloud.next;
        let known = self.world.cloud.by_token(&order.token).is_some();
        if !late && !known && self.refuse_once.contains(&order.token) {
            self.refused_older.insert(order.token.clone());
            return refuse(ErrorKind::NoCapacity { offering: order.offering.clone() });
        }
        if known && self.chaos.hit(odds::TOKEN_MISMATCH) {
            return refuse(ErrorKind::TokenMismatch);
        }
        let answer = self.world.launch(order);
        if self.world.cloud.next > before {
            self.bought(before, order, late);
        }
        if matches!(&answer, Err(error) if *error.kind() == ErrorKind::TokenSpent) {
            self.chaos.count("token-spent");
        }
        Reply::Launch(answer)
    }

    fn bought(&mut self, index: u32, order: &LaunchOrder, late: bool) {
        self.refuse_once.remove(&order.token);
        if late && self.refused_older.remove(&order.token) {
            self.chaos.count("older-copy-buys");
        }
        let (nameless, twin) = (self.chaos.hit(odds::WRONG_NAME), self.chaos.hit(odds::JOINS_TWICE));
        let late = self.chaos.hit(odds::JOINS_LATE);
        let by = self.chaos.rng.span(Span::from_mins(2), Span::from_mins(20));
        if nameless || twin || late {
            self.world.replaceable += 1;
        }
        if let Some(machine) = self.world.cloud.machine_mut(index) {
            (machine.nameless, machine.twin) = (nameless, twin);
            machine.joins_late = if late { by } else { Span::ZERO };
        }
    }

    /// Evictions at the API server.
    pub(super) fn evict(&mut self, order: &EvictOrder) -> Result<EvictPass> {
        if self.chaos.hit(odds::EVICT_RETRY_AFTER) {
            let years = Some(Span::from_mins(10 * 365 * 24 * 60));
            return Err(Error::new(ErrorKind::Throttled { retry_after: years }, "evict"));
        }
        let now = self.world.now();
        if self.chaos.hit(odds::POD_LANDS)
            && let Some(index) = self.world.cluster.node_by_name(&order.node)
        {
            self.world.bind_by_hand(index);
        }
        let stuck = self.stuck.filter(|(_, until)| now < *until).map(|(workload, _)| workload);
        let (mut passed, mut blocked) = (order.clone(), Vec::new());
        passed.pods.retain(|pod| {
            let state =
                self.world.cluster.pod_by_uid(&pod.uid).and_then(|at| self.world.cluster.pods.get(&at));
            if stuck.is_some() && state.is_some_and(|state| state.workload == stuck) {
                self.chaos.count("evict-stuck");
                blocked.push((pod.uid.clone(), Blocker::Budget { name: None }));
                return false;
            }
            let odd = [
                (odds::EVICT_TWO_BUDGETS, "This pod has more than one PodDisruptionBudget"),
                (odds::EVICT_FORBIDDEN, "403 Forbidden"),
                (odds::EVICT_CONFLICT, "409 Conflict"),
                (odds::EVICT_TIMEOUT, "504 Timeout"),
            ];
            match odd.into_iter().find(|(odd, _)| self.chaos.hit(*odd)) {
                Some((_, why)) => {
                    blocked.push((pod.uid.clone(), Blocker::Other { why: why.to_owned() }));
                    false
                }
                None => true,
            }
        });
        let mut pass = self.world.evict(&passed);
        pass.blocked.append(&mut blocked);
        Ok(pass)
    }

    pub(super) fn sample(&mut self, wanted: &[SignalQuery]) -> Vec<Sample> {
        let mut samples = self.world.sample(wanted);
        let mut more = Vec::new();
        for sample in &mut samples {
            if self.chaos.strikes("metrics-missing", self.chaos.rates.metrics_missing, 1) {
                sample.reading = Reading::Missing { why: "empty result".to_owned() };
            }
            if self.chaos.hit(odds::METRICS_NO_NODES) {
                sample.reading = Reading::Missing { why: "the pool has no nodes".to_owned() };
            }
            let Reading::Value { value, age } = &mut sample.reading else { continue };
            if self.chaos.hit(odds::METRICS_STALE) {
                *age = age.plus(Span::from_mins(60));
            }
            if self.chaos.hit(odds::METRICS_NEGATIVE) {
                *value = Fixed::from_int(-1);
            }
            if self.chaos.hit(odds::METRICS_HUGE) {
                *value = Fixed::from_int(9_000_000_000_000);
            }
            if self.chaos.hit(odds::METRICS_CONTRADICT) {
                let reading = Reading::Value { value: value.scaled(1, 3).unwrap_or(Fixed::ZERO), age: *age };
                more.push(Sample::new(sample.query.clone(), reading));
            }
        }
        samples.extend(more);
        if matches!(samples.first(), Some(sample) if matches!(sample.reading, Reading::Failed { .. })) {
            self.chaos.count("metrics-outage");
        }
        samples
    }
}
