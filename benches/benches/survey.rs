//! A survey of 5,000 nodes with 150,000 pods, by lists and from a cache: how long, how many requests, how much memory. The API
//! server is in the same process, and its time counts. It takes minutes and gigabytes: most of that is the server itself.
//! `NODES=500` measures a smaller one.
#![allow(missing_docs, reason = "the macros of criterion document nothing")]

mod cpu_time;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use autoscale_core::data::view::Scope;
use autoscale_core::driver::SystemClock;
use autoscale_core::ports::Drainer;
use autoscale_core::words::Span;
use autoscale_kube::Connection;
use autoscale_kube::drain::{CacheConfig, CachedDrain, Drain, DrainConfig};
use autoscale_kube::fake::ApiServer;
use cpu_time::CpuTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use peak_alloc::PeakAlloc;
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Does it once, and says what it took.
fn told<T>(runtime: &Runtime, server: &ApiServer, what: &str, work: impl Future<Output = T>) -> T {
    server.clear_log();
    MEMORY.reset_peak_usage();
    let (before, begun) = (MEMORY.current_usage(), std::time::Instant::now());
    let made = runtime.block_on(work);
    let (kept, peak) = (MEMORY.current_usage() - before, MEMORY.peak_usage() - before);
    let ratio = peak as f64 / kept.max(1) as f64;
    println!(
        "{what}: {} requests, {} MiB kept, {} MiB at most ({ratio:.2} times), {:?}",
        server.log().len(),
        kept >> 20,
        peak >> 20,
        begun.elapsed()
    );
    made
}

fn survey(criterion: &mut Criterion<CpuTime>) {
    let nodes = std::env::var("NODES").ok().and_then(|text| text.parse().ok()).unwrap_or(5_000);
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _inside = runtime.enter();
    let server = ApiServer::with_workloads(nodes, false).expect("nothing stands in the way");
    let clock = Arc::new(SystemClock::new());
    let lists = Drain::new(Connection::from_client(server.client()), DrainConfig::new(), clock);
    let everything = Scope::Everything;
    let view = told(&runtime, &server, "survey by lists", lists.survey(&everything)).expect("a survey");
    assert_eq!((view.nodes.len(), view.pods.len()), (nodes, nodes * 30));
    drop(view);
    let cached = told(&runtime, &server, "cache", async {
        let cached = CachedDrain::spawn(lists.clone(), CacheConfig::new());
        cached.ready().await;
        cached
    });
    // Controllers are followed from the first survey on.
    drop(runtime.block_on(cached.survey(&everything)));
    server.advance(Span::from_secs(61));
    let view =
        told(&runtime, &server, "survey from the cache", cached.survey(&everything)).expect("a survey");
    assert_eq!((view.nodes.len(), view.pods.len()), (nodes, nodes * 30));
    drop(view);
    let mut group = criterion.benchmark_group("survey");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(5))
        .throughput(Throughput::Elements(nodes as u64 * 31));
    group.bench_function("lists", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(lists.survey(&everything))));
    });
    group.bench_function("cache", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(cached.survey(&everything))));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = survey
}
criterion_main!(benches);
