//! The contract of a [`StateStore`].

mod content;
mod life;
mod swap;

use std::sync::Arc;

use async_trait::async_trait;

use super::check::{Stop, ensure, tests, verdicts};
use super::verdict::Verdicts;
use crate::ports::{Expected, Loaded, Sealed, StateStore, Summary, Swapped, Version};
use crate::words::{Inc, Span, Ver, WriteId};

/// One new place to store in, where nothing is stored yet.
#[async_trait]
pub trait StoreStage: Send + Sync + 'static {
    /// The store under test.
    fn store(&self) -> Arc<dyn StateStore>;

    /// The same place as another process sees it: a second client, without a cache in common.
    fn other(&self) -> Arc<dyn StateStore>;

    /// Whether bytes that are no UTF-8 can be stored. The driver's are always JSON.
    fn binary(&self) -> bool {
        true
    }

    /// Somebody deletes what is stored. `false`: the stage cannot do that.
    async fn erase(&self) -> bool {
        false
    }

    /// The next swap through [`store`](Self::store) is carried out, and its answer is lost. `false`: it cannot.
    async fn lose_answer(&self) -> bool {
        false
    }

    /// Lets so much time pass in the store. `false`: it cannot.
    async fn pass(&self, span: Span) -> bool {
        let _ = span;
        false
    }
}

tests! { dyn StoreStage:
    content::nothing_is_stored_at_first = "`load` gives `None` where nothing is stored.";
    content::load_reports_the_last_applied_swap = "`load` is strongly consistent: it reports the last applied swap.";
    content::a_loaded_version_can_be_swapped = "The version of `load` is the state to name in the next swap.";
    content::text_comes_back_as_given = "`bytes` come back as they were given.";
    content::bytes_are_not_looked_into = "The backend does not look into `bytes`.";
    content::a_full_record_fits = "`bytes` come back as they were given, up to the 200 KiB of the largest record.";
    swap::a_stale_version_loses = "`swap` replaces the value only if what is stored is exactly what is expected.";
    swap::absent_loses_when_something_is_stored = "`swap` over `Absent` is applied only where nothing is stored.";
    swap::a_version_loses_when_nothing_is_stored = "`swap` over a version is applied only where that is stored.";
    swap::a_lost_swap_changes_nothing = "A swap that lost has not touched the value.";
    swap::a_lost_swap_says_what_is_stored = "`Lost` carries what is stored, where the store tells it.";
    swap::racing_swaps_have_one_winner = "Of racing swaps over one version at most one is applied.";
    swap::racing_creations_have_one_winner = "Of racing swaps over `Absent` at most one is applied.";
    swap::a_repeated_swap_loses = "A repeated swap over the same expected state loses against its own first copy.";
    swap::a_write_id_is_not_judged = "The backend does not judge `write_id`.";
    life::a_lost_answer_is_unknown = "A swap that may have left the process is never an error: it is `Unknown`.";
    life::an_abandoned_swap_locks_nobody_out = "There is no lock, no unlock.";
    life::nothing_expires = "There is no expiry.";
    life::a_version_is_not_used_again = "A version names one state of the value, also after somebody deleted it.";
}

/// Puts a store to every test; `fresh` makes a new place for each.
pub async fn store<S: StoreStage>(fresh: impl AsyncFn() -> S) -> Verdicts {
    let mut found = Vec::with_capacity(TESTS.len());
    for test in TESTS {
        found.push(test.verdict(&fresh().await).await);
    }
    verdicts("StateStore", found)
}

/// A value to store: the `ver`-th, by the write of that name.
fn sealed(ver: u64, write: &str, bytes: impl Into<Vec<u8>>) -> Sealed {
    let inc = Inc::new("conf").expect("four lower-case letters");
    let write_id = WriteId::new(write).expect("letters, digits and dashes");
    Sealed::new(inc, Ver::new(ver), write_id, Summary::default(), bytes.into())
}

/// Swaps where nothing stands in the way.
async fn applied(store: &dyn StateStore, expected: &Expected, sealed: &Sealed) -> Result<Version, Stop> {
    match store.swap(expected, sealed).await? {
        Swapped::Applied(version) => Ok(version),
        other => Err(Stop::Failed(format!("the swap of ver {} was not applied: {other:?}", sealed.ver))),
    }
}

/// Stores the first value.
async fn first(stage: &dyn StoreStage) -> Result<Version, Stop> {
    applied(&*stage.store(), &Expected::Absent, &sealed(1, "w-1", "one")).await
}

/// What is stored.
async fn stored(store: &dyn StateStore) -> Result<Loaded, Stop> {
    store.load().await?.ok_or_else(|| Stop::Failed("nothing is stored".to_owned()))
}

/// Fails unless these bytes are stored.
async fn expect(store: &dyn StateStore, bytes: &[u8]) -> Result<(), Stop> {
    let loaded = stored(store).await?;
    let show = |bytes: &[u8]| {
        let start = String::from_utf8_lossy(bytes.get(..40).unwrap_or(bytes)).into_owned();
        format!("{} bytes {start:?}", bytes.len())
    };
    ensure!(loaded.bytes == bytes, "expected {}, loaded {}", show(bytes), show(&loaded.bytes));
    Ok(())
}
