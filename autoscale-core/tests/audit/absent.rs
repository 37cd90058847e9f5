//! Lines that are kept somewhere else and are not read.

use std::sync::Arc;

use autoscale_core::data::audit::{Head, Kind, Read, Reader, Sum};
use autoscale_core::driver::Auditor;
use autoscale_core::memory::{AuditMemory, block_on};
use autoscale_core::words::HolderId;

use super::common::{World, all, name, read};

#[test]
fn the_chain_goes_on_through_a_line_that_is_kept_somewhere_else() {
    let mut world = World::new();
    let log = Arc::new(AuditMemory::new());
    let mut auditors = ["a", "b"].map(|who| Auditor::new(log.clone(), name(who)).with_everything());
    for turn in 0..10 {
        let _ = block_on(auditors[usize::from(turn == 5)].record(&world.tick())).unwrap();
    }
    let lines = read(&*log);
    let entries = all(&lines).unwrap();
    let heads: Vec<&Head> = entries.iter().map(|(head, _)| head).collect();
    // Line `gone` is only known of; what became of the others.
    let without = |gone: usize, from: usize| {
        let mut reader = Reader::new();
        let mut found = Vec::new();
        for at in from..lines.len() {
            if at == gone {
                reader.absent(&heads[at].writer, heads[at].n, heads[at].sum)?;
            } else {
                found.push((at, matches!(reader.line(&lines[at])?, Read::Entry(_))));
            }
        }
        reader.finish().map(|()| found)
    };
    for (gone, from) in [(0, 0), (3, 0), (5, 0), (9, 0), (3, 3), (4, 2)] {
        for (at, is_read) in without(gone, from).unwrap() {
            // Only the differences of the same writer are lost, up to its next full line.
            let same = |at: usize| at != 5;
            let begun = (from..=at)
                .any(|base| base != gone && same(base) == same(at) && heads[base].kind == Kind::Full);
            let lost = same(gone) == same(at) && at > gone;
            assert_eq!(is_read, begun && !lost, "{at} without {gone} from {from}");
        }
    }
    let mut reader = Reader::new();
    for line in &lines[..3] {
        reader.line(line).unwrap();
    }
    let (three, four) = (heads[3], heads[4]);
    let broken = |(writer, n, sum): (&HolderId, u64, Sum)| {
        reader.clone().absent(writer, n, sum).unwrap_err().to_string()
    };
    assert!(broken((&three.writer, three.n + 1, three.sum)).contains("some are missing"));
    assert!(broken((&three.writer, three.n - 1, three.sum)).contains("after its entry 3"));
    assert!(broken((&three.writer, three.n, heads[0].sum)).contains("stands there twice"));
    assert!(broken((&name("c"), 2, three.sum)).contains("the first entry of writer c here is its entry 2"));
    reader.absent(&three.writer, three.n, four.sum).unwrap();
    let error = reader.line(&lines[4]).unwrap_err().to_string();
    assert!(error.contains("does not name its entry 4 as the one before"), "another line was there: {error}");
}
