//! Many contenders over one record: one winner a round, one `write_id` for each `ver`, no gaps.
#![allow(dead_code, reason = "not everybody contends so often")]

use std::sync::Arc;

use autoscale_core::ports::{Expected, Loaded, Sealed, StateStore, Summary, Swapped};
use autoscale_core::words::{Inc, Ver, WriteId};
use tokio::sync::Barrier;

/// How many contend at a time.
pub(crate) const CONTENDERS: usize = 32;
/// How often.
pub(crate) const ROUNDS: u64 = 1_000;

/// A value that names its write.
pub(crate) fn sealed(ver: u64, write: &str) -> Sealed {
    let (inc, write_id) = (Inc::new("abcd").unwrap(), WriteId::new(write).unwrap());
    Sealed::new(inc, Ver::new(ver), write_id, Summary::default(), format!("{ver} {write}").into_bytes())
}

/// In each round every store loads, all wait for each other, and all swap over what they loaded. Gives what was wrong.
pub(crate) async fn contend(stores: Vec<Arc<dyn StateStore>>, rounds: u64) -> Result<(), String> {
    let barrier = Arc::new(Barrier::new(stores.len()));
    let mut tasks = Vec::new();
    for (who, store) in stores.into_iter().enumerate() {
        let barrier = barrier.clone();
        tasks.push(tokio::spawn(async move {
            let (mut won, mut wrong) = (Vec::new(), Vec::new());
            for ver in 1..=rounds {
                let loaded = store.load().await;
                barrier.wait().await;
                let write = format!("w-{ver}-{who}");
                // Nobody leaves early: the others would wait for ever.
                match loaded {
                    Ok(loaded) => match swap(&*store, loaded, ver, &write).await {
                        Ok(true) => won.push(ver),
                        Ok(false) => {}
                        Err(why) => wrong.push(format!("round {ver}: {why}")),
                    },
                    Err(error) => wrong.push(format!("round {ver}: {}", error.chain())),
                }
                barrier.wait().await;
            }
            (won, wrong)
        }));
    }
    let (mut won, mut wrong) = (Vec::new(), Vec::new());
    for task in tasks {
        let (theirs, errors) = task.await.map_err(|error| error.to_string())?;
        won.extend(theirs);
        wrong.extend(errors);
    }
    won.sort_unstable();
    if won != (1..=rounds).collect::<Vec<_>>() {
        wrong.push(format!("{} rounds were won {} times", rounds, won.len()));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Whether the swap of a round was applied. What it replaces, or lost against, must be of the right round.
async fn swap(store: &dyn StateStore, loaded: Option<Loaded>, ver: u64, write: &str) -> Result<bool, String> {
    let (expected, text) = match loaded {
        None => (Expected::Absent, "0 ".to_owned()),
        Some(loaded) => (Expected::At(loaded.version), String::from_utf8_lossy(&loaded.bytes).into_owned()),
    };
    if !text.starts_with(&format!("{} ", ver - 1)) {
        return Err(format!("loaded {text:?}: a gap, or a stale read"));
    }
    match store.swap(&expected, &sealed(ver, write)).await.map_err(|error| error.chain())? {
        Swapped::Applied(_) => Ok(true),
        Swapped::Lost(Some(current)) if current.bytes.starts_with(format!("{ver} ").as_bytes()) => Ok(false),
        other => Err(format!("{other:?}")),
    }
}
