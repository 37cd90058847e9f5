//! Who listens while a run goes on.

use std::fmt;

use crate::driver::Report;
use crate::words::Span;

/// Hears of a run while it goes on. It cannot change it.
pub trait Observer: fmt::Debug {
    /// So much virtual time has passed; told now and then.
    fn reached(&mut self, passed: Span);

    /// A tick has ended and gave this report. Of ticks that were killed nothing is told.
    fn ticked(&mut self, report: &Report);
}

/// Does not listen.
impl Observer for () {
    fn reached(&mut self, _passed: Span) {}

    fn ticked(&mut self, _report: &Report) {}
}
