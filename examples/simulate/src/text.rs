//! The outcome for people.

use std::env;
use std::io::{self, IsTerminal};

use crate::chart;
use crate::outcome::{Invariants, Outcome};

/// Columns, unless the environment says otherwise.
const WIDTH: usize = 100;

/// Violations that are shown; the rest are counted.
const SHOWN: usize = 20;

/// Columns of the names of the lines.
const NAMES: usize = 14;

/// How wide the page is, and whether it has colours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) width: usize,
    pub(crate) colour: bool,
}

impl Look {
    /// What suits the standard output.
    pub(crate) fn of_stdout() -> Self {
        let width = env::var("COLUMNS").ok().and_then(|columns| columns.trim().parse().ok());
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { width: width.unwrap_or(WIDTH).clamp(40, 300), colour: !plain && io::stdout().is_terminal() }
    }
}

/// The whole page.
pub(crate) fn render(outcome: &Outcome, look: Look) -> String {
    let mut page = title(outcome) + "\n\n";
    page += &chart::render(&outcome.series, outcome.until, look.width, look.colour);
    page.push('\n');
    for (name, text) in lines(outcome) {
        page += &entry(name, &text, look.width);
    }
    for violation in outcome.violations.iter().take(SHOWN) {
        let text = format!("{} at {}: {}", violation.invariant, violation.at, violation.text);
        page += &entry("", &text, look.width);
    }
    match outcome.violations.len().saturating_sub(SHOWN) {
        0 => {}
        more => page += &entry("", &format!("and {more} more"), look.width),
    }
    if outcome.is_broken() {
        page += &entry("repeat with", &outcome.repeat, usize::MAX);
    }
    if !outcome.told.is_empty() {
        page += "\nlast decisions\n";
    }
    let from = outcome.told.len().saturating_sub(TOLD);
    for text in outcome.told.iter().skip(from) {
        page += "\n";
        for line in text.lines() {
            let indent = line.len() - line.trim_start().len();
            page += &hung(&" ".repeat(indent + 2), line.trim_start(), look.width);
        }
    }
    page
}

/// How many decisions are printed; the last one is the last in which nothing was done.
const TOLD: usize = 5;

pub(crate) fn title(outcome: &Outcome) -> String {
    let load = match (&outcome.trace, outcome.peak_nodes) {
        (Some(file), Some(nodes)) => format!("{file}, at most {nodes} nodes of load"),
        _ => outcome.pods.as_ref().unwrap_or(&outcome.scenario).clone(),
    };
    format!("{load} for {}, seed {}, faults {}", outcome.until, outcome.seed, outcome.fault_level)
}

fn lines(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let Outcome { cost, node_hours_by_purchase: hours, .. } = outcome;
    let beside = |text: Option<String>| match (outcome.static_nodes, text) {
        (Some(nodes), Some(text)) => format!(" (static fleet of {nodes}: {text})"),
        _ => String::new(),
    };
    let mut lines = vec![
        ("ticks", grouped(outcome.ticks)),
        ("scale-ups", counted(outcome.scale_ups, "node")),
        ("scale-downs", counted(outcome.scale_downs, "node")),
        ("replacements", counted(outcome.replacements, "node")),
        ("evictions", counted(outcome.evictions, "pod")),
        (
            "pending",
            format!(
                "{} pod-minutes{}",
                grouped(outcome.pending_pod_minutes),
                beside(outcome.static_pending_pod_minutes.map(grouped))
            ),
        ),
        (
            "to running",
            format!(
                "p50 {}, p95 {} (of those that had to wait for a node: p95 {})",
                outcome.wait_p50, outcome.wait_p95, outcome.wait_p95_of_waiting
            ),
        ),
        (
            "node-hours",
            format!(
                "{:.1}, {:.1} of them spot{}",
                outcome.node_hours,
                hours.spot,
                beside(
                    outcome
                        .static_node_hours
                        .map(|fixed| format!("{fixed:.1}{}", against(outcome.node_hours, fixed)))
                )
            ),
        ),
        (
            "cost",
            format!(
                "{:.2}{}",
                cost.autoscaled,
                beside(cost.fixed.map(|fixed| format!("{fixed:.2}{}", against(cost.autoscaled, fixed))))
            ),
        ),
        ("faults", faults(outcome)),
        ("invariants", invariants(&outcome.invariants)),
    ];
    if let Some(file) = &outcome.policy {
        lines.push(("policy", format!("{file}, {}", outcome.policy_hash)));
    }
    lines.extend(outcome.not_simulated.iter().map(|text| ("not simulated", text.clone())));
    lines.extend(pods(outcome).map(|text| ("pods", text)));
    lines
}

