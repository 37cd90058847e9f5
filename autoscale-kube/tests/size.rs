//! How many requests and how much memory a survey takes. Alone in its process: all memory is counted.
#![cfg(feature = "drain")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::sync::Arc;

use autoscale_core::data::view::{ClusterView, Scope};
use autoscale_core::driver::SystemClock;
use autoscale_core::ports::Drainer;
use autoscale_core::words::Span;
use autoscale_kube::Connection;
use autoscale_kube::drain::{CacheConfig, CachedDrain, Drain, DrainConfig};
use autoscale_kube::fake::ApiServer;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// As many pages as 5,000 nodes with 150,000 pods are at 500 objects each.
const NODES: usize = 250;
const PODS: usize = NODES * 30;
const PAGE: usize = 25;

fn requests(server: &ApiServer) -> usize {
    server.log().len()
}

/// What is left when it is done, and the most there was meanwhile, in bytes.
async fn measured<T>(work: impl Future<Output = T>) -> (T, usize, usize) {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let made = work.await;
    (made, MEMORY.current_usage() - before, MEMORY.peak_usage() - before)
}

fn whole(view: &ClusterView) {
    assert_eq!((view.nodes.len(), view.pods.len(), view.complete), (NODES, PODS, true));
    assert!(view.pods.iter().all(|pod| pod.owner.as_ref().unwrap().exists == Some(true)));
}

#[tokio::test]
async fn a_survey_takes_one_request_a_page_and_little_more_memory_than_it_gives() {
    let server = ApiServer::with_workloads(NODES, true).unwrap();
    let mut config = DrainConfig::new();
    config.page = PAGE as u32;
    let drain = Drain::new(Connection::from_client(server.client()), config, Arc::new(SystemClock::new()));
    server.clear_log();
    let (view, kept, peak) = measured(async { drain.survey(&Scope::Everything).await.unwrap() }).await;
    whole(&view);
    println!("lists: {} requests, {kept} bytes kept, {peak} at most", requests(&server));
    // Nodes, pods, their ReplicaSets, and the budgets.
    assert_eq!(requests(&server), (NODES + PODS + NODES) / PAGE + 1);
    assert!(2 * peak < 3 * kept, "{peak} bytes for {kept}");

    server.clear_log();
    let (cached, kept, peak) = measured(async {
        let cached = CachedDrain::spawn(drain.clone(), CacheConfig::new());
        cached.ready().await;
        cached
    })
    .await;
    println!("the cache: {} requests, {kept} bytes kept, {peak} at most", requests(&server));
    let watches = server.log().iter().filter(|entry| entry.verb == "watch").count();
    assert_eq!(requests(&server) - watches, (NODES + PODS) / PAGE + 1);
    assert!(2 * peak < 3 * kept, "{peak} bytes for {kept}");
    let before_view = kept;
    // The first survey begins to follow ReplicaSets and lists them meanwhile.
    whole(&cached.survey(&Scope::Everything).await.unwrap());
    server.advance(Span::from_secs(61));
    whole(&cached.survey(&Scope::Everything).await.unwrap());

    server.clear_log();
    let (view, kept, peak) = measured(async { cached.survey(&Scope::Everything).await.unwrap() }).await;
    whole(&view);
    println!("from the cache: {} requests, {kept} bytes kept, {peak} at most", requests(&server));
    // How new nodes, pods and ReplicaSets are, and the budgets, of which there are none.
    assert_eq!(requests(&server), 4);
    assert!(
        2 * (before_view + peak) < 3 * (before_view + kept),
        "{peak} bytes for {kept} beside {before_view}"
    );
}
