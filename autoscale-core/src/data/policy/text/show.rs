//! A tree as YAML and as TOML. What stands in a tree is written so that it reads back.

use super::scalar::plain;
use crate::data::policy::raw::Raw;

pub(super) fn yaml(raw: &Raw) -> String {
    let mut out = String::new();
    block(raw, 0, &mut out);
    out
}

/// The lines of a map or a list, each behind `depth` steps of indentation.
fn block(raw: &Raw, depth: usize, out: &mut String) {
    match raw {
        Raw::Map(entries) if !entries.is_empty() => {
            for (index, (key, value)) in entries.iter().enumerate() {
                // Behind the dash of a list the first key stands on the same line.
                if index > 0 || !out.ends_with("- ") {
                    out.push_str(&"  ".repeat(depth));
                }
                out.push_str(&word(key));
                out.push(':');
                below(value, depth, out);
            }
        }
        Raw::List(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&"  ".repeat(depth));
                out.push_str("- ");
                block(item, depth + 1, out);
            }
        }
        leaf => {
            out.push_str(&inline(leaf, "", ": ", word));
            out.push('\n');
        }
    }
}

/// What stands behind a key.
fn below(value: &Raw, depth: usize, out: &mut String) {
    let is_block = match value {
        Raw::Map(entries) => !entries.is_empty(),
        // Short lists of words stand on one line.
        Raw::List(items) => items.iter().any(|item| matches!(item, Raw::Map(_) | Raw::List(_))),
        _ => false,
    };
    if is_block {
        out.push('\n');
        block(value, depth + 1, out);
    } else {
        out.push(' ');
        out.push_str(&inline(value, "", ": ", word));
        out.push('\n');
    }
}

/// A text without quotes where nobody could take it for something else, not even a reader of YAML 1.1.
fn word(text: &str) -> String {
    const TAKEN: [&str; 6] = ["yes", "no", "on", "off", "y", "n"];
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_./%".contains(&b);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    // A number with a unit, like 10m or 70%.
    let counts = text.starts_with(|c: char| c.is_ascii_digit());
    let has_unit =
        text.ends_with(|c: char| c.is_ascii_alphabetic() || c == '%') && !text.contains(['-', '_', '/']);
    let safe = begins
        && text.bytes().all(allowed)
        && (!counts || has_unit)
        && !TAKEN.contains(&text.to_ascii_lowercase().as_str())
        && matches!(plain(text), Raw::Text(_));
    if safe { text.to_owned() } else { quoted(text) }
}

/// As JSON quotes it, which YAML and TOML both read.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// A value on one line: `pad` inside of the brackets of a map, `is` between a key and its value.
fn inline(raw: &Raw, pad: &str, is: &str, show: fn(&str) -> String) -> String {
    let all = |parts: Vec<String>| parts.join(", ");
    match raw {
        Raw::Null => "null".to_owned(),
        Raw::Bool(value) => value.to_string(),
        Raw::Whole(value) => value.to_string(),
        Raw::Real(value) => format!("{value:?}"),
        Raw::Text(text) => show(text),
        Raw::List(items) => {
            format!("[{}]", all(items.iter().map(|item| inline(item, pad, is, show)).collect()))
        }
        Raw::Map(entries) if entries.is_empty() => "{}".to_owned(),
        Raw::Map(entries) => {
            let entry = |(key, value): &(String, Raw)| {
                let key = if pad.is_empty() { word(key) } else { bare(key) };
                format!("{key}{is}{}", inline(value, pad, is, show))
            };
            format!("{{{pad}{}{pad}}}", all(entries.iter().map(entry).collect()))
        }
    }
}

pub(super) fn toml(raw: &Raw) -> String {
    let mut out = String::new();
    if let Raw::Map(entries) = raw {
        section("", entries, &mut out);
    }
    out
}

/// A table: first what stands in it, then the tables below, each under its own header. Only `signals` and `pools` hold
/// nothing but tables; all others have theirs on one line.
fn section(path: &str, entries: &[(String, Raw)], out: &mut String) {
    let is_table = |value: &Raw| matches!(value, Raw::Map(inner) if !inner.is_empty());
    let has_sections = path.is_empty() || entries.iter().all(|(_, value)| is_table(value));
    if !has_sections {
        out.push_str(&format!("\n[{path}]\n"));
    }
    for (key, value) in entries.iter().filter(|(_, value)| !has_sections || !is_table(value)) {
        out.push_str(&format!("{} = {}\n", bare(key), line(value)));
    }
    for (key, value) in entries.iter().filter(|_| has_sections) {
        if let Raw::Map(inner) = value
            && !inner.is_empty()
        {
            let below = if path.is_empty() { bare(key) } else { format!("{path}.{}", bare(key)) };
            section(&below, inner, out);
        }
    }
}

/// A value behind a key of TOML; a list of maps has one line for each.
fn line(value: &Raw) -> String {
    let show = |value: &Raw| inline(&within(value), " ", " = ", quoted);
    match value {
        Raw::List(items) if items.iter().any(|item| matches!(item, Raw::Map(_))) => {
            let lines: Vec<String> = items.iter().map(|item| format!("  {},\n", show(item))).collect();
            format!("[\n{}]", lines.concat())
        }
        value => show(value),
    }
}

/// TOML's numbers end at 64 bits; what is larger is as good as a text.
fn within(raw: &Raw) -> Raw {
    match raw {
        Raw::Whole(value) if i64::try_from(*value).is_err() => Raw::text(value),
        Raw::List(items) => Raw::List(items.iter().map(within).collect()),
        Raw::Map(entries) => {
            Raw::Map(entries.iter().map(|(key, value)| (key.clone(), within(value))).collect())
        }
        other => other.clone(),
    }
}

/// A key of TOML.
fn bare(key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if plain { key.to_owned() } else { quoted(key) }
}
