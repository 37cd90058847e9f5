//! What one pool may launch.

use std::collections::BTreeSet;

use super::pool::MAX_NODES;
use super::{Context, nodes};
use crate::data::policy::raw::Raw;
use crate::data::policy::read::{At, Fields};
use crate::data::policy::{Shape, units};
use crate::words::{Extended, Fixed, Resources, ShapeName};

const MAX_SHAPES: usize = 16;
const MAX_EXTENDED: usize = 64;
/// A petabyte in bytes.
const MAX_AMOUNT: u64 = 1_000_000_000_000_000;
const MAX_PRICE: i64 = 1_000_000;
/// Have a place of their own.
const PLAIN: [&str; 3] = ["cpu", "memory", "pods"];

/// The shapes, from `shape` or from `shapes`.
pub(super) fn shapes(pool: &At<'_>, fields: &Fields<'_>, context: &Context) -> Option<Vec<Shape>> {
    let (one, many) = (fields.get("shape"), fields.get("shapes"));
    let alone = one.is_given().then(|| shape(&one, context));
    let listed = many.is_given().then(|| list(&many, context));
    match (alone, listed) {
        (Some(alone), None) => Some(vec![alone?.1]),
        (None, Some(listed)) => listed,
        _ => pool.wrong("exactly one of shape, shapes"),
    }
}

fn list(at: &At<'_>, context: &Context) -> Option<Vec<Shape>> {
    let items = at.list("shapes", MAX_SHAPES)?;
    if items.is_empty() {
        return at.wrong("at least one shape");
    }
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
    let keys = ["name", "cpu", "memory", "pods", "extended", "labels", "price"];
    let fields = at.fields("a map with name, cpu, memory and pods", &keys)?;
    let amount = |key, kind, least, read| {
        let at = fields.get(key);
        let amount: u64 = at.quantity(kind, read)?;
        if amount == 0 { at.wrong(format_args!("at least {least}")) } else { Some(amount) }
    };
    let named = fields.get("name");
    let name = named.id::<ShapeName>();
    let cpu = amount("cpu", "an amount of CPU, like 2 or 500m", "1m", units::cpu);
    let memory = amount("memory", "an amount of memory, like 8Gi", "1 byte", units::memory);
    let pods = fields.get("pods").whole(1..=MAX_NODES);
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
    for (name, at) in at.entries("resources", MAX_EXTENDED)? {
        let amount = at.amount(1..=MAX_AMOUNT);
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
    let most = Fixed::from_int(MAX_PRICE);
    if (Fixed::ZERO..=most).contains(&price) {
        Some(price)
    } else {
        at.wrong(format_args!("a number from 0 to {most}"))
    }
}
