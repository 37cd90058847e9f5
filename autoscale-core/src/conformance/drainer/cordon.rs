//! Stamps, marks, uids.

use super::{DrainerStage, cordon_order, mark, other_node_uid, truth, worker};
use crate::conformance::check::{Ended, PAST, ensure};
use crate::data::order::Cordoned;
use crate::data::view::Node;
use crate::ports::{ErrorKind, Result};
use crate::words::{NodeName, Ver};

/// Cordons with a stamp where nothing stands in the way.
async fn cordoned(stage: &dyn DrainerStage, node: &Node, stamp: u64) -> Ended {
    let answer = stage.drainer().cordon(&cordon_order(node, stamp)).await?;
    ensure!(answer == Cordoned::Done, "a cordon gave {answer:?}");
    Ok(())
}

async fn uncordoned(stage: &dyn DrainerStage, node: &Node, stamp: u64) -> Ended {
    let answer = stage.drainer().uncordon(&cordon_order(node, stamp)).await?;
    ensure!(answer == Cordoned::Done, "an uncordon gave {answer:?}");
    Ok(())
}

pub(super) async fn keeps_pods_away(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    cordoned(stage, &node, 5).await?;
    ensure!(truth(stage, &node.name).await?.unschedulable, "a cordoned node takes pods");
    Ok(())
}

pub(super) async fn leaves_its_mark(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    cordoned(stage, &node, 5).await?;
    let found = truth(stage, &node.name).await?;
    ensure!(found.cordon == Some(mark()), "a cordoned node carries the mark {:?}", found.cordon);
    ensure!(found.stamp == Some(Ver::new(5)), "a node cordoned at 5 carries the stamp {:?}", found.stamp);
    Ok(())
}

pub(super) async fn uncordon_lets_pods_come(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    cordoned(stage, &node, 5).await?;
    uncordoned(stage, &node, 6).await?;
    ensure!(!truth(stage, &node.name).await?.unschedulable, "an uncordoned node takes no pods");
    Ok(())
}

pub(super) async fn uncordon_takes_the_mark_away(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    cordoned(stage, &node, 5).await?;
    uncordoned(stage, &node, 6).await?;
    let found = truth(stage, &node.name).await?.cordon;
    ensure!(found.is_none(), "an uncordoned node carries the mark {found:?}");
    Ok(())
}

pub(super) async fn a_lower_stamp_is_superseded(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    cordoned(stage, &node, 5).await?;
    let before = truth(stage, &node.name).await?;
    let late = cordon_order(&node, 4);
    for answer in [stage.drainer().uncordon(&late).await?, stage.drainer().cordon(&late).await?] {
        ensure!(answer == Cordoned::Superseded, "an order of stamp 4 on a node of stamp 5 gave {answer:?}");
    }
    unchanged(stage, &before).await
}

pub(super) async fn an_uncordon_leaves_its_stamp(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    cordoned(stage, &node, 5).await?;
    uncordoned(stage, &node, 7).await?;
    let answer = stage.drainer().cordon(&cordon_order(&node, 6)).await?;
    let superseded = answer == Cordoned::Superseded;
    ensure!(superseded, "a cordon of stamp 6 after an uncordon of stamp 7 gave {answer:?}");
    Ok(())
}

pub(super) async fn an_order_may_be_repeated(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    for _ in 0..2 {
        cordoned(stage, &node, 5).await?;
    }
    for _ in 0..2 {
        uncordoned(stage, &node, 6).await?;
    }
    Ok(())
}

/// The node is as it was.
async fn unchanged(stage: &dyn DrainerStage, before: &Node) -> Ended {
    let after = truth(stage, &before.name).await?;
    let same = (before.unschedulable, &before.cordon, before.stamp)
        == (after.unschedulable, &after.cordon, after.stamp);
    ensure!(same, "the node was changed from {before:?} to {after:?}");
    Ok(())
}

pub(super) async fn another_uid_is_gone(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    let mut order = cordon_order(&node, 5);
    order.node_uid = other_node_uid();
    for answer in [stage.drainer().cordon(&order).await?, stage.drainer().uncordon(&order).await?] {
        ensure!(answer == Cordoned::Gone, "an order for another uid gave {answer:?}");
    }
    unchanged(stage, &node).await
}

pub(super) async fn a_missing_node_is_gone(stage: &dyn DrainerStage) -> Ended {
    let mut order = cordon_order(&worker(stage).await?, 5);
    order.node = NodeName::new("no-such-node").expect("lower-case letters and dashes");
    let answers = [stage.drainer().cordon(&order).await, stage.drainer().uncordon(&order).await];
    for answer in answers {
        ensure!(matches!(answer, Ok(Cordoned::Gone)), "an order for no node gave {answer:?}");
    }
    Ok(())
}

async fn not_sent(stage: &dyn DrainerStage, before: &Node, answer: Result<Cordoned>) -> Ended {
    let not_sent = answer.as_ref().is_err_and(|error| *error.kind() == ErrorKind::NotSent);
    ensure!(not_sent, "an order after its time gave {answer:?}");
    unchanged(stage, before).await
}

pub(super) async fn a_late_cordon_is_not_sent(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    let mut late = cordon_order(&node, 5);
    late.not_after = PAST;
    not_sent(stage, &node, stage.drainer().cordon(&late).await).await
}

pub(super) async fn a_late_uncordon_is_not_sent(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    cordoned(stage, &node, 5).await?;
    let before = truth(stage, &node.name).await?;
    let mut late = cordon_order(&node, 6);
    late.not_after = PAST;
    not_sent(stage, &before, stage.drainer().uncordon(&late).await).await
}
