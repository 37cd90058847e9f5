//! A small shop: one pool in two zones, spot before on-demand, and what can happen to it.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use async_trait::async_trait;
use autoscale_core::data::order::Offering;
use autoscale_core::data::policy::{Policy, PoolPolicy, Purchase, When};
use autoscale_core::driver::{Driver, Report, Trigger};
use autoscale_core::memory::{Shared, Workload, WorkloadId, block_on, quick};
use autoscale_core::ports::{Error, ErrorKind, Expected, Loaded, Result, Sealed, StateStore, Swapped};
use autoscale_core::words::{ShapeName, Span, Zone};

/// One shop at a time: a subscriber that comes while another thread sees an event for the first time may miss that event
/// for good.
static OPEN: Mutex<()> = Mutex::new(());

pub(crate) struct Shop {
    pub(crate) world: Shared,
    pub(crate) driver: Driver,
    pub(crate) api: WorkloadId,
    _open: MutexGuard<'static, ()>,
}

impl Shop {
    /// Three workers, and pods that use half of them.
    pub(crate) fn open() -> Self {
        Self::with_max(6)
    }

    pub(crate) fn with_max(max: u32) -> Self {
        let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(feature = "tracing")]
        tracing::callsite::rebuild_interest_cache();
        let web = PoolPolicy::builder("web").with_zones(["a", "b"]).with_shape("m", 2_000, 8 << 30, 110);
        let web = web.with_min(1).with_max(max).with_purchases([Purchase::Spot, Purchase::OnDemand]);
        let web = web.with_up(When::above("cpu", "70%")).with_down(When::below("cpu", "30%"));
        let policy = Arc::new(Policy::builder("shop").with_pool(web).build().unwrap());
        let world = quick(&policy, 3).unwrap();
        let api = world.lock().add_workload(Workload::new("api", 20, 250, 256 << 20));
        let driver = Driver::new(policy, world.ports()).with_launch_delay(Span::ZERO);
        let shop = Self { world, driver, api, _open: open };
        shop.uses(3_000);
        shop.wait(2);
        shop
    }

    /// Its pods use so much CPU in all.
    pub(crate) fn uses(&self, milli: u64) {
        self.world.lock().set_usage(self.api, milli);
    }

    pub(crate) fn wait(&self, mins: u64) {
        let mut world = self.world.lock();
        let end = world.now().after(Span::from_mins(mins));
        world.advance_to(end);
    }

    pub(crate) fn tick(&self) -> Report {
        block_on(self.driver.tick(&Trigger::Schedule))
    }

    /// A tick whose process dies while it waits between two rounds; whether it came that far.
    pub(crate) fn dies(&self) -> bool {
        let trigger = Trigger::Schedule;
        let tick = pin!(self.driver.tick(&trigger));
        tick.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// There is no spot capacity.
    pub(crate) fn has_no_spot(&self) {
        for zone in ["a", "b"] {
            let zone = Zone::new(zone).unwrap();
            let offering = Offering::new(zone, Purchase::Spot, ShapeName::new("m").unwrap());
            self.world.lock().set_capacity(offering, Some(0));
        }
    }

    /// The same shop with another store.
    pub(crate) fn with_store(&self, store: impl StateStore) -> Driver {
        let mut ports = self.world.ports();
        ports.store = Arc::new(store);
        Driver::new(self.driver.policy().clone(), ports)
    }
}

/// A store that does not answer.
#[derive(Debug)]
pub(crate) struct Down;

#[async_trait]
impl StateStore for Down {
    async fn load(&self) -> Result<Option<Loaded>> {
        Err(Error::new(ErrorKind::Unavailable, "load\nthe record"))
    }

    async fn swap(&self, _: &Expected, _: &Sealed) -> Result<Swapped> {
        Err(Error::new(ErrorKind::Unavailable, "swap the record"))
    }
}
