//! The ports over a shared world, which answer at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use async_trait::async_trait;

use crate::data::order::{
    CordonOrder, Cordoned, EvictOrder, EvictPass, ForgetOrder, LaunchOrder, Launched, TerminateOrder,
};
use crate::data::view::{ClusterView, Listing, Sample, Scope, SignalQuery};
use crate::driver::Ports;
use crate::ports::{
    Clock, Drainer, Error, ErrorKind, Expected, Ids, Loaded, MetricsSource, NodeProvider, Result, Sealed,
    StateStore, Swapped,
};
use crate::words::{Deadline, HolderId, Inc, Span, Timestamp, WriteId};

use super::world::World;

/// A world that several ports share.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Mutex<World>>);

impl Shared {
    /// Shares a world.
    pub fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// The world, for as long as the guard lives. Do not hold it across an `await`.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every port over this world.
    pub fn ports(&self) -> Ports {
        Ports::new(
            Arc::new(MemoryMetrics(self.clone())),
            Arc::new(MemoryProvider(self.clone())),
            Arc::new(MemoryDrainer(self.clone())),
            Arc::new(MemoryStore(self.clone())),
            Arc::new(MemoryClock(self.clone())),
            Arc::new(CountedIds::default()),
        )
    }

    fn in_time(&self, not_after: Deadline, what: &str) -> Result<MutexGuard<'_, World>> {
        let world = self.lock();
        if boot(world.now()) > not_after {
            return Err(Error::new(ErrorKind::NotSent, what));
        }
        Ok(world)
    }
}

/// The boot clock of every process in a world: milliseconds since the epoch.
pub(crate) fn boot(now: Timestamp) -> Deadline {
    Deadline::from_millis(now.as_millis().max(0).unsigned_abs())
}

/// The signals of a shared world.
#[derive(Clone, Debug)]
pub struct MemoryMetrics(Shared);

#[async_trait]
impl MetricsSource for MemoryMetrics {
    async fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample> {
        self.0.lock().sample(wanted)
    }
}

/// The cloud of a shared world.
#[derive(Clone, Debug)]
pub struct MemoryProvider(Shared);

#[async_trait]
impl NodeProvider for MemoryProvider {
    async fn list(&self) -> Result<Listing> {
        Ok(self.0.lock().list())
    }

    async fn launch(&self, order: &LaunchOrder) -> Result<Launched> {
        self.0.in_time(order.not_after, "launch")?.launch(order)
    }

    async fn terminate(&self, order: &TerminateOrder) -> Result<()> {
        self.0.in_time(order.not_after, "terminate")?.terminate(order)
    }
}

/// The cluster of a shared world.
#[derive(Clone, Debug)]
pub struct MemoryDrainer(Shared);

#[async_trait]
impl Drainer for MemoryDrainer {
    async fn survey(&self, scope: &Scope) -> Result<ClusterView> {
        Ok(self.0.lock().survey(scope))
    }

    async fn cordon(&self, order: &CordonOrder) -> Result<Cordoned> {
        Ok(self.0.in_time(order.not_after, "cordon")?.cordon(order))
    }

    async fn uncordon(&self, order: &CordonOrder) -> Result<Cordoned> {
        Ok(self.0.in_time(order.not_after, "uncordon")?.uncordon(order))
    }

    async fn evict(&self, order: &EvictOrder) -> Result<EvictPass> {
        Ok(self.0.in_time(order.not_after, "evict")?.evict(order))
    }

    async fn forget(&self, order: &ForgetOrder) -> Result<()> {
        self.0.in_time(order.not_after, "forget")?.forget(order);
        Ok(())
    }
}

/// The store of a shared world.
#[derive(Clone, Debug)]
pub struct MemoryStore(Shared);

#[async_trait]
impl StateStore for MemoryStore {
    async fn load(&self) -> Result<Option<Loaded>> {
        Ok(self.0.lock().load())
    }

    async fn swap(&self, expected: &Expected, sealed: &Sealed) -> Result<Swapped> {
        Ok(self.0.lock().swap(expected, sealed))
    }
}

/// The time of a shared world: sleeping lets it pass at once.
#[derive(Clone, Debug)]
pub struct MemoryClock(Shared);

#[async_trait]
impl Clock for MemoryClock {
    fn now(&self) -> Timestamp {
        self.0.lock().now()
    }

    fn boot(&self) -> Deadline {
        boot(self.0.lock().now())
    }

    async fn sleep(&self, span: Span) {
        // Whoever else is polled beside this sleep has its turn before time passes.
        let mut waited = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut waited, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        let mut world = self.0.lock();
        let end = world.now().after(span);
        world.advance_to(end);
    }
}

/// Names that are counted: different within one value, and the same in every run.
#[derive(Debug, Default)]
pub struct CountedIds {
    seed: u64,
    drawn: AtomicU64,
}

impl CountedIds {
    /// Names that differ from those of another seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }

    fn next(&self) -> u64 {
        self.drawn.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Ids for CountedIds {
    fn holder(&self) -> HolderId {
        HolderId::new(format!("tick-{}-{}", self.seed, self.next())).expect("letters, dashes and digits")
    }

    fn write_id(&self) -> WriteId {
        WriteId::new(format!("w-{}-{}", self.seed, self.next())).expect("letters, dashes and digits")
    }

    fn inc(&self) -> Inc {
        let mixed = super::rng::Rng::new(self.seed).fork(self.next()).draw();
        Inc::new(format!("{:08x}", mixed as u32)).expect("hexadecimal digits")
    }
}
