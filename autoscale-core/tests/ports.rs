//! The ports as objects, and the driver's manners towards them, with ports that count their calls.
#![cfg(feature = "driver")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use autoscale_core::data::order::{
    CordonOrder, Cordoned, EvictOrder, EvictPass, ForgetOrder, LaunchOrder, Launched, TerminateOrder,
};
use autoscale_core::data::policy::{Policy, PoolPolicy};
use autoscale_core::data::view::{
    ClusterView, Instance, Listing, Node, Ownership, Reading, Sample, Scope, SignalQuery,
};
use autoscale_core::driver::{Driver, Ended, Ports, Trigger};
use autoscale_core::ports::{
    Clock, Drainer, Error, ErrorKind, Expected, Ids, Loaded, MetricsSource, NodeProvider, RandomIds, Result,
    Sealed, StateStore, Swapped, Version,
};
use autoscale_core::words::{
    Deadline, Fixed, InstanceId, NodeName, NodeUid, PoolName, Resources, Span, Timestamp,
};
use mockall::mock;

mock! {
    #[derive(Debug)]
    Metrics {}
    #[async_trait]
    impl MetricsSource for Metrics {
        async fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample>;
    }
}

mock! {
    #[derive(Debug)]
    Provider {}
    #[async_trait]
    impl NodeProvider for Provider {
        async fn list(&self) -> Result<Listing>;
        async fn launch(&self, order: &LaunchOrder) -> Result<Launched>;
        async fn terminate(&self, order: &TerminateOrder) -> Result<()>;
    }
}

mock! {
    #[derive(Debug)]
    Cluster {}
    #[async_trait]
    impl Drainer for Cluster {
        async fn survey(&self, scope: &Scope) -> Result<ClusterView>;
        async fn cordon(&self, order: &CordonOrder) -> Result<Cordoned>;
        async fn uncordon(&self, order: &CordonOrder) -> Result<Cordoned>;
        async fn evict(&self, order: &EvictOrder) -> Result<EvictPass>;
        async fn forget(&self, order: &ForgetOrder) -> Result<()>;
    }
}

mock! {
    #[derive(Debug)]
    Store {}
    #[async_trait]
    impl StateStore for Store {
        async fn load(&self) -> Result<Option<Loaded>>;
        async fn swap(&self, expected: &Expected, sealed: &Sealed) -> Result<Swapped>;
    }
}

/// A moment that lasts; whoever sleeps waits for ever.
#[derive(Debug)]
struct Still;

const NOW: Timestamp = Timestamp::from_millis(1_772_409_600_000);

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
    fn boot(&self) -> Deadline {
        Deadline::from_millis(1)
    }
    async fn sleep(&self, _: Span) {
        std::future::pending().await
    }
}

/// Every port here answers at once: one poll is enough.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("something waits"),
    }
}

fn policy() -> Arc<Policy> {
    let pool = PoolPolicy::builder("web").with_zones(["a"]).with_shape("m", 2_000, 8 << 30, 110);
    Arc::new(Policy::builder("shop").with_pool(pool).build().unwrap())
}

/// The signals of a pool at work: nothing to do.
fn busy_metrics(times: usize) -> MockMetrics {
    let mut metrics = MockMetrics::new();
    let half = Reading::Value { value: Fixed::fraction(1, 2).unwrap(), age: Span::ZERO };
    metrics.expect_sample().times(times).returning(move |wanted| {
        wanted.iter().map(|query| Sample::new(query.clone(), half.clone())).collect()
    });
    metrics
}

/// Two instances of ours, and their nodes.
fn two() -> (Listing, ClusterView) {
    let mut instances = Vec::new();
    let mut cluster = ClusterView::new(NOW, Scope::Pending);
    for name in ["i-1", "i-2"] {
        let mut instance = Instance::new(InstanceId::new(name).unwrap(), Ownership::Ours);
        instance.pool = Some(PoolName::new("web").unwrap());
        instances.push(instance);
        let uid = NodeUid::new(format!("uid-{name}")).unwrap();
        let mut node = Node::new(NodeName::new(name).unwrap(), uid, NOW, Resources::new(2_000, 8 << 30, 110));
        node.provider_id = Some(format!("aws:///a/{name}"));
        cluster.nodes.push(node);
    }
    (Listing::new(NOW, instances), cluster)
}

/// A driver over mocks. What a mock does not expect, such as a launch, fails the test.
fn driver(
    metrics: MockMetrics,
    nodes: MockProvider,
    cluster: MockCluster,
    store: Arc<dyn StateStore>,
) -> Driver {
    let (clock, ids) = (Arc::new(Still), Arc::new(RandomIds::new("test")));
    Driver::new(
        policy(),
        Ports::new(Arc::new(metrics), Arc::new(nodes), Arc::new(cluster), store, clock, ids),
    )
}

