//! Only what is expected is replaced, and by one.

use futures_util::future::join_all;

use super::{StoreStage, applied, expect, first, sealed, stored};
use crate::conformance::check::{Ended, able, ensure};
use crate::ports::{Expected, Sealed, Swapped};

pub(super) async fn a_stale_version_loses(stage: &dyn StoreStage) -> Ended {
    let store = stage.store();
    let one = first(stage).await?;
    let two = applied(&*store, &Expected::At(one.clone()), &sealed(2, "w-2", "two")).await?;
    applied(&*store, &Expected::At(two.clone()), &sealed(3, "w-3", "three")).await?;
    for (stale, ver) in [(two, 3), (one, 2)] {
        let late = store.swap(&Expected::At(stale), &sealed(ver, "w-late", "late")).await?;
        ensure!(matches!(late, Swapped::Lost(_)), "a swap over a version replaced since gave {late:?}");
    }
    Ok(())
}

pub(super) async fn absent_loses_when_something_is_stored(stage: &dyn StoreStage) -> Ended {
    let one = first(stage).await?;
    applied(&*stage.store(), &Expected::At(one), &sealed(2, "w-2", "two")).await?;
    let late = stage.store().swap(&Expected::Absent, &sealed(1, "w-late", "late")).await?;
    ensure!(matches!(late, Swapped::Lost(_)), "creating what is there already gave {late:?}");
    Ok(())
}

pub(super) async fn a_version_loses_when_nothing_is_stored(stage: &dyn StoreStage) -> Ended {
    let one = first(stage).await?;
    able(stage.erase().await, "the stage cannot delete what is stored")?;
    let late = stage.store().swap(&Expected::At(one), &sealed(2, "w-2", "two")).await?;
    ensure!(matches!(late, Swapped::Lost(_)), "a swap over a version that was deleted gave {late:?}");
    Ok(())
}

pub(super) async fn a_lost_swap_changes_nothing(stage: &dyn StoreStage) -> Ended {
    let store = stage.store();
    let one = first(stage).await?;
    let two = applied(&*store, &Expected::At(one), &sealed(2, "w-2", "two")).await?;
    let three = applied(&*store, &Expected::At(two.clone()), &sealed(3, "w-3", "three")).await?;
    // What the answer says is another test's.
    let _ = store.swap(&Expected::At(two), &sealed(3, "w-late", "late")).await;
    expect(&*stage.other(), b"three").await?;
    applied(&*store, &Expected::At(three), &sealed(4, "w-4", "four")).await?;
    Ok(())
}

pub(super) async fn a_lost_swap_says_what_is_stored(stage: &dyn StoreStage) -> Ended {
    let store = stage.store();
    let one = first(stage).await?;
    applied(&*store, &Expected::At(one.clone()), &sealed(2, "w-2", "two")).await?;
    let late = store.swap(&Expected::At(one), &sealed(2, "w-late", "late")).await?;
    if let Swapped::Lost(Some(current)) = late {
        let loaded = stored(&*store).await?;
        let same = current.bytes == loaded.bytes && current.version == loaded.version;
        ensure!(same, "lost against {current:?}, and {loaded:?} is stored");
    }
    Ok(())
}

pub(super) async fn racing_swaps_have_one_winner(stage: &dyn StoreStage) -> Ended {
    let one = first(stage).await?;
    race(stage, &Expected::At(one), 2).await
}

pub(super) async fn racing_creations_have_one_winner(stage: &dyn StoreStage) -> Ended {
    race(stage, &Expected::Absent, 1).await
}

async fn race(stage: &dyn StoreStage, expected: &Expected, ver: u64) -> Ended {
    let (store, other) = (stage.store(), stage.other());
    let racers: Vec<Sealed> = (0..16).map(|n| sealed(ver, &format!("w-{n}"), format!("racer {n}"))).collect();
    let answers = join_all((0_u32..).zip(&racers).map(|(n, racer)| {
        let store = if n % 2 == 0 { &store } else { &other };
        async move { store.swap(expected, racer).await }
    }));
    let answers = answers.await;
    let won = |(answer, _): &(_, _)| matches!(answer, &Ok(Swapped::Applied(_)));
    let winners: Vec<&Sealed> =
        answers.into_iter().zip(&racers).filter(won).map(|(_, racer)| racer).collect();
    match winners.as_slice() {
        // Each may have been told to come back, or not know.
        [] => Ok(()),
        [winner] => expect(&*store, &winner.bytes).await,
        several => {
            ensure!(false, "{} of 16 racing swaps were applied", several.len());
            Ok(())
        }
    }
}

pub(super) async fn a_repeated_swap_loses(stage: &dyn StoreStage) -> Ended {
    let store = stage.store();
    let expected = Expected::At(first(stage).await?);
    let two = sealed(2, "w-2", "two");
    applied(&*store, &expected, &two).await?;
    let again = store.swap(&expected, &two).await?;
    ensure!(matches!(again, Swapped::Lost(_)), "the second copy of an applied swap gave {again:?}");
    Ok(())
}

pub(super) async fn a_write_id_is_not_judged(stage: &dyn StoreStage) -> Ended {
    let one = first(stage).await?;
    applied(&*stage.store(), &Expected::At(one), &sealed(2, "w-1", "two, under the first one's name"))
        .await?;
    expect(&*stage.store(), b"two, under the first one's name").await
}
