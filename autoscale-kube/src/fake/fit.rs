//! Whether a node will do for a pod.

use std::collections::BTreeMap;

use serde_json::Value;

use super::index::{NodeInfo, Room, requests};
use super::json::{list, number, texts, words};
use super::kinds::K;
use super::select::Labels;
use super::store::Key;
use super::world::World;

pub(super) const AFFINITY: &str = "node(s) didn't match Pod's node affinity/selector";

/// What a pod asks of its node.
#[derive(Debug)]
pub(super) struct Ask {
    namespace: String,
    pub(super) room: Room,
    /// The only node it may be on, as for a pod of a DaemonSet.
    pub(super) node: Option<String>,
    selector: BTreeMap<String, String>,
    affinity: Option<Value>,
    tolerations: Vec<Value>,
    /// Selectors of pods that it does not share a host with.
    apart: Vec<Labels>,
    /// Where its volumes can be attached.
    volumes: Vec<Value>,
}

impl Ask {
    pub(super) fn of(world: &World, key: &Key, pod: &Value) -> Self {
        let required = "requiredDuringSchedulingIgnoredDuringExecution";
        let affinity = pod.pointer(&format!("/spec/affinity/nodeAffinity/{required}")).cloned();
        let field = affinity.as_ref().and_then(|affinity| {
            let terms = list(affinity, "/nodeSelectorTerms");
            let names = terms.iter().flat_map(|term| list(term, "/matchFields"));
            names.flat_map(|field| list(field, "/values")).find_map(Value::as_str)
        });
        let anti = list(pod, &format!("/spec/affinity/podAntiAffinity/{required}")).iter();
        let hosts = anti.filter(|term| words(term, "/topologyKey") == "kubernetes.io/hostname");
        let claims =
            list(pod, "/spec/volumes").iter().map(|volume| words(volume, "/persistentVolumeClaim/claimName"));
        let volume = |claim: &str| {
            let claim = world.store.get(K::CLAIMS, &Key::new(key.namespace.as_str(), claim))?;
            let volume = world.store.get(K::VOLUMES, &Key::global(words(claim, "/spec/volumeName")))?;
            volume.pointer("/spec/nodeAffinity/required").cloned()
        };
        Self {
            namespace: key.namespace.clone(),
            room: pod.get("spec").map(requests).unwrap_or_default(),
            node: field.map(str::to_owned),
            selector: texts(pod, "/spec/nodeSelector"),
            affinity,
            tolerations: list(pod, "/spec/tolerations").to_vec(),
            apart: hosts.filter_map(|term| Labels::of(term.get("labelSelector"))).collect(),
            volumes: claims.filter(|claim| !claim.is_empty()).filter_map(volume).collect(),
        }
    }

    /// Why a node will not do, in the scheduler's words; `None`: it will.
    pub(super) fn refused_by(&self, world: &World, name: &str, node: &NodeInfo) -> Option<String> {
        let none = Room::default();
        let used = world.pods.used(name).unwrap_or(&none);
        self.not_here(name, node)
            .or_else(|| node.room.lacks(used, &self.room))
            .or_else(|| self.crowded(world, name))
    }

    /// Why a node will not do even if it is empty.
    pub(super) fn not_here(&self, name: &str, node: &NodeInfo) -> Option<String> {
        let cordon = ("node.kubernetes.io/unschedulable".to_owned(), String::new(), "NoSchedule".to_owned());
        if node.unschedulable && !tolerates(&self.tolerations, &cordon) {
            return Some("node(s) were unschedulable".to_owned());
        }
        let hard = |taint: &&(String, String, String)| taint.2 == "NoSchedule" || taint.2 == "NoExecute";
        let borne = |taint: &&(String, String, String)| tolerates(&self.tolerations, taint);
        if let Some((key, value, _)) = node.taints.iter().filter(hard).find(|taint| !borne(taint)) {
            return Some(format!("node(s) had untolerated taint(s) {{{key}: {value}}}"));
        }
        let label = |key: &str| node.labels.get(key).map(String::as_str);
        let selected = self.selector.iter().all(|(key, value)| label(key) == Some(value.as_str()));
        if !selected || !self.affinity.as_ref().is_none_or(|affinity| terms(affinity, name, node)) {
            return Some(AFFINITY.to_owned());
        }
        let attached = self.volumes.iter().all(|required| terms(required, name, node));
        (!attached).then(|| "node(s) didn't match PersistentVolume's node affinity".to_owned())
    }

    /// Whether a pod is there already that it does not share a host with.
    fn crowded(&self, world: &World, name: &str) -> Option<String> {
        if self.apart.is_empty() {
            return None;
        }
        let here = world.pods.on(name).filter(|key| key.namespace == self.namespace);
        let mut infos = here.filter_map(|key| world.pods.get(key)).filter(|info| !info.finished);
        let foe = |labels: &BTreeMap<String, String>| {
            self.apart.iter().any(|apart| apart.picks(|key| labels.get(key).map(String::as_str)))
        };
        infos.any(|info| foe(&info.labels)).then(|| "node(s) didn't match pod anti-affinity rules".to_owned())
    }
}

/// Whether one of the tolerations covers a taint.
pub(super) fn tolerates(tolerations: &[Value], (key, value, effect): &(String, String, String)) -> bool {
    covering(tolerations, key, value, effect).next().is_some()
}

/// The tolerations that cover a taint.
pub(super) fn covering<'t>(
    tolerations: &'t [Value],
    key: &'t str,
    value: &'t str,
    effect: &'t str,
) -> impl Iterator<Item = &'t Value> {
    tolerations.iter().filter(move |toleration| {
        let (at, wanted) = (words(toleration, "/key"), words(toleration, "/effect"));
        let exists = words(toleration, "/operator") == "Exists";
        (at == key || at.is_empty() && exists)
            && (wanted == effect || wanted.is_empty())
            && (exists || words(toleration, "/value") == value)
    })
}

/// How long pods with these tolerations bear a taint: `None` for ever.
pub(super) fn patience(tolerations: &[Value], key: &str, value: &str, effect: &str) -> Option<u64> {
    let spans: Vec<Option<i64>> =
        covering(tolerations, key, value, effect).map(|at| number(at, "/tolerationSeconds")).collect();
    if spans.is_empty() {
        return Some(0);
    }
    spans.iter().flatten().min().map(|seconds| seconds.max(&0).unsigned_abs())
}

/// Whether a node meets one of the terms of a node selector.
fn terms(selector: &Value, name: &str, node: &NodeInfo) -> bool {
    let label = |key: &str| node.labels.get(key).map(String::as_str);
    list(selector, "/nodeSelectorTerms").iter().any(|term| {
        let labels = list(term, "/matchExpressions");
        let fields = list(term, "/matchFields");
        !(labels.is_empty() && fields.is_empty())
            && labels.iter().all(|need| meets(need, label(words(need, "/key"))))
            && fields.iter().all(|need| meets(need, Some(name)))
    })
}

fn meets(need: &Value, found: Option<&str>) -> bool {
    let values = || list(need, "/values").iter().filter_map(Value::as_str);
    let bound = || values().next().and_then(|value| value.parse::<i64>().ok());
    let amount = || found.and_then(|found| found.parse::<i64>().ok());
    let listed = || found.is_some_and(|found| values().any(|value| value == found));
    match words(need, "/operator") {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => amount().zip(bound()).is_some_and(|(amount, bound)| amount > bound),
        "Lt" => amount().zip(bound()).is_some_and(|(amount, bound)| amount < bound),
        _ => false,
    }
}
