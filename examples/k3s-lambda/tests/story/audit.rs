//! The audit log of a story, read and decided again.

use autoscale_core::data::audit::{Read, Reader};
use autoscale_core::logic::{Replayed, replay};
use autoscale_core::ports::AuditRange;

use crate::house::House;

impl House {
    /// Decides everything in the log again; it has to come out as it is recorded.
    pub(crate) async fn replayed(&self) -> Replayed {
        let (mut all, mut entries) = (Replayed::default(), 0);
        let (mut reader, mut range) = (Reader::new(), AuditRange::all());
        loop {
            let page = self.function.setup().log.read(&range).await.unwrap();
            for line in &page.lines {
                match reader.line(line).unwrap() {
                    Read::Entry(entry) => {
                        let Replayed { rounds, stored, effects, .. } = replay(&entry.1).unwrap();
                        (all.rounds, all.stored) = (all.rounds + rounds, all.stored + stored);
                        all.effects += effects;
                        entries += 1;
                    }
                    other => panic!("no entry: {other:?}"),
                }
            }
            match page.next {
                Some(next) => range.after = Some(next),
                None => break,
            }
        }
        reader.finish().unwrap();
        assert!(entries > 0, "nothing was written");
        all
    }
}
