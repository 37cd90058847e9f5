//! Deliberate changes of the shipping functions, each caught by name under cases that the shipping code passes.

use crate::mutant::Mutant::{self, *};

/// Every mutant.
pub(super) const EVERY: [Mutant; 28] = [
    ActBeforeStoring,
    FreshTokenPerCall,
    NextAttemptAtOnce,
    RefusalAlwaysCertain,
    TimedOutSwapApplied,
    ReadIsAuthority,
    TerminateBeforeEmpty,
    ResendBlindly,
    RollBackAfterTerminating,
    NoStamps,
    OverwriteOnLost,
    MissingIsZero,
    StaleIsFresh,
    FailedListIsEmpty,
    LaunchedNotCounted,
    UncertainNotCounted,
    IgnoreOpenAction,
    IgnoreMin,
    IgnorePause,
    IgnoreOwnership,
    NoticesNotRemembered,
    ReuseSeq,
    ListOrder,
    DrainForever,
    LeaveOrphans,
    AbsentIsGone,
    WaitForJoinForever,
    IgnoreNotAfter,
];
