//! What a pod asks of its node beside room.

use autoscale_core::data::view::{Constraints, Operator, Pod, Requirement, Spread, Toleration};
use serde::Deserialize;

use super::meta::{Expression, Meta, Selector, or_default};
use super::node::effect;
use super::pod::Spec;

pub(super) const HOST: &str = "kubernetes.io/hostname";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Affinity {
    #[serde(deserialize_with = "or_default")]
    node_affinity: NodeAffinity,
    #[serde(deserialize_with = "or_default")]
    pod_affinity: PodAffinity,
    #[serde(deserialize_with = "or_default")]
    pod_anti_affinity: PodAffinity,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct NodeAffinity {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    required: Option<NodeSelector>,
}

/// What a volume or a pod asks of a node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct NodeSelector {
    #[serde(deserialize_with = "or_default")]
    pub(super) node_selector_terms: Vec<Term>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Term {
    #[serde(deserialize_with = "or_default")]
    pub(super) match_expressions: Vec<Expression>,
    #[serde(deserialize_with = "or_default")]
    match_fields: Vec<Expression>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct PodAffinity {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution", deserialize_with = "or_default")]
    required: Vec<PodTerm>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodTerm {
    topology_key: String,
    label_selector: Option<Selector>,
    #[serde(deserialize_with = "or_default")]
    namespaces: Vec<String>,
    namespace_selector: Option<Selector>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawToleration {
    #[serde(deserialize_with = "or_default")]
    key: String,
    #[serde(deserialize_with = "or_default")]
    operator: String,
    #[serde(deserialize_with = "or_default")]
    value: String,
    #[serde(deserialize_with = "or_default")]
    effect: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TopologySpread {
    topology_key: String,
    when_unsatisfiable: String,
}

/// All rules of a pod. Zones of its volumes come from elsewhere.
pub(super) fn constraints(spec: &Spec, meta: &Meta) -> Constraints {
    let mut constraints = Constraints::default();
    constraints.selector.clone_from(&spec.node_selector);
    if let Some(required) = &spec.affinity.node_affinity.required {
        constraints.affinity = required.node_selector_terms.iter().filter_map(term).collect();
        if constraints.affinity.is_empty() {
            // Terms that say nothing match no node.
            constraints.affinity = nowhere();
        }
    }
    constraints.tolerations = spec.tolerations.iter().filter_map(toleration).collect();
    constraints.spread = spread(spec, meta);
    constraints
}

/// Terms that no node meets.
pub(super) fn nowhere() -> Vec<Vec<Requirement>> {
    vec![vec![Requirement::new(HOST, Operator::In, [""; 0])]]
}

/// One more reason why nothing can be said about where a pod may be: it holds its node, and nothing is bought for it.
pub(super) fn unjudge(pod: &mut Pod, why: &str) {
    let spread = &mut pod.constraints.spread;
    let why = match spread {
        Spread::Unjudged { why: before } => format!("{before}; {why}"),
        _ => why.to_owned(),
    };
    *spread = Spread::Unjudged { why };
}

/// `None` for a term that says nothing.
pub(super) fn term(term: &Term) -> Option<Vec<Requirement>> {
    let fields = term.match_fields.iter().map(|field| {
        // The only field there is: `metadata.name`.
        Requirement::new(HOST, operator(&field.operator), field.values.iter().map(String::as_str))
    });
    let labels = term.match_expressions.iter();
    let labels =
        labels.map(|e| Requirement::new(&e.key, operator(&e.operator), e.values.iter().map(String::as_str)));
    let all: Vec<Requirement> = labels.chain(fields).collect();
    (!all.is_empty()).then_some(all)
}

/// An operator that nobody knows is never met: `In` of a list without the value.
fn operator(text: &str) -> Operator {
    match text {
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::Gt,
        "Lt" => Operator::Lt,
        _ => Operator::In,
    }
}

fn toleration(raw: &RawToleration) -> Option<Toleration> {
    let mut toleration = Toleration::everything();
    toleration.key = Some(raw.key.clone()).filter(|key| !key.is_empty());
    match raw.operator.as_str() {
        "" | "Equal" if toleration.key.is_some() => toleration.value = Some(raw.value.clone()),
        "Exists" => {}
        // Comparisons of numbers, and what is not known, tolerate nothing here: the node is then not counted as open.
        _ => return None,
    }
    if !raw.effect.is_empty() {
        toleration.effect = Some(effect(&raw.effect)?);
    }
    Some(toleration)
}

/// How it keeps away from other pods.
fn spread(spec: &Spec, meta: &Meta) -> Spread {
    let unjudged = |why: &str| Spread::Unjudged { why: why.to_owned() };
    if !spec.affinity.pod_affinity.required.is_empty() {
        return unjudged("it has to be near other pods");
    }
    if spec.topology_spread_constraints.iter().any(|rule| rule.when_unsatisfiable != "ScheduleAnyway") {
        let keys: Vec<&str> =
            spec.topology_spread_constraints.iter().map(|rule| rule.topology_key.as_str()).collect();
        return Spread::Unjudged { why: format!("it has to be spread over {}", keys.join(", ")) };
    }
    let containers = spec.containers.iter().chain(&spec.init_containers);
    if containers.flat_map(|container| &container.ports).any(|port| port.host_port > 0) {
        return unjudged("it takes a port of its node");
    }
    let mut groups = spec.affinity.pod_anti_affinity.required.iter();
    match (groups.next(), groups.next()) {
        (None, _) => Spread::Free,
        (Some(only), None) if is_about_its_own_group(only, meta) => {
            let group = only.label_selector.as_ref().map(Selector::text).unwrap_or_default();
            Spread::OnePerNode { group }
        }
        _ => unjudged("it has to keep away from other pods"),
    }
}

fn is_about_its_own_group(term: &PodTerm, meta: &Meta) -> bool {
    term.topology_key == HOST
        && term.namespaces.iter().all(|namespace| *namespace == meta.namespace)
        && term.namespace_selector.is_none()
        && term.label_selector.as_ref().is_some_and(|selector| selector.matches(&meta.labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(spec: &str) -> Constraints {
        let spec: Spec = serde_json::from_str(spec).unwrap();
        let meta = r#"{"namespace":"shop","labels":{"app":"db"}}"#;
        constraints(&spec, &serde_json::from_str(meta).unwrap())
    }

    #[test]
    fn tolerations_are_read_as_in_kubernetes() {
        let all = of(
            r#"{"tolerations":[{"operator":"Exists"},{"key":"a","operator":"Exists","effect":"NoExecute"},
            {"key":"b","value":"1"},{"key":"c","operator":"Lt","value":"3"},{"key":"d","effect":"Odd","operator":"Exists"}]}"#,
        );
        let mut late = Toleration::of("a");
        late.effect = effect("NoExecute");
        assert_eq!(all.tolerations, [Toleration::everything(), late, Toleration::of_value("b", "1")]);
    }

    #[test]
    fn affinity_without_terms_matches_no_node() {
        let none = of(
            r#"{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{}]}}}}"#,
        );
        assert!(!none.selects(|_| Some("a")));
        let one = of(
            r#"{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
            {},{"matchExpressions":[{"key":"gpu","operator":"Exists"}],"matchFields":[{"key":"metadata.name","operator":"In","values":["n1"]}]}]}}}}"#,
        );
        assert!(one.selects(|key| Some(if key == HOST { "n1" } else { "yes" })));
        assert!(!one.selects(|key| (key == HOST).then_some("n1")));
    }

    #[test]
    fn one_per_node_is_told_from_what_is_not_judged() {
        let anti = |term: &str| {
            of(&format!(r#"{{"affinity":{{"podAntiAffinity":{{"requiredDuringSchedulingIgnoredDuringExecution":[{term}]}}}}}}"#)).spread
        };
        let own = r#"{"topologyKey":"kubernetes.io/hostname","labelSelector":{"matchLabels":{"app":"db"}}}"#;
        assert_eq!(anti(own), Spread::OnePerNode { group: "app=db".to_owned() });
        for term in [
            own.replace("hostname", "zone"),
            own.replace(r#""db""#, r#""web""#),
            format!("{own},{own}"),
            own.replace(r#""labelSelector""#, r#""namespaceSelector":{},"labelSelector""#),
            own.replace(r#""labelSelector""#, r#""namespaces":["other"],"labelSelector""#),
        ] {
            assert!(matches!(anti(&term), Spread::Unjudged { .. }), "{term}");
        }
        for spec in [
            r#"{"topologySpreadConstraints":[{"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule"}]}"#,
            r#"{"containers":[{"ports":[{"hostPort":80}]}]}"#,
            r#"{"affinity":{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"zone"}]}}}"#,
        ] {
            assert!(matches!(of(spec).spread, Spread::Unjudged { .. }), "{spec}");
        }
        let soft = r#"{"topologySpreadConstraints":[{"topologyKey":"zone","whenUnsatisfiable":"ScheduleAnyway"}],
            "containers":[{"ports":[{"containerPort":80}]}]}"#;
        assert_eq!(of(soft).spread, Spread::Free);
    }
}
