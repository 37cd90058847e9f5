//! What one pool may launch.

use std::collections::BTreeSet;

use super::{Context, nodes};
use crate::data::policy::raw::Raw;
use crate::data::policy::read::{At, Fields};
use crate::data::policy::{Shape, units};
use crate::words::{Extended, Fixed, Resources, ShapeName};

/// Have a place of their own.
const PLAIN: [&str; 3] = ["cpu", "memory", "pods"];

/// The shapes, from `shape` or from `shapes`.
pub(super) fn shapes(fields: &Fields<'_>, context: &Context) -> Option<Vec<Shape>> {
    let (one, many) = (fields.get("shape"), fields.get("shapes"));
    // Both are read even where only one may be there, for the sake of what is wrong with them.
    let alone = one.is_given().then(|| Some(vec![shape(&one, context)?.1]));
    let listed = many.is_given().then(|| list(&many, context));
    fields.either()?;
    alone.or(listed)?
}

fn list(at: &At<'_>, context: &Context) -> Option<Vec<Shape>> {
    let items = at.list()?;
    let (mut seen, mut shapes) = (BTreeSet::new(), Vec::new());
    for (name, shape) in items.iter().filter_map(|item| shape(item, context)) {
        if seen.insert(shape.name.clone()) {
            shapes.push(shape);
        } else {
            let _: Option<()> = name.wrong("each shape once");
        }
    }
    Some(shapes)
}

/// One shape, and where its name stands.
fn shape<'a>(at: &At<'a>, context: &Context) -> Option<(At<'a>, Shape)> {
    let fields = at.fields()?;
    let amount = |key, kind, least, read| {
        let at = fields.get(key);
        let amount: u64 = at.quantity(kind, read)?;
        if amount == 0 { at.wrong(format_args!("at least {least}")) } else { Some(amount) }
    };
    let named = fields.get("name");
    let name = named.id::<ShapeName>();
    let cpu = amount("cpu", "an amount of CPU, like 2 or 500m", "1m", units::cpu);
    let memory = amount("memory", "an amount of memory, like 8Gi", "1 byte", units::memory);
    let pods = fields.get("pods").whole();
    let extended = fields.get("extended").or(Extended::none(), extended);
    let labels = nodes::labels(fields.get("labels"));
    let price = fields.get("price");
    let asked = context.priced && matches!(price.raw(), None | Some(Raw::Bool(false)));
    let price =
        if asked { price.wrong("a price, because choose is price") } else { price.unless_false(self::price) };
    let mut shape = Shape::new(name?, Resources::new(cpu?, memory?, pods?));
    (shape.extended, shape.labels, shape.price) = (extended?, labels?, price?);
    Some((named, shape))
}

fn extended(at: &At<'_>) -> Option<Extended> {
    let mut all = Extended::none();
    for (name, at) in at.entries()? {
        let amount = at.amount();
        if PLAIN.contains(&name) {
            at.clash(name, "a resource beside cpu, memory and pods");
        } else if let (Some(name), Some(amount)) = (at.key(name), amount) {
            all = all.with(name, amount);
        }
    }
    Some(all)
}

fn price(at: &At<'_>) -> Option<Fixed> {
    let price = at.quantity("a price", units::number)?;
    let most = Fixed::from_int(i64::from(at.most_price()?));
    if (Fixed::ZERO..=most).contains(&price) {
        Some(price)
    } else {
        at.wrong(format_args!("a number from 0 to {most}"))
    }
}
