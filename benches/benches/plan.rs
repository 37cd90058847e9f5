//! A decision, and apart from it the reduction of what was seen to the form that decisions are made on.
#![allow(missing_docs, reason = "the macros of criterion document nothing")]

mod cpu_time;

use std::cell::LazyCell;
use std::hint::black_box;
use std::time::Duration;

use benches::{Case, Situation};
use cpu_time::CpuTime;
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

fn plan(criterion: &mut Criterion<CpuTime>) {
    for (name, case) in Case::ALL {
        let mut group = criterion.benchmark_group(format!("plan/{name}"));
        group
            .sample_size(20)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(3));
        for nodes in SIZES {
            // Lazily, so that a filter on the command line spares the others.
            let seen = LazyCell::new(|| {
                let here = Situation::new(case, nodes);
                (here.view(), here)
            });
            group.bench_function(BenchmarkId::from_parameter(nodes), |bencher| {
                let (view, here) = &*seen;
                bencher.iter(|| here.plan(black_box(view)));
            });
        }
    }
}

fn reduce(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("reduce");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    for nodes in SIZES {
        let here = LazyCell::new(|| Situation::new(Case::QuietEverything, nodes));
        group.bench_function(BenchmarkId::from_parameter(nodes), |bencher| {
            let lists = || (here.listing.clone(), here.survey.clone());
            let reduce = |(listing, survey)| here.reduce(listing, survey);
            bencher.iter_batched(lists, reduce, BatchSize::PerIteration);
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = plan, reduce
}
criterion_main!(benches);
