//! What came out of a tick, in the form in which rows expect it.

use std::collections::{BTreeMap, BTreeSet};

use autoscale_core::data::explain::{Action, Hold, Verdict};
use autoscale_core::data::record::OpKind;
use autoscale_core::logic::{Planned, Removable, Sizing};
use autoscale_core::words::PoolName;
use serde::Deserialize;

use super::world::World;

/// What a target asks for now, and at most within its window.
type Wishes = (Option<u32>, Option<u32>);

/// What a row expects. Whatever is not given may be anything.
#[derive(Deserialize, Default, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Expect {
    /// For each pool: `grow 5`, `grow 5, 10 stay pending`, `shrink 3`, or `hold` and the names of all reasons.
    pub(crate) verdict: Option<BTreeMap<String, String>>,
    /// What is bought, in order.
    pub(crate) launches: Option<Vec<String>>,
    /// How many nodes each zone has once all of that has come.
    pub(crate) zones: Option<BTreeMap<String, u32>>,
    /// Which nodes go, in order.
    pub(crate) removes: Option<Vec<String>>,
    /// Whatever the rules and limits say: every node that may go, and what holds some of the others.
    pub(crate) removable: Option<BTreeSet<String>>,
    pub(crate) held: Option<BTreeMap<String, Vec<String>>>,
    /// Whatever the rules and limits say: how many nodes the waiting pods need, and how many pods fit on none.
    pub(crate) needs: Option<BTreeMap<String, u32>>,
    pub(crate) fit_nowhere: Option<u64>,
    /// For each target, how many nodes it asks for now, and at most within its window.
    pub(crate) targets: Option<BTreeMap<String, Wishes>>,
    /// For each node on its way out, how long it has got.
    pub(crate) deadlines: Option<BTreeMap<String, String>>,
    /// How many operations are open after the decision.
    pub(crate) operations: Option<usize>,
    /// What was sent, during the wait and after the decision, in order.
    pub(crate) orders: Option<Vec<String>>,
    /// Offerings that are left alone for a while, after all of that.
    pub(crate) backed_off: Option<Vec<String>>,
    /// Parts of the explanation.
    pub(crate) says: Vec<String>,
}

/// The answers of one tick.
pub(crate) struct Answers {
    pub(crate) removable: BTreeMap<PoolName, Removable>,
    pub(crate) sizing: Sizing,
    pub(crate) planned: Planned,
    /// Instances in each zone before anything was carried out.
    pub(crate) population: BTreeMap<String, u32>,
    pub(crate) orders: Vec<String>,
}

/// What was seen of all that is expected.
pub(crate) fn seen(expect: &Expect, world: &World, answers: &Answers) -> Expect {
    let Answers { removable, sizing, planned, population, orders } = answers;
    let explanation = &planned.explanation;
    let pools = || explanation.pools.iter();
    let verdict = || pools().map(|pool| (pool.pool.to_string(), verdict(&pool.verdict))).collect();
    let targets = || pools().flat_map(|pool| &pool.targets);
    let targets =
        || targets().map(|target| (target.signal.to_string(), (target.wished, target.held))).collect();
    let may_go = || removable.values().flat_map(|pool| &pool.instances).map(ToString::to_string).collect();
    let text = explanation.to_string();
    Expect {
        verdict: expect.verdict.as_ref().map(|_| verdict()),
        launches: expect.launches.as_ref().map(|_| launches(planned)),
        zones: expect.zones.as_ref().map(|_| zones(population.clone(), planned)),
        removes: expect.removes.as_ref().map(|_| removes(planned)),
        removable: expect.removable.as_ref().map(|_| may_go()),
        held: expect.held.as_ref().map(|expected| held(removable, expected)),
        needs: expect.needs.as_ref().map(|_| needs(sizing)),
        fit_nowhere: expect.fit_nowhere.map(|_| sizing.left),
        targets: expect.targets.as_ref().map(|_| targets()),
        deadlines: expect.deadlines.as_ref().map(|_| deadlines(planned)),
        operations: expect.operations.map(|_| planned.next.ops.len()),
        orders: expect.orders.as_ref().map(|_| orders.clone()),
        backed_off: expect.backed_off.as_ref().map(|_| backed_off(world)),
        says: expect.says.iter().filter(|part| text.contains(part.as_str())).cloned().collect(),
    }
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Grow { by, left_pending: 0, .. } => format!("grow {by}"),
        Verdict::Grow { by, left_pending, .. } => format!("grow {by}, {left_pending} stay pending"),
        Verdict::Shrink { by, .. } => format!("shrink {by}"),
        Verdict::Hold(holds) => {
            let mut names: Vec<String> = holds.iter().map(name).collect();
            names.dedup();
            format!("hold {}", names.join(" "))
        }
        other => panic!("a verdict that the rows do not know: {other}"),
    }
}

