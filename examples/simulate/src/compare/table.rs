//! A comparison for people: one table, a policy in each column.

use autoscale_core::words::Span;

use super::found::{Compared, Found};
use super::spread::{Paired, Spread};
use crate::text::{grouped, hung};

/// Columns of the names of the lines.
const NAMES: usize = 22;

/// How a number is written.
type Show = fn(f64) -> String;

/// The whole page, at most so wide where words allow it.
pub(crate) fn render(found: &Found, width: usize) -> String {
    let Found { load, seeds, policies, repeat } = found;
    let many = seeds.len() > 1;
    let mut page = hung("", &format!("{load}, {}", seeds_of(seeds)), width);
    page.push('\n');
    let columns: Vec<Vec<String>> = policies.iter().map(|policy| column(policy, many)).collect();
    page += &in_blocks(&names(many), &columns, width);
    page.push('\n');
    for text in notes(seeds.len()) {
        page += &hung("", &text, width);
    }
    page += &verdicts(found, width);
    for policy in policies {
        for text in &policy.not_simulated {
            page += &hung("not simulated  ", &format!("{}: {text}", policy.name), width);
        }
        for run in &policy.runs {
            for broken in &run.violations {
                let text = format!(
                    "{} seed {}: {} at {}: {}",
                    policy.name, run.seed, broken.invariant, broken.at, broken.text
                );
                page += &hung("broken       ", &text, width);
            }
            if !run.violations.is_empty() {
                page += &format!("repeat with  {}\n", run.repeat);
            }
        }
    }
    page + "\n" + &format!("repeat with  {repeat}\n")
}

fn seeds_of(seeds: &[u64]) -> String {
    match seeds {
        [first, .., last] => format!("seeds {first} to {last}"),
        [one] => format!("seed {one}"),
        [] => String::new(),
    }
}

/// The names of the lines, in the order of [`column()`].
fn names(many: bool) -> Vec<&'static str> {
    let pending: &[&str] = match many {
        true => &["pending pod-minutes", "  p50 over seeds", "  p95 over seeds", "  max over seeds"],
        false => &["pending pod-minutes"],
    };
    let before = ["", "policy", "cost", "node-hours"];
    let after = [
        "pod wait p95",
        "  of those that waited",
        "evictions",
        "churn",
        "  launches",
        "  removals",
        "invariants",
    ];
    before.iter().chain(pending).chain(&after).copied().collect()
}

fn column(policy: &Compared, many: bool) -> Vec<String> {
    let whole: Show = |number| grouped(number as u64);
    let time: Show = |secs| Span::from_secs(secs.round() as u64).to_string();
    let spread = |spread: Spread, show: Show| match many {
        true => format!("{}–{}–{}", show(spread.min), show(spread.median), show(spread.max)),
        false => show(spread.median),
    };
    let pending = policy.pending_pod_minutes;
    let mut lines = vec![
        policy.name.clone(),
        policy.hash.clone(),
        spread(policy.cost, |cost| format!("{cost:.2}")),
        spread(policy.node_hours, |hours| format!("{hours:.1}")),
        spread(pending, whole),
    ];
    if many {
        lines.extend([pending.median, pending.p95, pending.max].map(whole));
    }
    let broken = match policy.invariants_broken {
        0 => "none broken".to_owned(),
        broken => format!("{} BROKEN", grouped(broken)),
    };
    lines.extend([
        spread(policy.wait_p95_s, time),
        spread(policy.wait_p95_of_waiting_s, time),
        spread(policy.evictions, whole),
        spread(policy.churn, whole),
        spread(policy.launches, whole),
        spread(policy.removals, whole),
        format!("{broken} of {}", grouped(policy.invariants_checked)),
    ]);
    lines
}

/// As many policies beside each other as fit, the others beneath.
fn in_blocks(names: &[&str], columns: &[Vec<String>], width: usize) -> String {
    let widths = |columns: &[Vec<String>]| -> Vec<usize> {
        let widest = |column: &Vec<String>| column.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
        columns.iter().map(widest).collect()
    };
    let (mut page, mut rest) = (String::new(), columns);
    while !rest.is_empty() {
        let mut used = NAMES;
        let fit = widths(rest).into_iter().take_while(|cells| {
            used += 3 + cells;
            used <= width
        });
        let (block, more) = rest.split_at(fit.count().clamp(1, rest.len()));
        for (line, name) in names.iter().enumerate() {
            let mut text = format!("{name:<NAMES$}");
            for (column, width) in block.iter().zip(widths(block)) {
                let cell = column.get(line).map(String::as_str).unwrap_or_default();
                text += &format!("   {cell:>width$}");
            }
            page += text.trim_end();
            page.push('\n');
        }
        if !more.is_empty() {
            page.push('\n');
        }
        rest = more;
    }
    page
}

