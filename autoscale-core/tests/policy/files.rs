//! The same policy in every format, and whatever text in place of one.

use autoscale_core::data::policy::{Policy, PolicyErrors, PolicyFormat};
use proptest::prelude::*;
use serde_json::Value;

use super::{any_value, built};

/// The canonical form in each format is the same policy, and each is written in one way.
pub(super) fn agree(policy: &Policy) {
    let (yaml, toml) = (policy.to_yaml(), policy.to_toml());
    for read in [Policy::from_yaml(&yaml), Policy::parse(&yaml, PolicyFormat::Yaml)] {
        let read = read.unwrap_or_else(|errors| panic!("{errors}\n{yaml}"));
        assert_eq!((&read, read.to_yaml()), (policy, yaml.clone()));
    }
    let read = Policy::from_toml(&toml).unwrap_or_else(|errors| panic!("{errors}\n{toml}"));
    assert_eq!((&read, read.hash(), read.to_toml()), (policy, policy.hash(), toml));
    // JSON is YAML.
    let json = serde_json::to_string(policy).unwrap();
    assert_eq!(&Policy::from_yaml(&json).unwrap(), policy, "{json}");
}

#[test]
fn the_canonical_yaml_and_toml_are_what_people_write() {
    assert_eq!(built().to_yaml(), include_str!("canonical.yaml"));
    assert_eq!(built().to_toml(), include_str!("canonical.toml"));
    agree(&built());
}

#[test]
fn words_that_look_like_something_else_are_quoted() {
    let labels = [
        "no",
        "On",
        "y",
        "null",
        "1.10",
        "0x1F",
        "0xAF",
        "0o17",
        "1_000",
        "2026-01-01",
        "12:30",
        "-",
        "~x",
        "",
    ];
    let labels = labels.iter().enumerate().map(|(n, label)| (format!("label-{n}"), *label));
    let policy = Policy::builder("shop").with_pool(super::web().with_labels(labels)).build().unwrap();
    let yaml = policy.to_yaml();
    assert!(yaml.lines().filter(|line| line.contains("label-")).all(|line| line.contains(": \"")), "{yaml}");
    agree(&policy);
}

type Told = Result<Policy, Vec<(String, String, String)>>;

fn placeless(read: Result<Policy, PolicyErrors>) -> Told {
    read.map_err(|errors| {
        errors.iter().map(|error| (error.path.clone(), error.value.clone(), error.expected.clone())).collect()
    })
}

fn has_reals(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(list) => list.iter().any(has_reals),
        Value::Object(map) => map.values().any(has_reals),
        _ => false,
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = Policy::from_yaml(&text);
        let _ = Policy::from_toml(&text);
    }

    /// What looks like YAML or TOML more often than any text does.
    #[test]
    fn no_fragments_panic(parts in prop::collection::vec(prop::sample::select(vec![
        "a", "a: ", "- ", "\n", "\n  ", "\t", "[", "]", "{", "}", ",", "&x ", "*x", "!!str ", "? ", "|\n", ">-\n", "'",
        "\"", "---\n", "...\n", "# c\n", "<<: ", "= ", "[[a]]\n", "[a.b]\n", "'''", "1_0", "0x", ".5", "\u{feff}", "ü",
        "%YAML 1.2\n",
    ]), 0..40)) {
        let text = parts.concat();
        let _ = Policy::from_yaml(&text);
        let _ = Policy::from_toml(&text);
    }

    /// Any value in the place of a part: the errors are those of JSON, whose parser is exact for whole numbers only.
    #[test]
    fn errors_do_not_depend_on_the_format(value in any_value().prop_filter("reals", |value| !has_reals(value))) {
        let mut policy = serde_json::to_value(built()).unwrap();
        policy["pools"]["web"]["up"] = value;
        let text = policy.to_string();
        let yaml = placeless(Policy::from_yaml(&text));
        // Not every character that JSON allows in a text is one that YAML allows.
        if !yaml.as_ref().is_err_and(|errors| errors.iter().any(|(_, value, _)| value == "unreadable")) {
            prop_assert_eq!(yaml, placeless(Policy::from_json(&text)));
        }
    }
}
