//! Disruption budgets: which pods they select, and how many of them may go.

use std::collections::BTreeMap;

use autoscale_core::data::view::Budget;
use serde::Deserialize;

use super::meta::{Meta, Selector, or_default};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawBudget {
    pub(super) metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    selector: Option<Selector>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    #[serde(deserialize_with = "or_default")]
    disruptions_allowed: i64,
    #[serde(deserialize_with = "or_default")]
    observed_generation: i64,
}

/// All budgets of a survey, to be matched with pods.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    /// By namespace: where each stands in the view, and whom it selects.
    by_namespace: BTreeMap<String, Vec<(u32, Selector)>>,
    pub(super) shown: Vec<Budget>,
}

impl Budgets {
    pub(super) fn of(raw: Vec<RawBudget>) -> Self {
        let mut budgets = Self::default();
        for (number, RawBudget { metadata, spec, status }) in (0..).zip(raw) {
            // What its controller has not looked at since it was changed allows nothing.
            let current = status.observed_generation >= metadata.generation;
            let allowed = if current { status.disruptions_allowed } else { 0 };
            budgets.shown.push(Budget::new(&metadata.namespace, &metadata.name, allowed));
            // In policy/v1 an empty selector selects all pods of the namespace, and none selects none.
            if let Some(selector) = spec.selector {
                budgets.by_namespace.entry(metadata.namespace).or_default().push((number, selector));
            }
        }
        budgets
    }

    /// Which of them select a pod.
    pub(super) fn select(&self, namespace: &str, labels: &BTreeMap<String, String>) -> Vec<u32> {
        let here = self.by_namespace.get(namespace).into_iter().flatten();
        here.filter(|(_, selector)| selector.matches(labels)).map(|(number, _)| *number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_select_within_their_namespace_and_stale_ones_allow_nothing() {
        let raw = serde_json::json!([
            {"metadata": {"name": "a", "namespace": "x", "generation": 1}, "spec": {"selector": {}},
             "status": {"disruptionsAllowed": 2, "observedGeneration": 1}},
            {"metadata": {"name": "b", "namespace": "x", "generation": 2},
             "spec": {"selector": {"matchLabels": {"app": "web"}}},
             "status": {"disruptionsAllowed": 2, "observedGeneration": 1}},
            {"metadata": {"name": "c", "namespace": "x"}, "spec": {}, "status": {"disruptionsAllowed": 1}},
            {"metadata": {"name": "d", "namespace": "y"}, "spec": {"selector": {}}}
        ]);
        let budgets = Budgets::of(serde_json::from_value(raw).unwrap());
        let web = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
        assert_eq!(budgets.select("x", &web), [0, 1]);
        assert_eq!(budgets.select("x", &BTreeMap::new()), [0]);
        assert_eq!(budgets.select("y", &web), [3]);
        assert_eq!(budgets.select("z", &web), [0; 0]);
        let allowed: Vec<i64> = budgets.shown.iter().map(|budget| budget.disruptions_allowed).collect();
        assert_eq!(allowed, [2, 0, 1, 0]);
    }
}
