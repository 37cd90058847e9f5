//! What the invariants know of damaged records, changed policies and foreign drivers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::data::policy::Policy;
use crate::data::record::{Op, Record};
use crate::driver::{Ended, Report as TickReport};
use crate::memory::{Machine, World};
use crate::sim::blow::Damage;
use crate::words::{InstanceId, PoolName, Span, Timestamp, Token};

use super::{Began, Truth};

/// Most former policies that are remembered.
const FORMER: usize = 4;

/// For so long an instance that a person made may be missing from lists.
const UNLISTED: Span = Span::from_mins(20);

/// What is wrong with the record, or was.
#[derive(Debug, Default)]
pub(super) struct Wrong {
    now: Option<(Damage, Timestamp)>,
    repaired_at: Option<Timestamp>,
    halted_at: Option<Timestamp>,
    damaged_at: Option<Timestamp>,
    /// Notices of records that were lost: nobody knows any more that they were answered (R14).
    pub(super) forgotten: u64,
    /// When a record was last lost altogether.
    pub(super) lost_at: Option<Timestamp>,
    /// Launches that were under way when a record was lost or put back: no record knows of them (F5, F6).
    pub(super) orphans: BTreeSet<Token>,
    /// Instances that a list was without, though it said to be complete, and when (F20).
    omitted: BTreeMap<InstanceId, Timestamp>,
    /// Instances that the cloud has said it would take, and does not; and when it said so (F32).
    announced: BTreeMap<InstanceId, Timestamp>,
}

impl Truth {
    /// The record was deleted, replaced by an older one, or made unreadable.
    pub(in crate::sim) fn on_damage(&mut self, kind: Damage, restored: Option<Record>) {
        let now = self.now;
        self.wrong.damaged_at = Some(now);
        match kind {
            Damage::Deleted => self.on_lost(),
            Damage::Restored => {
                self.orphan();
                self.current = restored.map(Arc::new);
                self.wrong.now = Some((kind, now));
            }
            _ => self.wrong.now = Some((kind, now)),
        }
    }

    /// A list that is said to be complete is without an instance.
    pub(in crate::sim) fn on_omitted(&mut self, instance: InstanceId) {
        let now = self.now;
        self.wrong.omitted.retain(|_, at| now.since(*at) < UNLISTED);
        self.wrong.omitted.insert(instance, now);
    }

    /// The cloud says that it will take an instance, and will not.
    pub(in crate::sim) fn on_false_notice(&mut self, instance: InstanceId) {
        let now = self.now;
        self.wrong.announced.retain(|_, at| now.since(*at) < UNLISTED);
        self.wrong.announced.insert(instance, now);
    }

    /// Whether an instance has falsely been announced to end: it does not serve for `min` (rule R12).
    pub(super) fn is_announced(&self, instance: &InstanceId) -> bool {
        self.wrong.announced.get(instance).is_some_and(|at| self.now.since(*at) < UNLISTED)
    }

    /// A person has repaired the record, by a good copy or by deleting it.
    pub(in crate::sim) fn on_repair(&mut self, deleted: bool) {
        self.wrong.now = None;
        self.wrong.repaired_at = Some(self.now);
        if deleted {
            self.on_lost();
        }
    }

    fn on_lost(&mut self) {
        self.orphan();
        self.current = None;
        self.began.clear();
        self.wrong.lost_at = Some(self.now);
    }

    fn orphan(&mut self) {
        self.wrong.orphans = self.in_flight.keys().cloned().collect();
        self.wrong.forgotten += self.current.as_ref().map_or(0, |record| record.notices.len() as u64);
    }

    /// Whether a tick has halted since then.
    pub(in crate::sim) fn halted_since(&self, at: Timestamp) -> bool {
        self.wrong.halted_at.is_some_and(|halted| halted >= at)
    }

    /// Whether the record cannot be read, and since when.
    pub(super) fn unreadable_since(&self) -> Option<Timestamp> {
        self.wrong.now.filter(|(kind, _)| *kind != Damage::Restored).map(|(_, at)| at)
    }

    /// When nobody could work on the record for the last time.
    pub(super) fn repaired_at(&self) -> Option<Timestamp> {
        if self.wrong.now.is_some() { Some(self.now) } else { self.wrong.repaired_at }
    }

    /// A process belongs to another cluster.
    pub(in crate::sim) fn on_foreign(&mut self, task: u32) {
        if let Some(actor) = self.actors.get_mut(&task) {
            actor.foreign = true;
        }
    }

