//! What is checked when a swap is applied: I1, I2, I10, I14, I15.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::data::record::{Cause, Op, OpKind, Record, RemoveWhy};
use crate::data::view::{Reading, SignalQuery};
use crate::memory::World;
use crate::ports::{Result, Sealed, Swapped};

use super::{Samples, Truth};

impl Truth {
    /// A swap was applied at the store.
    pub(in crate::sim) fn on_applied(&mut self, world: &World, sealed: &Sealed) {
        let now = world.now();
        self.hash(&sealed.bytes);
        let next: Record = match serde_json::from_slice(&sealed.bytes) {
            Ok(record) => record,
            Err(error) => {
                self.check("I2", now, false, || format!("a stored record cannot be read: {error}"));
                return;
            }
        };
        let next = Arc::new(next);
        let known_samples = self.known.remove(&next.write_id).unwrap_or_default();
        if self.known.len() > 1_000 {
            self.known.clear();
        }
        let unreadable = self.unreadable_since().is_some();
        self.check("I15", now, !unreadable, || {
            "a record was written over one that cannot be read".to_owned()
        });
        let old = self.current.replace(next.clone());
        self.versions(old.as_deref(), &next, sealed);
        self.numbers(old.as_deref(), &next);
        let known = |op: &&Op| old.as_ref().is_some_and(|old| old.ops.iter().any(|was| was.id() == op.id()));
        for op in &next.ops {
            let was = old.as_ref().and_then(|old| old.ops.iter().find(|was| was.id() == op.id()));
            self.attempts(world, was, op);
        }
        let new: Vec<&Op> = next.ops.iter().filter(|op| !known(op)).collect();
        let paused = old.as_ref().is_some_and(|old| old.paused.is_some()) && next.paused.is_some();
        if paused {
            let scaling = new.iter().any(|op| op.cause == Cause::Scale);
            self.check("I15", now, !scaling, || "a scaling action was begun while paused".to_owned());
        }
        for op in new {
            let began = self.begun(op);
            self.began.insert(op.id(), began);
            let idle = op.remove().is_some_and(|remove| remove.why == RemoveWhy::Idle);
            if idle {
                self.signals(&known_samples, op);
            }
        }
        self.began.retain(|id, _| next.ops.iter().any(|op| op.id() == *id));
    }

    /// I2: one more than before, the same incarnation, a write id of its own.
    fn versions(&mut self, old: Option<&Record>, next: &Record, sealed: &Sealed) {
        let as_sealed = sealed.ver == next.ver && sealed.inc == next.inc && sealed.write_id == next.write_id;
        let follows = old.is_none_or(|old| next.ver == old.ver.next() && next.inc == old.inc);
        let fresh = self.write_ids.insert(next.write_id.clone());
        self.write_order.push_back(next.write_id.clone());
        let now = self.now;
        self.check("I2", now, as_sealed && follows && fresh, || {
            let old = old.map(|old| (old.ver, old.inc.clone()));
            format!("{old:?} was followed by {} of {} as {}", next.ver, next.inc, next.write_id)
        });
    }

    /// I1: one scaling action, one operation an instance, numbers that only grow.
    fn numbers(&mut self, old: Option<&Record>, next: &Record) {
        let scaling: BTreeSet<u64> = next
            .ops
            .iter()
            .filter(|op| op.cause == Cause::Scale && !op.is_set_aside())
            .map(|op| op.seq)
            .collect();
        let now = self.now;
        self.check("I1", now, scaling.len() <= 1, || format!("scaling actions {scaling:?} are open at once"));
        let mut instances = BTreeSet::new();
        let twice = next.ops.iter().filter_map(Op::instance).find(|instance| !instances.insert(*instance));
        self.check("I1", now, twice.is_none(), || format!("two operations on {twice:?}"));
        let grows = old.is_none_or(|old| old.inc != next.inc || next.next_seq >= old.next_seq)
            && next.ops.iter().all(|op| op.seq < next.next_seq);
        self.check("I1", now, grows, || {
            format!("next_seq {} of {:?}", next.next_seq, old.map(|old| old.next_seq))
        });
    }

