//! Deliberate changes of the shipping functions, each caught by name under the seeds that the shipping code passes.

use std::collections::BTreeMap;

use super::{Config, Faults, Scenario, run};
use crate::mutant::{Mutant, with};
use crate::words::Span;

#[test]
#[ignore]
fn explore() {
    use Mutant::*;
    for mutant in [
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
    ] {
        let mut found: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for seed in 0..20 {
            let mut config = Config::new(
                [Scenario::SpotStorm, Scenario::Shop, Scenario::ZoneOutage, Scenario::FlashSale]
                    [(seed % 4) as usize],
            );
            config.seed = seed;
            config.faults = Faults::Mild;
            config.until = Span::from_mins(12 * 60);
            let report = with(Some(mutant), || run(&config, &mut |_| {}));
            for (name, checked) in report.invariants {
                if checked.broken > 0 {
                    let sum = found.entry(name).or_insert((0, seed));
                    sum.0 += checked.broken;
                }
            }
        }
        println!("{mutant:?}: {found:?}");
    }
}
