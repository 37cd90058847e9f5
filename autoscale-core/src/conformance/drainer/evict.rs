//! Evictions.

use super::{DrainerStage, PodTruth, evict_order, other_pod_uid, worker};
use crate::conformance::check::{Ended, PAST, Stop, ensure};
use crate::data::order::PodRef;
use crate::ports::ErrorKind;

pub(super) async fn makes_pods_leave(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    let pods = stage.add_pods(&node.name, 3, None).await;
    let [asked @ .., spared] = pods.as_slice() else { return Err(no_pods()) };
    let pass = stage.drainer().evict(&evict_order(&node, asked)).await?;
    for pod in asked {
        ensure!(pass.accepted.contains(&pod.uid), "a pod that nothing keeps is not in {pass:?}");
        let now = stage.pod(&pod.uid).await;
        ensure!(now != PodTruth::Running, "an accepted eviction left the pod running");
    }
    ensure!(stage.pod(&spared.uid).await == PodTruth::Running, "a pod that was not asked does not run");
    Ok(())
}

fn no_pods() -> Stop {
    Stop::Failed("the stage added no pods".to_owned())
}

async fn pod(
    stage: &dyn DrainerStage,
    node: &crate::data::view::Node,
    allowed: Option<u32>,
) -> Result<PodRef, Stop> {
    stage.add_pods(&node.name, 1, allowed).await.into_iter().next().ok_or_else(no_pods)
}

pub(super) async fn spares_another_uid(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    let pod = pod(stage, &node, None).await?;
    let namesake = PodRef { uid: other_pod_uid(), ..pod.clone() };
    // What the answer says is another test's.
    let _ = stage.drainer().evict(&evict_order(&node, &[namesake])).await;
    let now = stage.pod(&pod.uid).await;
    ensure!(now == PodTruth::Running, "an eviction by another uid found the pod of that name: it is {now:?}");
    Ok(())
}

pub(super) async fn names_the_gone(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    let nobody = PodRef::new(other_pod_uid(), "default", "no-such-pod");
    let pass = stage.drainer().evict(&evict_order(&node, std::slice::from_ref(&nobody))).await?;
    ensure!(pass.gone.contains(&nobody.uid), "a pod that is not there is not in {pass:?}");
    Ok(())
}

pub(super) async fn honours_budgets(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    let pod = pod(stage, &node, Some(0)).await?;
    let pass = stage.drainer().evict(&evict_order(&node, std::slice::from_ref(&pod))).await?;
    let blocked = pass.blocked.iter().any(|(uid, _)| *uid == pod.uid);
    ensure!(blocked, "a pod whose budget lets nobody go is not among the blocked of {pass:?}");
    let now = stage.pod(&pod.uid).await;
    ensure!(now == PodTruth::Running, "a pod whose budget lets nobody go is {now:?}");
    Ok(())
}

pub(super) async fn a_refusal_stops_nobody_else(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    let (kept, free) = (pod(stage, &node, Some(0)).await?, pod(stage, &node, None).await?);
    let pass = stage.drainer().evict(&evict_order(&node, &[kept, free.clone()])).await?;
    ensure!(pass.accepted.contains(&free.uid), "the pod after a blocked one was not accepted: {pass:?}");
    Ok(())
}

pub(super) async fn asks_once(stage: &dyn DrainerStage) -> Ended {
    const CANNOT: Stop = Stop::NotApplicable("the stage cannot count eviction requests");
    let node = worker(stage).await?;
    let pods = [pod(stage, &node, Some(0)).await?, pod(stage, &node, None).await?];
    let before = stage.evictions_sent().await.ok_or(CANNOT)?;
    stage.drainer().evict(&evict_order(&node, &pods)).await?;
    let sent = stage.evictions_sent().await.unwrap_or(before).saturating_sub(before);
    ensure!(sent == 2, "two pods, one of them blocked, were asked {sent} times");
    Ok(())
}

pub(super) async fn returns_at_once(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    let pod = pod(stage, &node, None).await?;
    stage.drainer().evict(&evict_order(&node, std::slice::from_ref(&pod))).await?;
    let now = stage.pod(&pod.uid).await;
    ensure!(now != PodTruth::Gone, "the answer came after the pod had ended");
    Ok(())
}

pub(super) async fn a_late_evict_is_not_sent(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    let pod = pod(stage, &node, None).await?;
    let mut late = evict_order(&node, std::slice::from_ref(&pod));
    late.not_after = PAST;
    let answer = stage.drainer().evict(&late).await;
    let not_sent = answer.as_ref().is_err_and(|error| *error.kind() == ErrorKind::NotSent);
    ensure!(not_sent, "an eviction after its time gave {answer:?}");
    let now = stage.pod(&pod.uid).await;
    ensure!(now == PodTruth::Running, "an eviction after its time left the pod {now:?}");
    Ok(())
}