    /// I10: an attempt follows another only after the world's definite no to the only request for it.
    fn attempts(&mut self, world: &World, was: Option<&Op>, op: &Op) {
        let (Some(before), Some(after)) = (was.and_then(Op::launch), op.launch()) else { return };
        let last = &before.attempt;
        if after.attempt.number == last.number {
            return;
        }
        let kept = after.earlier.iter().any(|(attempt, _)| attempt.token == last.token);
        let refused = self.refused.contains(&last.token);
        // A spent token is proof by itself (F18): whatever copy is still under way buys nothing.
        let spent = self.spent.contains(&last.token);
        let flying = self.in_flight.get(&last.token).copied().filter(|_| !spent).unwrap_or(0);
        let bought = world.cloud.by_token(&last.token).is_some_and(crate::memory::Machine::is_alive);
        let holds = kept && refused && flying == 0 && !bought && after.attempt.number == last.number + 1;
        let now = self.now;
        self.check("I10", now, holds, || {
            format!(
                "{} followed {}: kept {kept}, refused {refused}, {flying} still under way, bought {bought}",
                after.attempt.token, last.token
            )
        });
    }

    /// I14: whoever plans a removal for lack of load was told every number of the pool's down-rules.
    fn signals(&mut self, samples: &Samples, op: &Op) {
        let policy = self.policy.clone();
        let Some(pool) = policy.pool(&op.pool) else { return };
        let bad = pool.down.iter().find(|rule| {
            let stale = policy.signals().get(&rule.signal).map(|spec| spec.stale_after);
            let query = SignalQuery::new(op.pool.clone(), rule.signal.clone());
            !matches!(samples.get(&query), Some(Reading::Value { age, .. }) if stale.is_none_or(|stale| *age <= stale))
        });
        let now = self.now;
        self.check("I14", now, bad.is_none(), || {
            let signal = bad.map(|rule| rule.signal.to_string());
            format!("operation {} removes for lack of load without a fresh {signal:?}", op.id())
        });
    }

    /// What a process was told about its swap.
    pub(in crate::sim) fn on_swap_answer(&mut self, task: u32, sealed: &Sealed, answer: &Result<Swapped>) {
        let Some(actor) = self.actors.get_mut(&task) else { return };
        let read = || serde_json::from_slice::<Record>(&sealed.bytes).ok().map(Arc::new);
        match answer {
            Ok(Swapped::Applied(_)) => actor.authority = read(),
            Ok(Swapped::Lost(Some(current))) => {
                let current: Option<Record> = serde_json::from_slice(&current.bytes).ok();
                if let Some(own) = current.filter(|current| current.write_id == sealed.write_id) {
                    actor.authority = Some(Arc::new(own));
                }
            }
            Ok(Swapped::Unknown { .. }) => actor.authority = None,
            // Certainly not applied: what was known before is still so.
            Ok(Swapped::Lost(None)) | Err(_) => {}
        }
    }

    /// A process stopped waiting for the answer to its swap.
    pub(in crate::sim) fn on_swap_given_up(&mut self, task: u32) {
        if let Some(actor) = self.actors.get_mut(&task) {
            actor.authority = None;
        }
    }

    /// Why an operation removes, for the counts of a report.
    pub(super) fn remember_reasons(&mut self) {
        let Some(current) = self.current.clone() else { return };
        for op in &current.ops {
            match &op.kind {
                OpKind::Launch(launch) => {
                    self.causes.insert(launch.attempt.token.clone(), op.cause);
                }
                OpKind::Remove(remove) => {
                    self.reasons.insert(remove.instance.clone(), remove.why);
                }
            }
        }
    }
}
