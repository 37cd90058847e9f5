//! Many seeds under hostile faults: every entry is decided again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use autoscale_core::data::audit::{Read, Reader};
use autoscale_core::driver::{Auditor, Report};
use autoscale_core::logic::replay;
use autoscale_core::memory::{AuditMemory, block_on};
use autoscale_core::sim::{Config, Faults, Observer, Scenario, run};
use autoscale_core::words::Span;

use super::common::name;

#[derive(Debug)]
struct Recorder(Auditor);

impl Observer for Recorder {
    fn reached(&mut self, _passed: Span) {}

    fn ticked(&mut self, report: &Report) {
        let _ = block_on(self.0.record(report)).unwrap();
    }
}

/// Decisions and effects that were decided again.
fn one(seed: u64) -> (u64, u64) {
    let scenarios = [Scenario::SpotStorm, Scenario::FlashSale, Scenario::ZoneOutage, Scenario::Shop];
    let mut config = Config::new(scenarios[(seed % 4) as usize]);
    (config.seed, config.faults, config.until) = (seed, Faults::Hostile, Span::from_mins(60));
    let log = Arc::new(AuditMemory::new());
    let auditor = Auditor::new(log.clone(), name("a"));
    let auditor = if seed.is_multiple_of(4) { auditor.with_everything() } else { auditor };
    run(&config, &mut Recorder(auditor));
    let (mut rounds, mut effects) = (0, 0);
    let mut reader = Reader::new();
    for line in log.lines() {
        let Read::Entry(read) = reader.line(line.text.as_bytes()).unwrap() else { panic!("no entry") };
        let again =
            replay(&read.1).unwrap_or_else(|differs| panic!("seed {seed}, entry {}: {differs}", read.0.n));
        rounds += again.rounds;
        effects += again.effects;
    }
    reader.finish().unwrap();
    (rounds, effects)
}

#[test]
fn hostile_seeds_are_decided_again() {
    let next = AtomicU64::new(1);
    let (rounds, effects) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > 200 {
                        return;
                    }
                    let (more, sent) = one(seed);
                    rounds.fetch_add(more, Ordering::Relaxed);
                    effects.fetch_add(sent, Ordering::Relaxed);
                }
            });
        }
    });
    let (rounds, effects) = (rounds.into_inner(), effects.into_inner());
    assert!(rounds > 2_000 && effects > 1_000, "{rounds} rounds, {effects} effects");
}
