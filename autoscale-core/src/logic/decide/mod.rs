//! The decision: `plan`, in stages that each change the next record.

mod arm;
mod ask;
mod body;
mod fold;
mod grow;
mod homeless;
mod leftovers;
mod market;
mod notices;
mod pick;
mod place;
mod room;
mod rules;
mod scale;
mod scene;
mod shrink;
mod sight;
mod situation;
mod size;
mod spare;
mod targets;
mod tell;
mod wish;
mod work;

use std::collections::BTreeMap;

use crate::data::explain::{Explanation, Hold};
use crate::data::policy::{Headroom, Policy};
use crate::data::record::{Lease, MAX_BYTES, Record};
use crate::data::view::{Cluster, Node, Ownership, Scope, Seat, View};
use crate::logic::{Tick, due::due};
use crate::words::{Span, Timestamp, TokenParts, Ver};

use market::Market;
use room::encoded_len;
use scene::Scene;
use sight::Sight;
use situation::Situation;
use work::Work;

pub use ask::{Purchase, Removable, Sizing, removable, sizing};
pub(crate) use fold::finish;
pub(crate) use notices::take_in;
pub(crate) use rules::key as rule_key;

/// What was decided.
///
/// Store `next` first if `changed`; only when that was applied may [`due`](super::due) be asked for effects.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "store `next`, then perform what is due"]
#[non_exhaustive]
pub struct Planned {
    /// The record to store.
    pub next: Record,
    /// Whether it has to be stored. A quiet tick need not write.
    pub changed: bool,
    /// Whether it may be stored at all: not while a record cannot begin because something was not seen, and not when it
    /// would exceed its limit.
    pub storable: bool,
    /// Whether every notice that the tick brought is in `next`, or needs no entry.
    pub notices_taken: bool,
    /// Why, and why not.
    pub explanation: Explanation,
    /// What has to be looked at before more can be decided.
    pub needs: Option<Scope>,
    /// Look again after this, if sooner than the policy's interval.
    pub wake_in: Option<Span>,
}

/// The world contradicts the record: nothing may be written or done before a person has looked (rule R15).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{why}")]
#[non_exhaustive]
pub struct Halt {
    /// What is wrong and what to do.
    pub why: String,
}

/// A record that says nothing new is written all the same after this long, so that its timeline goes on.
const HEARTBEAT: Span = Span::from_mins(5);

/// While an operation has something to do, look again after this.
const SOON: Span = Span::from_secs(15);

/// Decides.
///
/// # Errors
/// [`Halt`] when a live instance carries a token of this record that the record does not know: an older copy of the
/// record was restored.
pub fn plan(
    policy: &Policy,
    record: &Record,
    view: &View,
    tick: &Tick,
    now: Timestamp,
) -> Result<Planned, Halt> {
    let decided = decide(policy, record, view, tick, now, true)?;
    if encoded_len(&decided.next) <= MAX_BYTES {
        return Ok(decided);
    }
    let mut held = decide(policy, record, view, tick, now, false)?;
    held.explanation.alarms.push(format!("the record would exceed {MAX_BYTES} bytes: nothing new is begun"));
    if encoded_len(&held.next) > MAX_BYTES {
        (held.changed, held.storable, held.notices_taken) = (false, false, false);
    }
    Ok(held)
}

fn decide(
    policy: &Policy,
    record: &Record,
    view: &View,
    tick: &Tick,
    wall: Timestamp,
    may_begin: bool,
) -> Result<Planned, Halt> {
    check_tokens(record, view)?;
    let now = record.elapsed_at(wall);
    let mut next = record.clone();
    (next.time.last_now, next.time.elapsed) = (wall, now);
    let sight = Sight::new(policy, view);
    let (actions, alarms) = (Vec::new(), Vec::new());
    let mut work = Work { policy, view, sight: &sight, tick, next, now, wall, actions, alarms };
    let founded = found(&mut work);
    let dropped = take_in(&mut work.next, &tick.notices, now);
    if dropped > 0 {
        work.alarm(format!("{dropped} notices found no room in the record"));
    }

    fold::fold(&mut work);
    let folded = work.next.clone();
    let scene = Scene::new(&sight, &folded);
    let healthy = scale::unhealthy(&work, &scene).is_none();
    let quiet = work.next.time.quiet_until > now;
    let market = scene.cluster.filter(|cluster| needs_market(policy, cluster));
    let market = market.map(|cluster| Market::new(policy, &scene, cluster));
    let mut situations = situation::situations(&mut work, &scene, market.as_ref());
    let mut needs = None;
    if may_begin && founded {
        leftovers::take_up(&mut work);
        notices::act(&mut work, healthy && !quiet);
        scale::recall(&mut work, &situations);
        let before = work.next.clone();
        let scene = Scene::new(&sight, &before);
        for situation in &mut situations {
            let pending = situation.counts.pending_pods;
            situation.counts = scene.counts(&before, &situation.pool.name);
            situation.counts.pending_pods = pending;
        }
        let holds = scale::guard(&work, &scene);
        if holds.is_empty() {
            needs = scale::scale(&mut work, &scene, market.as_ref(), &mut situations);
        }
        situations.iter_mut().for_each(|situation| situation.holds.extend(holds.iter().cloned()));
    } else {
        let full = (!may_begin).then_some(Hold::RecordFull);
        let holds: Vec<Hold> = scale::guard(&work, &scene).into_iter().chain(full).collect();
        situations.iter_mut().for_each(|situation| situation.holds.extend(holds.iter().cloned()));
    }
    let ver = work.next.ver.next();
    arm::arm(&mut work, ver);
    work.tidy();
    (work.next.ver, work.next.write_id) = (ver, tick.write_id.clone());
    work.next.ops.sort_by_key(|op| op.id());

    let effects = founded && !due(policy, &work.next, view).is_empty();
    let until = wall.after(policy.tick().lease_ttl());
    work.next.lease = effects.then(|| Lease { holder: tick.holder.clone(), until });
    let stale = wall < record.time.last_now || wall.since(record.time.last_now) >= HEARTBEAT;
    // A lease of this very tick is given back when nothing is left to do.
    let holds_lease = record.lease.as_ref().is_some_and(|lease| lease.holder == tick.holder);
    let changed =
        founded && (effects || holds_lease || stale || record.is_founding() || differs(record, &work.next));
    let reports = situations.into_iter().map(Situation::report).collect();
    let wake_in = work.next.ops.iter().any(|op| !op.is_set_aside()).then_some(SOON);
    let ops = tell::operations(&work);
    let Work { next, actions, alarms, .. } = work;
    let hash = policy.hash().clone();
    let explanation =
        Explanation { policy: hash, at: wall, elapsed: now, actions, pools: reports, ops, alarms };
    let notices_taken = founded && dropped == 0;
    Ok(Planned { next, changed, storable: founded, notices_taken, explanation, needs, wake_in })
}

