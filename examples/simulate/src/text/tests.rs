use super::*;
use crate::outcome::{Broken, Count};
use std::collections::BTreeMap;

const PLAIN: Look = Look { width: 100, colour: false };

/// The page without its chart.
fn words(outcome: &Outcome) -> String {
    render(&Outcome { series: Vec::new(), ..outcome.clone() }, PLAIN)
}

#[test]
fn says_what_people_can_use() {
    let page = words(&Outcome::sample());
    let numbers: Vec<_> = page.lines().skip_while(|line| !line.starts_with("ticks")).collect();
    assert_eq!(
        numbers,
        [
            "ticks         2,880",
            "scale-ups     12 nodes",
            "scale-downs   11 nodes",
            "replacements  1 node",
            "evictions     30 pods",
            "pending       1,234 pod-minutes (static fleet of 11: 1,000)",
            "to running    p50 1s, p95 1m35s (of those that had to wait for a node: p95 3m10s500ms)",
            "node-hours    156.0, 100.0 of them spot (static fleet of 11: 264.0, 41 % less)",
            "cost          61.20 (static fleet of 11: 112.90, 46 % less)",
            "faults        5 injected: boot-hang 3, crash 2",
            "invariants    1,234,567 checks of 2, none broken",
            "",
            "last decisions",
            "",
            "  hold: nothing to do",
        ]
    );
}

#[test]
fn the_first_line_says_what_ran() {
    let shop = Outcome::sample();
    assert_eq!(words(&shop).lines().next(), Some("shop for 1d, seed 1, faults mild"));
    let trace = Outcome { trace: Some("a.csv".to_owned()), peak_nodes: Some(7), ..shop };
    assert_eq!(
        words(&trace).lines().next(),
        Some("a.csv, at most 7 nodes of load for 1d, seed 1, faults mild")
    );
}

#[test]
fn what_broke_is_listed_with_the_command_that_repeats_it() {
    let page = words(&Outcome::broken_sample());
    assert!(page.contains(
        "invariants    1,234,567 checks of 2, BROKEN: I2 2 times
              I2 at 1970-01-01T00:01:00Z: 2 nodes, min 3
repeat with   cargo run --release -p simulate -- --scenario shop --seed 1 --faults mild --until 1d
"
    ));
}

#[test]
fn many_violations_are_counted() {
    let mut outcome = Outcome::broken_sample();
    outcome.violations = vec![outcome.violations.first().cloned().unwrap(); 25];
    let page = words(&outcome);
    assert_eq!(page.matches("min 3").count(), 20);
    assert!(page.contains("              and 5 more\n"));
    assert!(outcome.violations.iter().all(|Broken { invariant, .. }| *invariant == "I2"));
}

#[test]
fn an_invariant_that_was_never_looked_at_is_named() {
    let by_name = BTreeMap::from([("I1", Count { checked: 5, broken: 0 }), ("L3", Count::default())]);
    let found = Invariants { checked: 5, broken: 0, by_name };
    assert_eq!(invariants(&found), "5 checks of 2, none broken; never checked: L3");
}

#[test]
fn nothing_is_divided_by_zero() {
    for (ours, theirs, shown) in [
        (61.2, 112.9, ", 46 % less"),
        (3.0, 2.0, ", 50 % more"),
        (2.0, 2.0, ", the same"),
        (0.0, 2.0, ", 100 % less"),
        (1.0, 0.0, ""),
        (0.0, 0.0, ""),
        (f64::NAN, 1.0, ""),
        (1.0, f64::NAN, ""),
        (f64::INFINITY, 1.0, ""),
    ] {
        assert_eq!(against(ours, theirs), shown, "{ours} against {theirs}");
    }
    assert!(words(&Outcome::default()).contains("none injected"));
}

#[test]
fn numbers_are_grouped() {
    for (number, shown) in
        [(0, "0"), (999, "999"), (1_000, "1,000"), (u64::MAX, "18,446,744,073,709,551,615")]
    {
        assert_eq!(grouped(number), shown);
    }
}

#[test]
fn long_texts_hang_beneath_their_beginning() {
    assert_eq!(hung("ab  ", "one two three\nfour", 11), "ab  one two\n    three\n    four\n");
    assert_eq!(hung("ab  ", "", 11), "");
    assert_eq!(hung("ab  ", "incomprehensibilities", 11), "ab  incomprehensibilities\n");
}

#[test]
fn no_line_is_wider_than_asked_for() {
    for width in [60, 100, 250] {
        let page = render(&Outcome::sample(), Look { width, colour: false });
        let widest = page.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(width), "{width}: {widest:?}\n{page}");
    }
}
