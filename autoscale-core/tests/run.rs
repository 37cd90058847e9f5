//! The loop around `tick`: pauses, notices that are kept until they are stored, a shutdown that parks.
#![cfg(all(feature = "tokio", feature = "memory"))]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::data::policy::{Policy, PoolPolicy};
use autoscale_core::data::record::{IncomingNotice, NoticeKind};
use autoscale_core::driver::{Driver, Ended, RunOptions, SystemClock, run};
use autoscale_core::memory::{Shared, quick};
use autoscale_core::ports::{Clock, Error, ErrorKind, Expected, Loaded, Result, Sealed, StateStore, Swapped};
use autoscale_core::words::{InstanceId, Span};
use tokio::sync::{mpsc, oneshot};

fn policy() -> Policy {
    let web = PoolPolicy::builder("web").with_zones(["a"]).with_shape("m", 2_000, 8 << 30, 110);
    Policy::builder("shop").with_pool(web).build().unwrap()
}

fn world() -> (Shared, Driver) {
    let world = quick(&policy(), 2).unwrap();
    let driver = Driver::new(policy().into(), world.ports()).with_launch_delay(Span::ZERO);
    (world, driver)
}

#[tokio::test(start_paused = true)]
async fn it_ticks_at_the_interval_with_jitter_until_shutdown() {
    let (_world, driver) = world();
    let begun = tokio::time::Instant::now();
    let mut at = Vec::new();
    let shutdown = tokio::time::sleep(Span::from_mins(21).into());
    run(&driver, RunOptions::new(), shutdown, |_| at.push(begun.elapsed().as_secs())).await;
    let pauses: Vec<u64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(at.len() >= 9, "{at:?}");
    assert!(pauses.iter().all(|pause| (120..=132).contains(pause)), "{pauses:?}");
    assert!(pauses.windows(2).any(|pair| pair[0] != pair[1]), "no jitter: {pauses:?}");
}

/// A store that does not answer for a while.
#[derive(Debug)]
struct Sulking {
    store: Arc<dyn StateStore>,
    until: tokio::time::Instant,
}

#[async_trait]
impl StateStore for Sulking {
    async fn load(&self) -> Result<Option<Loaded>> {
        if tokio::time::Instant::now() < self.until {
            return Err(Error::new(ErrorKind::Unavailable, "load the record"));
        }
        self.store.load().await
    }

    async fn swap(&self, expected: &Expected, sealed: &Sealed) -> Result<Swapped> {
        self.store.swap(expected, sealed).await
    }
}

#[tokio::test(start_paused = true)]
async fn notices_are_kept_until_a_tick_has_stored_them() {
    let world = quick(&policy(), 2).unwrap();
    let mut ports = world.ports();
    let until = tokio::time::Instant::now() + std::time::Duration::from_secs(180);
    ports.store = Arc::new(Sulking { store: ports.store.clone(), until });
    let driver = Driver::new(policy().into(), ports);
    let (send, receive) = mpsc::channel(4);
    let (stored, shutdown) = oneshot::channel();
    let id = InstanceId::new("i-unknown").unwrap();
    let notice = IncomingNotice::new("e-1", id, NoticeKind::Interruption, Span::from_mins(2));
    send.send(vec![notice.clone()]).await.unwrap();
    let mut options = RunOptions::new();
    options.notices = Some(receive);
    let (mut refused, mut stored) = (0, Some(stored));
    let ends = async {
        let _ = shutdown.await;
    };
    run(&driver, options, ends, |report| {
        let brought = report.rounds.first().is_some_and(|round| round.tick.notices == [notice.clone()]);
        match (&report.ended, brought) {
            (Ended::NoAuthority { .. }, _) => refused += 1,
            (Ended::Done, true) if report.notices_stored => drop(stored.take().map(|stored| stored.send(()))),
            _ => {}
        }
    })
    .await;
    assert!(refused > 2, "tried again every few seconds, {refused} times");
    assert!(stored.is_none(), "and stored in the end");
}

#[tokio::test(start_paused = true)]
async fn a_parked_driver_sends_nothing_and_gives_its_lease_back() {
    let world = quick(&policy(), 1).unwrap();
    let driver = Driver::new(policy().into(), world.ports()).with_launch_delay(Span::ZERO);
    driver.park();
    let report = driver.tick(&autoscale_core::driver::Trigger::Schedule).await;
    let actions = &report.rounds[0].explanation.actions;
    assert_eq!(actions.len(), 1, "one instance is fewer than min: {actions:?}");
    assert!(report.rounds.iter().all(|round| round.outcomes.is_empty()));
    let status = driver.status().await.unwrap();
    assert_eq!(status.record.lease, None);
    assert_eq!(status.record.ops.len(), 1, "what is due stays in the record");
}

#[tokio::test]
async fn the_boot_clock_goes_on_and_the_wall_clock_is_of_this_century() {
    let clock = SystemClock::new();
    let before = clock.boot();
    clock.sleep(Span::from_millis(2)).await;
    assert!(clock.boot().since(before) >= Span::from_millis(1));
    assert!(clock.now().to_string().starts_with("20"), "{}", clock.now());
}

/// Fault F5: the store goes back in time under a process that has seen more.
#[tokio::test]
async fn a_record_older_than_one_seen_before_halts_a_warm_process() {
    let (world, driver) = world();
    let old = world.ports();
    let _ = driver.tick(&autoscale_core::driver::Trigger::Schedule).await;
    let early = old.store.load().await.unwrap().unwrap();
    world.ports().clock.sleep(Span::from_mins(6)).await;
    let _ = driver.tick(&autoscale_core::driver::Trigger::Schedule).await;
    let late = old.store.load().await.unwrap().unwrap();
    assert_ne!(early.bytes, late.bytes);
    let record = autoscale_core::driver::open(&early.bytes).unwrap();
    let sealed = autoscale_core::driver::seal(&record).unwrap();
    let swapped = old.store.swap(&Expected::At(late.version), &sealed).await.unwrap();
    assert!(matches!(swapped, Swapped::Applied(_)));
    let report = driver.tick(&autoscale_core::driver::Trigger::Schedule).await;
    assert!(
        matches!(&report.ended, Ended::Halted { why } if why.contains("after version")),
        "{:?}",
        report.ended
    );
    let fresh = Driver::new(policy().into(), world.ports()).with_launch_delay(Span::ZERO);
    let report = fresh.tick(&autoscale_core::driver::Trigger::Schedule).await;
    assert_eq!(report.ended, Ended::Done, "a process that has seen nothing goes on from what is there");
}
