//! What an object may not say: names, and the simplest rules of a CustomResourceDefinition's schema.

use serde_json::Value;

use super::events;
use super::json::{list, number, text, words};
use super::kinds::KindInfo;
use super::refusal::{Refusal, Result};

/// Refuses a new object, or one that takes the place of another.
pub(super) fn check(info: &KindInfo, name: &str, object: &Value) -> Result<()> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let roles = info.group == "rbac.authorization.k8s.io";
    let edges = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let plain =
        name.len() <= 253 && name.chars().all(letter) && name.starts_with(edges) && name.ends_with(edges);
    if !roles && !plain {
        let rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
                    and must start and end with an alphanumeric character";
        return Err(Refusal::invalid(
            info,
            name,
            "metadata.name",
            &format!("Invalid value: {name:?}: {rule}"),
        ));
    }
    if info.group == "events.k8s.io" {
        events::check(info, name, object)?;
    }
    match &info.custom {
        Some(schema) => fits(info, name, "", schema, object),
        None => Ok(()),
    }
}

/// Whether a value fits a schema: types, bounds, and rules of the form `self.field < number`.
fn fits(info: &KindInfo, name: &str, path: &str, schema: &Value, value: &Value) -> Result<()> {
    let invalid = |what: &str| Err(Refusal::invalid(info, name, path, &format!("Invalid value: {what}")));
    let right = match words(schema, "/type") {
        "object" => value.is_object(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        _ => true,
    };
    if !right {
        return invalid(&format!("{value}: {path} must be of type {}", words(schema, "/type")));
    }
    if number(schema, "/minimum").zip(value.as_i64()).is_some_and(|(least, found)| found < least) {
        let least = number(schema, "/minimum").unwrap_or_default();
        return invalid(&format!("{value}: {path} should be greater than or equal to {least}"));
    }
    for rule in list(schema, "/x-kubernetes-validations") {
        let text = words(rule, "/rule");
        if holds(text, value) == Some(false) {
            let message = words(rule, "/message");
            let what = if message.is_empty() { format!("failed rule: {text}") } else { message.to_owned() };
            return invalid(&what);
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    for (key, inner) in properties.filter(|(key, _)| *key != "metadata") {
        if let Some(part) = value.get(key) {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            fits(info, name, &path, inner, part)?;
        }
    }
    Ok(())
}

/// Whether a rule holds; `None`: it is of no form that is judged here.
fn holds(rule: &str, value: &Value) -> Option<bool> {
    let mut words = rule.split_whitespace();
    let (field, operator, bound) = (words.next()?, words.next()?, words.next()?);
    let pointer = field.strip_prefix("self")?.replace('.', "/");
    let found = number(value, &pointer)?;
    let bound: i64 = bound.parse().ok()?;
    Some(match operator {
        "<" => found < bound,
        "<=" => found <= bound,
        ">" => found > bound,
        ">=" => found >= bound,
        "==" => found == bound,
        "!=" => found != bound,
        _ => return None,
    })
}

/// What may not change when an object takes the place of another.
pub(super) fn check_update(info: &KindInfo, name: &str, old: &Value, new: &Value) -> Result<()> {
    for field in ["name", "namespace", "uid", "creationTimestamp"] {
        let pointer = format!("/metadata/{field}");
        let (was, is) = (text(old, &pointer), text(new, &pointer));
        if is.is_some() && was != is {
            let what = format!("Invalid value: {:?}: field is immutable", is.unwrap_or_default());
            return Err(Refusal::invalid(info, name, &format!("metadata.{field}"), &what));
        }
    }
    if info.group == "events.k8s.io" {
        events::check_update(info, name, old, new)?;
    }
    check(info, name, new)
}
