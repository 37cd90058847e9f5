//! What the stages of one decision pass on to each other.

use super::sight::Sight;
use crate::data::explain::Action;
use crate::data::order::{Offering, OpId};
use crate::data::policy::{Policy, PoolPolicy};
use crate::data::record::{
    Attempt, Backoff, Cause, Launch, LaunchState, MAX_NODE_BACKOFFS, NodeBackoff, OfferingBackoff, Op,
    OpKind, PoolMarks, Record, Remove, RemoveState, RemoveWhy, Rollback,
};
use crate::data::view::View;
use crate::logic::{Tick, marks};
use crate::mutant::{self, Mutant};
use crate::words::{Elapsed, InstanceId, NodeName, NodeUid, PoolName, Timestamp, Token};

/// One decision in the making.
pub(crate) struct Work<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) view: &'a View,
    /// The view, joined.
    pub(crate) sight: &'a Sight<'a>,
    pub(crate) tick: &'a Tick,
    /// The record as far as it has been decided.
    pub(crate) next: Record,
    /// Now, on the record's timeline.
    pub(crate) now: Elapsed,
    /// Now, by the driver's wall clock.
    pub(crate) wall: Timestamp,
    pub(crate) actions: Vec<Action>,
    pub(crate) alarms: Vec<String>,
}

impl Work<'_> {
    pub(crate) fn marks(&mut self, pool: &PoolName) -> &mut PoolMarks {
        self.next.pools.entry(pool.clone()).or_default()
    }

    pub(crate) fn take_seq(&mut self) -> u64 {
        let seq = self.next.next_seq;
        self.next.next_seq = seq.saturating_add(u64::from(!mutant::on(Mutant::ReuseSeq)));
        seq
    }

    pub(crate) fn alarm(&mut self, text: impl Into<String>) {
        self.alarms.push(text.into());
    }

    /// Opens a launch. It is sent once it has been armed.
    pub(crate) fn launch(
        &mut self,
        pool: &PoolPolicy,
        at: OpId,
        cause: Cause,
        offering: Offering,
        replaces: Option<InstanceId>,
    ) {
        let token = Token::of(&self.next.inc, at.seq, at.slot, 1);
        let attempt = Attempt::new(1, offering.clone(), token);
        let launch = Launch {
            pinned: pool.template.clone(),
            attempt,
            earlier: Vec::new(),
            state: LaunchState::Planned,
        };
        self.open(pool, at, cause, OpKind::Launch(launch));
        self.actions.push(Action::Launch { op: at, pool: pool.name.clone(), offering, replaces });
    }

    /// Opens a removal.
    pub(crate) fn remove(
        &mut self,
        pool: &PoolPolicy,
        at: OpId,
        cause: Cause,
        target: (InstanceId, Option<(NodeName, NodeUid)>),
        (why, deadline, displaced): (RemoveWhy, Elapsed, Vec<u32>),
        state: RemoveState,
    ) {
        let (instance, node) = target;
        let remove = Remove { instance: instance.clone(), node, why, deadline, displaced, state };
        self.open(pool, at, cause, OpKind::Remove(remove));
        self.actions.push(Action::Remove { op: at, pool: pool.name.clone(), instance, why });
    }

    fn open(&mut self, pool: &PoolPolicy, at: OpId, cause: Cause, kind: OpKind) {
        let (OpId { seq, slot }, started) = (at, self.now);
        self.next.ops.push(Op { seq, slot, cause, pool: pool.name.clone(), started, kind });
    }

    /// Remembers that an offering failed.
    pub(crate) fn back_off_offering(&mut self, pool: &PoolPolicy, offering: &Offering) {
        let now = self.now;
        let offerings = &mut self.marks(&pool.name).offerings;
        let at = offerings.binary_search_by(|known| known.offering.cmp(offering));
        let previous = at.ok().and_then(|at| offerings.get(at)).map(|known| known.backoff);
        let backoff = marks::failed(previous, now, pool.backoff_initial, pool.backoff_max);
        match at.map(|at| offerings.get_mut(at)) {
            Ok(Some(known)) => known.backoff = backoff,
            Ok(None) => {}
            Err(at) => offerings.insert(at, OfferingBackoff { offering: offering.clone(), backoff }),
        }
    }

    /// Remembers that the removal of an instance failed.
    pub(crate) fn back_off_node(&mut self, pool: &PoolPolicy, instance: &InstanceId) {
        let now = self.now;
        let nodes = &mut self.marks(&pool.name).nodes;
        let previous =
            nodes.iter().position(|known| known.instance == *instance).map(|at| nodes.remove(at).backoff);
        let backoff = marks::failed(previous, now, pool.backoff_initial, pool.backoff_max);
        nodes.push(NodeBackoff { instance: instance.clone(), backoff });
        if nodes.len() > MAX_NODE_BACKOFFS {
            nodes.remove(0);
        }
    }

    /// Forgets backoffs that ended long ago.
    pub(crate) fn tidy(&mut self) {
        let (policy, now) = (self.policy, self.now);
        for (name, marks) in &mut self.next.pools {
            let Some(pool) = policy.pool(name) else { continue };
            let over = |backoff: &Backoff| now.since(backoff.until) > pool.backoff_max.times(2);
            marks.offerings.retain(|known| !over(&known.backoff));
            marks.nodes.retain(|known| !over(&known.backoff));
        }
        self.next.pools.retain(|name, _| policy.pool(name).is_some());
        if self.next.paused.as_ref().is_some_and(|pause| pause.until.is_some_and(|until| until <= now)) {
            self.next.paused = None;
        }
    }
}

/// A removal on its way back.
pub(crate) const fn rolling_back(why: Rollback) -> RemoveState {
    RemoveState::RollingBack { why, tries: 0 }
}
