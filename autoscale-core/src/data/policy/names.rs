//! The fixed words of a policy, and the nearest known word to a wrong one.

use super::{Awkward, OnRebalance, Purchase, SystemPods};
use crate::data::view::TaintEffect;
use crate::words::Unit;

/// A choice with a name for each of its values.
pub(super) trait Named: Copy + 'static {
    /// All of them, in the order in which an error lists them.
    const ALL: &'static [Self];

    /// The name in a policy.
    fn name(self) -> &'static str;
}

impl Named for Purchase {
    const ALL: &'static [Self] = &[Self::Spot, Self::OnDemand];

    fn name(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::OnDemand => "on_demand",
        }
    }
}

impl Named for OnRebalance {
    const ALL: &'static [Self] = &[Self::Replace, Self::Cordon, Self::Ignore];

    fn name(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Cordon => "cordon",
            Self::Ignore => "ignore",
        }
    }
}

impl Named for SystemPods {
    const ALL: &'static [Self] = &[Self::Hold, Self::Budgeted];

    fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Budgeted => "budgeted",
        }
    }
}

impl Named for Awkward {
    const ALL: &'static [Self] = &[Self::Hold, Self::Evict];

    fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Evict => "evict",
        }
    }
}

impl Named for TaintEffect {
    const ALL: &'static [Self] = &[Self::NoSchedule, Self::PreferNoSchedule, Self::NoExecute];

    fn name(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

impl Named for Unit {
    const ALL: &'static [Self] = &[Self::Ratio, Self::Count, Self::Seconds, Self::Bytes, Self::PerSecond];

    fn name(self) -> &'static str {
        match self {
            Self::Ratio => "ratio",
            Self::Count => "count",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::PerSecond => "per_second",
        }
    }
}

/// `like max` when one of `known` is at most two edits away (one, if it is short), else `one of …`.
pub(super) fn nearest(word: &str, known: &[&str]) -> String {
    let fold = |word: &str| word.chars().take(64).collect::<String>().to_ascii_lowercase().replace('-', "_");
    let folded = fold(word);
    let best = known.iter().map(|name| (distance(&folded, &fold(name)), *name)).min();
    match best {
        Some((edits, name)) if edits <= 2.min((name.len() + 1) / 3) => format!("like {name}"),
        _ => format!("one of {}", known.join(", ")),
    }
}

/// The Levenshtein distance, row by row.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for (pair, y) in row.windows(2).zip(b.chars()) {
            let &[diagonal, above] = pair else { continue };
            left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (a, b, edits) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2)] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
            assert_eq!(distance(b, a), edits, "{b} {a}");
        }
    }

    #[test]
    fn the_nearest_word_is_offered() {
        assert_eq!(nearest("coolDown-up", &["cooldown_up", "min"]), "like cooldown_up");
        assert_eq!(nearest("mn", &["max", "min"]), "like min");
        assert_eq!(nearest("web-spto-a", &["web-spot-a", "web_spot_ab"]), "like web-spot-a");
        assert_eq!(nearest("size", &["max", "min"]), "one of max, min");
    }
}
