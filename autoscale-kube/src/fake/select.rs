//! Label selectors and field selectors.

use serde_json::Value;

use super::json::{list, words};
use super::refusal::{Refusal, Result};

/// One requirement of a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Need {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Need {
    fn is_met<'l>(&self, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        let listed = |values: &[String], found: &str| values.iter().any(|value| value == found);
        match self {
            Self::In(key, values) => label(key).is_some_and(|found| listed(values, found)),
            Self::NotIn(key, values) => !label(key).is_some_and(|found| listed(values, found)),
            Self::Exists(key) => label(key).is_some(),
            Self::Absent(key) => label(key).is_none(),
        }
    }
}

/// Requirements that must all be met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Labels(pub(super) Vec<Need>);

impl Labels {
    /// As in a query: `app=web,tier in (a, b),!canary`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let needs = split(text).into_iter().filter(|part| !part.is_empty()).map(|part| {
            need(part).ok_or_else(|| Refusal::bad_request(format!("unable to parse requirement: {part:?}")))
        });
        needs.collect::<Result<_>>().map(Self)
    }

    /// As in an object: `matchLabels` and `matchExpressions`. `None`: there is no selector.
    pub(super) fn of(selector: Option<&Value>) -> Option<Self> {
        let selector = selector.filter(|selector| !selector.is_null())?;
        let pairs = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
        let mut needs: Vec<Need> = pairs
            .filter_map(|(key, value)| Some(Need::In(key.clone(), vec![value.as_str()?.to_owned()])))
            .collect();
        for expression in list(selector, "/matchExpressions") {
            let key = words(expression, "/key").to_owned();
            let values =
                list(expression, "/values").iter().filter_map(Value::as_str).map(str::to_owned).collect();
            needs.push(match words(expression, "/operator") {
                "In" => Need::In(key, values),
                "NotIn" => Need::NotIn(key, values),
                "Exists" => Need::Exists(key),
                _ => Need::Absent(key),
            });
        }
        Some(Self(needs))
    }

    pub(super) fn picks<'l>(&self, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        self.0.iter().all(|need| need.is_met(&label))
    }

    /// Whether it picks an object.
    pub(super) fn picks_object(&self, object: &Value) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let labels = object.pointer("/metadata/labels");
        self.picks(|key| labels?.get(key)?.as_str())
    }
}

/// Splits at commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_u32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.extend(text.get(start..at).map(str::trim));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..).map(str::trim));
    parts
}

fn need(part: &str) -> Option<Need> {
    let set = |text: &str| -> Option<Vec<String>> {
        let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(inner.split(',').map(|value| value.trim().to_owned()).collect())
    };
    let key = |text: &str| Some(text.trim().to_owned()).filter(|key| !key.is_empty() && !key.contains(' '));
    if let Some((name, values)) = part.split_once(" notin ") {
        return Some(Need::NotIn(key(name)?, set(values)?));
    }
    if let Some((name, values)) = part.split_once(" in ") {
        return Some(Need::In(key(name)?, set(values)?));
    }
    if let Some((name, value)) = part.split_once("!=") {
        return Some(Need::NotIn(key(name)?, vec![value.trim().to_owned()]));
    }
    if let Some((name, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Some(Need::In(key(name)?, vec![value.trim().to_owned()]));
    }
    match part.strip_prefix('!') {
        Some(name) => Some(Need::Absent(key(name)?)),
        None => Some(Need::Exists(key(part)?)),
    }
}

/// Fields that must, or must not, have a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(pub(super) Vec<(String, bool, String)>);

impl Fields {
    /// As in a query: `spec.nodeName=n0,status.phase!=Failed`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let term = |part: &str| {
            let (path, same, value) = match part.split_once("!=") {
                Some((path, value)) => (path, false, value),
                None => {
                    let (path, value) = part.split_once("==").or_else(|| part.split_once('='))?;
                    (path, true, value)
                }
            };
            let pointer = format!("/{}", path.trim().replace('.', "/"));
            Some((pointer, same, value.trim().to_owned()))
        };
        let parts = text.split(',').filter(|part| !part.trim().is_empty());
        let bad = |part: &str| {
            Refusal::bad_request(format!("invalid selector: {part:?}; can't understand {part:?}"))
        };
        parts.map(|part| term(part).ok_or_else(|| bad(part))).collect::<Result<_>>().map(Self)
    }

    /// The one value that a field must have.
    pub(super) fn only(&self, pointer: &str) -> Option<&str> {
        self.0.iter().find(|(path, same, _)| *same && path == pointer).map(|(_, _, value)| value.as_str())
    }

    pub(super) fn picks_object(&self, object: &Value) -> bool {
        self.0.iter().all(|(pointer, same, value)| {
            let found = match object.pointer(pointer) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Bool(on)) => on.to_string(),
                Some(Value::Number(number)) => number.to_string(),
                // A field that was never set has the empty value of its type.
                _ if pointer == "/spec/unschedulable" => "false".to_owned(),
                _ => String::new(),
            };
            (found == *value) == *same
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_are_picked_as_kubernetes_does() {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "b"}}});
        for (text, picked) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier in (a, b)", true),
            ("app!=web", false),
            ("app notin (web)", false),
            ("!canary", true),
            ("canary", false),
            ("tier,app", true),
        ] {
            assert_eq!(Labels::parse(text).unwrap().picks_object(&object), picked, "{text}");
        }
        assert!(Labels::parse("a b c").is_err());
        let selector = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "NotIn", "values": ["a"]}, {"key": "x", "operator": "DoesNotExist"}]});
        assert!(Labels::of(Some(&selector)).unwrap().picks_object(&object));
        assert!(Labels::of(None).is_none());
    }

    #[test]
    fn fields_are_compared_with_what_is_not_set_too() {
        let pod = json!({"metadata": {"name": "a"}, "spec": {}, "status": {"phase": "Pending"}});
        for (text, picked) in [
            ("spec.nodeName=", true),
            ("spec.nodeName!=", false),
            ("metadata.name=a,status.phase!=Failed", true),
            ("spec.unschedulable=false", true),
        ] {
            assert_eq!(Fields::parse(text).unwrap().picks_object(&pod), picked, "{text}");
        }
        assert_eq!(Fields::parse("spec.nodeName=n0").unwrap().only("/spec/nodeName"), Some("n0"));
        assert!(Fields::parse("nonsense").is_err());
    }
}
