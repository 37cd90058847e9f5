//! What is checked now and then, and at the end: I11, L1 to L4.

use crate::data::record::{Op, Record, RemoveState};
use crate::data::view::{Ownership, Pod, Ready};
use crate::driver::Report as TickReport;
use crate::memory::World;
use crate::words::Span;

use super::Truth;
use crate::sim::scenario::first_shape;

/// How much longer than its deadline an operation may stay open while things go wrong.
const SLACK: Span = Span::from_mins(30);

/// How long pods may wait while no launch is asked for, whatever goes wrong: many times longer than any fault lasts.
const STARVED: Span = Span::from_mins(12 * 60);

/// How old an open operation, or a waiting pod, may be at the quiet end of a run.
const FRESH: Span = Span::from_mins(20);

impl Truth {
    /// A tick came to its end.
    pub(in crate::sim) fn on_report(&mut self, task: u32, report: &TickReport) {
        if self.actors.get(&task).is_none_or(|actor| !actor.foreign) {
            self.replay(report);
        }
        self.judge_end(task, report);
        self.judge_text(report);
        self.tidy();
    }

    /// F39: what people read has no control character and nothing that turns the direction of writing, whatever a pod's name
    /// has in it.
    fn judge_text(&mut self, report: &TickReport) {
        let raw = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        let Some(round) = report.rounds.last().filter(|_| self.reports.is_multiple_of(5)) else { return };
        let text = round.explanation.to_string();
        let clean = !text.contains(raw) && !report.alarms.iter().any(|alarm| alarm.contains(raw));
        let now = self.now;
        self.check("F39", now, clean, || "an explanation has raw characters of a hostile name".to_owned());
    }

    /// L3: no node stays cordoned by us beyond its deadline.
    pub(in crate::sim) fn patrol(&mut self, world: &World) {
        self.now = world.now();
        self.keeps_asking(world);
        let now = self.now;
        let parked =
            |op: &Op| op.remove().is_some_and(|remove| matches!(remove.state, RemoveState::Parked { .. }));
        // Pods came to a node whose instance was to end, and do not leave: nothing is forced.
        let waits = |op: &Op| {
            op.remove()
                .is_some_and(|remove| matches!(remove.state, RemoveState::Terminating { waits: true, .. }))
        };
        for (index, node) in &world.cluster.nodes {
            let Some(since) = node.marked_since.filter(|_| node.unschedulable) else { continue };
            let Some(machine) = world.cloud.machine(*index).filter(|machine| machine.is_alive()) else {
                continue;
            };
            let drain = node.pool.as_ref().and_then(|pool| self.policy.pool(pool));
            let most = drain.map_or(Span::ZERO, |pool| pool.drain_timeout).plus(SLACK);
            let excused =
                self.current.as_ref().and_then(|record| record.op_on(&machine.id)).is_some_and(|op| {
                    let mut pods = node.pods.iter().filter_map(|pod| world.cluster.pods.get(pod));
                    parked(op) || waits(op) && pods.any(|pod| pod.is_evictable(now))
                });
            // While the record is damaged nobody may act on it (rule R15): the time counts from its repair. When it was lost, a
            // removal that was parked is taken up anew (rule R14).
            let anew = self.repaired_at().max(self.wrong.lost_at);
            let from = anew.map_or(since, |anew| anew.max(since));
            let long = now.since(from) > most && !excused;
            let known = !self.told_cordons.contains(&(node.name.to_string(), since));
            if !long || known {
                self.check("L3", now, !long, || {
                    format!("{} has been cordoned by us since {since}", node.name)
                });
            }
            if long {
                self.told_cordons.insert((node.name.to_string(), since));
            }
        }
    }

    /// L4: while pods wait and pools have room, launches are asked for, whatever goes wrong.
    fn keeps_asking(&mut self, world: &World) {
        let now = self.now;
        let alive =
            world.cloud.alive().filter(|(_, machine)| machine.ownership != Ownership::Foreign).count();
        let most: u64 = self.policy.pools().values().map(|pool| u64::from(pool.max)).sum();
        if world.cluster.pending() == 0 || alive as u64 >= most || !self.seatable {
            self.starving_since = None;
            return;
        }
        // While the record is damaged nobody may act on it (rule R15).
        let since = *self.starving_since.get_or_insert(now);
        let from = self.repaired_at().map_or(since, |repaired| repaired.max(since));
        let long = now.since(from) > STARVED;
        self.check("L4", now, !long, || {
            format!("pods have waited since {since}, and no launch was asked for")
        });
        if long {
            self.starving_since = None;
        }
    }

    /// I11: no instance with our tags is without a Ready node and without an operation. After faults, also L1.
    pub(in crate::sim) fn finish(&mut self, world: &World, calm: bool) {
        self.patrol(world);
        let now = self.now;
        let record = self.current.clone();
        let in_op = |id| record.as_ref().is_some_and(|record| record.op_on(id).is_some());
        for (index, machine) in
            world.cloud.alive().filter(|(_, machine)| machine.ownership == Ownership::Ours)
        {
            let ready = world.cluster.nodes.get(&index).is_some_and(|node| node.ready);
            let young = now.since(machine.launched_at) < Span::from_mins(5);
            // What was made by hand, or was there when the record was lost, is a member whatever it does (rules R10, R14).
            let adopted = machine.by_hand.is_some()
                || self.wrong.lost_at.is_some_and(|lost| machine.launched_at <= lost.after(FRESH));
            let holds = ready || young || adopted || in_op(&machine.id);
            if calm || !holds {
                self.check("I11", now, holds || !calm, || {
                    format!("{} of {:?} has no Ready node and no operation", machine.id, machine.token)
                });
            }
        }
        if calm {
            self.liveness(world, record.as_deref());
        }
    }

    /// L1: long after the last fault nothing hangs, and the size is as wanted.
    fn liveness(&mut self, world: &World, record: Option<&Record>) {
        let now = self.now;
        if let Some(record) = record {
            let elapsed = record.elapsed_at(now);
            let old = record.ops.iter().find(|op| !op.is_set_aside() && elapsed.since(op.started) > FRESH);
            self.check("L1", now, old.is_none(), || format!("operation {old:?} is still open"));
        }
        let policy = self.policy.clone();
        let view = world.survey(&crate::data::view::Scope::Pending);
        let unready = view.nodes.iter().filter(|node| node.ready == Ready::No).count();
        for (name, pool) in policy.pools() {
            let alive = world.cloud.alive_in(name);
            // What a person has added stays as long as its pods find no other room (rule R9: the normal checks).
            let by_hand = world.cloud.alive().filter(|(_, machine)| machine.by_hand.is_some()).count() as u32;
            let within = alive >= pool.min && alive <= pool.max.saturating_add(by_hand);
            self.check("L1", now, within, || {
                format!("{alive} instances in {name}, {} to {}", pool.min, pool.max)
            });
            let old = |pod: &Pod| pod.unschedulable_since.is_some_and(|since| now.since(since) > FRESH);
            let here = |pod: &Pod| world.could_seat(name, &first_shape(pool).name, &pool.zones, pod);
            let waiting = view.pods.iter().filter(|pod| old(pod) && here(pod)).count();
            self.check("L1", now, waiting == 0 || alive >= pool.max, || {
                format!("{waiting} pods wait with {alive} of {} instances, {unready} nodes unready", pool.max)
            });
        }
    }
}
