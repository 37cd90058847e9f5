//! Reaching into objects that are kept as plain JSON.

use serde_json::{Map, Value};

/// The text at a JSON pointer.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str()
}

/// The text at a JSON pointer, empty if there is none.
pub(super) fn words<'v>(value: &'v Value, pointer: &str) -> &'v str {
    text(value, pointer).unwrap_or_default()
}

/// The whole number at a JSON pointer.
pub(super) fn number(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer)?.as_i64()
}

/// Whether `true` stands at a JSON pointer.
pub(super) fn flag(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
}

/// The list at a JSON pointer, empty if there is none.
pub(super) fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The texts of a map at a JSON pointer.
pub(super) fn texts(value: &Value, pointer: &str) -> std::collections::BTreeMap<String, String> {
    let map = value.pointer(pointer).and_then(Value::as_object);
    let pairs = map.into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Writes at a path, making the objects on the way.
pub(super) fn put(value: &mut Value, path: &[&str], new: impl Into<Value>) {
    *slot(value, path) = new.into();
}

/// The place at a path, made if it is not there.
pub(super) fn slot<'v>(value: &'v mut Value, path: &[&str]) -> &'v mut Value {
    path.iter().fold(value, |at, key| object(at).entry(*key).or_insert(Value::Null))
}

/// The value as an object, made one if it is none.
pub(super) fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        // Just made one.
        _ => unreachable!("an object was put there"),
    }
}

/// The value as a list, made one if it is none.
pub(super) fn array(value: &mut Value) -> &mut Vec<Value> {
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    match value {
        Value::Array(list) => list,
        // Just made one.
        _ => unreachable!("a list was put there"),
    }
}

/// Writes at a path unless something stands there.
pub(super) fn default(value: &mut Value, path: &[&str], new: impl Into<Value>) {
    let slot = slot(value, path);
    if slot.is_null() {
        *slot = new.into();
    }
}

/// Takes away what stands at a path.
pub(super) fn take(value: &mut Value, path: &[&str]) -> Option<Value> {
    let (last, way) = path.split_last()?;
    let mut at = value;
    for key in way {
        at = at.as_object_mut()?.get_mut(*key)?;
    }
    at.as_object_mut()?.remove(*last)
}

/// Takes away every `null` in objects, as the server does with fields that were sent empty.
pub(super) fn prune(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(prune);
        }
        Value::Array(list) => list.iter_mut().for_each(prune),
        _ => {}
    }
}

/// A quantity such as `250m`, `2`, `1Gi` or `1e3`, in thousandths; `None` if it is none.
pub(super) fn milli(value: &Value) -> Option<u64> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, suffix) = text.split_at_checked(split)?;
    let scale: u128 = match suffix {
        "m" => 1,
        "" => 1_000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1_000 << 10,
        "Mi" => 1_000 << 20,
        "Gi" => 1_000 << 30,
        "Ti" => 1_000 << 40,
        _ => {
            let power: u32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            10_u128.checked_pow(power)?.checked_mul(1_000)?
        }
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let shift = 10_u128.checked_pow(u32::try_from(part.len()).ok()?)?;
    let all: u128 = format!("{whole}{part}").parse().ok()?;
    u64::try_from(all.checked_mul(scale)?.div_ceil(shift)).ok()
}

/// A quantity in whole units, rounded up.
pub(super) fn units(value: &Value) -> Option<u64> {
    milli(value).map(|milli| milli.div_ceil(1_000))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        for (text, wanted) in [
            (json!("250m"), Some(250)),
            (json!("4"), Some(4_000)),
            (json!(2), Some(2_000)),
            (json!("0.5"), Some(500)),
            (json!("1.5Gi"), Some(1_610_612_736_000)),
            (json!("1e3"), Some(1_000_000)),
            (json!("12x"), None),
            (json!(""), None),
            (json!(null), None),
        ] {
            assert_eq!(milli(&text), wanted, "{text}");
        }
        assert_eq!(units(&json!("16Gi")), Some(16 << 30));
    }

    #[test]
    fn paths_are_made_and_taken() {
        let mut value = json!({});
        put(&mut value, &["spec", "nodeName"], "n0");
        default(&mut value, &["spec", "nodeName"], "n1");
        assert_eq!(words(&value, "/spec/nodeName"), "n0");
        assert_eq!(take(&mut value, &["spec", "nodeName"]), Some(json!("n0")));
        assert_eq!(take(&mut value, &["no", "such"]), None);
    }
}
