//! The difference between two JSON values, as JSON.
//!
//! `{}` changes nothing; `{"=": v}` is another value; `{"~": {key: patch}, "-": [key]}` changes and removes members of an
//! object; `{"@": [..]}` goes through a list: a number keeps so many items, a negative one drops them, a list puts
//! its items in, an object is the patch of the next item. The same two values always give the same patch.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A patch that does not fit the value it is applied to.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the difference does not fit what it is applied to: {why}")]
#[non_exhaustive]
pub struct Misfit {
    /// What does not fit.
    pub why: String,
}

fn misfit<T>(why: impl Into<String>) -> Result<T, Misfit> {
    Err(Misfit { why: why.into() })
}

/// What changes `from` into `to`.
pub fn delta(from: &Value, to: &Value) -> Value {
    match (from, to) {
        (from, to) if from == to => json!({}),
        (Value::Object(from), Value::Object(to)) => object(from, to),
        (Value::Array(from), Value::Array(to)) => json!({ "@": list(from, to) }),
        (_, to) => json!({ "=": to }),
    }
}

fn object(from: &Map<String, Value>, to: &Map<String, Value>) -> Value {
    let changed: Map<String, Value> = to
        .iter()
        .filter(|(key, value)| from.get(*key) != Some(*value))
        .map(|(key, value)| {
            let patch = from.get(key).map_or_else(|| json!({ "=": value }), |old| delta(old, value));
            (key.clone(), patch)
        })
        .collect();
    let removed: Vec<&String> = from.keys().filter(|key| !to.contains_key(*key)).collect();
    let mut patch = Map::new();
    if !changed.is_empty() {
        patch.insert("~".to_owned(), Value::Object(changed));
    }
    if !removed.is_empty() {
        patch.insert("-".to_owned(), json!(removed));
    }
    Value::Object(patch)
}

/// What an item is called, so that it is found again when others come or go before it.
fn name(item: &Value) -> Option<&str> {
    match item {
        Value::String(text) => Some(text),
        Value::Object(members) => {
            ["id", "name", "uid"].iter().find_map(|key| members.get(*key)?.as_str()).or_else(|| {
                let inner = members.get("node").or_else(|| members.get("instance"))?;
                inner.as_object()?.get("name")?.as_str()
            })
        }
        _ => None,
    }
}

/// The steps through a list, those of one kind brought together.
#[derive(Default)]
struct Steps(Vec<Value>);

impl Steps {
    /// Keeps, or drops if `many` is negative.
    fn go(&mut self, many: i64) {
        match self.0.last_mut() {
            _ if many == 0 => {}
            Some(Value::Number(last)) if last.as_i64().is_some_and(|last| (last < 0) == (many < 0)) => {
                *last = (last.as_i64().unwrap_or_default().saturating_add(many)).into();
            }
            _ => self.0.push(many.into()),
        }
    }

    fn put(&mut self, item: &Value) {
        match self.0.last_mut() {
            Some(Value::Array(items)) => items.push(item.clone()),
            _ => self.0.push(json!([item])),
        }
    }

    fn change(&mut self, from: &Value, to: &Value) {
        if from == to { self.go(1) } else { self.0.push(delta(from, to)) }
    }
}

fn count(many: usize) -> i64 {
    i64::try_from(many).unwrap_or(i64::MAX)
}

fn list(from: &[Value], to: &[Value]) -> Vec<Value> {
    let head = from.iter().zip(to).take_while(|(from, to)| from == to).count();
    let (from, to) = (from.get(head..).unwrap_or_default(), to.get(head..).unwrap_or_default());
    let tail = from.iter().rev().zip(to.iter().rev()).take_while(|(from, to)| from == to).count();
    let from = from.get(..from.len() - tail).unwrap_or_default();
    let to = to.get(..to.len() - tail).unwrap_or_default();
    let mut steps = Steps::default();
    steps.go(count(head));
    let named = from.iter().chain(to).all(|item| name(item).is_some());
    if from.len() == to.len() && !named {
        from.iter().zip(to).for_each(|(from, to)| steps.change(from, to));
    } else if named {
        by_name(from, to, &mut steps);
    } else {
        steps.go(-count(from.len()));
        to.iter().for_each(|item| steps.put(item));
    }
    steps.go(count(tail));
    steps.0
}

