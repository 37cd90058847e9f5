//! Signals, the rules over them and the targets for them.

use std::fmt;

use crate::words::{Fixed, Ratio, SignalName, Span, Unit};

/// A declared signal: what it counts and how old a sample may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SignalSpec {
    /// What the number counts.
    pub unit: Unit,
    /// A sample older than this is stale. Default 3 minutes.
    pub stale_after: Span,
}

impl SignalSpec {
    /// A signal of one unit, stale after 3 minutes.
    pub const fn new(unit: Unit) -> Self {
        Self { unit, stale_after: Span::from_mins(3) }
    }
}

/// A threshold. Both kinds are strict: a value at the threshold does not cross it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Bound {
    /// Crossed by a greater value.
    Above(Fixed),
    /// Crossed by a smaller value.
    Below(Fixed),
}

impl Bound {
    /// Whether `value` crosses the threshold.
    pub fn is_crossed_by(self, value: Fixed) -> bool {
        match self {
            Self::Above(threshold) => value > threshold,
            Self::Below(threshold) => value < threshold,
        }
    }

    /// The number itself.
    pub const fn threshold(self) -> Fixed {
        match self {
            Self::Above(threshold) | Self::Below(threshold) => threshold,
        }
    }

    /// As text, in the signal's unit: `above 70.0 %`.
    pub fn show(self, unit: Unit) -> String {
        let word = match self {
            Self::Above(_) => "above",
            Self::Below(_) => "below",
        };
        format!("{word} {}", unit.show(self.threshold()))
    }
}

/// A rule: a signal that has crossed a threshold for a while.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub struct Rule {
    /// The signal it looks at; always a declared one.
    pub signal: SignalName,
    /// The threshold.
    pub bound: Bound,
    /// For how long it has to be crossed without a break; zero acts at once.
    pub lasting: Span,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.bound {
            Bound::Above(_) => "above",
            Bound::Below(_) => "below",
        };
        write!(f, "{} {word} {} for {}", self.signal, self.bound.threshold(), self.lasting)
    }
}

/// A value that the number of nodes is to keep a signal at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub struct Target {
    /// The signal; always a declared one.
    pub signal: SignalName,
    /// The value in the signal's unit, above zero.
    pub value: Fixed,
    /// As long as the signal is off by at most this share of the value, the pool stays as it is. Default 10 %, as in
    /// Kubernetes' Horizontal Pod Autoscaler.
    pub tolerance: Ratio,
    /// The pool shrinks only to the greatest number of nodes that was wanted within so long, at most 1 h. Default 300 s, as
    /// in Kubernetes' Horizontal Pod Autoscaler.
    pub window: Span,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signal, value, tolerance, window } = self;
        write!(f, "{signal} at {value} within {tolerance} over {window}")
    }
}
