//! Which settings a text leaves to their defaults.

use crate::data::policy::raw::Raw;

/// The paths and values that the canonical form spells out and the text does not.
pub(super) fn defaults(written: &Raw, canonical: &Raw) -> Vec<(String, String)> {
    let mut found = Vec::new();
    missing(Some(written), canonical, "", &mut found);
    found
}

fn missing(written: Option<&Raw>, canonical: &Raw, path: &str, found: &mut Vec<(String, String)>) {
    let inner = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (written, canonical) {
        (Some(Raw::Map(written)), Raw::Map(canonical)) => {
            for (key, value) in canonical {
                // One shape may stand there without a list.
                let has = |name: &str| written.iter().find(|(key, _)| key == name).map(|(_, raw)| raw);
                match (has(key), has("shape"), value) {
                    (None, Some(shape), Raw::List(shapes)) if key == "shapes" => {
                        let shapes = shapes.first();
                        shapes.into_iter().for_each(|one| missing(Some(shape), one, &inner("shape"), found));
                    }
                    (written, ..) => missing(written, value, &inner(key), found),
                }
            }
        }
        (Some(Raw::List(written)), Raw::List(canonical)) if written.len() == canonical.len() => {
            for (index, (written, canonical)) in written.iter().zip(canonical).enumerate() {
                missing(Some(written), canonical, &format!("{path}[{index}]"), found);
            }
        }
        (None, canonical) => found.push((path.to_owned(), compact(canonical))),
        (Some(_), _) => {}
    }
}

/// A value on one line, as JSON.
fn compact(raw: &Raw) -> String {
    match raw {
        Raw::Text(text) => text.clone(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use crate::data::policy::{Policy, PolicyFormat};

    #[test]
    fn what_is_not_written_is_a_default() {
        let text = r#"{"version": 1, "cluster": "shop", "tick": {"interval": "1m"}, "pools": {"web": {
            "min": 2, "zones": ["a"], "shape": {"name": "x", "cpu": 2, "memory": "8Gi", "pods": 110},
            "up": [{"signal": "cpu", "above": "70%"}]}}}"#;
        let (policy, defaults) = Policy::parse_with_defaults(text, PolicyFormat::Json).unwrap();
        assert_eq!(policy.hash(), Policy::from_json(text).unwrap().hash());
        let of = |path: &str| defaults.iter().find(|(at, _)| at == path).map(|(_, value)| value.as_str());
        for (path, value) in [
            ("tick.limit", Some("30s")),
            ("tick.interval", None),
            ("pools.web.min", None),
            ("pools.web.max", Some("10")),
            ("pools.web.up[0].for", Some("0s")),
            ("pools.web.up[0].above", None),
            ("pools.web.down", Some(r#"[{"signal":"cpu","below":"30%","for":"10m"}]"#)),
            ("pools.web.shape.price", Some("false")),
            ("pools.web.shapes", None),
            ("pools.web.purchases", Some(r#"["spot","on_demand"]"#)),
        ] {
            assert_eq!(of(path), value, "{path}: {defaults:?}");
        }
    }
}