/// Each item is looked for behind the last one that was found; what is skipped is dropped.
fn by_name(from: &[Value], to: &[Value], steps: &mut Steps) {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (item, at) in from.iter().zip(0..) {
        places.entry(name(item).unwrap_or_default()).or_default().push(at);
    }
    let mut next = 0;
    for item in to {
        let places = places.get(name(item).unwrap_or_default()).map(Vec::as_slice).unwrap_or_default();
        let found = places.get(places.partition_point(|at| *at < next)).copied();
        match found.and_then(|at| Some((at, from.get(at)?))) {
            Some((at, old)) => {
                steps.go(-count(at - next));
                steps.change(old, item);
                next = at + 1;
            }
            None => steps.put(item),
        }
    }
    steps.go(-count(from.len() - next));
}

/// Changes `value` as the patch says.
///
/// # Errors
/// [`Misfit`] when the patch was not made from this value, or is none. `value` is then of no use.
pub fn apply(value: &mut Value, patch: Value) -> Result<(), Misfit> {
    let Value::Object(mut patch) = patch else { return misfit("a patch is an object") };
    if let Some(new) = patch.remove("=") {
        *value = new;
    } else if let Some(steps) = patch.remove("@") {
        let (Value::Array(items), Value::Array(steps)) = (&mut *value, steps) else {
            return misfit("steps through something that is no list");
        };
        *items = walk(std::mem::take(items), steps)?;
    } else if !patch.is_empty() {
        let Value::Object(members) = value else { return misfit("members of something that is no object") };
        change(members, &mut patch)?;
    }
    match patch.keys().next() {
        Some(key) => misfit(format!("unknown key \"{}\"", crate::words::truncated(key, 20))),
        None => Ok(()),
    }
}

fn change(members: &mut Map<String, Value>, patch: &mut Map<String, Value>) -> Result<(), Misfit> {
    if let Some(removed) = patch.remove("-") {
        let Value::Array(removed) = removed else { return misfit("removed members are a list") };
        for key in removed {
            if key.as_str().and_then(|key| members.remove(key)).is_none() {
                return misfit("a member to remove is not there");
            }
        }
    }
    if let Some(changed) = patch.remove("~") {
        let Value::Object(changed) = changed else { return misfit("changed members are an object") };
        for (key, patch) in changed {
            apply(members.entry(key).or_insert(Value::Null), patch)?;
        }
    }
    Ok(())
}

fn walk(items: Vec<Value>, steps: Vec<Value>) -> Result<Vec<Value>, Misfit> {
    let mut rest = items.into_iter();
    let mut walked = Vec::with_capacity(rest.len());
    for step in steps {
        match step {
            Value::Array(new) => walked.extend(new),
            Value::Number(many) => {
                let many = many.as_i64().unwrap_or(0);
                let size = usize::try_from(many.unsigned_abs()).unwrap_or(usize::MAX);
                if many == 0 || size > rest.len() {
                    return misfit("more items than there are");
                }
                let taken = rest.by_ref().take(size);
                if many > 0 { walked.extend(taken) } else { taken.for_each(drop) }
            }
            patch => {
                let Some(mut item) = rest.next() else { return misfit("more items than there are") };
                apply(&mut item, patch)?;
                walked.push(item);
            }
        }
    }
    match rest.next() {
        Some(_) => misfit("fewer items than there are"),
        None => Ok(walked),
    }
}

