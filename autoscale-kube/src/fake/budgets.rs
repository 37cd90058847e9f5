//! Disruption budgets: which pods they are about, and how many of those may go.

use std::collections::{BTreeMap, BTreeSet};

use autoscale_core::words::{Span, Timestamp};
use serde_json::{Value, json};

use super::agenda::{Event, Task};
use super::index::Keys;
use super::json::{array, number, put, slot, words};
use super::kinds::K;
use super::select::Labels;
use super::store::Key;
use super::world::{CONTROLLER_STATUS, World};

/// How long a budget counts a pod as leaving that was evicted and does not leave.
pub(super) const PATIENCE: Span = Span::from_mins(2);

#[derive(Debug)]
pub(super) struct Budget {
    selector: Option<Labels>,
    members: Keys,
    /// Pods whose eviction was granted, and until when that counts.
    pub(super) leaving: BTreeMap<Key, Timestamp>,
}

/// All budgets, by their names.
#[derive(Debug, Default)]
pub(super) struct Budgets(BTreeMap<Key, Budget>);

impl Budgets {
    /// Those that a pod is under.
    pub(super) fn of(&self, pod: &Key) -> Vec<Key> {
        self.0.iter().filter(|(_, budget)| budget.members.contains(pod)).map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Budget> {
        self.0.get_mut(key)
    }

    /// Takes over a changed pod; gives the budgets that it concerns.
    pub(super) fn pod_changed(&mut self, key: &Key, labels: Option<&BTreeMap<String, String>>) -> Vec<Key> {
        let first = Key::new(key.namespace.as_str(), "");
        let here = self.0.range_mut(first..).take_while(|(at, _)| at.namespace == key.namespace);
        let mut concerned = Vec::new();
        for (at, budget) in here {
            let picked = labels.is_some_and(|labels| budget.picks(labels));
            let was = if picked { !budget.members.insert(key.clone()) } else { budget.members.remove(key) };
            if picked || was {
                concerned.push(at.clone());
            }
        }
        concerned
    }
}

impl Budget {
    fn picks(&self, labels: &BTreeMap<String, String>) -> bool {
        // No selector picks nothing, an empty one everything.
        self.selector
            .as_ref()
            .is_some_and(|selector| selector.picks(|key| labels.get(key).map(String::as_str)))
    }
}

impl World {
    /// Takes over a changed budget.
    pub(super) fn budget_changed(&mut self, key: &Key, object: Option<&Value>) {
        let Some(object) = object else {
            self.budgets.0.remove(key);
            return;
        };
        let selector = Labels::of(object.pointer("/spec/selector"));
        if self.budgets.0.get(key).is_some_and(|known| known.selector == selector) {
            if number(object, "/metadata/generation") != number(object, "/status/observedGeneration") {
                self.react(Task::Budget(key.clone()));
            }
            return;
        }
        let mut budget = Budget { selector, members: Keys::new(), leaving: BTreeMap::new() };
        let pods = self
            .pods
            .all()
            .filter(|(pod, info)| pod.namespace == key.namespace && budget.picks(&info.labels));
        budget.members = pods.map(|(pod, _)| pod.clone()).collect::<BTreeSet<_>>();
        self.budgets.0.insert(key.clone(), budget);
        self.react(Task::Budget(key.clone()));
    }

    /// Counts how many pods of a budget may go.
    pub(super) fn count_budget(&mut self, key: &Key) {
        let Some(object) = self.store.get(K::BUDGETS, key).cloned() else { return };
        let (now, pods) = (self.now, &self.pods);
        let Some(budget) = self.budgets.0.get_mut(key) else { return };
        budget.leaving.retain(|pod, until| {
            let waits = pods.get(pod).is_some_and(|pod| !pod.deleting && !pod.finished);
            waits && *until > now
        });
        let members: Vec<_> = budget.members.iter().filter_map(|pod| Some((pod, pods.get(pod)?))).collect();
        let counted = members.iter().filter(|(_, pod)| !pod.finished);
        let healthy = |pod: &Key, info: &super::index::PodInfo| {
            info.ready && !info.deleting && !info.finished && !budget.leaving.contains_key(pod)
        };
        let current = members.iter().filter(|(pod, info)| healthy(pod, info)).count() as u64;
        let owners: BTreeSet<String> = members.iter().map(|(_, pod)| pod.owner.clone()).collect();
        let present = counted.count() as u64;
        let leaving: serde_json::Map<String, Value> = budget
            .leaving
            .iter()
            .map(|(pod, until)| (pod.name.clone(), json!(until.before(PATIENCE).to_string())))
            .collect();
        let spec = object.get("spec").cloned().unwrap_or_default();
        let wanted = || owners.iter().map(|owner| self.scale_of(owner)).sum::<u64>();
        let (expected, desired) = match (spec.get("maxUnavailable"), spec.get("minAvailable")) {
            (Some(most), _) => {
                let wanted = wanted();
                (wanted, wanted.saturating_sub(scaled(most, wanted)))
            }
            (None, Some(share @ Value::String(_))) => {
                let wanted = wanted();
                (wanted, scaled(share, wanted))
            }
            (None, least) => (present, least.and_then(Value::as_u64).unwrap_or_default()),
        };
        let allowed = if expected == 0 { 0 } else { current.saturating_sub(desired) };
        let (time, generation) = (self.now.to_string(), number(&object, "/metadata/generation").unwrap_or(1));
        self.update(K::BUDGETS, key, CONTROLLER_STATUS, |object| {
            let status = slot(object, &["status"]);
            put(status, &["observedGeneration"], generation);
            put(status, &["disruptionsAllowed"], allowed);
            put(status, &["currentHealthy"], current);
            put(status, &["desiredHealthy"], desired);
            put(status, &["expectedPods"], expected);
            if leaving.is_empty() {
                super::json::take(status, &["disruptedPods"]);
            } else {
                put(status, &["disruptedPods"], leaving);
            }
            let (is, reason) =
                if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
            let conditions = array(slot(status, &["conditions"]));
            let same = |found: &Value| words(found, "/status") == is && words(found, "/reason") == reason;
            if !conditions.iter().any(same) {
                *conditions = vec![json!({
                    "type": "DisruptionAllowed", "status": is, "observedGeneration": generation,
                    "lastTransitionTime": time, "reason": reason, "message": "",
                })];
            }
        });
    }

    /// Notes that a pod may leave, and looks again when it should have.
    pub(super) fn let_go(&mut self, budget: &Key, pod: &Key) {
        let until = self.now.after(PATIENCE);
        if let Some(known) = self.budgets.get_mut(budget) {
            known.leaving.insert(pod.clone(), until);
        }
        self.agenda.at(until, Event::Unblock(budget.clone()));
    }

    /// How many pods the controller of that uid wants; none if it is not there.
    fn scale_of(&self, owner: &str) -> u64 {
        let object = self.makers.get(owner).and_then(|(kind, key)| self.store.get(*kind, key));
        object.and_then(|object| number(object, "/spec/replicas")).map_or(0, i64::unsigned_abs)
    }
}

/// A number, or a share of `whole` rounded up.
fn scaled(value: &Value, whole: u64) -> u64 {
    let share = |text: &str| text.strip_suffix('%')?.parse::<u64>().ok();
    match value {
        Value::String(text) => share(text).map_or(0, |share| (whole * share).div_ceil(100)),
        other => other.as_u64().unwrap_or_default(),
    }
}
