//! Which pool a new node is of.

use crate::data::policy::Choose;
use crate::data::policy::names::nearest;
use crate::data::policy::raw::Raw;
use crate::data::policy::read::At;
use crate::words::PoolName;

/// Whether every shape needs a price.
pub(super) fn is_by_price(at: &At<'_>) -> bool {
    matches!(at.raw(), Some(Raw::Text(word)) if word == "price")
}

pub(super) fn choose(at: &At<'_>, pools: &At<'_>) -> Option<Choose> {
    let word = |word: &str| match word {
        "least_waste" => Some(Choose::LeastWaste),
        "price" => Some(Choose::Price),
        "priority" => Some(Choose::Priority),
        _ => None,
    };
    at.word_or(word, |at| order(at, pools).map(Choose::Order))
}

fn order(at: &At<'_>, pools: &At<'_>) -> Option<Vec<PoolName>> {
    let items = at.list()?;
    // Where there is no map of pools that is an error of its own.
    let known: Option<Vec<&str>> = match pools.raw() {
        Some(Raw::Map(pools)) => Some(pools.iter().map(|(name, _)| name.as_str()).collect()),
        _ => None,
    };
    let mut order = Vec::new();
    for (item, name) in items.iter().filter_map(|item| Some((item, item.id::<PoolName>()?))) {
        if let Some(known) = known.as_ref().filter(|known| !known.contains(&name.as_str())) {
            let some: Vec<_> = known.iter().take(20).copied().collect();
            let _: Option<()> = item.wrong(format_args!("a known pool, {}", nearest(name.as_str(), &some)));
        } else if order.contains(&name) {
            let _: Option<()> = item.wrong("each pool once");
        } else {
            order.push(name);
        }
    }
    Some(order)
}