/// Where two values first differ, and what stands there in each.
pub fn difference(a: &Value, b: &Value) -> Option<(String, String, String)> {
    let shown = |value: Option<&Value>| {
        value.map_or("nothing".to_owned(), |value| crate::words::truncated(&value.to_string(), 200))
    };
    match (a, b) {
        (a, b) if a == b => None,
        (Value::Object(a), Value::Object(b)) => {
            let key = a.keys().chain(b.keys()).filter(|key| a.get(*key) != b.get(*key)).min()?;
            match (a.get(key), b.get(key)) {
                (Some(a), Some(b)) => {
                    let (path, a, b) = difference(a, b)?;
                    Some((format!("/{}{path}", crate::words::escape(key)), a, b))
                }
                (a, b) => Some((format!("/{}", crate::words::escape(key)), shown(a), shown(b))),
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            let at = (0..a.len().max(b.len())).find(|at| a.get(*at) != b.get(*at))?;
            match (a.get(at), b.get(at)) {
                (Some(a), Some(b)) => {
                    let (path, a, b) = difference(a, b)?;
                    Some((format!("/{at}{path}"), a, b))
                }
                (a, b) => Some((format!("/{at}"), shown(a), shown(b))),
            }
        }
        (a, b) => Some((String::new(), shown(Some(a)), shown(Some(b)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn patched(from: &Value, to: &Value) -> Value {
        let mut value = from.clone();
        apply(&mut value, delta(from, to)).unwrap();
        value
    }

    #[test]
    fn patches_are_small() {
        let from = json!({"at": 1, "nodes": [{"name": "a", "x": 1}, {"name": "b", "x": 1}, {"name": "d", "x": 1}], "old": 1});
        let to = json!({"at": 2, "nodes": [{"name": "b", "x": 2}, {"name": "c", "x": 1}, {"name": "d", "x": 1}], "new": [1]});
        assert_eq!(
            delta(&from, &to),
            json!({"~": {
                "at": {"=": 2},
                "new": {"=": [1]},
                "nodes": {"@": [-1, {"~": {"x": {"=": 2}}}, [{"name": "c", "x": 1}], 1]},
            }, "-": ["old"]})
        );
        assert_eq!(patched(&from, &to), to);
        assert_eq!(
            delta(&json!([[1], [2], [3]]), &json!([[1], [9], [3]])),
            json!({"@": [1, {"@": [{"=": 9}]}, 1]})
        );
        assert_eq!(delta(&json!([1, 2, 3]), &json!([1, 3])), json!({"@": [1, -1, 1]}));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for patch in [
            json!(1),
            json!({"@": [1]}),
            json!({"@": [-9]}),
            json!({"@": [0, 2]}),
            json!({"@": [2, {}]}),
            json!({"@": 1}),
            json!({"~": {}}),
            json!({"?": 1}),
            json!({"=": 1, "x": 2}),
        ] {
            assert!(apply(&mut json!([1, 2]), patch.clone()).is_err(), "{patch}");
        }
        assert!(apply(&mut json!({"a": 1}), json!({"-": ["b"]})).is_err());
        assert!(apply(&mut json!({"a": 1}), json!({"~": {"b": {"~": {"c": {}}}}})).is_err());
    }

    #[test]
    fn the_first_difference_is_named() {
        let (a, b) = (json!({"x": [1, {"y": "a"}]}), json!({"x": [1, {"y": "b"}]}));
        assert_eq!(
            difference(&a, &b),
            Some(("/x/1/y".to_owned(), "\\\"a\\\"".to_owned(), "\\\"b\\\"".to_owned()))
        );
        assert_eq!(difference(&a, &a), None);
        assert_eq!(difference(&json!([1]), &json!([])).map(|(path, ..)| path), Some("/0".to_owned()));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..4_i64).prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "[=~@a-c-]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec(("[=~@-]|id|name|node", inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn a_difference_leads_from_one_to_the_other(from in value(), to in value()) {
            prop_assert_eq!(patched(&from, &to), to.clone());
            prop_assert_eq!(difference(&from, &to).is_none(), from == to);
        }

        #[test]
        fn no_patch_panics(from in value(), patch in value()) {
            let _ = apply(&mut from.clone(), patch);
        }
    }
}
