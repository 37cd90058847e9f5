//! What stands in for `tell` without the feature `tracing`: nothing.

use std::future::Future;

use super::codes::Call;
use super::{OperatorError, Report, Trigger};
use crate::data::explain::Explanation;
use crate::data::order::{Effect, Outcome};
use crate::data::record::Record;
use crate::data::view::View;
use crate::logic::{Operation, Status};
use crate::words::{ClusterId, ContentHash, HolderId, Ver};

pub(super) fn in_tick<F: Future<Output = Report>>(
    _: (ClusterId, ContentHash, HolderId),
    _: &Trigger,
    tick: F,
) -> F {
    tick
}

pub(super) fn in_round<F: Future>(_: usize, _: Ver, round: F) -> F {
    round
}

pub(super) fn in_call<F: Future>(_: Call, call: F, _: fn(&F::Output) -> &'static str) -> F {
    call
}

pub(super) const fn decided(_: &View, _: &Explanation) {}

pub(super) const fn stored(_: &Record, _: &Explanation) {}

pub(super) const fn sending(_: &Effect) {}

pub(super) const fn performed(_: &Outcome) {}

pub(super) const fn operated(_: &ClusterId, _: &Operation, _: &Result<Status, OperatorError>) {}
