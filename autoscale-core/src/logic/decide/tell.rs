//! Where each open operation stands and what it waits for, in words.

use super::work::Work;
use crate::data::explain::OpReport;
use crate::logic::operate::next_step;

pub(crate) fn operations(work: &Work<'_>) -> Vec<OpReport> {
    let ops = work.next.ops.iter();
    ops.map(|op| OpReport { op: op.id(), pool: op.pool.clone(), text: next_step(op, work.now) }).collect()
}
