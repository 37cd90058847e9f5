//! Which pods hold a node back, and which of those that have to leave it are asked to.

use crate::data::explain::Held;
use crate::data::policy::{Awkward, PoolPolicy, SystemPods};
use crate::data::view::{Cluster, Eviction, PodClass, Seat, Spread, Storage};
use crate::words::truncated;

/// Every reason why the pods of a class hold their node back, without the pod's name. A reason that lets a pod go never
/// hides one that holds it.
pub(crate) fn reasons(pool: &PoolPolicy, cluster: &Cluster, class: &PodClass, pod: &str) -> Vec<Held> {
    let name = || pod.to_owned();
    let mut held = Vec::new();
    match &class.owner {
        None if pool.bare_pods == Awkward::Hold => held.push(Held::NoController { pod: name() }),
        None => {}
        Some(owner) if owner.exists == Some(false) => held.push(Held::ControllerGone { pod: name() }),
        Some(_) => {}
    }
    if class.eviction == Eviction::Never {
        held.push(Held::DoNotEvict { pod: name() });
    }
    if class.system_critical && pool.critical_pods == Awkward::Hold {
        held.push(Held::SystemCritical { pod: name() });
    }
    if class.storage == Storage::Local && pool.local_storage == Awkward::Hold {
        held.push(Held::LocalStorage { pod: name() });
    }
    if class.constraints.ignores_cordon() {
        held.push(Held::ToleratesEverything { pod: name() });
    }
    if let Spread::Unjudged { why } = &class.constraints.spread {
        held.push(Held::Unjudged { pod: name(), why: truncated(why, 200) });
    }
    let budgets: Vec<_> = class.budgets.iter().filter_map(|at| cluster.budgets().get(*at as usize)).collect();
    match budgets.as_slice() {
        [] => {}
        [budget] if budget.disruptions_allowed < 1 => {
            held.push(Held::NoDisruptionLeft { pod: name(), budget: truncated(&budget.name, 200) });
        }
        [_] => {}
        _ => held.push(Held::TwoBudgets { pod: name() }),
    }
    let may_go = pool.system_pods == SystemPods::Budgeted && !budgets.is_empty();
    if class.namespace == "kube-system" && !may_go {
        held.push(Held::SystemPod { pod: name() });
    }
    held
}

/// Whether a class holds its node back at all.
pub(crate) fn is_held(pool: &PoolPolicy, cluster: &Cluster, class: &PodClass) -> bool {
    !reasons(pool, cluster, class, "").is_empty()
}

/// Every reason why the pods on a node hold it back, with the name of one pod of each class.
pub(crate) fn holds<'a>(
    pool: &'a PoolPolicy,
    cluster: &'a Cluster,
    node: usize,
) -> impl Iterator<Item = Held> + 'a {
    cluster.evictable(node).flat_map(|(seat, class)| reasons(pool, cluster, class, &named(cluster, seat)))
}

/// The name of a seat's first pod, as an explanation tells it.
pub(crate) fn named(cluster: &Cluster, seat: &Seat) -> String {
    truncated(&cluster.name_of(seat), 200)
}

/// Whether pods are asked to leave a node that the cloud will take anyway: those that somebody makes again, and that do
/// not forbid it.
pub(crate) fn may_be_asked(class: &PodClass) -> bool {
    class.owner.as_ref().is_some_and(|owner| owner.exists != Some(false)) && class.eviction != Eviction::Never
}

/// Reasons that do not pass while a drain goes on. A budget without a disruption left does.
pub(crate) fn is_lasting(held: &Held) -> bool {
    !matches!(held, Held::NoDisruptionLeft { .. })
}
