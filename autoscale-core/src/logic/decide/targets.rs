//! Targets: as many nodes as keep a signal at a value, by the formula of Kubernetes' Horizontal Pod Autoscaler.

use super::rules::observe;
use crate::data::explain::{Observed, TargetReport};
use crate::data::policy::{Policy, PoolPolicy, Target};
use crate::data::record::{PoolMarks, Wish};
use crate::data::view::View;
use crate::words::{Elapsed, Fixed, Span, Unit};

/// Most remembered wishes of one target.
const MAX_WISHES: usize = 32;

/// All targets of a pool of so many serving nodes, and the wishes to remember.
pub(crate) fn evaluate(
    policy: &Policy,
    pool: &PoolPolicy,
    marks: &PoolMarks,
    view: &View,
    serving: u32,
    now: Elapsed,
) -> (Vec<TargetReport>, Vec<Wish>) {
    let (mut reports, mut kept) = (Vec::new(), Vec::new());
    for target in &pool.targets {
        let spec = policy.signals().get(&target.signal);
        let unit = spec.map_or(Unit::Count, |spec| spec.unit);
        let stale_after = spec.map_or(Span::ZERO, |spec| spec.stale_after);
        let observed = observe(view, pool, &target.signal, unit, stale_after);
        let wished = match &observed {
            Observed::Fresh { value, .. } => wish(target, serving, *value),
            Observed::Stale { .. } | Observed::Missing { .. } => None,
        };
        let own = marks.wishes.iter().filter(|known| known.signal == target.signal);
        let fresh = own.filter(|known| now.since(known.at) <= target.window);
        let window = remember(fresh.cloned().collect(), target, wished, now);
        let held = window.iter().map(|wish| wish.nodes).max().max(wished);
        kept.extend(window);
        reports.push(TargetReport {
            signal: target.signal.clone(),
            unit,
            value: target.value,
            observed,
            wished,
            held,
        });
    }
    (reports, kept)
}

/// `ceil(serving × value / target)`, or as many as there are while the value is within the tolerance. Source: the
/// algorithm of the Horizontal Pod Autoscaler in Kubernetes' documentation.
fn wish(target: &Target, serving: u32, value: Fixed) -> Option<u32> {
    let (value, wanted) = (i128::from(value.as_micros()), i128::from(target.value.as_micros()));
    if wanted <= 0 || value < 0 {
        return None;
    }
    let off = (value - wanted).abs().checked_mul(1_000_000)?;
    if off <= wanted.checked_mul(i128::from(target.tolerance.as_micros()))? {
        return Some(serving);
    }
    let product = i128::from(serving).checked_mul(value)?;
    let nodes = product / wanted + i128::from(product % wanted > 0);
    Some(u32::try_from(nodes).unwrap_or(u32::MAX))
}

/// The wishes of the window with the present one. One that a later wish is not below can never be the greatest again.
fn remember(mut window: Vec<Wish>, target: &Target, wished: Option<u32>, now: Elapsed) -> Vec<Wish> {
    let Some(nodes) = wished.filter(|_| target.window > Span::ZERO) else { return window };
    // A wish that stays is written down anew only every eighth of the window: each time costs a write.
    let fresh = target.window.divided(8);
    if window.last().is_some_and(|last| last.nodes == nodes && now.since(last.at) < fresh) {
        return window;
    }
    while window.last().is_some_and(|last| last.nodes <= nodes) {
        window.pop();
    }
    if window.len() >= MAX_WISHES {
        // No room: the last one, which asks for more, is taken for this one too.
        window.last_mut().into_iter().for_each(|last| last.at = now);
        return window;
    }
    window.push(Wish { signal: target.signal.clone(), at: now, nodes });
    window
}
