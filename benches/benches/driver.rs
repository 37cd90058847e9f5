//! What surrounds a decision: sealing and opening a record, and the simulator, which runs the whole driver.
#![allow(missing_docs, reason = "the macros of criterion document nothing")]

mod cpu_time;

use std::hint::black_box;
use std::time::Duration;

use autoscale_core::driver::{open, seal};
use autoscale_core::sim::{self, Config, Scenario};
use autoscale_core::words::Span;
use benches::{Case, Situation};
use cpu_time::CpuTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A record with a launch of a hundred instances open.
fn record(criterion: &mut Criterion<CpuTime>) {
    let here = Situation::new(Case::Up, 1_000);
    let record = here.plan(&here.view()).next;
    let sealed = seal(&record).expect("a record that was planned");
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Bytes(sealed.bytes.len() as u64));
    group.bench_function("seal", |bencher| bencher.iter(|| seal(black_box(&record))));
    group.bench_function("open", |bencher| bencher.iter(|| open(black_box(&sealed.bytes))));
}

/// Days of a cluster, one after the other.
fn simulate(criterion: &mut Criterion<CpuTime>) {
    let mut config = Config::new(Scenario::Diurnal);
    config.until = Span::from_mins(24 * 60);
    let mut group = criterion.benchmark_group("simulate");
    group.sample_size(10).measurement_time(Duration::from_secs(5)).throughput(Throughput::Elements(1));
    group.bench_function("diurnal-day", |bencher| {
        bencher.iter(|| sim::run(black_box(&config), &mut ()));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = record, simulate
}
criterion_main!(benches);
