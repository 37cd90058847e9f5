//! From what a round saw, decided and did to events about objects that people look at: pure.

use autoscale_core::data::explain::{Action, Explanation, Hold, Verdict};
use autoscale_core::data::order::{Answer, Cordoned, Effect, Order, Outcome, PodRef, Refusal};
use autoscale_core::data::record::{Op, OpKind, Record, RemoveState};
use autoscale_core::data::view::{Cluster, View};
use autoscale_core::words::{InstanceId, NodeName, NodeUid, one_line};

use super::waiting;

/// The API server refuses longer notes, in bytes.
const MAX_NOTE: usize = 1_024;

/// One thing that happened in a round, in the words of the library's data: what `driver::Round` has.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RoundFacts<'a> {
    /// What was seen.
    pub view: &'a View,
    /// What was decided.
    pub explanation: &'a Explanation,
    /// The record that was stored, if it was: without one nothing has been decided for good.
    pub stored: Option<&'a Record>,
    /// What was done.
    pub outcomes: &'a [Outcome],
}

impl<'a> RoundFacts<'a> {
    /// Of one round of a report.
    pub const fn new(
        view: &'a View,
        explanation: &'a Explanation,
        stored: Option<&'a Record>,
        outcomes: &'a [Outcome],
    ) -> Self {
        Self { view, explanation, stored, outcomes }
    }
}

/// What an event is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Regarding {
    Node {
        name: String,
        uid: String,
    },
    Pod {
        namespace: String,
        name: String,
        uid: String,
    },
    /// The object that stands for the pools.
    Pools,
}

/// One event, before anybody counts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Told {
    pub(super) warning: bool,
    pub(super) reason: &'static str,
    pub(super) action: &'static str,
    pub(super) regarding: Regarding,
    /// A node that a thing about the pools or a pod has to do with.
    pub(super) related: Option<Regarding>,
    /// On one line, no longer than the API server takes.
    pub(super) note: String,
    /// What makes it the same event again, where the note has times that run.
    pub(super) same: Option<String>,
}

pub(super) fn told(reason: &'static str, action: &'static str, regarding: Regarding, note: &str) -> Told {
    Told { warning: false, reason, action, regarding, related: None, note: fitting(note), same: None }
}

/// On one line, cut where it is too long.
fn fitting(note: &str) -> String {
    let mut note = one_line(note);
    if note.len() > MAX_NOTE {
        let cut = (0..=MAX_NOTE - '…'.len_utf8()).rev().find(|at| note.is_char_boundary(*at)).unwrap_or(0);
        note.truncate(cut);
        note.push('…');
    }
    note
}

/// Everything of a round that is worth an event: what failed first, then what was done, then what waits; and how many pods wait
/// beyond those of which anything is told.
pub(super) fn of_round(facts: &RoundFacts<'_>) -> (Vec<Told>, u64) {
    let cluster = facts.view.cluster().known();
    let mut all: Vec<Told> = facts.outcomes.iter().flat_map(|outcome| of_outcome(facts, outcome)).collect();
    if facts.stored.is_some() {
        all.extend(of_actions(facts, cluster));
    }
    // A stable order: warnings first, else as they happened.
    all.sort_by_key(|told| !told.warning);
    let (waiting, beyond) = cluster.map(|cluster| waiting::of_waiting(facts, cluster)).unwrap_or_default();
    all.extend(waiting);
    (all, beyond)
}

fn op<'a>(facts: &RoundFacts<'a>, effect: &Effect) -> Option<&'a Op> {
    facts.stored?.ops.iter().find(|op| op.seq == effect.op.seq && op.slot == effect.op.slot)
}

fn node((name, uid): (&NodeName, &NodeUid)) -> Regarding {
    Regarding::Node { name: name.to_string(), uid: uid.to_string() }
}

pub(super) fn pod(namespace: &str, name: &str, uid: &str) -> Regarding {
    Regarding::Pod { namespace: namespace.to_owned(), name: name.to_owned(), uid: uid.to_owned() }
}

