//! Deliberate changes of the shipping functions. Each breaks an invariant, and a test sees to it that it is caught.
//!
//! Compiled into the unit tests alone: in every other build [`on`] is `false` and nothing of this is left.

/// One deliberate change. Those of the driver have no place in a build without it.
#[cfg_attr(not(feature = "driver"), allow(dead_code))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Mutant {
    /// Effects are sent before the intent is stored.
    ActBeforeStoring,
    /// Every send of a launch gets a token of its own.
    FreshTokenPerCall,
    /// An unclear answer counts as a refusal: the next attempt goes out at once.
    NextAttemptAtOnce,
    /// A refusal counts as certain although another copy may be under way.
    RefusalAlwaysCertain,
    /// A swap whose answer got lost counts as applied.
    TimedOutSwapApplied,
    /// A record that was only read authorises effects.
    ReadIsAuthority,
    /// A node is terminated before it is empty.
    TerminateBeforeEmpty,
    /// A terminate is sent again without another look at the node.
    ResendBlindly,
    /// A removal is rolled back although it is irrevocable.
    RollBackAfterTerminating,
    /// Cordons carry no stamp of the version that authorises them.
    NoStamps,
    /// A swap that lost is written again over whatever is there.
    OverwriteOnLost,
    /// A missing signal counts as zero.
    MissingIsZero,
    /// A stale signal counts as fresh.
    StaleIsFresh,
    /// A list that failed counts as empty.
    FailedListIsEmpty,
    /// What is launched and not listed yet is not counted.
    LaunchedNotCounted,
    /// What may have been bought is not counted.
    UncertainNotCounted,
    /// A scaling action is begun although another is open.
    IgnoreOpenAction,
    /// Serving nodes are not counted before a removal.
    IgnoreMin,
    /// A pause is not looked at.
    IgnorePause,
    /// Ownership and control plane are not looked at.
    IgnoreOwnership,
    /// Every copy of a notice is a new one.
    NoticesNotRemembered,
    /// The number of an action is used again.
    ReuseSeq,
    /// Candidates are taken in the order of the list.
    ListOrder,
    /// A drain never times out.
    DrainForever,
    /// Cordons without an operation stay.
    LeaveOrphans,
    /// An operation is dropped when its instance is not listed.
    AbsentIsGone,
    /// An instance that does not join is waited for without end.
    WaitForJoinForever,
    /// An order is sent although its time is over.
    IgnoreNotAfter,
}

#[cfg(test)]
thread_local! {
    static ACTIVE: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Whether the shipping code is changed like this, in this thread.
#[cfg(test)]
pub(crate) fn on(mutant: Mutant) -> bool {
    ACTIVE.get() == Some(mutant)
}

/// Never, outside the unit tests.
#[cfg(not(test))]
pub(crate) const fn on(_: Mutant) -> bool {
    false
}

/// Runs something with the shipping code changed.
#[cfg(all(test, feature = "sim"))]
pub(crate) fn with<T>(mutant: Option<Mutant>, run: impl FnOnce() -> T) -> T {
    ACTIVE.set(mutant);
    let result = run();
    ACTIVE.set(None);
    result
}
