//! The example policies are read, and as they are written they fit the schema.

use std::path::{Path, PathBuf};

use autoscale_core::data::policy::{Policy, PolicyFormat};
use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value, json};
use toml::de::DeValue;

use super::checker::check;

/// Every file beside the packages of the examples; none when the crate is tested outside of its workspace.
fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/policies");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn each_example_is_valid_and_fits_the_schema() {
    let schema = Policy::json_schema();
    let mut hashes = Vec::new();
    for path in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let format = PolicyFormat::of_path(&path).unwrap_or_else(|| panic!("{}", path.display()));
        let policy =
            Policy::parse(&text, format).unwrap_or_else(|errors| panic!("{}\n{errors}", path.display()));
        let written = match format {
            PolicyFormat::Yaml => yaml(&text),
            PolicyFormat::Toml => {
                of_toml(&DeValue::Table(toml::de::DeTable::parse(&text).unwrap().into_inner()))
            }
            _ => serde_json::from_str(&text).unwrap(),
        };
        for value in [written, serde_json::to_value(&policy).unwrap()] {
            check(&schema, &value).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        }
        hashes.push((path.file_name().unwrap().to_str().unwrap().to_owned(), policy.hash().clone()));
    }
    let Some((_, first)) = hashes.iter().find(|(name, _)| name == "k3s-on-spot.yaml") else { return };
    assert_eq!(hashes.len(), 8);
    let same = hashes.iter().filter(|(_, hash)| hash == first).map(|(name, _)| name.as_str());
    assert_eq!(same.collect::<Vec<_>>(), ["k3s-on-spot.json", "k3s-on-spot.toml", "k3s-on-spot.yaml"]);
}

/// As a schema validator beside us reads it.
fn yaml(text: &str) -> Value {
    let events: Vec<_> = Parser::new_from_str(text).map(|event| event.unwrap().0).collect();
    let mut anchors = Vec::new();
    node(&mut events.into_iter().filter(|event| event.is_node() || ends(event)), &mut anchors).unwrap()
}

fn ends(event: &Event<'_>) -> bool {
    matches!(event, Event::SequenceEnd | Event::MappingEnd)
}

fn node<'a>(events: &mut dyn Iterator<Item = Event<'a>>, anchors: &mut Vec<(usize, Value)>) -> Option<Value> {
    let (anchor, value) = match events.next()? {
        Event::Scalar(text, style, anchor, _) => {
            let plain = (style == ScalarStyle::Plain).then(|| serde_json::from_str(&text).ok()).flatten();
            (anchor, plain.unwrap_or_else(|| json!(text)))
        }
        Event::SequenceStart(_, anchor, _) => {
            (anchor, std::iter::from_fn(|| node(events, anchors)).collect())
        }
        Event::MappingStart(_, anchor, _) => {
            let mut map = Map::new();
            while let Some(key) = node(events, anchors) {
                map.insert(key.as_str().unwrap().to_owned(), node(events, anchors).unwrap());
            }
            (anchor, Value::Object(map))
        }
        Event::Alias(anchor) => {
            return anchors.iter().find(|(known, _)| *known == anchor).map(|(_, value)| value.clone());
        }
        _ => return None,
    };
    anchors.push((anchor, value.clone()));
    Some(value)
}

fn of_toml(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::Table(table) => Value::Object(
            table.iter().map(|(key, value)| (key.get_ref().to_string(), of_toml(value.get_ref()))).collect(),
        ),
        DeValue::Array(list) => list.iter().map(|item| of_toml(item.get_ref())).collect(),
        DeValue::String(text) => json!(text),
        DeValue::Integer(number) => json!(number.as_str().parse::<i64>().unwrap()),
        DeValue::Float(number) => json!(number.as_str().parse::<f64>().unwrap()),
        DeValue::Boolean(value) => json!(value),
        DeValue::Datetime(date) => json!(date.to_string()),
    }
}
