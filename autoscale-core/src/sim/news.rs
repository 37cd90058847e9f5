//! What happens in a run besides ticks: faults and notices, to be told when they happen.

use crate::words::InstanceId;

use super::net::Net;

/// A fault or a notice that really happened.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub struct Happening {
    /// What, by the name it is counted under in [`Report::faults`](super::Report::faults).
    pub kind: &'static str,
    /// To whom, where it is a notice of the cloud.
    pub instance: Option<InstanceId>,
}

/// How many of what only the world counts have been told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    hangs: u64,
    refused: u64,
}

impl Net {
    /// What has happened since this was last asked for.
    pub(super) fn news(&mut self, known: &mut Known) -> Vec<Happening> {
        let mut news = std::mem::take(&mut self.chaos.news);
        let Known { hangs, refused } = known;
        for (kind, told, now) in [
            ("boot-hang", hangs, self.world.hangs),
            ("no-capacity", refused, self.world.cloud.refused_for_capacity),
        ] {
            while *told < now {
                *told += 1;
                news.push(Happening { kind, instance: None });
            }
        }
        news
    }
}