/// As the record of a decision names it.
fn name(hold: &Hold) -> String {
    match serde_json::to_value(hold).unwrap() {
        serde_json::Value::Object(map) => map.keys().next().unwrap().clone(),
        other => other.as_str().unwrap().to_owned(),
    }
}

fn launches(planned: &Planned) -> Vec<String> {
    let launch = |action: &Action| match action {
        Action::Launch { pool, offering, .. } => Some(format!("{pool}: {offering}")),
        _ => None,
    };
    planned.explanation.actions.iter().filter_map(launch).collect()
}

fn removes(planned: &Planned) -> Vec<String> {
    let removal = |action: &Action| match action {
        Action::Remove { instance, .. } => Some(instance.to_string()),
        _ => None,
    };
    planned.explanation.actions.iter().filter_map(removal).collect()
}

fn zones(mut zones: BTreeMap<String, u32>, planned: &Planned) -> BTreeMap<String, u32> {
    for action in &planned.explanation.actions {
        if let Action::Launch { offering, .. } = action {
            *zones.entry(offering.zone.to_string()).or_default() += 1;
        }
    }
    zones
}

fn held(
    removable: &BTreeMap<PoolName, Removable>,
    expected: &BTreeMap<String, Vec<String>>,
) -> BTreeMap<String, Vec<String>> {
    let nodes = removable.values().flat_map(|pool| &pool.nodes);
    let asked = nodes.filter(|node| expected.contains_key(node.instance.as_str()));
    let codes = |node: &autoscale_core::data::explain::NodeReport| {
        node.held.iter().map(|held| held.code().to_owned()).collect()
    };
    asked.map(|node| (node.instance.to_string(), codes(node))).collect()
}

fn needs(sizing: &Sizing) -> BTreeMap<String, u32> {
    let mut needs = BTreeMap::new();
    for purchase in &sizing.purchases {
        let zone = purchase.zone.as_ref().map_or_else(String::new, |zone| format!(" in {zone}"));
        *needs.entry(format!("{} {}{zone}", purchase.pool, purchase.shape)).or_default() += purchase.nodes;
    }
    needs
}

fn deadlines(planned: &Planned) -> BTreeMap<String, String> {
    let removals = planned.next.ops.iter().filter_map(|op| match &op.kind {
        OpKind::Remove(remove) => Some(remove),
        _ => None,
    });
    let left =
        |deadline: autoscale_core::words::Elapsed| deadline.since(planned.explanation.elapsed).to_string();
    removals.map(|remove| (remove.instance.to_string(), left(remove.deadline))).collect()
}

fn backed_off(world: &World) -> Vec<String> {
    let now = world.record.time.elapsed;
    let marks = world.record.pools.iter();
    let known = marks.flat_map(|(pool, marks)| marks.offerings.iter().map(move |known| (pool, known)));
    let live = known.filter(|(_, known)| known.backoff.until > now);
    live.map(|(pool, known)| format!("{pool}: {}", known.offering)).collect()
}
