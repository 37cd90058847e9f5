//! What a pod asks of a node, as the scheduler counts it.

use std::collections::BTreeMap;

use autoscale_core::words::{Extended, Resources};
use serde::Deserialize;

use super::meta::or_default;
use super::node::is_extended;
use super::pod::{ContainerStatus, Spec};
use crate::quantity;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Container {
    name: String,
    #[serde(deserialize_with = "or_default")]
    resources: Asked,
    /// `Always` makes an init container one that goes on beside the others.
    #[serde(deserialize_with = "or_default")]
    restart_policy: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) ports: Vec<Port>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Port {
    #[serde(deserialize_with = "or_default")]
    pub(super) host_port: u32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    #[serde(deserialize_with = "or_default")]
    requests: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    limits: BTreeMap<String, String>,
}

/// Amounts by name: thousandths of a CPU, whole units of all else.
type Amounts = BTreeMap<String, u64>;

impl Asked {
    /// What is not asked for but limited is asked for up to the limit.
    fn amounts(&self) -> Amounts {
        let mut amounts = read(&self.limits);
        amounts.extend(read(&self.requests));
        amounts
    }
}

fn read(amounts: &BTreeMap<String, String>) -> Amounts {
    let amount = |(name, text): (&String, &String)| {
        let amount = if name == "cpu" { quantity::milli(text) } else { quantity::whole(text) };
        Some((name.clone(), amount?))
    };
    amounts.iter().filter_map(amount).collect()
}

fn plus(mut sum: Amounts, more: Amounts) -> Amounts {
    for (name, amount) in more {
        let sum = sum.entry(name).or_default();
        *sum = sum.saturating_add(amount);
    }
    sum
}

fn most(mut sum: Amounts, other: Amounts) -> Amounts {
    for (name, amount) in other {
        let sum = sum.entry(name).or_default();
        *sum = (*sum).max(amount);
    }
    sum
}

/// The sum over containers, or what an init container needs together with those that go on beside it, whichever is more;
/// what is asked for the pod as a whole goes before that; overhead on top. A container that is being resized counts with what
/// it has, if that is more.
pub(super) fn requests(spec: &Spec, statuses: &[ContainerStatus]) -> (Resources, Extended) {
    let of = |container: &Container| {
        let has = statuses.iter().find(|status| status.name == container.name);
        let has = has.map(|status| read(&status.allocated_resources)).unwrap_or_default();
        most(container.resources.amounts(), has)
    };
    let running = spec.containers.iter().map(of).fold(Amounts::new(), plus);
    let (mut beside, mut peak) = (Amounts::new(), Amounts::new());
    for init in &spec.init_containers {
        if init.restart_policy == "Always" {
            beside = plus(beside, of(init));
            peak = most(peak, beside.clone());
        } else {
            peak = most(peak, plus(of(init), beside.clone()));
        }
    }
    let mut all = most(plus(running, beside), peak);
    all.extend(spec.resources.amounts());
    let all = plus(all, read(&spec.overhead));
    let plain = |name: &str| all.get(name).copied().unwrap_or(0);
    let resources = Resources::new(plain("cpu"), plain("memory"), 1);
    let named = all.iter().filter(|(name, _)| is_extended(name));
    (resources, named.fold(Extended::none(), |sum, (name, amount)| sum.with(name, *amount)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_containers_and_sidecars_count_as_in_the_scheduler() {
        for (spec, cpu, memory) in [
            (
                r#"{"containers":[{"resources":{"requests":{"cpu":"100m","memory":"1Mi"}}},{"resources":{"limits":{"cpu":"1"}}}]}"#,
                1_100,
                1 << 20,
            ),
            (
                r#"{"containers":[{"resources":{"requests":{"cpu":"1"}}}],"initContainers":[{"resources":{"requests":{"cpu":"2"}}}]}"#,
                2_000,
                0,
            ),
            (
                r#"{"containers":[{"resources":{"requests":{"cpu":"1"}}}],"initContainers":[
                    {"restartPolicy":"Always","resources":{"requests":{"cpu":"500m"}}},{"resources":{"requests":{"cpu":"900m"}}}]}"#,
                1_500,
                0,
            ),
            (
                r#"{"containers":[{"resources":{"requests":{"cpu":"1"}}}],"overhead":{"cpu":"50m","memory":"8Mi"},
                    "resources":{"requests":{"cpu":"3"}}}"#,
                3_050,
                8 << 20,
            ),
        ] {
            let spec: Spec = serde_json::from_str(spec).unwrap();
            let (resources, _) = requests(&spec, &[]);
            assert_eq!((resources.cpu_milli, resources.memory, resources.pods), (cpu, memory, 1));
        }
    }

    #[test]
    fn a_container_that_shrinks_counts_with_what_it_has() {
        let spec = r#"{"containers":[{"name":"a","resources":{"requests":{"cpu":"1","nvidia.com/gpu":"1","ephemeral-storage":"5Gi"}}}]}"#;
        let spec: Spec = serde_json::from_str(spec).unwrap();
        let status: ContainerStatus =
            serde_json::from_str(r#"{"name":"a","allocatedResources":{"cpu":"2"}}"#).unwrap();
        let (resources, extended) = requests(&spec, &[status]);
        assert_eq!(resources.cpu_milli, 2_000);
        assert_eq!(extended.iter().collect::<Vec<_>>(), [("nvidia.com/gpu", 1)]);
    }
}
