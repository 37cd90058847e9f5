//! Deleting Node objects.

use super::{DrainerStage, other_node_uid, worker};
use crate::conformance::check::{Ended, LATER, PAST, ensure};
use crate::data::order::ForgetOrder;
use crate::data::view::Node;
use crate::ports::ErrorKind;
use crate::words::NodeName;

fn order(node: &Node) -> ForgetOrder {
    ForgetOrder { node: node.name.clone(), node_uid: node.uid.clone(), not_after: LATER }
}

pub(super) async fn deletes_the_node_object(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    stage.drainer().forget(&order(&node)).await?;
    let left = stage.node(&node.name).await.filter(|left| left.uid == node.uid);
    ensure!(left.is_none(), "a forgotten node is still there: {left:?}");
    Ok(())
}

pub(super) async fn spares_another_uid(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    let mut order = order(&node);
    order.node_uid = other_node_uid();
    // `Ok` and `NotFound` both say that the Node object of that uid is not there.
    let answer = stage.drainer().forget(&order).await;
    let left = stage.node(&node.name).await.filter(|left| left.uid == node.uid);
    ensure!(left.is_some(), "forgetting another uid deleted the node of that name, and gave {answer:?}");
    Ok(())
}

pub(super) async fn forgotten_already_is_ok(stage: &dyn DrainerStage) -> Ended {
    let mut order = order(&worker(stage).await?);
    order.node = NodeName::new("no-such-node").expect("lower-case letters and dashes");
    let answer = stage.drainer().forget(&order).await;
    ensure!(answer.is_ok(), "forgetting what is not there gave {answer:?}");
    Ok(())
}

pub(super) async fn a_late_forget_is_not_sent(stage: &dyn DrainerStage) -> Ended {
    let node = worker(stage).await?;
    let mut late = order(&node);
    late.not_after = PAST;
    let answer = stage.drainer().forget(&late).await;
    let not_sent = answer.as_ref().is_err_and(|error| *error.kind() == ErrorKind::NotSent);
    ensure!(not_sent, "a deletion after its time gave {answer:?}");
    ensure!(stage.node(&node.name).await.is_some(), "a deletion after its time deleted the node");
    Ok(())
}
