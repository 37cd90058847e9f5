//! The suite over the memory implementation, and over broken implementations: exactly one test fails for each.

#[cfg(feature = "audit")]
mod audit;
mod drainer;
mod metrics;
mod nodes;
mod store;

use std::sync::Arc;

use super::check::Test;
use super::verdict::{Finding, Verdicts};
use crate::data::policy::{Policy, PoolPolicy};
use crate::memory::{Shared, quick};

/// A small world with so many workers in zones `a` and `b`.
fn world(workers: u32) -> Shared {
    let pool = PoolPolicy::builder("web").with_zones(["a", "b"]).with_shape("m", 4_000, 8 << 30, 110);
    let policy = Policy::builder("shop").with_pool(pool).build().unwrap();
    quick(&policy, workers).unwrap()
}

/// A fault of a broken implementation, and the one test that rejects it.
type Row<F> = (F, &'static str);

/// Nothing fails and nothing is left out without a fault; each fault is rejected by its test and no other; every test
/// has a fault.
async fn each_test_bites<F: Copy + std::fmt::Debug, S: ?Sized>(
    tests: &[Test<S>],
    rows: &[Row<F>],
    run: impl AsyncFn(Option<F>) -> Verdicts,
) {
    let sound = run(None).await;
    sound.assert_all();
    assert_eq!(sound.not_applicable(), Vec::<&str>::new(), "{sound}");
    let mut wrong = Vec::new();
    for (fault, test) in rows {
        let verdicts = run(Some(*fault)).await;
        if verdicts.failed() != [*test] || !verdicts.not_applicable().is_empty() {
            let rejected = verdicts.verdicts.iter().filter(|verdict| verdict.finding != Finding::Passed);
            let rejected: Vec<_> = rejected.map(ToString::to_string).collect();
            wrong.push(format!("{fault:?}, which {test} alone should reject:\n  {}", rejected.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for test in tests {
        assert!(
            rows.iter().any(|(_, name)| *name == test.name),
            "no broken implementation for {}",
            test.name
        );
    }
}

/// A flag that is taken once.
#[derive(Debug, Default)]
struct Once(std::sync::atomic::AtomicBool);

impl Once {
    fn set(&self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
    fn take(&self) -> bool {
        self.0.swap(false, std::sync::atomic::Ordering::Relaxed)
    }
}

/// Something to share between a stage and its port.
fn shared<T: Default>() -> Arc<T> {
    Arc::default()
}
