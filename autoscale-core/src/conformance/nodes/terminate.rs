//! Whom a terminate ends, and whom it spares.

use super::{NodeStage, Stranger, bought, end};
use crate::conformance::check::{Ended, PAST, Stop, able, ensure};
use crate::ports::ErrorKind;
use crate::words::{ClusterId, InstanceId};

pub(super) async fn ends_the_instance(stage: &dyn NodeStage) -> Ended {
    let (one, two) = (bought(stage, 1).await?, bought(stage, 2).await?);
    stage.provider().terminate(&end(stage, &one)).await?;
    stage.settle().await;
    ensure!(!stage.is_alive(&one).await, "{one} was terminated and is alive");
    // That these are two is another test's.
    ensure!(one == two || stage.is_alive(&two).await, "{one} was terminated, and {two} is not alive");
    Ok(())
}

pub(super) async fn gone_already_is_ok(stage: &dyn NodeStage) -> Ended {
    let one = bought(stage, 1).await?;
    stage.provider().terminate(&end(stage, &one)).await?;
    for when in ["at once", "when it was gone"] {
        let again = stage.provider().terminate(&end(stage, &one)).await;
        ensure!(again.is_ok(), "terminated again {when}: {again:?}");
        stage.settle().await;
    }
    Ok(())
}

/// The order must be refused, and the instance live on.
async fn spared(stage: &dyn NodeStage, cluster: ClusterId, instance: &InstanceId, what: &str) -> Ended {
    let mut order = end(stage, instance);
    order.cluster = cluster;
    let answer = stage.provider().terminate(&order).await;
    stage.settle().await;
    ensure!(stage.is_alive(instance).await, "{what} was ended by an order that gave {answer:?}");
    ensure!(answer.is_err(), "the order to end {what} gave `Ok`, and it lives");
    Ok(())
}

pub(super) async fn spares_other_clusters(stage: &dyn NodeStage) -> Ended {
    let one = bought(stage, 1).await?;
    let other = ClusterId::new("another-cluster").expect("lower-case letters and a dash");
    spared(stage, other, &one, "a worker of a cluster that the order does not name").await
}

pub(super) async fn spares_strangers(stage: &dyn NodeStage) -> Ended {
    let mut placed = 0;
    for (stranger, what) in [
        (Stranger::Untagged, "an instance without tags"),
        (Stranger::OtherCluster, "an instance of another cluster"),
    ] {
        if let Some(id) = stage.place(stranger).await {
            placed += 1;
            spared(stage, stage.wares().cluster, &id, what).await?;
        }
    }
    able(placed > 0, "the stage cannot add an instance that somebody else bought")
}

pub(super) async fn spares_the_control_plane(stage: &dyn NodeStage) -> Ended {
    let placed = stage.place(Stranger::ControlPlane).await;
    let id = placed.ok_or(Stop::NotApplicable("the stage cannot add a control-plane instance"))?;
    spared(stage, stage.wares().cluster, &id, "the control plane").await
}

pub(super) async fn protection_is_denied(stage: &dyn NodeStage) -> Ended {
    let one = bought(stage, 1).await?;
    stage.settle().await;
    able(stage.protect(&one).await, "the stage cannot protect an instance")?;
    let answer = stage.provider().terminate(&end(stage, &one)).await;
    let denied = matches!(answer.as_ref().map_err(|error| error.kind()), Err(ErrorKind::Denied { .. }));
    ensure!(denied, "terminating a protected instance gave {answer:?}");
    stage.settle().await;
    ensure!(stage.is_alive(&one).await, "a protected instance was ended");
    Ok(())
}

pub(super) async fn a_late_terminate_is_not_sent(stage: &dyn NodeStage) -> Ended {
    let one = bought(stage, 1).await?;
    let mut late = end(stage, &one);
    late.not_after = PAST;
    let answer = stage.provider().terminate(&late).await;
    let not_sent = answer.as_ref().is_err_and(|error| *error.kind() == ErrorKind::NotSent);
    ensure!(not_sent, "a terminate after its time gave {answer:?}");
    stage.settle().await;
    ensure!(stage.is_alive(&one).await, "{one} was ended by an order after its time");
    Ok(())
}
