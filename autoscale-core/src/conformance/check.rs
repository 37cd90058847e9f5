//! How a test is written, and how a list of them is run.

use futures_util::future::BoxFuture;

use super::verdict::{Finding, Verdict, Verdicts};
use crate::ports::Error;
use crate::words::Deadline;

/// A time that an order is never late for.
pub(super) const LATER: Deadline = Deadline::from_millis(u64::MAX);
/// A time that has passed on every boot clock.
pub(super) const PAST: Deadline = Deadline::from_millis(0);

/// Why a test ended early.
#[derive(Debug)]
pub(super) enum Stop {
    Failed(String),
    NotApplicable(&'static str),
}

/// How a test ends.
pub(super) type Ended = Result<(), Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(format!("an error where an answer was due: {}", error.chain()))
    }
}

/// Ends the test as failed unless something holds.
macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err($crate::conformance::check::Stop::Failed(format!($($why)+)));
        }
    };
}
pub(super) use ensure;

/// Ends the test as not applicable where the stage cannot do something.
pub(super) const fn able(can: bool, why: &'static str) -> Ended {
    if can { Ok(()) } else { Err(Stop::NotApplicable(why)) }
}

/// One test over a stage.
pub(super) struct Test<S: ?Sized + 'static> {
    pub(super) name: &'static str,
    pub(super) contract: &'static str,
    pub(super) run: for<'a> fn(&'a S) -> BoxFuture<'a, Ended>,
}

/// A list of tests: each an async function over the stage, and the sentence it is about.
macro_rules! tests {
    ($stage:ty: $($group:ident::$name:ident = $contract:literal;)+) => {
        pub(super) const TESTS: &[$crate::conformance::check::Test<$stage>] = &[
            $($crate::conformance::check::Test {
                name: stringify!($name),
                contract: $contract,
                run: |stage| Box::pin($group::$name(stage)),
            },)+
        ];
    };
}
pub(super) use tests;

impl<S: ?Sized> Test<S> {
    /// Runs it on a stage of its own.
    pub(super) async fn verdict(&self, stage: &S) -> Verdict {
        let finding = match (self.run)(stage).await {
            Ok(()) => Finding::Passed,
            Err(Stop::Failed(why)) => Finding::Failed { why },
            Err(Stop::NotApplicable(why)) => Finding::NotApplicable { why: why.to_owned() },
        };
        Verdict { test: self.name, contract: self.contract, finding }
    }
}

/// Collects what a suite found.
pub(super) const fn verdicts(port: &'static str, verdicts: Vec<Verdict>) -> Verdicts {
    Verdicts { port, verdicts }
}