#[test]
fn ports_are_objects_that_can_be_shared() {
    fn is_shared<T: Debug + Send + Sync + 'static + ?Sized>() {}
    is_shared::<dyn MetricsSource>();
    is_shared::<dyn NodeProvider>();
    is_shared::<dyn Drainer>();
    is_shared::<dyn StateStore>();
    is_shared::<dyn Clock>();
    is_shared::<dyn Ids>();
    #[cfg(feature = "audit")]
    is_shared::<dyn autoscale_core::ports::AuditLog>();
    is_shared::<Arc<dyn StateStore>>();
    is_shared::<Ports>();
    is_shared::<Driver>();
    is_shared::<Error>();
}

#[test]
fn a_tick_can_be_spawned() {
    fn is_send<T: Send>(_: &T) {}
    let driver =
        driver(MockMetrics::new(), MockProvider::new(), MockCluster::new(), Arc::new(MockStore::new()));
    is_send(&driver.tick(&Trigger::Schedule));
}

#[test]
fn without_a_store_nothing_is_even_looked_at() {
    let mut store = MockStore::new();
    let down = || Error::new(ErrorKind::Unavailable, "load the record").with_source("connection refused");
    store.expect_load().times(1).returning(move || Err(down()));
    let driver = driver(MockMetrics::new(), MockProvider::new(), MockCluster::new(), Arc::new(store));
    let report = ready(driver.tick(&Trigger::Schedule));
    let why = "load the record (unavailable): connection refused".to_owned();
    assert_eq!(report.ended, Ended::NoAuthority { why });
    assert!(report.rounds.is_empty());
}

#[test]
fn without_an_applied_swap_nothing_is_launched() {
    let mut store = MockStore::new();
    store.expect_load().returning(|| Ok(None));
    store.expect_swap().returning(|_, _| Ok(Swapped::Unknown { why: "no answer".to_owned() }));
    let mut nodes = MockProvider::new();
    // Fewer than `min`: a tick with authority would launch, and `launch` is not expected here.
    nodes.expect_list().returning(|| Ok(Listing::new(NOW, Vec::new())));
    let mut cluster = MockCluster::new();
    cluster.expect_survey().returning(|scope| Ok(ClusterView::new(NOW, scope.clone())));
    let mut metrics = MockMetrics::new();
    metrics.expect_sample().returning(|_| Vec::new());
    let report = ready(driver(metrics, nodes, cluster, Arc::new(store)).tick(&Trigger::Schedule));
    assert!(matches!(report.ended, Ended::NoAuthority { .. }), "{:?}", report.ended);
    assert!(!report.rounds.is_empty() && report.rounds.iter().all(|round| round.outcomes.is_empty()));
    assert!(report.rounds.iter().all(|round| !round.explanation.actions.is_empty()), "it wanted to");
}

/// A store of one value, for the ticks before the one that is counted; and how many workers people see there.
#[derive(Debug, Default)]
struct Kept(Mutex<Option<(u64, Vec<u8>)>>, Mutex<Option<u32>>);

#[async_trait]
impl StateStore for Kept {
    async fn load(&self) -> Result<Option<Loaded>> {
        let kept = self.0.lock().unwrap().clone();
        Ok(kept.map(|(count, bytes)| Loaded::new(Version::new(count.to_string()), bytes)))
    }
    async fn swap(&self, _: &Expected, sealed: &Sealed) -> Result<Swapped> {
        let mut kept = self.0.lock().unwrap();
        let count = kept.as_ref().map_or(1, |(count, _)| count + 1);
        *kept = Some((count, sealed.bytes.clone()));
        *self.1.lock().unwrap() = sealed.summary.workers;
        Ok(Swapped::Applied(Version::new(count.to_string())))
    }
}

#[test]
fn a_quiet_tick_costs_one_load_one_list_one_sample_and_one_small_survey() {
    let kept = Arc::new(Kept::default());
    let looking = |times: usize| {
        let mut nodes = MockProvider::new();
        nodes.expect_list().times(times).returning(|| Ok(two().0));
        let mut cluster = MockCluster::new();
        cluster
            .expect_survey()
            .times(times)
            .withf(|scope| *scope == Scope::Pending)
            .returning(|_| Ok(two().1));
        (busy_metrics(times), nodes, cluster)
    };
    let (metrics, nodes, cluster) = looking(1);
    let founding = ready(driver(metrics, nodes, cluster, kept.clone()).tick(&Trigger::Schedule));
    assert_eq!(founding.ended, Ended::Done);
    assert_eq!(*kept.1.lock().unwrap(), Some(2), "two workers were listed");

    let mut store = MockStore::new();
    let loaded = ready(kept.load()).unwrap();
    assert!(loaded.is_some(), "the first tick stored a record");
    store.expect_load().times(1).returning(move || Ok(loaded.clone()));
    store.expect_swap().times(0..=1).returning(|_, _| Ok(Swapped::Applied(Version::new("2"))));
    let (metrics, nodes, cluster) = looking(1);
    let report = ready(driver(metrics, nodes, cluster, Arc::new(store)).tick(&Trigger::Schedule));
    assert_eq!((report.ended, report.rounds.len()), (Ended::Done, 1));
    let stored = report.rounds.iter().filter_map(|round| round.stored.as_ref());
    assert!(stored.into_iter().all(|record| record.lease.is_none()), "a quiet tick takes no lease");
}
