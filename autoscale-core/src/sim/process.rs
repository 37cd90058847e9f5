//! One process: one run of one tick.

use super::clocks::ProcessClock;

/// What is known of one process: one run of one tick.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) frozen: bool,
    pub(super) crashed: bool,
    pub(super) clock: ProcessClock,
    /// Of another cluster.
    pub(super) foreign: bool,
    /// In which request it is to die, and at which of its four points.
    pub(super) dying: Option<(u64, usize)>,
}

impl Process {
    pub(super) fn new(clock: ProcessClock, foreign: bool) -> Self {
        Self { frozen: false, crashed: false, clock, foreign, dying: None }
    }
}
