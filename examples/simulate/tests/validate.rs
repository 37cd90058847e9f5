//! Policies from files: every error at once, one clear error for a bad file, and what a good one says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::path::Path;

use common::{file, json, simulate, text};

/// A good policy, as each format has it.
const GOOD: [(&str, &str); 3] = [
    (
        "yaml",
        "version: 1
cluster: shop
pools:
  web: { zones: [a], shape: { name: x, cpu: 2, memory: 8Gi, pods: 110 } }
",
    ),
    (
        "toml",
        "version = 1
cluster = \"shop\"
[pools.web]
zones = [\"a\"]
shape = { name = \"x\", cpu = 2, memory = \"8Gi\", pods = 110 }
",
    ),
    (
        "json",
        r#"{ "version": 1,
"cluster": "shop",
"pools": { "web": { "zones": ["a"], "shape": { "name": "x", "cpu": 2, "memory": "8Gi", "pods": 110 } } } }
"#,
    ),
];

/// How a good policy is spoilt, and what the one error then says.
struct Bad {
    name: &'static str,
    spoil: fn(&str) -> Vec<u8>,
    /// In YAML, TOML and JSON.
    says: [&'static str; 3],
}

fn deep(text: &str) -> Vec<u8> {
    let nested = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    text.replacen("[a]", &nested, 1).replacen("[\"a\"]", &nested, 1).into_bytes()
}

const ALL: [Bad; 9] = [
    Bad { name: "empty", spoil: |_| Vec::new(), says: ["empty file: expected a policy"; 3] },
    Bad { name: "blank", spoil: |_| b" \n\n".to_vec(), says: ["empty file: expected a policy"; 3] },
    Bad {
        name: "binary",
        spoil: |text| [text.as_bytes(), b"\xff\xfe\x00\x01"].concat(),
        says: [":5: not UTF-8 text", ":6: not UTF-8 text", ":4: not UTF-8 text"],
    },
    Bad {
        name: "zero",
        spoil: |text| text.replace("shop", "s\0p").into_bytes(),
        says: [":2: a zero byte: not a text file"; 3],
    },
    Bad {
        name: "huge",
        spoil: |text| [text.as_bytes(), &vec![b' '; 1 << 20]].concat(),
        says: [": larger than 1 MiB"; 3],
    },
    Bad {
        name: "deep",
        spoil: deep,
        says: [
            "expected YAML, but recursion limit",
            "expected TOML, but cannot recurse",
            "nested deeper than 16 levels",
        ],
    },
    Bad {
        name: "twice",
        spoil: |text| {
            text.replace("zones", "max: 3, max: 4, zones")
                .replace("zones =", "max = 3\nmax = 4\nzones =")
                .replace("max: 3, max: 4, zones\nzones", "zones")
                .replace("\"max: 3, max: 4, zones\"", "\"max\": 3, \"max\": 4, \"zones\"")
                .replace("max: 3, max: 4, max = 3", "max = 3")
                .into_bytes()
        },
        says: [
            "pools.web.max: 4: expected each key once",
            "expected TOML, but duplicate key",
            "pools.web.max: 4: expected each key once",
        ],
    },
    Bad {
        name: "later",
        spoil: |text| {
            format!(
                "{}\n",
                text.replace("version: 1", "version: 2\nnews: [1]")
                    .replace("version = 1", "version = 2\nnews = [1]")
                    .replace("\"version\": 1,", "\"version\": 2, \"news\": [1],")
            )
            .into_bytes()
        },
        says: ["version: 2: expected 1, the only version that is known here"; 3],
    },
    Bad {
        name: "other",
        spoil: |text| {
            text.replace("version: 1", "version: one")
                .replace("version = 1", "version = \"one\"")
                .replace("\"version\": 1", "\"version\": \"one\"")
                .into_bytes()
        },
        says: ["version: \"one\": expected 1"; 3],
    },
];

#[test]
fn a_bad_file_is_one_clear_error_in_every_format() {
    for bad in &ALL {
        for ((ending, good), says) in GOOD.iter().zip(bad.says) {
            let path = file("validate", &format!("{}.{ending}", bad.name), &(bad.spoil)(good));
            let name = path.to_str().unwrap();
            for args in [
                &["validate", name][..],
                &["--policy", name, "--until", "1h"],
                &["--compare", name, "--until", "1h"],
            ] {
                let output = simulate(args);
                let told = text(&output.stderr);
                assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
                assert!(output.stdout.is_empty(), "{args:?}: a partial result");
                assert_eq!(told.lines().count(), 1, "{args:?}: {told}");
                assert!(told.starts_with(name) && told.contains(says), "{args:?}: {told}");
            }
            let output = simulate(&["validate", "--json", name]);
            assert_eq!(output.status.code(), Some(2));
            let found = json(&output);
            assert_eq!(
                found.pointer("/files/0/errors").and_then(|all| all.as_array()).map(Vec::len),
                Some(1)
            );
            assert_eq!(found.pointer("/files/0/hash"), Some(&serde_json::Value::Null));
        }
    }
}

#[test]
fn a_good_file_says_the_same_in_every_format() {
    let paths = GOOD.map(|(ending, good)| file("validate", &format!("good.{ending}"), good.as_bytes()));
    let names: Vec<_> = paths.iter().map(|path| path.to_str().unwrap()).collect();
    let output = simulate(&[&["validate", "--json"], names.as_slice()].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let found = json(&output);
    let of = |index: usize, key: &str| found.pointer(&format!("/files/{index}/{key}")).cloned().unwrap();
    for key in ["hash", "pools", "defaults", "valid"] {
        assert_eq!(of(0, key), of(1, key), "{key}");
        assert_eq!(of(0, key), of(2, key), "{key}");
    }
    let page = simulate(&["validate", names.first().unwrap()]);
    let page = text(&page.stdout);
    for words in [
        "valid, policy ",
        "pool web: 2–10 nodes, spot, else on-demand",
        "of x (2 CPU, 8.0 GiB, 110 pods)",
        "grows when cpu is above 70.0 %, or pods are pending for 3m",
        "shrinks when cpu is below 30.0 % for 10m",
        "pools.web.max = 10",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    assert!(!page.contains("pools.web.zones ="), "{page}");
}

#[test]
fn everything_wrong_is_told_at_once_and_of_every_file() {
    let first = file(
        "validate",
        "wrong.yaml",
        b"version: 1\ncluster: shop\npools:\n  web:\n    min: 12\n    zone: [a]\n",
    );
    let second = file("validate", "missing.json", br#"{"version": 1, "cluster": "SHOP", "pools": {}}"#);
    let [first, second] = [first.to_str().unwrap(), second.to_str().unwrap()];
    let output =
        simulate(&["validate", first, second, "examples/policies/gpu.yaml", "no-such.toml", "policy.txt"]);
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    for line in [
        format!("{first}:5:10: pools.web.min: 12: expected at most max, which is 10\n"),
        format!("{first}:6:5: pools.web.zone: "),
        format!("{second}:1:27: cluster: \"SHOP\": expected"),
        format!("{second}:1:44: pools: an empty map: expected at least one pool\n"),
        "no-such.toml: cannot read: ".to_owned(),
        "policy.txt: expected a name that ends in .yaml, .yml, .toml or .json\n".to_owned(),
    ] {
        assert!(told.contains(&line), "{line}\n{told}");
    }
    assert!(text(&output.stdout).starts_with("examples/policies/gpu.yaml: valid, policy "));
    // Nothing of the good file is run when another is bad.
    let output = simulate(&[
        "--compare",
        "default",
        "examples/policies/gpu.yaml",
        first,
        second,
        "--trace",
        "no-such.csv",
    ]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    for name in [first, second, "no-such.csv: cannot read"] {
        assert!(text(&output.stderr).contains(name), "{name}");
    }
}

#[test]
fn every_example_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(paths.len() >= 6);
    for path in paths {
        let output = simulate(&["validate", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(output.stderr.is_empty());
    }
}

#[test]
fn a_run_is_under_the_policy_and_says_what_it_cannot_offer() {
    let policy = "examples/policies/k3s-on-spot.yaml";
    let args = ["--scenario", "steady", "--until", "3h", "--no-static", "--policy", policy];
    let output = simulate(&[&args[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let found = json(&output);
    assert_eq!(found.pointer("/policy"), Some(&policy.into()));
    let repeat = found.pointer("/repeat").and_then(|repeat| repeat.as_str()).unwrap();
    assert!(repeat.ends_with(&format!(" --policy {policy}")), "{repeat}");
    let said = found.pointer("/not_simulated/0").and_then(|said| said.as_str()).unwrap();
    assert!(said.starts_with("signal queue_depth is not measured here"), "{said}");
    let page = simulate(&args);
    assert!(text(&page.stdout).contains("not simulated signal queue_depth"), "{}", text(&page.stdout));
    // The same run without it is another one.
    let own = json(&simulate(&[&args[..5], &["--json"]].concat()));
    assert_ne!(own.pointer("/digest"), found.pointer("/digest"));
    assert_eq!(own.pointer("/policy"), Some(&serde_json::Value::Null));
}
