//! Which pods hold a node back, and which have to leave it.

use crate::data::explain::Held;
use crate::data::policy::{PoolPolicy, SystemPods};
use crate::data::view::{ClusterView, Eviction, Pod, PodPhase, Storage};
use crate::words::{NodeName, Timestamp, truncated};

/// The pods on a node that have to leave before it may be ended: not those of a DaemonSet, not static ones, not
/// finished ones, not those whose deletion should have ended (a kubelet that is gone does not say so).
pub(crate) fn evictable<'a>(cluster: &'a ClusterView, node: &'a NodeName) -> impl Iterator<Item = &'a Pod> {
    let now = cluster.at;
    cluster.pods.iter().filter(move |pod| pod.node.as_ref() == Some(node) && has_to_leave(pod, now))
}

fn has_to_leave(pod: &Pod, now: Timestamp) -> bool {
    let overdue = pod.deleted_at.is_some_and(|at| now.since(at) > GHOST);
    !pod.is_daemon() && !pod.mirror && pod.phase != PodPhase::Finished && !overdue
}

/// A pod whose deletion should have ended so long ago is not waited for. Conformance row D11: 90 s ago counts as gone.
const GHOST: crate::words::Span = crate::words::Span::from_secs(60);

/// Every reason why this pod holds its node back. A reason that lets it go never hides one that holds it.
pub(crate) fn holds(pool: &PoolPolicy, cluster: &ClusterView, pod: &Pod) -> Vec<Held> {
    let name = || truncated(&pod.full_name(), 200);
    let mut held = Vec::new();
    match &pod.owner {
        None => held.push(Held::NoController { pod: name() }),
        Some(owner) if owner.exists == Some(false) => held.push(Held::ControllerGone { pod: name() }),
        Some(_) => {}
    }
    if pod.eviction == Eviction::Never {
        held.push(Held::DoNotEvict { pod: name() });
    }
    if pod.system_critical {
        held.push(Held::SystemCritical { pod: name() });
    }
    if pod.storage == Storage::Local {
        held.push(Held::LocalStorage { pod: name() });
    }
    if pod.constraints.ignores_cordon() {
        held.push(Held::ToleratesEverything { pod: name() });
    }
    let budgets: Vec<_> = pod.budgets.iter().filter_map(|at| cluster.budgets.get(*at as usize)).collect();
    match budgets.as_slice() {
        [] => {}
        [budget] if budget.disruptions_allowed < 1 => {
            held.push(Held::NoDisruptionLeft { pod: name(), budget: truncated(&budget.name, 200) });
        }
        [_] => {}
        _ => held.push(Held::TwoBudgets { pod: name() }),
    }
    let may_go = pool.system_pods == SystemPods::Budgeted && !budgets.is_empty();
    if pod.namespace == "kube-system" && !may_go {
        held.push(Held::SystemPod { pod: name() });
    }
    held
}

/// Whether a pod is asked to leave a node that the cloud will take anyway: one that somebody makes again, and that
/// does not forbid it.
pub(crate) fn may_be_asked(pod: &Pod) -> bool {
    pod.owner.as_ref().is_some_and(|owner| owner.exists != Some(false)) && pod.eviction != Eviction::Never
}

/// Reasons that do not pass while a drain goes on. A budget without a disruption left does.
pub(crate) fn is_lasting(held: &Held) -> bool {
    !matches!(held, Held::NoDisruptionLeft { .. })
}
