//! Lost answers, abandoned requests, time.

use futures_util::future::FutureExt;

use super::{StoreStage, applied, expect, first, sealed, stored};
use crate::conformance::check::{Ended, Stop, able, ensure};
use crate::ports::{Expected, Swapped};
use crate::words::Span;

/// How often a swap is tried against requests of abandoned callers that land late.
const TRIES: u32 = 5;

pub(super) async fn a_lost_answer_is_unknown(stage: &dyn StoreStage) -> Ended {
    let one = first(stage).await?;
    able(stage.lose_answer().await, "the stage cannot lose an answer")?;
    let answer = stage.store().swap(&Expected::At(one), &sealed(2, "w-2", "two")).await;
    let unknown = matches!(answer, Ok(Swapped::Unknown { .. }));
    ensure!(unknown, "a swap whose answer was lost gave {answer:?}");
    Ok(())
}

pub(super) async fn an_abandoned_swap_locks_nobody_out(stage: &dyn StoreStage) -> Ended {
    let (store, other) = (stage.store(), stage.other());
    let one = first(stage).await?;
    // Begun, and dropped at its first wait.
    let _ = store.swap(&Expected::At(one), &sealed(2, "w-2", "two")).now_or_never();
    let mut answer = String::new();
    for _ in 0..TRIES {
        let loaded = stored(&*other).await?;
        match other.swap(&Expected::At(loaded.version), &sealed(3, "w-3", "three")).await {
            Ok(Swapped::Applied(_)) => return Ok(()),
            unlucky => answer = format!("{unlucky:?}"),
        }
    }
    Err(Stop::Failed(format!("after an abandoned swap, {TRIES} others were not applied, the last: {answer}")))
}

pub(super) async fn nothing_expires(stage: &dyn StoreStage) -> Ended {
    let one = first(stage).await?;
    able(stage.pass(Span::from_mins(60 * 24 * 400)).await, "the stage cannot let time pass")?;
    expect(&*stage.store(), b"one").await?;
    applied(&*stage.store(), &Expected::At(one), &sealed(2, "w-2", "two")).await?;
    Ok(())
}

pub(super) async fn a_version_is_not_used_again(stage: &dyn StoreStage) -> Ended {
    let store = stage.store();
    let one = first(stage).await?;
    able(stage.erase().await, "the stage cannot delete what is stored")?;
    applied(&*store, &Expected::Absent, &sealed(1, "w-again", "made again")).await?;
    let late = store.swap(&Expected::At(one), &sealed(2, "w-2", "two")).await?;
    let lost = matches!(late, Swapped::Lost(_));
    ensure!(lost, "a swap over a version from before the value was made again gave {late:?}");
    Ok(())
}