/// What came of one order.
fn of_outcome(facts: &RoundFacts<'_>, Outcome { effect, answer, .. }: &Outcome) -> Vec<Told> {
    let Some(op) = op(facts, effect) else { return Vec::new() };
    let pool = &op.pool;
    let its_node = match &op.kind {
        OpKind::Remove(remove) => remove.node.as_ref().map(|(name, uid)| node((name, uid))),
        _ => None,
    };
    let failed = |reason, action, about: Regarding, what: &str, why: &str| {
        let mut told = told(reason, action, about, &format!("{what}: {why}"));
        told.warning = true;
        vec![told]
    };
    match (&effect.order, answer) {
        (Order::Launch(order), Answer::Launched(launched)) => {
            let note = format!("pool {pool}: launched {} ({})", launched.instance, order.offering);
            vec![told("ScaledUpGroup", "ScaleUp", Regarding::Pools, &note)]
        }
        (Order::Launch(order), answer) => match no(answer) {
            Some(why) => {
                let what = format!("pool {pool}: no {} was launched", order.offering);
                failed("FailedToScaleUpGroup", "ScaleUp", Regarding::Pools, &what, &why)
            }
            None => Vec::new(),
        },
        (Order::Terminate(order), Answer::Terminating) => {
            let note = format!("pool {pool}: {} is ended", order.instance);
            let mut told = told("ScaleDown", "ScaleDown", Regarding::Pools, &note);
            told.related = its_node;
            vec![told]
        }
        (Order::Terminate(order), answer) => match no(answer) {
            Some(why) => {
                let what = format!("pool {pool}: {} could not be ended", order.instance);
                failed("ScaleDownFailed", "ScaleDown", its_node.unwrap_or(Regarding::Pools), &what, &why)
            }
            None => Vec::new(),
        },
        (Order::Evict(order), Answer::Evicted(pass)) => {
            let on = |pod: &&PodRef| pass.accepted.contains(&pod.uid);
            let evicted = order.pods.iter().filter(on).map(|evicted| {
                let note = format!("evicted: its node {} is to go", order.node);
                let about = pod(&evicted.namespace, &evicted.name, evicted.uid.as_str());
                Told { related: its_node.clone(), ..told("ScaleDown", "Evict", about, &note) }
            });
            evicted.collect()
        }
        (Order::Uncordon(_), Answer::Cordoned(Cordoned::Done)) => {
            let why = match &op.kind {
                OpKind::Remove(remove) => match &remove.state {
                    RemoveState::RollingBack { why, .. } => why.to_string(),
                    _ => String::new(),
                },
                _ => String::new(),
            };
            let about = its_node.unwrap_or(Regarding::Pools);
            failed("ScaleDownFailed", "ScaleDown", about, &format!("pool {pool}: the node stays"), &why)
        }
        (Order::Cordon(_) | Order::Uncordon(_) | Order::Evict(_), answer) => match no(answer) {
            Some(why) => {
                let about = its_node.unwrap_or(Regarding::Pools);
                failed("ScaleDownFailed", "ScaleDown", about, "the node could not be drained", &why)
            }
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// A definite no, in words. What is unclear will be known in the next round.
fn no(answer: &Answer) -> Option<String> {
    let Answer::Refused(refusal) = answer else { return None };
    Some(match refusal {
        Refusal::NoCapacity { why } => format!("no capacity: {why}"),
        Refusal::Throttled => "asked too often".to_owned(),
        Refusal::Denied { action } => format!("not allowed: {action}"),
        Refusal::Invalid { why } => format!("refused as wrong: {why}"),
        Refusal::TokenSpent => "what was bought under its token is gone".to_owned(),
        Refusal::TokenMismatch => "its token was used with other settings".to_owned(),
        _ => "refused".to_owned(),
    })
}

/// What was decided and stored.
fn of_actions(facts: &RoundFacts<'_>, cluster: Option<&Cluster>) -> Vec<Told> {
    let mut all = Vec::new();
    for action in &facts.explanation.actions {
        let Action::Remove { pool, instance, why, .. } = action else { continue };
        let Some(at) = place(facts, instance) else { continue };
        let Some(found) = cluster.and_then(|cluster| cluster.node(at)) else { continue };
        let empty = cluster.is_some_and(|cluster| {
            cluster.scope().covers(&found.name) && cluster.evictable(at).next().is_none()
        });
        let (reason, what) = if empty { ("ScaleDownEmpty", "empty") } else { ("ScaleDown", "to be drained") };
        let note = format!("pool {pool}: chosen to be removed, {what}: {why}");
        all.push(told(reason, "ScaleDown", node((&found.name, &found.uid)), &note));
    }
    all
}

/// The node of an instance.
fn place(facts: &RoundFacts<'_>, instance: &InstanceId) -> Option<usize> {
    let listing = facts.view.instances().known()?;
    facts.view.node_of(listing.find(instance)?)
}

/// Why pools are left as they are, in words and in codes.
pub(super) fn holds(explanation: &Explanation) -> (String, String) {
    let (mut words, mut codes) = (Vec::new(), Vec::new());
    for report in &explanation.pools {
        let Verdict::Hold(holds) = &report.verdict else { continue };
        let all: Vec<String> = holds.iter().map(ToString::to_string).collect();
        words.push(format!("{}: {}", report.pool, all.join(", ")));
        let all: Vec<&str> = holds.iter().map(Hold::code).collect();
        codes.push(format!("{} {}", report.pool, all.join(" ")));
    }
    (words.join("; "), codes.join(";"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_cut_between_characters_and_stay_on_one_line() {
        for (note, bytes) in [
            ("x".repeat(1_024), 1_024),
            ("x".repeat(1_025), 1_024),
            ("ü".repeat(600), 1_023),
            (String::new(), 0),
        ] {
            let cut = fitting(&note);
            assert_eq!(cut.len(), bytes);
            assert_eq!(cut.ends_with('…'), cut != note);
        }
        assert!(!fitting("a\nb\u{202e}c\u{0}").contains(['\n', '\u{202e}', '\u{0}']));
    }
}
