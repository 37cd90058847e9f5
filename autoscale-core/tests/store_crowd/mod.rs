//! Many contenders over one place: one winner a round, one `write_id` for each `ver`, no gaps.
#![allow(dead_code, reason = "not every test that stores something contends")]

use std::sync::{Arc, Barrier, Mutex};

use autoscale_core::ports::{Expected, Loaded, Sealed, StateStore, Summary, Swapped, Version};
use autoscale_core::words::{Inc, Ver, WriteId};
use futures_util::future::FutureExt;

/// How many contend at a time.
pub(crate) const CONTENDERS: usize = 32;
/// How often.
pub(crate) const ROUNDS: u64 = 1_000;

/// A value that names its write.
pub(crate) fn sealed(ver: u64, write: &str) -> Sealed {
    let (inc, write_id) = (Inc::new("abcd").unwrap(), WriteId::new(write).unwrap());
    Sealed::new(inc, Ver::new(ver), write_id, Summary::default(), format!("{ver} {write}").into_bytes())
}

/// In each round every store loads, all wait for each other, and all swap over what they loaded. Every store answers at
/// once or blocks: no runtime is needed. Gives what was wrong.
pub(crate) fn contend(stores: Vec<Arc<dyn StateStore>>, rounds: u64) -> Result<(), String> {
    let (barrier, wrong) = (Barrier::new(stores.len()), Mutex::new(Vec::new()));
    let winners = Mutex::new(vec![Vec::new(); rounds as usize]);
    std::thread::scope(|scope| {
        for (who, store) in stores.iter().enumerate() {
            let (barrier, winners, wrong) = (&barrier, &winners, &wrong);
            scope.spawn(move || {
                for (round, ver) in (1..=rounds).enumerate() {
                    let loaded = stored(&**store);
                    barrier.wait();
                    let write = format!("w-{ver}-{who}");
                    // Nobody panics here: the others would wait for ever.
                    match loaded.and_then(|loaded| swap(&**store, loaded, ver, &write)) {
                        Ok(true) => winners.lock().unwrap().get_mut(round).unwrap().push(write),
                        Ok(false) => {}
                        Err(why) => wrong.lock().unwrap().push(format!("round {ver}: {why}")),
                    }
                    barrier.wait();
                }
            });
        }
    });
    let (mut wrong, winners) = (wrong.into_inner().unwrap(), winners.into_inner().unwrap());
    for (ver, winners) in (1..).zip(&winners) {
        if winners.len() != 1 {
            wrong.push(format!("round {ver}: won by {}", winners.len()));
        }
    }
    let last = winners.last().and_then(|winners| winners.first()).map(|write| format!("{rounds} {write}"));
    let loaded = stored(&**stores.first().unwrap())?.map(|(_, text)| text);
    if loaded != last {
        wrong.push(format!("{last:?} was the last, and {loaded:?} is stored"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn stored(store: &dyn StateStore) -> Result<Option<(Version, String)>, String> {
    let answer = store.load().now_or_never().ok_or("it waits")?;
    let text = |loaded: Loaded| (loaded.version, String::from_utf8_lossy(&loaded.bytes).into_owned());
    answer.map(|loaded| loaded.map(text)).map_err(|error| error.chain())
}

/// Whether the swap of a round was applied. What it replaces, or lost against, must be of the right round.
fn swap(
    store: &dyn StateStore,
    loaded: Option<(Version, String)>,
    ver: u64,
    write: &str,
) -> Result<bool, String> {
    let (expected, text) = match loaded {
        None => (Expected::Absent, "0 ".to_owned()),
        Some((version, text)) => (Expected::At(version), text),
    };
    if !text.starts_with(&format!("{} ", ver - 1)) {
        return Err(format!("loaded {text:?}: a gap, or a stale read"));
    }
    let answer = store.swap(&expected, &sealed(ver, write)).now_or_never().ok_or("it waits")?;
    match answer.map_err(|error| error.chain())? {
        Swapped::Applied(_) => Ok(true),
        Swapped::Lost(Some(current)) if current.bytes.starts_with(format!("{ver} ").as_bytes()) => Ok(false),
        other => Err(format!("{other:?}")),
    }
}
