//! Deliberate changes of the shipping functions, each caught by name in a history that the shipping code passes: the tests of
//! [`exhaustive`](super::exhaustive) play every case named here without a mutant.

use std::collections::BTreeSet;

use super::exhaustive::{Fault, catches};
use crate::mutant::Mutant::{self, *};

/// A mutant, the invariant it breaks, and where: a history without faults, or with this fault at one of its calls.
type Row = (Mutant, &'static str, &'static str, Option<Fault>);

const TABLE: [Row; 28] = [
    (ActBeforeStoring, "I3", "launch", None),
    // The record does not know the number in the token: it takes itself for an older copy, and halts.
    (FreshTokenPerCall, "L2", "launch", None),
    (NextAttemptAtOnce, "I10", "launch", Some(Fault::LostRequest)),
    (RefusalAlwaysCertain, "I10", "no-capacity", Some(Fault::Late(20))),
    (TimedOutSwapApplied, "I3", "launch", Some(Fault::LostRequest)),
    (ReadIsAuthority, "I3", "blocked", None),
    // That a node is seen to be empty is checked twice: before the decision, and before every send. Both are off here.
    (TerminateBeforeEmpty, "I8", "removal", None),
    (ResendBlindly, "I8", "reopened", Some(Fault::Crash(0))),
    (RollBackAfterTerminating, "I6", "removal", Some(Fault::Late(290))),
    // The world refuses no cordon without a stamp, so that it is the order itself that is wrong.
    (NoStamps, "I3", "removal", None),
    (OverwriteOnLost, "I2", "paused", None),
    (MissingIsZero, "I14", "removal", Some(Fault::Partial)),
    (StaleIsFresh, "I14", "removal", Some(Fault::Stale)),
    // Nodes without an instance are counted as well: most empty lists do no harm.
    (FailedListIsEmpty, "L1", "replacement", Some(Fault::LostRequest)),
    (LaunchedNotCounted, "I5", "lagging", None),
    (UncertainNotCounted, "L1", "replacement", None),
    (IgnoreOpenAction, "I1", "hang", None),
    (IgnoreMin, "I6", "floor", None),
    (IgnorePause, "I15", "paused", None),
    // What belongs to nobody, or to the control plane, is no member in the first place: the protected node is what is left.
    (IgnoreOwnership, "I7", "protected", None),
    // A second copy about an interruption finds the drain of the first: only a rebalance is bought for twice.
    (NoticesNotRemembered, "R12", "rebalance", None),
    (ReuseSeq, "I1", "launch", None),
    (ListOrder, "I12", "removal", None),
    (DrainForever, "L1", "blocked", None),
    (LeaveOrphans, "L1", "rebuild", None),
    (AbsentIsGone, "L1", "lagging", None),
    (WaitForJoinForever, "L1", "hang", None),
    // The driver looks at the time before a batch and before each send, the transport once more: the first two are off.
    (IgnoreNotAfter, "I13", "launch", Some(Fault::Frozen)),
];

#[test]
fn every_mutant_is_caught_by_name() {
    let names: BTreeSet<Mutant> = TABLE.iter().map(|(mutant, ..)| *mutant).collect();
    assert_eq!(names.len(), TABLE.len());
    let mut missed = Vec::new();
    for (mutant, invariant, history, fault) in TABLE {
        match catches(mutant, invariant, history, fault) {
            Ok(case) => println!("{mutant:?} breaks {invariant} in {history}/{case}"),
            Err(seen) => {
                missed.push(format!("{mutant:?} does not break {invariant} in {history}, but {seen:?}"))
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
