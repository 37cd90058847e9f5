//! The rules of one pool, and contradictions among them.

use super::{Context, targets};
use crate::data::policy::names::nearest;
use crate::data::policy::read::{At, Fields};
use crate::data::policy::{Bound, Rule, units};
use crate::words::{Fixed, Ratio, SignalName, Span, Unit};

/// A rule and where it was found.
struct Found<'a> {
    rule: Rule,
    unit: Unit,
    /// Of the threshold, or of the whole list where the rule is the default.
    at: At<'a>,
    /// For an error elsewhere: `up[0]`.
    label: String,
}

impl Found<'_> {
    /// The threshold as an operator would write it.
    fn threshold(&self) -> String {
        shown(self.unit, self.rule.bound.threshold())
    }
}

fn shown(unit: Unit, value: Fixed) -> String {
    units::show_threshold(unit, value).plain()
}

/// The up-rules and the down-rules.
pub(super) fn both(
    fields: &Fields<'_>,
    targets: &[targets::Found],
    context: &Context,
) -> (Vec<Rule>, Vec<Rule>) {
    let least = context.interval.unwrap_or(Span::ZERO).times(3);
    let up = rules(fields, "up", Bound::Above(Ratio::percent(70).as_fixed()), Span::ZERO, context);
    let lasting = Span::from_secs(600).max(least);
    let down = rules(fields, "down", Bound::Below(Ratio::percent(30).as_fixed()), lasting, context);
    duplicates(&up);
    duplicates(&down);
    never_together(&down);
    for shrink in &down {
        for grow in up.iter().filter(|grow| grow.rule.signal == shrink.rule.signal) {
            against(grow, shrink);
        }
    }
    for target in targets {
        up.iter()
            .filter(|grow| grow.rule.signal == target.target.signal)
            .for_each(|grow| up_beside(grow, target));
        down.iter()
            .filter(|shrink| shrink.rule.signal == target.target.signal)
            .for_each(|shrink| down_beside(shrink, target));
    }
    let only_rules = |found: Vec<Found<'_>>| found.into_iter().map(|found| found.rule).collect();
    (only_rules(up), only_rules(down))
}

/// How long pods have to be pending; `false` for never mind.
pub(super) fn pending(at: &At<'_>) -> Option<Span> {
    let fields = at.fields()?;
    fields.get("for").span()
}

fn rules<'a>(
    fields: &Fields<'a>,
    key: &str,
    default: Bound,
    lasting: Span,
    context: &Context,
) -> Vec<Found<'a>> {
    let at = fields.get(key);
    if at.is_given() {
        let items = at.list().unwrap_or_default();
        let found = |(index, item)| rule(&item, format!("{key}[{index}]"), lasting, context);
        return items.into_iter().enumerate().filter_map(found).collect();
    }
    if targets::are_given(fields) {
        return Vec::new();
    }
    let Some((signal, unit)) = SignalName::new("cpu").ok().and_then(|cpu| {
        let unit = context.signals.as_ref()?.get(&cpu)?.as_ref()?.unit;
        Some((cpu, unit))
    }) else {
        return Vec::new();
    };
    if unit != Unit::Ratio {
        let _: Option<()> = at.wrong("rules, because the default looks at cpu as a ratio");
        return Vec::new();
    }
    let label = format!("the default of {key}");
    vec![Found { rule: Rule { signal, bound: default, lasting }, unit, at, label }]
}

fn rule<'a>(at: &At<'a>, label: String, lasting: Span, context: &Context) -> Option<Found<'a>> {
    let fields = at.fields()?;
    let signal = signal(&fields.get("signal"), context);
    let side = fields.either();
    let given = fields.get("for").or(lasting, At::span);
    if let (Some(given), Some(interval), true) = (given, context.interval, label.starts_with("down")) {
        let least = interval.times(3);
        if given < least {
            let why = "a down-rule must be seen at least three times";
            fields
                .get("for")
                .clash(given, format_args!("at least {least}, three times tick.interval: {why}"));
        }
    }
    let ((signal, unit), (at, above)) = (signal?, side?);
    let threshold = match units::threshold(unit, at.raw()?) {
        Ok(threshold) => threshold,
        Err(expected) => return at.wrong(expected),
    };
    let bound = if above { Bound::Above(threshold) } else { Bound::Below(threshold) };
    Some(Found { rule: Rule { signal, bound, lasting: given? }, unit, at, label })
}

