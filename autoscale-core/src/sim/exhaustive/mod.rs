//! Short histories under every fault at every call: each crash, each pair of crashes, each lost or late request or
//! answer, each older view in place of each view.
//!
//! The calls of a run without faults are numbered. A case names a call and what befalls it; from there on the run goes
//! its own way, until fresh ticks have brought it to its goal. All invariants are checked on the ground truth.

mod history;
mod play;
mod script;

use std::collections::BTreeSet;
use std::time::Instant;

use history::{ALL, History};
use play::play;
use script::{Case, Kind};

use crate::mutant::{Mutant, with};

pub(super) use script::{Fault, Script};

/// So many seconds late: within its tick, after others, after the launch delay is nearly over.
const LATE: [u64; 3] = [20, 100, 290];

/// Everything that can befall a call of a kind, apart from crashes and older views.
fn answers(kind: Kind) -> Vec<Fault> {
    let mut faults =
        vec![Fault::LostRequest, Fault::LateAnswer(4), Fault::LateAnswer(7), Fault::Failed, Fault::Frozen];
    match kind {
        Kind::Load => {}
        Kind::List | Kind::Survey => faults.push(Fault::Partial),
        Kind::Sample => faults.extend([Fault::Partial, Fault::Stale]),
        Kind::Swap => faults.extend([Fault::LostAnswer, Fault::Resent]),
        Kind::Launch | Kind::Effect => faults.push(Fault::LostAnswer),
    }
    if !kind.reads() {
        faults.extend(LATE.map(Fault::Late));
    }
    faults
}

/// Crashes that differ at a call of a kind. A read changes nothing, so that it does not matter whether it landed.
fn crashes(kind: Kind) -> Vec<Fault> {
    let points: &[usize] = if kind.reads() { &[0, 3] } else { &[0, 1, 2, 3] };
    points.iter().map(|point| Fault::Crash(*point)).collect()
}

/// Every case of a history with one fault.
fn singles(history: &History) -> Vec<Case> {
    let plain = play(history, &history.policy(), &Case::default(), true);
    let mut cases = Vec::new();
    for (number, kind) in (1..).zip(plain.calls) {
        let faults = crashes(kind).into_iter().chain(answers(kind));
        cases.extend(faults.map(|fault| Case::of([(number, fault)])));
    }
    cases.extend(plain.older.into_iter().map(|(call, older)| Case::of([(call, Fault::Older(older))])));
    cases
}

/// Plays cases, tells every violation, and counts: those played, and those of which every fault happened.
fn all(history: &History, cases: &[Case]) -> (usize, Vec<String>) {
    let policy = history.policy();
    let mut broken = Vec::new();
    let mut played = 0;
    for case in cases {
        let run = play(history, &policy, case, false);
        played += usize::from(run.all_met);
        broken.extend(run.violations.into_iter().map(|one| format!("{} {}", one.invariant, one.text)));
    }
    (played, broken)
}

/// Every pair of crashes at swaps and effects, the second counted in the run that follows the first.
fn pairs(history: &History) -> Vec<Case> {
    let policy = history.policy();
    let plain = play(history, &policy, &Case::default(), false);
    let mut cases = Vec::new();
    let points = |kind: Kind| if kind.reads() { &[] } else { PAIRED };
    for (first, kind) in (1..).zip(plain.calls) {
        for one in points(kind) {
            let after = play(history, &policy, &Case::of([(first, Fault::Crash(*one))]), false);
            for (second, kind) in (1..).zip(after.calls).filter(|(second, _)| *second > first) {
                let faults = points(kind).iter().map(|other| Fault::Crash(*other));
                cases.extend(faults.map(|other| Case::of([(first, Fault::Crash(*one)), (second, other)])));
            }
        }
    }
    cases
}

/// A request of a dead process lands a moment before or after its death, which nobody can tell apart later.
const PAIRED: &[usize] = &[0, 2, 3];

/// The histories in which every pair is played. The others are there for one kind of fault or mutant each.
const PAIRS: [&str; 7] = ["launch", "no-capacity", "removal", "blocked", "recall", "replacement", "rebuild"];

