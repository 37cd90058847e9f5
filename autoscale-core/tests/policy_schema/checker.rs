//! As much of a JSON Schema validator as the schema of a policy needs; a keyword that it does not know is an error.

use regex_lite::Regex;
use serde_json::Value;

/// Whether a value fits, or where it does not.
pub(super) fn check(schema: &Value, value: &Value) -> Result<(), String> {
    let Value::Object(keywords) = schema else { panic!("{schema} is no schema") };
    for (keyword, wanted) in keywords {
        holds(keyword, wanted, schema, value).map_err(|why| format!("{why} ({keyword})"))?;
    }
    Ok(())
}

fn holds(keyword: &str, wanted: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let demand = |holds: bool| if holds { Ok(()) } else { Err(format!("{value} is not {wanted}")) };
    let fits = |schema: &&Value| check(schema, value).is_ok();
    let each = || wanted.as_array().unwrap().iter();
    let limit = || wanted.as_u64().unwrap() as usize;
    match (keyword, value) {
        ("$schema" | "title" | "description" | "default", _) => Ok(()),
        ("const", _) => demand(value == wanted),
        ("enum", _) => demand(each().any(|one| one == value)),
        ("type", _) => match wanted {
            Value::Array(kinds) => demand(kinds.iter().any(|kind| is(kind, value))),
            kind => demand(is(kind, value)),
        },
        ("anyOf", _) => demand(each().any(|schema| fits(&schema))),
        ("oneOf", _) => demand(each().filter(fits).count() == 1),
        ("minimum", Value::Number(number)) => demand(number.as_f64() >= wanted.as_f64()),
        ("maximum", Value::Number(number)) => demand(number.as_f64() <= wanted.as_f64()),
        ("pattern", Value::String(text)) => {
            demand(Regex::new(wanted.as_str().unwrap()).unwrap().is_match(text))
        }
        ("maxLength", Value::String(text)) => demand(text.chars().count() <= limit()),
        ("items", Value::Array(list)) => list.iter().try_for_each(|item| check(wanted, item)),
        ("minItems", Value::Array(list)) => demand(list.len() >= limit()),
        ("maxItems", Value::Array(list)) => demand(list.len() <= limit()),
        ("uniqueItems", Value::Array(list)) => {
            demand(list.iter().enumerate().all(|(index, item)| !list[..index].contains(item)))
        }
        ("required", Value::Object(map)) => demand(each().all(|key| map.contains_key(key.as_str().unwrap()))),
        ("properties", Value::Object(map)) => map.iter().try_for_each(|(key, value)| match wanted.get(key) {
            Some(schema) => check(schema, value).map_err(|why| format!("{key}: {why}")),
            None => Ok(()),
        }),
        ("additionalProperties", Value::Object(map)) => {
            let known = |key: &str| schema["properties"].get(key).is_some();
            map.iter().filter(|(key, _)| !known(key)).try_for_each(|(key, value)| match wanted {
                Value::Bool(false) => Err(format!("{key} is unknown")),
                schema => check(schema, value).map_err(|why| format!("{key}: {why}")),
            })
        }
        ("propertyNames", Value::Object(map)) => {
            map.keys().try_for_each(|key| check(wanted, &Value::String(key.clone())))
        }
        ("minProperties", Value::Object(map)) => demand(map.len() >= limit()),
        ("maxProperties", Value::Object(map)) => demand(map.len() <= limit()),
        (
            "minimum"
            | "maximum"
            | "pattern"
            | "maxLength"
            | "items"
            | "minItems"
            | "maxItems"
            | "uniqueItems"
            | "required"
            | "properties"
            | "additionalProperties"
            | "propertyNames"
            | "minProperties"
            | "maxProperties",
            _,
        ) => Ok(()),
        (keyword, _) => panic!("the checker does not know {keyword}"),
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        kind => panic!("no type {kind}"),
    }
}