    /// L2 and I15: who halts, and who has to.
    pub(super) fn judge_end(&mut self, task: u32, report: &TickReport) {
        let now = self.now;
        let halted = match &report.ended {
            Ended::Halted { why } => Some(why.clone()),
            Ended::Done | Ended::Busy { .. } | Ended::NoAuthority { .. } => None,
        };
        let silent = report.rounds.iter().all(|round| round.outcomes.is_empty());
        let (started, foreign) =
            self.actors.get(&task).map_or((now, false), |actor| (actor.started, actor.foreign));
        if foreign {
            // F44: another cluster's driver must not touch the record.
            let held = halted.is_some() || matches!(report.ended, Ended::NoAuthority { .. });
            self.check("I15", now, held && silent, || {
                format!("a foreign driver ended as {:?}", report.ended)
            });
            return;
        }
        // L2 is about runs without a damaged record: a halt is right while there is one (F5 to F8, rule R15).
        let damaged = self.wrong.now.is_some() || self.wrong.repaired_at.is_some_and(|at| at >= started);
        self.check("L2", now, halted.is_none() || damaged, || format!("a tick halted: {halted:?}"));
        if halted.is_some() {
            self.wrong.halted_at = Some(now);
            // What it had sent before the record was damaged under its feet is no effect of a halted tick.
            let before = self.wrong.damaged_at.is_some_and(|at| at >= started)
                || matches!(self.wrong.now, Some((Damage::Restored, _)));
            self.check("I15", now, silent || before, || "a halted tick sent effects".to_owned());
        }
    }

    /// Another policy is in force from now on.
    pub(in crate::sim) fn on_policy(&mut self, policy: Arc<Policy>) {
        let former = std::mem::replace(&mut self.policy, policy);
        self.former.push(former);
        if self.former.len() > FORMER {
            self.former.remove(0);
        }
    }

    /// The policy that a decision was made under.
    pub(super) fn policy_by(&self, hash: &crate::words::ContentHash) -> Option<&Arc<Policy>> {
        self.former.iter().rev().chain([&self.policy]).find(|policy| policy.hash() == hash)
    }

    /// What an operation may rely on: a running action finishes on its pinned copy of the policy (F40, F41).
    pub(super) fn begun(&self, op: &Op) -> Began {
        let sizes = |policy: &Policy| policy.pool(&op.pool).map(|pool| (pool.min, pool.max));
        let (min, max) = sizes(&self.policy).unwrap_or_default();
        // A tick that began just before the change decides by what was in force then.
        let former = self.former.last().and_then(|policy| sizes(policy)).unwrap_or((min, max));
        Began { at: self.now, min: min.min(former.0), max: max.max(former.1) }
    }

    /// The largest size that any open operation of a pool may rely on.
    pub(super) fn max_of(&self, pool: &PoolName) -> Option<u32> {
        let now = self.policy.pool(pool)?.max;
        Some(self.began.values().map(|began| began.max).max().unwrap_or(now).max(now))
    }

    /// Alive instances of a pool that somebody could know of. What a person has made in the last minutes may not be listed
    /// yet (F31), and launches that were under way when the record was lost are in no record (F5, F6). An instance whose Node
    /// object a person has deleted is known by the list alone (F20, F30).
    pub(super) fn knowable(&self, world: &World, pool: &PoolName) -> u32 {
        let omitted = |machine: &Machine| {
            self.wrong.omitted.get(&machine.id).is_some_and(|at| self.now.since(*at) < UNLISTED)
        };
        let unknown = |(index, machine): &(u32, &Machine)| {
            omitted(machine) && !world.cluster.nodes.contains_key(index)
                || machine.by_hand.is_some_and(|at| self.now.since(at) < UNLISTED)
                || machine.token.as_ref().is_some_and(|token| self.wrong.orphans.contains(token))
        };
        let of_pool = world.cloud.alive().filter(|(_, machine)| machine.pool.as_ref() == Some(pool));
        let hidden = of_pool.filter(unknown).count();
        world.cloud.alive_in(pool).saturating_sub(hidden as u32)
    }

    /// Keeps what is remembered of tokens and instances within bounds.
    pub(super) fn tidy(&mut self) {
        const MOST: usize = 4_096;
        let Some(record) = self.current.clone() else { return };
        let recent = |token: &Token| {
            token.parts().is_some_and(|parts| parts.inc == record.inc && parts.seq + 500 > record.next_seq)
        };
        if self.causes.len() > MOST {
            self.causes.retain(|token, _| recent(token));
        }
        if self.refused.len() > MOST {
            self.refused.retain(recent);
            self.spent.retain(recent);
        }
        if self.reasons.len() > MOST {
            self.reasons.retain(|instance, _| record.op_on(instance).is_some());
        }
        if self.told_cordons.len() > MOST {
            self.told_cordons.clear();
        }
        while self.write_order.len() > MOST {
            if let Some(oldest) = self.write_order.pop_front() {
                self.write_ids.remove(&oldest);
            }
        }
    }
}