/// What the numbers are over.
fn notes(seeds: usize) -> Vec<String> {
    let wait = "Pod wait is from made to running, its percentiles are over those pods of a run that came to run: of pods that never do only pending pod-minutes tell.";
    let churn = "Churn is launches and removals; nodes that the cloud takes are not in it.";
    let over = match seeds {
        1 => "One seed says nothing about how far chance alone goes: add --seeds 5.".to_owned(),
        seeds => {
            let few = if seeds < 20 { "; with fewer than 20 the p95 is the greatest" } else { "" };
            format!(
                "min–median–max over {seeds} seeds; p50, p95 and max of pending pod-minutes are over the seeds too{few}."
            )
        }
    };
    vec![over, format!("{wait} {churn}")]
}

/// Which is cheaper and which waits less, from the differences under the same seed alone.
fn verdicts(found: &Found, width: usize) -> String {
    let Some(first) = found.policies.first() else { return String::new() };
    let mut page = String::new();
    for policy in &found.policies {
        let Some(against) = policy.against_first else { continue };
        let cost: Show = |cost| format!("{cost:+.2}");
        let whole: Show = |number| format!("{number:+.0}");
        let sentences = [
            verdict(
                against.cost,
                ["is cheaper than", "costs more than", "costs the same as"],
                &first.name,
                cost,
                "",
            ),
            verdict(
                against.pending_pod_minutes,
                ["waits less than", "waits more than", "waits as long as"],
                &first.name,
                whole,
                " pending pod-minutes",
            ),
        ];
        page += "\n";
        for sentence in sentences {
            page += &hung(&format!("{} ", policy.name), &sentence, width);
        }
    }
    page
}

fn verdict(paired: Paired, [less, more, same]: [&str; 3], first: &str, show: Show, what: &str) -> String {
    let Paired { min, median, max, less: fewer, more: greater, same: equal } = paired;
    let seeds = fewer + greater + equal;
    let under = match seeds {
        1 => "under this seed".to_owned(),
        seeds => format!("under each of {seeds} seeds"),
    };
    let range = match seeds {
        1 => format!("{}{what}", show(median)),
        _ => format!("paired difference {} ({} to {}){what}", show(median), show(min), show(max)),
    };
    match (fewer, greater) {
        (0, 0) => format!("{same} {first} {under}"),
        (_, 0) if equal == 0 => format!("{less} {first} {under}: {range}"),
        (0, _) if equal == 0 => format!("{more} {first} {under}: {range}"),
        _ => {
            let apart =
                format!("less under {fewer}, more under {greater}, the same under {equal} of {seeds} seeds");
            format!("cannot be told apart from {first} for sure: {apart}: {range}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_seed_says_is_a_verdict() {
        let words = ["is cheaper than", "costs more than", "costs the same as"];
        let of = |ours: &[f64], theirs: &[f64]| {
            verdict(Paired::of(ours, theirs), words, "a", |cost| format!("{cost:+.2}"), "")
        };
        for (ours, theirs, said) in [
            (
                &[3.0, 5.0][..],
                &[2.0, 3.0][..],
                "is cheaper than a under each of 2 seeds: paired difference -2.00 (-2.00 to -1.00)",
            ),
            (&[3.0], &[4.5], "costs more than a under this seed: +1.50"),
            (&[3.0, 4.0], &[3.0, 4.0], "costs the same as a under each of 2 seeds"),
            (
                &[3.0, 4.0, 5.0],
                &[2.0, 5.0, 5.0],
                "cannot be told apart from a for sure: less under 1, more under 1, the same under 1 of 3 seeds: paired \
                 difference +0.00 (-1.00 to +1.00)",
            ),
            // Less or the same is not less.
            (
                &[3.0, 4.0],
                &[2.0, 4.0],
                "cannot be told apart from a for sure: less under 1, more under 0, the same under 1 of 2 seeds: paired \
                 difference -1.00 (-1.00 to +0.00)",
            ),
        ] {
            assert_eq!(of(ours, theirs), said);
        }
    }

    #[test]
    fn policies_that_do_not_fit_stand_beneath() {
        let column = |name: &str| vec![name.to_owned(), "1".to_owned()];
        let page = in_blocks(&["", "cost"], &[column("first"), column("second"), column("third")], 42);
        let blank = " ".repeat(NAMES);
        let cost = format!("{:<NAMES$}", "cost");
        assert_eq!(
            page,
            format!("{blank}   first   second\n{cost}       1        1\n\n{blank}   third\n{cost}       1\n")
        );
    }
}
