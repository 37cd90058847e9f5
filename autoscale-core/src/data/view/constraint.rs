//! What a pod asks of its node beside room, and what a node keeps pods away with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaintEffect {
    /// They are not scheduled here.
    NoSchedule,
    /// They are scheduled here only if nothing else has room. Never counts against a fit.
    PreferNoSchedule,
    /// They are not scheduled here, and those that run here are evicted.
    NoExecute,
}

/// A taint of a node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value, often empty.
    pub value: String,
    /// What it does.
    pub effect: TaintEffect,
}

impl Taint {
    /// A taint.
    pub fn new(key: impl Into<String>, value: impl Into<String>, effect: TaintEffect) -> Self {
        Self { key: key.into(), value: value.into(), effect }
    }
}

/// The taint that stands for a cordon.
pub const CORDON_TAINT: &str = "node.kubernetes.io/unschedulable";

/// What a pod tolerates.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Toleration {
    /// Of this key; `None` is every key.
    pub key: Option<String>,
    /// Of this value; `None` is every value (operator `Exists`).
    pub value: Option<String>,
    /// Of this effect; `None` is every effect.
    pub effect: Option<TaintEffect>,
}

impl Toleration {
    /// Of every taint there is.
    pub const fn everything() -> Self {
        Self { key: None, value: None, effect: None }
    }

    /// Of a key with any value and any effect.
    pub fn of(key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), value: None, effect: None }
    }

    /// Of a key with one value and any effect.
    pub fn of_value(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: Some(key.into()), value: Some(value.into()), effect: None }
    }

    /// Whether it covers a taint.
    pub fn covers(&self, taint: &Taint) -> bool {
        self.key.as_ref().is_none_or(|key| *key == taint.key)
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
            && self.effect.is_none_or(|effect| effect == taint.effect)
    }
}

/// How a requirement compares a label.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operator {
    /// The label has one of the values.
    In,
    /// The label has none of the values, or is not there.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
    /// The label is a whole number above the only value.
    Gt,
    /// The label is a whole number below the only value.
    Lt,
}

/// One requirement on a node's label.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what, sorted.
    pub values: Vec<String>,
}

impl Requirement {
    /// A requirement; the values may come in any order.
    pub fn new<V: Into<String>>(
        key: impl Into<String>,
        operator: Operator,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let mut values: Vec<String> = values.into_iter().map(Into::into).collect();
        values.sort();
        values.dedup();
        Self { key: key.into(), operator, values }
    }

    /// Whether a label value, or its absence, meets it.
    pub fn is_met_by(&self, label: Option<&str>) -> bool {
        let listed = |label: &str| self.values.iter().any(|value| value == label);
        let number = |text: &str| text.parse::<i64>().ok();
        let bound = || self.values.first().and_then(|value| number(value));
        match self.operator {
            Operator::In => label.is_some_and(listed),
            Operator::NotIn => !label.is_some_and(listed),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::Gt => label.and_then(number).zip(bound()).is_some_and(|(label, bound)| label > bound),
            Operator::Lt => label.and_then(number).zip(bound()).is_some_and(|(label, bound)| label < bound),
        }
    }
}

/// How a pod keeps away from others of its kind (required anti-affinity and hard topology spread).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Spread {
    /// It does not.
    #[default]
    Free,
    /// At most one pod of the group on a node: required anti-affinity over the host name.
    OnePerNode {
        /// What names the group within the namespace, such as the selector in words.
        group: String,
    },
    /// It has rules of a kind that this library does not judge, such as affinity to other pods, host ports, or a hard
    /// spread over zones. Such a pod holds its node, and no node is bought for it alone.
    Unjudged {
        /// Which, in words.
        why: String,
    },
}

/// Everything that a pod asks of its node beside room.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Constraints {
    /// Labels that the node must have.
    pub selector: BTreeMap<String, String>,
    /// Required node affinity: at least one of the terms must hold, each with all of its requirements. Empty asks nothing.
    pub affinity: Vec<Vec<Requirement>>,
    /// Taints that do not keep it away.
    pub tolerations: Vec<Toleration>,
    /// Zones that its volumes can be attached in; `None` is any.
    pub volume_zones: Option<Vec<crate::words::Zone>>,
    /// How it keeps away from others of its kind.
    pub spread: Spread,
}

impl Constraints {
    /// Whether a taint does not keep it away.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        taint.effect == TaintEffect::PreferNoSchedule
            || self.tolerations.iter().any(|toleration| toleration.covers(taint))
    }

    /// Whether a cordon does not keep it away.
    pub fn ignores_cordon(&self) -> bool {
        self.tolerates(&Taint::new(CORDON_TAINT, "", TaintEffect::NoSchedule))
    }

    /// Whether a node with these labels, as `label` tells them, is one that it may be on.
    pub fn selects<'l>(&self, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        self.selector.iter().all(|(key, value)| label(key) == Some(value.as_str()))
            && (self.affinity.is_empty()
                || self.affinity.iter().any(|term| term.iter().all(|need| need.is_met_by(label(&need.key)))))
    }

    /// Every label it looks at.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        let needed = self.affinity.iter().flatten().map(|need| need.key.as_str());
        self.selector.keys().map(String::as_str).chain(needed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_met_as_in_kubernetes() {
        for (operator, values, label, met) in [
            (Operator::In, &["a", "b"][..], Some("b"), true),
            (Operator::In, &["a"], None, false),
            (Operator::NotIn, &["a"], None, true),
            (Operator::NotIn, &["a"], Some("a"), false),
            (Operator::Exists, &[], Some(""), true),
            (Operator::DoesNotExist, &[], Some(""), false),
            (Operator::Gt, &["3"], Some("4"), true),
            (Operator::Gt, &["3"], Some("3"), false),
            (Operator::Gt, &["3"], Some("four"), false),
            (Operator::Lt, &["x"], Some("1"), false),
            (Operator::Lt, &["3"], None, false),
        ] {
            let need = Requirement::new("l", operator, values.iter().copied());
            assert_eq!(need.is_met_by(label), met, "{need:?} {label:?}");
        }
    }

    #[test]
    fn a_toleration_without_a_key_covers_a_cordon() {
        let mut pod = Constraints::default();
        assert!(!pod.ignores_cordon());
        pod.tolerations = vec![Toleration::of("dedicated")];
        assert!(!pod.ignores_cordon());
        pod.tolerations.push(Toleration::everything());
        assert!(pod.ignores_cordon());
        let soft = Taint::new("any", "", TaintEffect::PreferNoSchedule);
        assert!(Constraints::default().tolerates(&soft), "a preference keeps nobody away");
    }

    #[test]
    fn terms_are_alternatives_and_their_requirements_are_not() {
        let term = |key: &str| Requirement::new(key, Operator::Exists, [""; 0]);
        let affinity = vec![vec![term("a"), term("b")], vec![term("c")]];
        let mut pod = Constraints { affinity, ..Constraints::default() };
        let node = |labels: &'static [&'static str]| move |key: &str| labels.contains(&key).then_some("");
        assert!(pod.selects(node(&["a", "b"])) && pod.selects(node(&["c"])));
        assert!(!pod.selects(node(&["a"])));
        pod.selector = BTreeMap::from([("d".to_owned(), "1".to_owned())]);
        assert!(!pod.selects(node(&["c"])));
    }
}
