//! What the list shows.

use super::{NodeStage, Stranger, bought, find, listed, order};
use crate::conformance::check::{Ended, Stop, able, ensure};
use crate::data::view::Ownership;

const CANNOT_PLACE: Stop = Stop::NotApplicable("the stage cannot add an instance that somebody else bought");

pub(super) async fn launched_is_listed(stage: &dyn NodeStage) -> Ended {
    let ids = [bought(stage, 1).await?, bought(stage, 2).await?];
    let listing = listed(stage).await?;
    for id in &ids {
        let times = listing.instances.iter().filter(|listed| listed.id == *id).count();
        ensure!(times == 1, "{id} was launched and is listed {times} times");
        let ownership = find(&listing, id).map(|listed| listed.ownership);
        ensure!(ownership == Some(Ownership::Ours), "{id} was launched and is listed as {ownership:?}");
    }
    Ok(())
}

pub(super) async fn worker_tag_is_listed(stage: &dyn NodeStage) -> Ended {
    let id = stage.place(Stranger::WorkerTag).await.ok_or(CANNOT_PLACE)?;
    let listing = listed(stage).await?;
    let ownership = find(&listing, &id).map(|listed| listed.ownership);
    let same = ownership == Some(Ownership::WorkerTag);
    ensure!(same, "{id} carries the user's worker tag and is listed as {ownership:?}");
    Ok(())
}

pub(super) async fn listed_with_its_token(stage: &dyn NodeStage) -> Ended {
    let id = bought(stage, 1).await?;
    let listing = listed(stage).await?;
    let Some(instance) = find(&listing, &id) else { return Ok(()) };
    let token = order(stage, 1).token;
    ensure!(instance.token.as_ref() == Some(&token), "launched as {token}, listed as {:?}", instance.token);
    Ok(())
}

pub(super) async fn listed_as_ordered(stage: &dyn NodeStage) -> Ended {
    let id = bought(stage, 1).await?;
    let listing = listed(stage).await?;
    let Some(instance) = find(&listing, &id) else { return Ok(()) };
    let wares = stage.wares();
    let got = (&instance.pool, &instance.zone, &instance.purchase, &instance.shape);
    let offering = wares.offering;
    let wanted = (&Some(wares.pool), &Some(offering.zone), &Some(offering.purchase), &Some(offering.shape));
    ensure!(got == wanted, "ordered {wanted:?}, listed {got:?}");
    Ok(())
}

pub(super) async fn control_plane_is_listed_as_such(stage: &dyn NodeStage) -> Ended {
    let id = stage.place(Stranger::ControlPlane).await.ok_or(CANNOT_PLACE)?;
    let listing = listed(stage).await?;
    let ownership = find(&listing, &id).map(|listed| listed.ownership);
    let right = ownership.is_none_or(|ownership| ownership == Ownership::ControlPlane);
    ensure!(right, "{id} is of the control plane and is listed as {ownership:?}");
    Ok(())
}

pub(super) async fn strangers_are_not_ours(stage: &dyn NodeStage) -> Ended {
    let (untagged, other) =
        (stage.place(Stranger::Untagged).await, stage.place(Stranger::OtherCluster).await);
    able(
        untagged.is_some() || other.is_some(),
        "the stage cannot add an instance that somebody else bought",
    )?;
    let listing = listed(stage).await?;
    for id in untagged.iter().chain(&other) {
        let ownership = find(&listing, id).map(|listed| listed.ownership);
        let right = ownership.is_none_or(|ownership| ownership == Ownership::Foreign);
        ensure!(right, "{id} is not of this cluster and is listed as {ownership:?}");
    }
    Ok(())
}

pub(super) async fn a_whole_list_is_complete(stage: &dyn NodeStage) -> Ended {
    bought(stage, 1).await?;
    ensure!(listed(stage).await?.complete, "a list of one instance is not complete");
    Ok(())
}

pub(super) async fn an_unread_page_is_not_complete(stage: &dyn NodeStage) -> Ended {
    bought(stage, 1).await?;
    stage.settle().await;
    able(stage.cut_list().await, "the stage cannot cut a list short")?;
    // An error is as good.
    let complete = stage.provider().list().await.is_ok_and(|listing| listing.complete);
    ensure!(!complete, "a list with an unread page says that it is complete");
    Ok(())
}

pub(super) async fn a_failed_list_is_an_error(stage: &dyn NodeStage) -> Ended {
    bought(stage, 1).await?;
    stage.settle().await;
    able(stage.fail_list().await, "the stage cannot make a list fail")?;
    let answer = stage.provider().list().await;
    ensure!(answer.is_err(), "a list that failed gave {answer:?}");
    Ok(())
}