/// Whether what could be bought matters: pods wait for a node, or a pool keeps room free.
fn needs_market(policy: &Policy, cluster: &Cluster) -> bool {
    let waits = |seat: &Seat| cluster.class(seat).is_some_and(|class| class.waits());
    cluster.unbound().iter().any(waits)
        || policy.pools().values().any(|pool| pool.headroom != Headroom::default())
}

/// Whether anything but the bookkeeping of a write differs.
fn differs(before: &Record, after: &Record) -> bool {
    let Record {
        schema: _,
        min_reader: _,
        fingerprint: _,
        inc: _,
        ver: _,
        write_id: _,
        time: _,
        lease: _,
        next_seq,
        ops,
        notices,
        pools,
        paused,
    } = after;
    *next_seq != before.next_seq
        || *ops != before.ops
        || *notices != before.notices
        || *pools != before.pools
        || *paused != before.paused
}

/// A record that was never stored begins above every stamp that is found, and in silence if there is anything to adopt
/// (rule R14). Without a complete view it does not begin.
fn found(work: &mut Work<'_>) -> bool {
    if !work.next.is_founding() {
        return true;
    }
    let listing = work.view.instances().known().filter(|listing| listing.complete);
    let cluster = work.view.cluster().known().filter(|cluster| cluster.is_complete());
    let (Some(listing), Some(cluster)) = (listing, cluster) else { return false };
    let stamps = cluster.nodes().iter().filter_map(|node| node.stamp);
    let highest = stamps.filter(|stamp| *stamp < IMPLAUSIBLE).max().unwrap_or(Ver::ZERO);
    work.next.ver = highest;
    if listing.instances.iter().any(|instance| instance.ownership == Ownership::Ours) {
        work.next.time.quiet_until = work.now.after(work.tick.launch_delay);
    }
    true
}

/// No record has been written so often: a stamp like that was made up. It keeps us from its node, and says nothing of the
/// record.
const IMPLAUSIBLE: Ver = Ver::new(1 << 50);

/// A live instance of ours must not know more than the record does (fault F5).
fn check_tokens(record: &Record, view: &View) -> Result<(), Halt> {
    let nodes = view.cluster().known().map(|cluster| cluster.nodes()).unwrap_or_default();
    let ours = |node: &&Node| node.cordon.as_ref().is_some_and(|mark| mark.inc == record.inc);
    let later = |node: &&Node| node.stamp.is_some_and(|at| at > record.ver && at < IMPLAUSIBLE);
    if let Some(node) = nodes.iter().filter(ours).find(later) {
        return Err(Halt {
            why: format!(
                "node {} was cordoned by a later version than {}: an older copy of the record was restored, or somebody wrote \
                 the node's annotations. Delete the record to have it rebuilt from what is running",
                node.name, record.ver
            ),
        });
    }
    let instances = view.instances().known().map(|listing| listing.instances.as_slice()).unwrap_or_default();
    let launches = record.ops.iter().filter_map(|op| Some(((op.seq, op.slot), op.launch()?.attempt.number)));
    let attempts: BTreeMap<(u64, u32), u32> = launches.collect();
    // Of a later attempt of an open launch than the record knows.
    let is_ahead = |parts: &TokenParts| {
        attempts.get(&(parts.seq, parts.slot)).is_some_and(|attempt| *attempt < parts.attempt)
    };
    let newest = view
        .tokens()
        .filter(|(_, parts)| parts.inc == record.inc)
        .filter(|(_, parts)| parts.seq >= record.next_seq || is_ahead(parts))
        .filter_map(|(at, parts)| Some((parts, &instances.get(at)?.id)))
        .max_by(|(a, _), (b, _)| (a.seq, a.slot).cmp(&(b.seq, b.slot)));
    match newest {
        None => Ok(()),
        Some((parts, id)) if parts.seq < record.next_seq => Err(Halt {
            why: format!(
                "instance {id} was launched by attempt {} of action {}.{}, and the record knows only earlier attempts: an \
                 older copy of the record was restored. Delete the record to have it rebuilt from what is running",
                parts.attempt, parts.seq, parts.slot
            ),
        }),
        Some((parts, id)) => Err(Halt {
            why: format!(
                "instance {id} was launched by action {}, and the record knows only actions below {}: an older copy of the \
                 record was restored. Delete the record to have it rebuilt from what is running",
                parts.seq, record.next_seq
            ),
        }),
    }
}
