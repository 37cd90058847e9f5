//! TOML, from the table of its parser, in which each key and each value has its place.

use std::cell::Cell;

use ::toml::Spanned;
use ::toml::de::{DeFloat, DeInteger, DeTable, DeValue};

use crate::data::policy::error::PolicyErrors;
use crate::data::policy::mark::{Mark, place};
use crate::data::policy::raw::{Limits, MAX_SIZE, Raw};
use crate::words::truncated;

pub(super) fn read(text: &str) -> Result<(Raw, Mark), PolicyErrors> {
    let unreadable = |offset, why: &str| {
        let expected = format!("TOML, but {}", truncated(why, 200));
        PolicyErrors::at(place(text, offset), "unreadable".to_owned(), expected)
    };
    let table = DeTable::parse(text)
        .map_err(|error| unreadable(error.span().map_or(0, |span| span.start), error.message()))?;
    let left = Cell::new(MAX_SIZE);
    self::table(table.get_ref(), 0, Limits::new(&left)).map_err(|(offset, why)| unreadable(offset, &why))
}

/// Where it went wrong, and why.
type Failure = (usize, String);

fn table(table: &DeTable<'_>, at: usize, limits: Limits<'_>) -> Result<(Raw, Mark), Failure> {
    let limited = |why| (at, why);
    limits.spend(0).map_err(limited)?;
    let inner = limits.deeper().map_err(limited)?;
    let (mut entries, mut mark) = (Vec::new(), Mark::at(at));
    for (key, value) in table.iter() {
        inner.spend(key.get_ref().len()).map_err(limited)?;
        let (value, part) = self::value(value, inner)?;
        entries.push((key.get_ref().to_string(), value));
        mark.parts.push(part.under(key.span().start));
    }
    Ok((Raw::Map(entries), mark))
}

fn value(value: &Spanned<DeValue<'_>>, limits: Limits<'_>) -> Result<(Raw, Mark), Failure> {
    let at = value.span().start;
    let limited = |why| (at, why);
    let raw = match value.get_ref() {
        DeValue::Table(inner) => return table(inner, at, limits),
        DeValue::Array(array) => {
            limits.spend(0).map_err(limited)?;
            let inner = limits.deeper().map_err(limited)?;
            let (mut items, mut mark) = (Vec::new(), Mark::at(at));
            for item in array.iter() {
                let (item, part) = self::value(item, inner)?;
                items.push(item);
                mark.parts.push(part);
            }
            return Ok((Raw::List(items), mark));
        }
        DeValue::String(text) => Raw::text(text),
        DeValue::Integer(number) => whole(number),
        DeValue::Float(number) => real(number),
        DeValue::Boolean(value) => Raw::Bool(*value),
        // Nothing in a policy is a date; as a text it is refused where texts are.
        DeValue::Datetime(date) => Raw::text(date),
    };
    let bytes = if let Raw::Text(text) = &raw { text.len() } else { 0 };
    limits.spend(bytes).map_err(limited)?;
    Ok((raw, Mark::at(at)))
}

/// One that is too long is as wrong as a text as it would be as a number.
fn whole(number: &DeInteger<'_>) -> Raw {
    i128::from_str_radix(number.as_str(), number.radix()).map_or_else(|_| Raw::text(number), Raw::Whole)
}

fn real(number: &DeFloat<'_>) -> Raw {
    number.as_str().parse().map_or_else(|_| Raw::text(number), Raw::Real)
}
