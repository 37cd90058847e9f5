//! Rules and targets in code.

use super::Draft;
use crate::data::policy::raw::Raw;
use crate::data::policy::units;
use crate::words::{Fixed, Ratio, Span};

/// A threshold in the unit of its signal: `"70%"`, `100`, `0.5`, `"4Gi"`, a [`Ratio`] or a [`Span`].
#[derive(Clone, Debug)]
pub struct Threshold(Raw);

macro_rules! threshold_from {
    ($($type:ty: $value:ident => $raw:expr),* $(,)?) => {
        $(impl From<$type> for Threshold {
            fn from($value: $type) -> Self {
                Self($raw)
            }
        })*
    };
}

threshold_from! {
    &str: value => Raw::text(value),
    String: value => Raw::Text(value),
    i32: value => Raw::whole(value),
    i64: value => Raw::whole(value),
    u32: value => Raw::whole(value),
    u64: value => Raw::whole(value),
    f64: value => Raw::Real(value),
    Fixed: value => Raw::text(value),
    Ratio: value => units::show_ratio(value.as_fixed()),
    Span: value => Raw::text(value),
}

/// A rule to be: a signal, a threshold and, if wanted, for how long.
#[derive(Clone, Debug)]
pub struct When(pub(super) Vec<(String, Raw)>);

impl When {
    /// When a signal is above a threshold.
    pub fn above(signal: impl Into<String>, threshold: impl Into<Threshold>) -> Self {
        Self::new("above", signal.into(), threshold.into())
    }

    /// When a signal is below a threshold.
    pub fn below(signal: impl Into<String>, threshold: impl Into<Threshold>) -> Self {
        Self::new("below", signal.into(), threshold.into())
    }

    fn new(side: &str, signal: String, Threshold(threshold): Threshold) -> Self {
        Self(vec![("signal".to_owned(), Raw::Text(signal)), (side.to_owned(), threshold)])
    }

    /// Without a break for so long. Default: zero for an up-rule, for a down-rule 600 s or three tick intervals.
    #[must_use]
    pub fn lasting(self, span: Span) -> Self {
        Self(Draft(self.0).set("for", Raw::text(span)).0)
    }
}

/// A target to be: a signal, the value to keep it at and, if wanted, how closely.
#[derive(Clone, Debug)]
pub struct Keep(pub(super) Vec<(String, Raw)>);

impl Keep {
    /// A signal at a value.
    pub fn at(signal: impl Into<String>, value: impl Into<Threshold>) -> Self {
        let Threshold(value) = value.into();
        Self(vec![("signal".to_owned(), Raw::Text(signal.into())), ("value".to_owned(), value)])
    }

    /// By how much it may be off before anything is done. Default 10 %.
    #[must_use]
    pub fn within(self, tolerance: Ratio) -> Self {
        Self(Draft(self.0).set("tolerance", units::show_ratio(tolerance.as_fixed())).0)
    }

    /// How far back the pool looks before it shrinks. Default 300 s.
    #[must_use]
    pub fn over(self, window: Span) -> Self {
        Self(Draft(self.0).set("window", Raw::text(window)).0)
    }
}
