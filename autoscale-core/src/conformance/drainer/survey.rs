//! What a survey shows.

use std::collections::BTreeSet;

use super::{DrainerStage, worker};
use crate::conformance::check::{Ended, able, ensure};
use crate::data::order::PodRef;
use crate::data::view::{ClusterView, Node, Scope};
use crate::words::{NodeName, PodUid};

/// Every scope that covers `node`, and that which covers none.
fn scopes(node: &Node) -> [Scope; 3] {
    [Scope::Pending, Scope::Nodes(vec![node.name.clone()]), Scope::Everything]
}

fn uids(pods: &[PodRef]) -> BTreeSet<PodUid> {
    pods.iter().map(|pod| pod.uid.clone()).collect()
}

fn has_pods(view: &ClusterView, wanted: &BTreeSet<PodUid>) -> bool {
    let seen: BTreeSet<&PodUid> = view.pods.iter().map(|pod| &pod.uid).collect();
    wanted.iter().all(|uid| seen.contains(uid))
}

pub(super) async fn reports_all_nodes(stage: &dyn DrainerStage) -> Ended {
    let (one, two) = (worker(stage).await?, worker(stage).await?);
    for scope in scopes(&one) {
        let view = stage.drainer().survey(&scope).await?;
        let names: BTreeSet<&NodeName> = view.nodes.iter().map(|node| &node.name).collect();
        let both = names.contains(&one.name) && names.contains(&two.name);
        ensure!(both, "{scope:?} shows the nodes {names:?}: expected {} and {} as well", one.name, two.name);
    }
    Ok(())
}

pub(super) async fn reports_waiting_pods(stage: &dyn DrainerStage) -> Ended {
    let one = worker(stage).await?;
    let waiting = stage.add_waiting_pod().await;
    for scope in scopes(&one) {
        let view = stage.drainer().survey(&scope).await?;
        let seen = view.pods.iter().any(|pod| pod.uid == waiting && pod.node.is_none());
        ensure!(seen, "{scope:?} does not show the waiting pod {waiting}");
    }
    Ok(())
}

pub(super) async fn reports_the_pods_of_its_nodes(stage: &dyn DrainerStage) -> Ended {
    let one = worker(stage).await?;
    let pods = stage.add_pods(&one.name, 3, None).await;
    let scope = Scope::Nodes(vec![one.name]);
    let view = stage.drainer().survey(&scope).await?;
    ensure!(has_pods(&view, &uids(&pods)), "{scope:?} does not show all of {:?}", uids(&pods));
    Ok(())
}

pub(super) async fn of_everything_reports_all_pods(stage: &dyn DrainerStage) -> Ended {
    let (one, two) = (worker(stage).await?, worker(stage).await?);
    let mut pods = stage.add_pods(&one.name, 2, None).await;
    pods.extend(stage.add_pods(&two.name, 2, None).await);
    let view = stage.drainer().survey(&Scope::Everything).await?;
    ensure!(has_pods(&view, &uids(&pods)), "a survey of everything does not show all of {:?}", uids(&pods));
    Ok(())
}

pub(super) async fn pods_point_to_their_budgets(stage: &dyn DrainerStage) -> Ended {
    let one = worker(stage).await?;
    let pods = uids(&stage.add_pods(&one.name, 3, Some(1)).await);
    let view = stage.drainer().survey(&Scope::Nodes(vec![one.name])).await?;
    for pod in view.pods.iter().filter(|pod| pods.contains(&pod.uid)) {
        let budgets: Vec<_> = pod.budgets.iter().map(|at| view.budgets.get(*at as usize)).collect();
        let right = matches!(budgets.as_slice(), [Some(budget)] if budget.disruptions_allowed == 1);
        ensure!(right, "a pod under one budget that lets one go points to {budgets:?}");
    }
    Ok(())
}

pub(super) async fn a_whole_survey_is_complete(stage: &dyn DrainerStage) -> Ended {
    let one = worker(stage).await?;
    for scope in scopes(&one) {
        let view = stage.drainer().survey(&scope).await?;
        ensure!(view.complete, "{scope:?} of one node is not complete");
        ensure!(view.scope == scope, "asked for {scope:?}, answered {:?}", view.scope);
    }
    Ok(())
}

pub(super) async fn an_unread_part_is_not_complete(stage: &dyn DrainerStage) -> Ended {
    worker(stage).await?;
    able(stage.cut_survey().await, "the stage cannot cut a survey short")?;
    // An error is as good.
    let complete = stage.drainer().survey(&Scope::Everything).await.is_ok_and(|view| view.complete);
    ensure!(!complete, "a survey with an unread part says that it is complete");
    Ok(())
}

pub(super) async fn a_failed_survey_is_an_error(stage: &dyn DrainerStage) -> Ended {
    worker(stage).await?;
    able(stage.fail_survey().await, "the stage cannot make a survey fail")?;
    let answer = stage.drainer().survey(&Scope::Everything).await;
    ensure!(answer.is_err(), "a survey that failed gave {answer:?}");
    Ok(())
}
