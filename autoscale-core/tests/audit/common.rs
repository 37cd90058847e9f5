//! A world that ticks, and a log that is read.

use std::sync::Arc;

use autoscale_core::data::audit::{Broken, Entry, Head, Read, Reader};
use autoscale_core::data::policy::{Policy, PoolPolicy, When};
use autoscale_core::driver::{Driver, Report, Trigger};
use autoscale_core::memory::{Shared, Workload, WorkloadId, block_on, quick};
use autoscale_core::ports::{AuditLog, AuditRange};
use autoscale_core::words::{HolderId, Span};

/// A small cluster whose load comes and goes every some hours.
pub(crate) struct World {
    world: Shared,
    driver: Driver,
    api: WorkloadId,
    ticks: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let web =
            PoolPolicy::builder("web").with_zones(["a", "b"]).with_shape("m6i.large", 2_000, 8 << 30, 110);
        let web = web
            .with_up(When::above("cpu", "70%"))
            .with_down(When::below("cpu", "30%").lasting(Span::from_mins(10)));
        let policy =
            Arc::new(Policy::builder("shop").with_pool(web.with_min(2).with_max(10)).build().unwrap());
        let world = quick(&policy, 3).unwrap();
        let api = world.lock().add_workload(Workload::new("api", 20, 250, 256 << 20));
        let driver = Driver::new(policy, world.ports()).with_launch_delay(Span::ZERO);
        Self { world, driver, api, ticks: 0 }
    }

    /// Two minutes pass, and a tick.
    pub(crate) fn tick(&mut self) -> Report {
        let busy = (self.ticks / 45).is_multiple_of(3);
        self.world.lock().set_usage(self.api, if busy { 5_000 } else { 700 });
        self.ticks += 1;
        let next = self.world.lock().now().after(Span::from_mins(2));
        self.world.lock().advance_to(next);
        block_on(self.driver.tick(&Trigger::Schedule))
    }
}

pub(crate) fn name(text: &str) -> HolderId {
    HolderId::new(text).unwrap()
}

/// All lines of a log, on pages of seven.
pub(crate) fn read(log: &dyn AuditLog) -> Vec<Vec<u8>> {
    let mut range = AuditRange::all();
    range.most = 7;
    let mut lines = Vec::new();
    loop {
        let page = block_on(log.read(&range)).unwrap();
        lines.extend(page.lines);
        range.after = page.next;
        if range.after.is_none() {
            return lines;
        }
    }
}

/// Every entry of some lines, or the number of the line that is broken; differences without a base are left out.
pub(crate) fn all(lines: &[Vec<u8>]) -> Result<Vec<(Head, Entry<'static>)>, (usize, Broken)> {
    let mut reader = Reader::new();
    let mut entries = Vec::new();
    for (line, number) in lines.iter().zip(1..) {
        if let Read::Entry(entry) = reader.line(line).map_err(|broken| (number, broken))? {
            entries.push(*entry);
        }
    }
    reader.finish().map_err(|broken| (lines.len(), broken))?;
    Ok(entries)
}

/// However many lines are on a page, each comes once; a range of times has its lines.
pub(crate) fn pages(log: &dyn AuditLog, lines: usize) {
    let everything = read(log);
    assert_eq!(everything.len(), lines);
    for most in [0, 1, 3, lines, 100] {
        let mut range = AuditRange::all();
        range.most = most;
        let (mut found, mut pages) = (Vec::new(), 0);
        loop {
            let page = block_on(log.read(&range)).unwrap();
            assert!(page.lines.len() <= most.max(1));
            found.extend(page.lines);
            pages += 1;
            range.after = page.next;
            if range.after.is_none() {
                break;
            }
        }
        assert_eq!(found, everything);
        assert_eq!(pages, lines.div_ceil(most.max(1)));
    }
    let entries = all(&everything).unwrap();
    let mut range = AuditRange::all();
    (range.from, range.until) = (Some(entries[5].0.at), Some(entries[8].0.at));
    assert_eq!(block_on(log.read(&range)).unwrap().lines, everything[5..9]);
    range.after = Some("nowhere".to_owned());
    assert!(block_on(log.read(&range)).is_err());
    assert_eq!(block_on(log.newest()).unwrap().as_ref(), entries.last().map(|(head, _)| head));
}
