//! Where in a text something is wrong.

use autoscale_core::data::policy::{Policy, PolicyFormat};

/// As people write it.
const TEXT: &str = r#"{
  "version": 1,
  "cluster": "Shop",
  "pools": {
    "ü": {},
    "web": {
      "min": 12, "mun": 1,
      "zones": ["a", "A"], "labels": { "x y": "1" },
      "shape": { "name": "m", "cpu": 2, "memory": "8\"Gi", "pods": 110 },
      "min": 3
    },
    "batch": { "shapes": [{ "name": "m", "cpu": 1, "memory": 1 }] }
  }
}
"#;

#[test]
fn each_error_in_json_has_its_place() {
    let errors = Policy::from_json(TEXT).unwrap_err();
    let expected = [
        "line 3, column 14: cluster: \"Shop\": expected 1 to 32 characters of a-z, 0-9 and inner dashes",
        "line 12, column 5: pools.batch.zones: missing: expected a list of zones",
        "line 12, column 27: pools.batch.shapes[0].pods: missing: expected a whole number from 1 to 10000",
        "line 10, column 7: pools.web.min: 3: expected each key once",
        "line 7, column 18: pools.web.mun: 1: expected a known key, like min",
        "line 7, column 14: pools.web.min: 12: expected at most max, which is 10",
        "line 8, column 22: pools.web.zones[1]: \"A\": expected 1 to 63 characters of a-z, 0-9 and inner dashes",
        "line 9, column 51: pools.web.shape.memory: \"8\\\"Gi\": expected an amount of memory, like 8Gi, 512Mi or a number of bytes",
        "line 8, column 40: pools.web.labels[\"x y\"]: \"x y\": expected a key of 1 to 317 printable ASCII characters without spaces",
        "line 5, column 5: pools[\"ü\"]: \"ü\": expected 1 to 63 characters of a-z, 0-9 and inner dashes",
        "line 5, column 5: pools[\"ü\"].zones: missing: expected a list of zones",
        "line 5, column 10: pools[\"ü\"]: an empty map: expected exactly one of shape, shapes",
    ];
    assert_eq!(errors.to_string(), expected.join("\n"));
    assert_eq!(errors.iter().next().and_then(|error| error.place), Some((3, 14)));
}

#[test]
fn what_is_no_text_has_no_places() {
    let errors = Policy::builder("Shop").build().unwrap_err();
    assert!(errors.iter().all(|error| error.place.is_none()), "{errors}");
    let errors = serde_json::from_str::<Policy>(TEXT).unwrap_err().to_string();
    assert!(errors.starts_with("cluster: "), "{errors}");
}

#[test]
fn a_path_tells_the_format() {
    let yaml = cfg!(feature = "yaml");
    for (path, known) in [
        ("policy.json", true),
        ("/etc/a.b/policy.JSON", true),
        ("policy.yaml", yaml),
        ("policy.yml", yaml),
        ("policy.toml", yaml),
        ("policy", false),
        (".json", false),
        ("policy.json.bak", false),
        ("", false),
    ] {
        assert_eq!(PolicyFormat::of_path(path.as_ref()).is_some(), known, "{path}");
    }
    assert_eq!(PolicyFormat::of_path("a.json".as_ref()), Some(PolicyFormat::Json));
    #[cfg(feature = "yaml")]
    for (path, format) in
        [("a.yaml", PolicyFormat::Yaml), ("a.YML", PolicyFormat::Yaml), ("a.toml", PolicyFormat::Toml)]
    {
        assert_eq!(PolicyFormat::of_path(path.as_ref()), Some(format));
    }
}
