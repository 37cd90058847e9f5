//! The loop around `tick`, for programs that stay up.

use std::future::Future;
use std::pin::pin;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{Driver, Report, Trigger};
use crate::data::record::IncomingNotice;
use crate::ports::Clock;
use crate::words::{Deadline, Fnv128, Span, Timestamp};

/// The operating system's clocks, on tokio's timer.
///
/// `boot` is Linux's `CLOCK_BOOTTIME`, which also counts suspended time; elsewhere the monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl SystemClock {
    /// The operating system's clocks.
    pub const fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    #[cfg(target_os = "linux")]
    fn boot(&self) -> Deadline {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let secs = u64::try_from(time.tv_sec).unwrap_or(0);
        let millis = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or(0);
        Deadline::from_millis(secs.saturating_mul(1_000).saturating_add(millis))
    }

    #[cfg(not(target_os = "linux"))]
    fn boot(&self) -> Deadline {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        let since = START.get_or_init(std::time::Instant::now).elapsed();
        Deadline::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    async fn sleep(&self, span: Span) {
        tokio::time::sleep(span.into()).await;
    }
}

/// How [`run`] behaves.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunOptions {
    /// Up to so much is added to every pause, so that replicas do not tick together. Default a tenth of the interval.
    pub jitter: Option<Span>,
    /// Notices to act on at once. They are kept until a tick has stored them.
    pub notices: Option<mpsc::Receiver<Vec<IncomingNotice>>>,
}

impl RunOptions {
    /// No notices, jitter of a tenth of the interval.
    pub const fn new() -> Self {
        Self { jitter: None, notices: None }
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Ticks until `shutdown`. Every report is handed to `observe`.
///
/// On shutdown the tick under way is parked: it sends nothing more, stores what it knows and gives its lease back. The
/// function returns when it has ended, within the policy's limit of a tick, and may be called again.
///
/// Notices are kept until a tick has stored them, the same ones once; while a thousand wait no more are received.
pub async fn run(
    driver: &Driver,
    mut options: RunOptions,
    shutdown: impl Future<Output = ()>,
    mut observe: impl FnMut(&Report),
) {
    let mut shutdown = pin!(shutdown);
    let mut kept: Vec<IncomingNotice> = Vec::new();
    let mut ticks = 0_u64;
    loop {
        let trigger = if kept.is_empty() { Trigger::Schedule } else { Trigger::Notices(kept.clone()) };
        let mut stopping = false;
        let report = {
            let mut tick = pin!(driver.tick(&trigger));
            tokio::select! {
                biased;
                () = &mut shutdown => {
                    stopping = true;
                    let parked = driver.is_parked();
                    driver.park();
                    let report = tick.await;
                    if !parked {
                        driver.unpark();
                    }
                    report
                }
                report = &mut tick => report,
            }
        };
        observe(&report);
        if report.notices_stored {
            kept.clear();
        }
        if stopping {
            return;
        }
        ticks += 1;
        let interval = driver.policy().tick().interval;
        let soon = report.wake_in.filter(|_| kept.is_empty()).unwrap_or(interval).min(interval);
        let pause = if kept.is_empty() { soon } else { RETRY.min(interval) };
        let pause = pause.plus(jitter(driver, options.jitter.unwrap_or(interval.divided(10)), ticks));
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            () = tokio::time::sleep(pause.into()) => {}
            more = next(&mut options.notices), if kept.len() < MAX_KEPT => {
                keep(&mut kept, more);
                while let Some(Ok(more)) = options.notices.as_mut().map(mpsc::Receiver::try_recv)
                    && kept.len() < MAX_KEPT
                {
                    keep(&mut kept, more);
                }
            }
        }
    }
}

/// While so many notices wait to be stored, no more are received.
const MAX_KEPT: usize = 1_000;

/// Keeps what is not kept yet.
fn keep(kept: &mut Vec<IncomingNotice>, more: Vec<IncomingNotice>) {
    for notice in more {
        if !kept.contains(&notice) {
            kept.push(notice);
        }
    }
}

/// Notices that could not be stored are tried again after this.
const RETRY: Span = Span::from_secs(5);

/// The next notices; never, once there is no sender any more.
async fn next(notices: &mut Option<mpsc::Receiver<Vec<IncomingNotice>>>) -> Vec<IncomingNotice> {
    if let Some(receiver) = notices {
        if let Some(more) = receiver.recv().await {
            return more;
        }
        *notices = None;
    }
    std::future::pending().await
}

/// From zero to `most`, different for each driver and tick.
fn jitter(driver: &Driver, most: Span, ticks: u64) -> Span {
    let name = driver.ports.ids.write_id();
    let drawn = Fnv128::default().with(name.as_str().as_bytes()).with(&ticks.to_le_bytes()).finish();
    let thousandth = u64::try_from(drawn % 1_000).unwrap_or(0);
    Span::from_millis(most.as_millis().saturating_mul(thousandth) / 1_000)
}
