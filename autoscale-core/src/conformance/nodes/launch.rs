//! One token, one instance.

use futures_util::future::join_all;

use super::{NodeStage, bought, end, listed, order};
use crate::conformance::check::{Ended, PAST, Stop, able, ensure};
use crate::data::order::LaunchOrder;
use crate::ports::ErrorKind;

pub(super) async fn same_token_same_instance(stage: &dyn NodeStage) -> Ended {
    let one = bought(stage, 1).await?;
    for _ in 0..2 {
        listed(stage).await?;
        let again = bought(stage, 1).await?;
        ensure!(again == one, "one token named {one}, then {again}");
    }
    bought_at_most_one(stage, &order(stage, 1)).await
}

pub(super) async fn racing_launches_buy_once(stage: &dyn NodeStage) -> Ended {
    let order = order(stage, 1);
    let senders: Vec<_> = (0..8).map(|_| stage.provider()).collect();
    let answers = join_all(senders.iter().map(|sender| sender.launch(&order))).await;
    // A sender may be told to come back; those who are told an instance are told the same one.
    let mut named: Vec<_> = answers.into_iter().flatten().map(|launched| launched.instance).collect();
    named.sort();
    named.dedup();
    ensure!(named.len() <= 1, "eight senders of one token were told {named:?}");
    stage.settle().await;
    bought_at_most_one(stage, &order).await
}

async fn bought_at_most_one(stage: &dyn NodeStage, order: &LaunchOrder) -> Ended {
    let all = stage.bought(&order.token).await;
    ensure!(all.len() <= 1, "one token bought {all:?}");
    Ok(())
}

pub(super) async fn two_tokens_two_instances(stage: &dyn NodeStage) -> Ended {
    let (one, two) = (bought(stage, 1).await?, bought(stage, 2).await?);
    ensure!(one != two, "two tokens named one instance, {one}");
    for id in [one, two] {
        ensure!(stage.is_alive(&id).await, "{id} was launched and is not alive");
    }
    Ok(())
}

pub(super) async fn other_parameters_buy_nothing(stage: &dyn NodeStage) -> Ended {
    let other = stage.wares().other_offering.ok_or(Stop::NotApplicable("the stage has one offering only"))?;
    let one = bought(stage, 1).await?;
    let mut changed = order(stage, 1);
    changed.offering = other;
    let answer = stage.provider().launch(&changed).await;
    let right = match &answer {
        Ok(launched) => launched.instance == one,
        Err(error) => *error.kind() == ErrorKind::TokenMismatch,
    };
    ensure!(right, "the token of {one} with another offering gave {answer:?}");
    stage.settle().await;
    bought_at_most_one(stage, &changed).await
}

pub(super) async fn a_spent_token_buys_nothing(stage: &dyn NodeStage) -> Ended {
    let one = bought(stage, 1).await?;
    stage.provider().terminate(&end(stage, &one)).await?;
    stage.settle().await;
    let answer = stage.provider().launch(&order(stage, 1)).await;
    let right = match &answer {
        Ok(launched) => launched.instance == one,
        Err(error) => *error.kind() == ErrorKind::TokenSpent,
    };
    ensure!(right, "the token of {one}, which is gone, gave {answer:?}");
    stage.settle().await;
    bought_at_most_one(stage, &order(stage, 1)).await
}

pub(super) async fn one_copy_is_sent(stage: &dyn NodeStage) -> Ended {
    let before = stage.launches_sent().await.ok_or(Stop::NotApplicable("the stage cannot count requests"))?;
    able(stage.lose_answer().await, "the stage cannot lose an answer")?;
    // What the answer says is another test's.
    let _ = stage.provider().launch(&order(stage, 1)).await;
    let sent = stage.launches_sent().await.unwrap_or(before).saturating_sub(before);
    ensure!(sent == 1, "{sent} copies of one launch were sent");
    Ok(())
}

pub(super) async fn a_lost_answer_is_unclear(stage: &dyn NodeStage) -> Ended {
    able(stage.lose_answer().await, "the stage cannot lose an answer")?;
    let answer = stage.provider().launch(&order(stage, 1)).await;
    let unclear = answer.as_ref().is_err_and(|error| *error.kind() == ErrorKind::Unclear);
    ensure!(unclear, "a launch whose answer was lost gave {answer:?}");
    Ok(())
}

const CANNOT_SELL_OUT: &str = "the stage cannot let an offering run out";

pub(super) async fn no_capacity_names_the_offering(stage: &dyn NodeStage) -> Ended {
    let order = order(stage, 1);
    able(stage.sell_out(&order.offering).await, CANNOT_SELL_OUT)?;
    let answer = stage.provider().launch(&order).await;
    let wanted = ErrorKind::NoCapacity { offering: order.offering };
    let right = answer.as_ref().is_err_and(|error| *error.kind() == wanted);
    ensure!(right, "an offering that has run out gave {answer:?}");
    Ok(())
}

pub(super) async fn a_refusal_bought_nothing(stage: &dyn NodeStage) -> Ended {
    let order = order(stage, 1);
    able(stage.sell_out(&order.offering).await, CANNOT_SELL_OUT)?;
    let answer = stage.provider().launch(&order).await;
    stage.settle().await;
    let bought = stage.bought(&order.token).await;
    let unclear = answer.as_ref().is_err_and(|error| *error.kind() == ErrorKind::Unclear);
    ensure!(
        unclear || answer.is_ok() || bought.is_empty(),
        "{answer:?} was the answer, and {bought:?} was bought"
    );
    Ok(())
}

pub(super) async fn a_late_launch_is_not_sent(stage: &dyn NodeStage) -> Ended {
    let mut late = order(stage, 1);
    late.not_after = PAST;
    let answer = stage.provider().launch(&late).await;
    let not_sent = answer.as_ref().is_err_and(|error| *error.kind() == ErrorKind::NotSent);
    ensure!(not_sent, "a launch after its time gave {answer:?}");
    stage.settle().await;
    let bought = stage.bought(&late.token).await;
    ensure!(bought.is_empty(), "a launch after its time bought {bought:?}");
    Ok(())
}

pub(super) async fn nothing_is_tagged_after_birth(stage: &dyn NodeStage) -> Ended {
    let before =
        stage.tags_written().await.ok_or(Stop::NotApplicable("the stage cannot see tags being written"))?;
    let one = bought(stage, 1).await?;
    listed(stage).await?;
    bought(stage, 1).await?;
    stage.provider().terminate(&end(stage, &one)).await?;
    stage.settle().await;
    let after = stage.tags_written().await.unwrap_or(before);
    ensure!(after == before, "tags were written {} times to what existed", after.saturating_sub(before));
    Ok(())
}