fn check(name: &str) {
    let history = History::named(name).unwrap();
    let began = Instant::now();
    let plain = play(history, &history.policy(), &Case::default(), false);
    assert!(plain.violations.is_empty(), "{name}: {:#?}", plain.violations);
    assert_eq!(plain.bought, history.bought.0, "{name}");
    let two = if PAIRS.contains(&name) { pairs(history) } else { Vec::new() };
    let one = singles(history);
    let different: BTreeSet<&Case> = one.iter().chain(&two).collect();
    assert_eq!(different.len(), one.len() + two.len(), "a case is there twice");
    let mut told = Vec::new();
    for cases in [&one, &two] {
        let (played, broken) = all(history, cases);
        assert_eq!(played, cases.len(), "{name}: a fault did not happen");
        told.extend(broken);
    }
    println!(
        "{name}: {} calls in {} ticks; {} cases of one fault, {} of two crashes; {:?}",
        plain.calls.len(),
        plain.ticks,
        one.len(),
        two.len(),
        began.elapsed()
    );
    if std::env::var("EXHAUSTIVE_ALL").is_ok() {
        told.iter().for_each(|line| println!("{line}"));
    }
    let few: Vec<&String> = told.iter().take(5).collect();
    assert!(told.is_empty(), "{name}: {} broken, the first: {few:#?}", told.len());
}

#[test]
fn launch() {
    check("launch");
}

#[test]
fn launch_without_capacity() {
    check("no-capacity");
}

#[test]
fn removal() {
    check("removal");
}

#[test]
fn removal_with_a_blocked_pod() {
    check("blocked");
}

#[test]
fn recall() {
    check("recall");
}

#[test]
fn replacement() {
    check("replacement");
}

#[test]
fn rebuild() {
    check("rebuild");
}

#[test]
fn removal_reopened_by_a_person() {
    check("reopened");
}

#[test]
fn removal_beside_a_protected_node() {
    check("protected");
}

#[test]
fn replacement_while_the_list_lags() {
    check("lagging");
}

#[test]
fn rebalance() {
    check("rebalance");
}

#[test]
fn nothing_below_the_minimum() {
    check("floor");
}

#[test]
fn removal_after_a_pause() {
    check("paused");
}

#[test]
fn launch_that_never_joins() {
    check("hang");
}

/// Whether a mutant breaks an invariant in a history: in the run without faults, or in one of those in which this
/// fault befalls one call. Else what was broken.
pub(super) fn catches(
    mutant: Mutant,
    invariant: &str,
    history: &str,
    fault: Option<Fault>,
) -> Result<Case, BTreeSet<&'static str>> {
    let history = History::named(history).unwrap();
    let policy = history.policy();
    let cases = match fault {
        None => vec![Case::default()],
        Some(fault) => singles(history).into_iter().filter(|case| case.befalls(fault)).collect(),
    };
    let mut seen = BTreeSet::new();
    for case in cases {
        let run = with(Some(mutant), || play(history, &policy, &case, false));
        if run.violations.iter().any(|broken| broken.invariant == invariant) {
            return Ok(case);
        }
        seen.extend(run.violations.iter().map(|broken| broken.invariant));
    }
    Err(seen)
}

/// `EXHAUSTIVE_CASE=removal/7:crash-landed` plays one case and writes down what happened.
#[test]
fn one_case() {
    let Ok(text) = std::env::var("EXHAUSTIVE_CASE") else { return };
    let (name, case) = text.split_once('/').unwrap();
    let history = History::named(name).unwrap();
    let run = play(history, &history.policy(), &case.parse().unwrap(), true);
    run.log.iter().for_each(|line| println!("{line}"));
    println!("{} ticks, {} bought, every fault happened: {}", run.ticks, run.bought, run.all_met);
    assert!(run.violations.is_empty(), "{:#?}", run.violations);
}

#[test]
fn every_history_is_played() {
    let names: BTreeSet<&str> = ALL.iter().map(|history| history.name).collect();
    assert_eq!(names.len(), ALL.len());
    let tests = include_str!("mod.rs");
    for name in names {
        assert!(tests.contains(&format!("    check(\"{name}\");")), "no test plays {name}");
    }
}
