//! What an operator writes into the record: a pause, and a lease taken away.

use crate::data::record::LaunchState;
use crate::data::record::{Pause, Record};
use crate::driver::{open, seal};
use crate::ports::{Expected, Swapped};
use crate::words::{Span, WriteId};

use super::net::Net;

impl Net {
    /// Pauses scaling for a while.
    pub(super) fn pause(&mut self, span: Span) {
        let now = self.world.now();
        let wrote = self.write_by_hand(|record| {
            let until = Some(record.elapsed_at(now).after(span));
            record.paused = Some(Pause { who: "operator".to_owned(), why: "a look at it".to_owned(), until });
            true
        });
        if wrote {
            self.chaos.count("operator-pause");
        }
    }

    /// Clears the lease (F9).
    pub(super) fn unlock(&mut self) {
        if self.write_by_hand(|record| record.lease.take().is_some()) {
            self.chaos.count("operator-unlock");
        }
    }

    /// Follows the alarm about an instance that is kept aside: a person ends what has no Ready node (rule R11).
    pub(super) fn look_aside(&mut self) {
        let Some(record) = self.truth.current.clone() else { return };
        for launch in record.ops.iter().filter_map(|op| op.launch()) {
            let LaunchState::Aside { instance, .. } = &launch.state else { continue };
            let index = self.world.cloud.index_of(instance);
            let node = index.and_then(|index| self.world.cluster.nodes.get(&index));
            if node.is_none_or(|node| !node.ready) {
                self.world.kill(instance);
                self.chaos.count("operator-ends-aside");
            }
        }
    }

    fn write_by_hand(&mut self, change: impl FnOnce(&mut Record) -> bool) -> bool {
        let Some(loaded) = self.world.load() else { return false };
        let Ok(mut record) = open(&loaded.bytes) else { return false };
        if !change(&mut record) {
            return false;
        }
        record.ver = record.ver.next();
        self.hand_written += 1;
        let Ok(write_id) = WriteId::new(format!("operator-{}", self.hand_written)) else { return false };
        record.write_id = write_id;
        let Ok(sealed) = seal(&record) else { return false };
        let applied = matches!(self.world.swap(&Expected::At(loaded.version), &sealed), Swapped::Applied(_));
        if applied {
            self.truth.on_applied(&self.world, &sealed);
        }
        applied
    }
}
