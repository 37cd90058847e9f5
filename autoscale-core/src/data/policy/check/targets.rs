//! The targets of one pool.

use std::collections::BTreeSet;

use super::{Context, ratio, rules};
use crate::data::policy::raw::Raw;
use crate::data::policy::read::{At, Fields};
use crate::data::policy::{Target, units};
use crate::words::{Fixed, Ratio, Span, Unit};

/// A target, and what an error elsewhere says of it.
pub(super) struct Found {
    pub(super) target: Target,
    pub(super) unit: Unit,
    /// `targets[0]`.
    pub(super) label: String,
}

/// Whether there are any, right or wrong: such a pool has no default rules.
pub(super) fn are_given(fields: &Fields<'_>) -> bool {
    matches!(fields.get("targets").raw(), Some(Raw::List(list)) if !list.is_empty())
}

pub(super) fn targets(at: &At<'_>, context: &Context) -> Vec<Found> {
    let items = at.clone().or(Vec::new(), At::list).unwrap_or_default();
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for (index, item) in items.into_iter().enumerate() {
        let Some((named, target, unit)) = target(&item, context) else { continue };
        if seen.insert(target.signal.clone()) {
            found.push(Found { target, unit, label: format!("targets[{index}]") });
        } else {
            let _: Option<()> = named.wrong("each signal once");
        }
    }
    found
}

/// One target, its unit, and where its signal stands.
fn target<'a>(at: &At<'a>, context: &Context) -> Option<(At<'a>, Target, Unit)> {
    let fields = at.fields()?;
    let named = fields.get("signal");
    let signal = rules::signal(&named, context);
    let tolerance = fields.get("tolerance").or(Ratio::percent(10), ratio);
    let window = fields.get("window").or(Span::from_secs(300), At::span);
    let value = fields.get("value");
    if !value.is_given() {
        return value.wrong("a value in the unit of the signal");
    }
    let (signal, unit) = signal?;
    let value = match units::threshold(unit, value.raw()?) {
        Ok(number) if number > Fixed::ZERO => number,
        Ok(_) => return value.wrong("more than 0"),
        Err(expected) => return value.wrong(expected),
    };
    Some((named, Target { signal, value, tolerance: tolerance?, window: window? }, unit))
}
