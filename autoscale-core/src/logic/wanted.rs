//! How much of the cluster the next round has to look at.

use crate::data::explain::Direction;
use crate::data::policy::{Headroom, Policy};
use crate::data::record::{NoticeKind, Op, Record};
use crate::data::view::Scope;
use crate::logic::decide::rule_key;
use crate::words::{NodeName, Timestamp};

/// The survey that the next round needs: everything only when a removal is otherwise due.
///
/// It judges by what is stored. When it was too little, [`plan`](super::plan) says so in `needs`.
pub fn wanted(policy: &Policy, record: &Record, now: Timestamp) -> Scope {
    let elapsed = record.elapsed_at(now);
    let rebalance =
        record.notices.iter().any(|notice| notice.kind == NoticeKind::Rebalance && !notice.closed);
    let removal_due = record.open_action().is_none()
        && policy.pools().values().any(|pool| {
            let marks = record.marks(&pool.name);
            let held = |rule: &crate::data::policy::Rule| {
                let mark = marks.rules.get(&rule_key(Direction::Down, rule));
                mark.is_some_and(|mark| elapsed.since(mark.since) >= rule.lasting)
            };
            let cooldown = marks
                .last_up
                .max(marks.last_down)
                .is_some_and(|last| last.after(pool.cooldown_down) > elapsed);
            !pool.down.is_empty() && pool.down.iter().all(held) && !cooldown
        });
    // What room is spare cannot be told without the pods on the nodes.
    let headroom = policy.pools().values().any(|pool| pool.headroom != Headroom::default());
    if headroom
        || rebalance
        || removal_due
        || record.notices.iter().any(|notice| !notice.draining && !notice.closed)
    {
        return Scope::Everything;
    }
    let mut nodes: Vec<NodeName> = record
        .ops
        .iter()
        .filter_map(Op::remove)
        .filter_map(|r| r.node.as_ref())
        .map(|(name, _)| name.clone())
        .collect();
    nodes.sort();
    nodes.dedup();
    if nodes.is_empty() { Scope::Pending } else { Scope::Nodes(nodes) }
}