/// What became of the list of pods.
fn pods(outcome: &Outcome) -> Option<String> {
    let (listed, made, ran) = (outcome.pods_listed?, outcome.pods_made?, outcome.pods_ran?);
    let unseatable = match outcome.unseatable.unwrap_or(0) {
        0 => String::new(),
        count => {
            let more = if count as usize > outcome.unseatable_names.len() { ", …" } else { "" };
            format!("; {} fit on no machine: {}{more}", grouped(count), outcome.unseatable_names.join(", "))
        }
    };
    Some(format!("{} listed, {} made, {} ran{unseatable}", grouped(listed), grouped(made), grouped(ran)))
}

fn faults(outcome: &Outcome) -> String {
    let (happened, never): (Vec<_>, Vec<_>) = outcome.faults.iter().partition(|(_, times)| **times > 0);
    let kinds: Vec<_> =
        happened.into_iter().map(|(kind, times)| format!("{kind} {}", grouped(*times))).collect();
    let never: Vec<_> = never.into_iter().map(|(kind, _)| *kind).collect();
    match (outcome.faults.values().sum(), never.is_empty()) {
        (0, _) => "none injected".to_owned(),
        (total, true) => format!("{} injected: {}", grouped(total), kinds.join(", ")),
        (total, false) => {
            format!("{} injected: {}; never happened: {}", grouped(total), kinds.join(", "), never.join(", "))
        }
    }
}

fn invariants(found: &Invariants) -> String {
    let all = format!("{} checks of {}", grouped(found.checked), found.by_name.len());
    let names = |wanted: fn(u64, u64) -> Option<String>| -> Vec<String> {
        let name = |(name, count): (&&str, &crate::outcome::Count)| {
            wanted(count.checked, count.broken).map(|note| format!("{name}{note}"))
        };
        found.by_name.iter().filter_map(name).collect()
    };
    let broken = names(|_, broken| (broken > 0).then(|| format!(" {} times", grouped(broken))));
    let idle = names(|checked, _| (checked == 0).then(String::new));
    let broken =
        if broken.is_empty() { "none broken".to_owned() } else { format!("BROKEN: {}", broken.join(", ")) };
    let idle = if idle.is_empty() { String::new() } else { format!("; never checked: {}", idle.join(", ")) };
    format!("{all}, {broken}{idle}")
}

/// `, 46 % less`; nothing where there is nothing to compare with.
fn against(ours: f64, theirs: f64) -> String {
    let percent = ((ours / theirs - 1.0) * 100.0).round();
    if theirs <= 0.0 || !percent.is_finite() {
        return String::new();
    }
    match percent {
        less if less < 0.0 => format!(", {:.0} % less", -less),
        more if more > 0.0 => format!(", {more:.0} % more"),
        _ => ", the same".to_owned(),
    }
}

fn counted(count: u64, thing: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{} {thing}{end}", grouped(count))
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn entry(name: &str, text: &str, width: usize) -> String {
    hung(&format!("{name:<NAMES$}"), text, width)
}

/// `text` after `head`, broken between words, its further lines beneath its first.
pub(crate) fn hung(head: &str, text: &str, width: usize) -> String {
    let indent = head.chars().count();
    let (mut page, mut line) = (String::new(), head.to_owned());
    for paragraph in text.lines() {
        for word in paragraph.split_whitespace() {
            let used = line.chars().count();
            if used > indent && used + 1 + word.chars().count() > width {
                page += &(line + "\n");
                line = " ".repeat(indent);
            }
            if line.chars().count() > indent {
                line.push(' ');
            }
            line += word;
        }
        page += &(line + "\n");
        line = " ".repeat(indent);
    }
    page
}

#[cfg(test)]
mod tests;
