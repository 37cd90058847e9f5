//! Evictions: through the API that honours budgets, each pod once, by uid.

use autoscale_core::data::order::{Blocker, EvictOrder, EvictPass, PodRef};
use autoscale_core::ports::Error;
use futures_util::stream::{StreamExt, iter};
use serde_json::{Value, json};

use crate::connection::{Answer, Connection, Failure, Silence};
use crate::request::{part, post};

/// What became of one pod.
#[derive(Debug)]
enum Asked {
    Accepted,
    Gone,
    Blocked(Blocker),
    /// Who we are, or that we may not: not about this pod alone.
    Denied(Failure),
    /// It was not sent any more.
    Late,
}

/// The body of one request: no grace period of ours, the pod has its own.
fn eviction(pod: &PodRef) -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": { "name": pod.name, "namespace": pod.namespace },
        "deleteOptions": { "preconditions": { "uid": pod.uid.as_str() } },
    })
}

/// Asks every pod of the order, in its order, several at a time.
pub(super) async fn evict(
    connection: &Connection,
    order: &EvictOrder,
    at_once: usize,
    late: impl Fn() -> Result<(), Error> + Sync,
) -> Result<EvictPass, Error> {
    late()?;
    let ask = async |pod: &PodRef| {
        if late().is_err() {
            return Asked::Late;
        }
        let path = format!("/api/v1/namespaces/{}/pods/{}/eviction", part(&pod.namespace), part(&pod.name));
        judge(connection.send(post(&path, &eviction(pod))).await)
    };
    let asked: Vec<Asked> = iter(&order.pods).map(ask).buffered(at_once.max(1)).collect().await;
    let (mut pass, mut denials) = (EvictPass::default(), Vec::new());
    for (pod, asked) in order.pods.iter().zip(asked) {
        let uid = pod.uid.clone();
        match asked {
            Asked::Accepted => pass.accepted.push(uid),
            Asked::Gone => pass.gone.push(uid),
            Asked::Blocked(blocker) => pass.blocked.push((uid, blocker)),
            Asked::Late => pass.blocked.push((uid, other("the time for this pass was up"))),
            Asked::Denied(failure) => {
                pass.blocked.push((uid, other(&failure.message)));
                denials.push(failure);
            }
        }
    }
    // The pass as a whole fails only where nobody was told anything else: a role may be bound in some namespaces alone.
    match denials.pop() {
        Some(failure) if denials.len().saturating_add(1) == order.pods.len() => Err(failure.into_error(
            &format!("evict the pods on {}", order.node),
            "create pods/eviction",
            false,
        )),
        _ => Ok(pass),
    }
}

fn other(why: impl Into<String>) -> Blocker {
    Blocker::Other { why: why.into() }
}

fn judge(answer: Result<Answer, Silence>) -> Asked {
    let answer = match answer {
        Ok(answer) => answer,
        // The next look tells whether it has begun to leave.
        Err(silence) => {
            let why = std::error::Error::source(&silence).map(ToString::to_string).unwrap_or_default();
            return Asked::Blocked(other(format!("no answer: {why}")));
        }
    };
    let Some(failure) = answer.failure() else { return Asked::Accepted };
    match failure.code {
        404 if is_about_the_pod(&failure) => Asked::Gone,
        // Another pod has the name now.
        409 if failure.message.contains("UID") => Asked::Gone,
        409 => Asked::Blocked(other(failure.message)),
        429 => Asked::Blocked(budget(&failure).unwrap_or(Blocker::Throttled)),
        401 => Asked::Denied(failure),
        403 if is_a_permission(&failure) => Asked::Denied(failure),
        _ => Asked::Blocked(other(failure.message)),
    }
}

/// The account lacks a permission: unlike a webhook, a policy, or a namespace that is being deleted, which say no to this pod.
fn is_a_permission(failure: &Failure) -> bool {
    failure.reason == "Forbidden" && failure.message.contains("cannot create resource \"pods/eviction\"")
}

/// A pod that is not there, or whose namespace is not: unlike a path that the server does not know.
fn is_about_the_pod(failure: &Failure) -> bool {
    matches!(failure.details.kind.as_str(), "pods" | "namespaces" | "Pod")
}

/// The budget that has no disruption left, as far as the answer names it.
fn budget(failure: &Failure) -> Option<Blocker> {
    let cause = failure.details.causes.iter().find(|cause| cause.reason == "DisruptionBudget")?;
    let named = cause.message.strip_prefix("The disruption budget ");
    let name = named.and_then(|rest| rest.split_whitespace().next()).map(str::to_owned);
    Some(Blocker::Budget { name })
}
