//! What an event of `events.k8s.io/v1` has to say, and what of it may change.

use serde_json::Value;

use super::json::{number, text, words};
use super::kinds::KindInfo;
use super::refusal::{Refusal, Result};

/// Fields that never change once an event is there.
const FIXED: [&str; 10] = [
    "eventTime",
    "reportingController",
    "reportingInstance",
    "action",
    "reason",
    "regarding",
    "related",
    "note",
    "type",
    "deprecatedCount",
];

/// Refuses what a server of release 1.36 refuses.
pub(super) fn check(info: &KindInfo, name: &str, event: &Value) -> Result<()> {
    let invalid = |path: &str, what: &str| Err(Refusal::invalid(info, name, path, what));
    if text(event, "/eventTime").is_none() {
        return invalid("eventTime", "Required value");
    }
    for (field, most) in
        [("reportingController", 253), ("reportingInstance", 128), ("action", 128), ("reason", 128)]
    {
        let found = words(event, &format!("/{field}"));
        if found.is_empty() {
            return invalid(field, "Required value");
        }
        if found.len() > most {
            return invalid(field, &format!("Invalid value: can have at most {most} characters"));
        }
    }
    if !qualified(words(event, "/reportingController")) {
        return invalid(
            "reportingController",
            "Invalid value: name part must consist of alphanumeric characters, '-', '_' or '.'",
        );
    }
    if words(event, "/note").len() > 1_024 {
        return invalid("note", "Invalid value: can have at most 1024 characters");
    }
    if !matches!(words(event, "/type"), "Normal" | "Warning") {
        return invalid("type", "Invalid value: has invalid value");
    }
    let (own, theirs) = (words(event, "/metadata/namespace"), words(event, "/regarding/namespace"));
    if (theirs.is_empty() && own != "default") || (!theirs.is_empty() && own != theirs) {
        return invalid("regarding.namespace", "Invalid value: does not match event.namespace");
    }
    if event.get("series").is_some_and(|series| !series.is_null()) {
        if number(event, "/series/count").is_none_or(|count| count < 2) {
            return invalid("series.count", "Invalid value: should be at least 2");
        }
        if text(event, "/series/lastObservedTime").is_none() {
            return invalid("series.lastObservedTime", "Required value");
        }
    }
    Ok(())
}

fn qualified(name: &str) -> bool {
    let (prefix, name) = name.split_once('/').map_or((None, name), |(prefix, name)| (Some(prefix), name));
    let edge = |c: char| c.is_ascii_alphanumeric();
    let inner = |c: char| edge(c) || matches!(c, '-' | '_' | '.');
    let is_name = |text: &str| {
        !text.is_empty()
            && text.len() <= 63
            && text.starts_with(edge)
            && text.ends_with(edge)
            && text.chars().all(inner)
    };
    is_name(name) && prefix.is_none_or(|prefix| prefix.split('.').all(is_name))
}

/// Refuses a change of what is fixed.
pub(super) fn check_update(info: &KindInfo, name: &str, old: &Value, new: &Value) -> Result<()> {
    match FIXED.iter().find(|field| old.get(**field) != new.get(**field)) {
        Some(field) => Err(Refusal::invalid(info, name, field, "Invalid value: field is immutable")),
        None => Ok(()),
    }
}