/// A declared signal and its unit.
pub(super) fn signal(at: &At<'_>, context: &Context) -> Option<(SignalName, Unit)> {
    let name = at.id::<SignalName>()?;
    let declared = context.signals.as_ref()?;
    match declared.get(&name) {
        Some(spec) => Some((name, spec.as_ref()?.unit)),
        None => {
            let names: Vec<_> = declared.keys().take(20).map(SignalName::as_str).collect();
            at.wrong(format_args!("a declared signal, {}", nearest(name.as_str(), &names)))
        }
    }
}

/// The same threshold on the same signal twice: one of the two never matters.
fn duplicates(rules: &[Found<'_>]) {
    for (index, found) in rules.iter().enumerate() {
        let same = |other: &&Found<'_>| {
            other.rule.signal == found.rule.signal && other.rule.bound == found.rule.bound
        };
        if let Some(first) = rules.iter().take(index).find(same) {
            found.at.clash(found.threshold(), format_args!("another threshold than {} has", first.label));
        }
    }
}

/// Down-rules hold together or not at all.
fn never_together(down: &[Found<'_>]) {
    for low in down {
        let Bound::Above(above) = low.rule.bound else { continue };
        for high in down.iter().filter(|high| high.rule.signal == low.rule.signal) {
            if let Bound::Below(below) = high.rule.bound
                && below <= above
            {
                let words =
                    format_args!("more than {}, because {} must hold too", low.threshold(), low.label);
                high.at.clash(high.threshold(), words);
            }
        }
    }
}

/// An up-rule and a down-rule over one signal must leave room between them.
fn against(grow: &Found<'_>, shrink: &Found<'_>) {
    let (limit, label) = (grow.threshold(), &grow.label);
    match (grow.rule.bound, shrink.rule.bound) {
        (Bound::Above(up), Bound::Below(down)) if down >= up => {
            let words = format_args!("less than {limit}, above which {label} grows the pool");
            shrink.at.clash(shrink.threshold(), words);
        }
        (Bound::Below(up), Bound::Above(down)) if down <= up => {
            let words = format_args!("more than {limit}, below which {label} grows the pool");
            shrink.at.clash(shrink.threshold(), words);
        }
        (Bound::Above(_), Bound::Above(_)) => {
            let words = format_args!("below, because {label} grows the pool above {limit}");
            shrink.at.clash(format_args!("above {}", shrink.threshold()), words);
        }
        (Bound::Below(_), Bound::Below(_)) => {
            let words = format_args!("above, because {label} grows the pool below {limit}");
            shrink.at.clash(format_args!("below {}", shrink.threshold()), words);
        }
        _ => {}
    }
}

/// An up-rule over the signal of a target may not ask for nodes where the target does not.
fn up_beside(grow: &Found<'_>, beside: &targets::Found) {
    let (value, label) = (shown(beside.unit, beside.target.value), &beside.label);
    match grow.rule.bound {
        Bound::Above(up) if up < beside.target.value => {
            let words = format_args!("at least {value}, where {label} keeps the signal");
            grow.at.clash(grow.threshold(), words);
        }
        Bound::Above(_) => {}
        Bound::Below(_) => {
            let words = format_args!("above, because {label} lets the pool shrink below {value}");
            grow.at.clash(format_args!("below {}", grow.threshold()), words);
        }
    }
}

/// A down-rule over the signal of a target may not give nodes back where the target asks for more.
fn down_beside(shrink: &Found<'_>, beside: &targets::Found) {
    if let Bound::Above(_) = shrink.rule.bound {
        let (value, label) = (shown(beside.unit, beside.target.value), &beside.label);
        let words = format_args!("below, because {label} grows the pool above {value}");
        shrink.at.clash(format_args!("above {}", shrink.threshold()), words);
    }
}
