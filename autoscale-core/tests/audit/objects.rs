//! The log in an object store.

use std::collections::BTreeMap;
use std::sync::Arc;

use autoscale_core::driver::Auditor;
use autoscale_core::logic::replay;
use autoscale_core::memory::block_on;
use autoscale_core::objects::AuditObjects;
use autoscale_core::words::Timestamp;
use object_store::memory::InMemory;

use super::common::{World, all, name, pages, read};

const TICKS: usize = 800;
const DAY: i64 = 24 * 60 * 60 * 1_000;

#[test]
fn each_day_can_be_read_alone_and_old_ones_go() {
    let store = Arc::new(InMemory::new());
    let open = || Arc::new(AuditObjects::new(store.clone(), "autoscale/shop.audit").unwrap());
    let mut auditors = ["a", "b"].map(|who| Auditor::new(open(), name(who)).with_everything());
    let mut world = World::new();
    // A day and some hours.
    for turn in 0..TICKS {
        let report = world.tick();
        let _ = block_on(auditors[usize::from(turn % 5 < 2)].record(&report)).unwrap();
    }
    let log = open();
    let everything = read(&*log);
    let entries = all(&everything).unwrap();
    assert_eq!((everything.len(), entries.len()), (TICKS, TICKS), "no difference without its base");
    assert!(entries.iter().all(|(_, entry)| replay(entry).is_ok()));
    let mut days: BTreeMap<i64, Vec<Vec<u8>>> = BTreeMap::new();
    for ((head, _), line) in entries.iter().zip(&everything) {
        days.entry(head.at.as_millis().div_euclid(DAY)).or_default().push(line.clone());
    }
    assert!(days.len() >= 2, "{:?}", days.keys());
    for lines in days.values() {
        assert_eq!(all(lines).unwrap().len(), lines.len(), "a day needs another one");
    }
    let (last, kept) = days.last_key_value().unwrap();
    let removed = block_on(log.prune(Timestamp::from_millis(last * DAY))).unwrap();
    assert_eq!(removed as usize, everything.len() - kept.len());
    assert_eq!(read(&*log), *kept);
    pages(&*log, kept.len());
}
