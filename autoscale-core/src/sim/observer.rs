//! Who listens while a run goes on.

use std::collections::BTreeMap;
use std::fmt;

use crate::data::policy::Purchase;
use crate::driver::Report;
use crate::words::{Span, Zone};

use super::news::Happening;
use super::report::Point;

/// The fleet at one point in time, in more detail than a report keeps.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Fleet<'a> {
    /// What the report keeps.
    pub point: Point,
    /// Instances that are alive, by zone and how they were bought; no entry is none.
    pub alive: BTreeMap<(&'a Zone, Purchase), u32>,
    /// What all instances have cost since the start of the run.
    pub cost: f64,
}

/// Hears of a run while it goes on. It cannot change it.
pub trait Observer: fmt::Debug {
    /// So much virtual time has passed; told now and then, and before each tick.
    fn reached(&mut self, passed: Span);

    /// A tick has ended and gave this report. Of ticks that were killed nothing is told. The report's own times are those
    /// of the driver's clock, which faults may bend; when it really was is what [`reached`](Observer::reached) said last.
    fn ticked(&mut self, report: &Report);

    /// A fault struck or a notice was sent, so long after the start of the run.
    fn happened(&mut self, _at: Span, _what: &Happening) {}

    /// The fleet is written down, as for [`Report::series`](super::Report::series).
    fn counted(&mut self, _fleet: &Fleet<'_>) {}
}

/// Does not listen.
impl Observer for () {
    fn reached(&mut self, _passed: Span) {}

    fn ticked(&mut self, _report: &Report) {}
}
