//! Three problems whose exact answers are known: the question alone, and apart from it the reduction of what was seen.
#![allow(missing_docs, reason = "the macros of criterion document nothing")]

mod cpu_time;

use std::hint::black_box;
use std::time::Duration;

use benches::{Workload, answer};
use cpu_time::CpuTime;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

fn workloads(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("workloads");
    group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    let cases = [
        ("50000-pods-1000-nodes", Workload::many_new(), answer::MANY_NEW),
        ("51000-pods-2595-nodes", Workload::two_sizes(), answer::TWO_SIZES),
    ];
    for (name, work, nodes) in cases {
        let view = work.view();
        assert_eq!(work.needed(&view), (nodes, 0));
        group.bench_function(name, |bencher| bencher.iter(|| work.needed(black_box(&view))));
        group.bench_function(format!("{name}/reduce"), |bencher| {
            let lists = || (work.listing.clone(), work.survey.clone());
            bencher.iter_batched(
                lists,
                |(listing, survey)| work.reduce(listing, survey),
                BatchSize::PerIteration,
            );
        });
    }
    let work = Workload::many_gone();
    let view = work.view();
    assert_eq!(work.removable(&view), answer::MANY_GONE);
    group.bench_function("2000-nodes-1200-gone", |bencher| bencher.iter(|| work.removable(black_box(&view))));
    group.bench_function("2000-nodes-1200-gone/reduce", |bencher| {
        let lists = || (work.listing.clone(), work.survey.clone());
        bencher.iter_batched(
            lists,
            |(listing, survey)| work.reduce(listing, survey),
            BatchSize::PerIteration,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = workloads
}
criterion_main!(benches);
