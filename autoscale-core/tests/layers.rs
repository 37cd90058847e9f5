//! The house, read from the sources: who may name whom, what the pure floors may not touch, how long a file may be.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// No file is longer.
const HARD_CAP: usize = 500;

/// Each module and those it may name, besides itself. Arrows point down only.
const FLOORS: [(&str, &[&str]); 10] = [
    ("words", &[]),
    ("data", &["words"]),
    ("logic", &["words", "data"]),
    ("ports", &["words", "data"]),
    ("driver", &["words", "data", "logic", "ports"]),
    ("memory", &["words", "data", "ports", "driver"]),
    ("sim", &["words", "data", "logic", "ports", "driver", "memory"]),
    ("conformance", &["words", "data", "ports"]),
    ("file", &["words", "data", "ports"]),
    ("objects", &["words", "data", "ports"]),
];

/// What would make a decision depend on more than its arguments. A hash map may be looked up but never iterated; as long
/// as nobody needs one there is none.
const IMPURE: [&str; 17] = [
    "SystemTime",
    "Instant",
    "RandomState",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "thread_rng",
    "getrandom",
    "tokio",
    "async ",
    "async_trait",
    ".await",
    "println!",
    "tracing",
    "HashMap",
];

/// One source file: where it is, what it says without comments, and how much of that is not a test.
struct Source {
    path: PathBuf,
    lines: usize,
    /// Without comments, `#[cfg(test)]` modules and test files.
    code: String,
}

fn core() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file below a folder, by path; none when there is no such folder.
fn sources(folder: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let is_test = path
                    .file_stem()
                    .is_some_and(|stem| stem == "tests" || stem == "testing" || stem == "mutants")
                    || path
                        .components()
                        .any(|part| part.as_os_str() == "broken" || part.as_os_str() == "exhaustive");
                let code = if is_test { String::new() } else { shipping(&text) };
                found.push(Source { path, lines: text.lines().count(), code });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The code that ships: everything above the tests, which stand last, without comments.
fn shipping(text: &str) -> String {
    let above = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code = |line: &str| line.find("//").map_or(line.to_owned(), |at| line[..at].to_owned());
    above.lines().map(code).collect::<Vec<_>>().join("\n")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether a name stands in the code, not as a part of a longer one.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_none_or(|c| !is_word(c));
        let after = code[at + name.len()..].chars().next().is_none_or(|c| !is_word(c));
        (before || !name.starts_with(is_word)) && (after || !name.ends_with(is_word))
    })
}

/// Every top-level module of the crate that a file names, in paths and in `use crate::{..}`.
fn modules_named(code: &str) -> Vec<String> {
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => named.push(rest.chars().take_while(|c| is_word(*c)).collect()),
            Some(group) => {
                // The names at the first level of the braces.
                let (mut depth, mut name, mut in_name) = (0, String::new(), true);
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            named.push(std::mem::take(&mut name));
                            in_name = true;
                        }
                        ':' => in_name = false,
                        c if depth == 0 && in_name && is_word(c) => name.push(c),
                        _ => {}
                    }
                }
                named.push(name);
            }
        }
    }
    named
}

fn complaints(all: Vec<String>) {
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn floors_name_only_what_is_below() {
    let mut wrong = Vec::new();
    for (floor, allowed) in FLOORS {
        let files = sources(&core().join(floor));
        assert!(!files.is_empty(), "{floor} has no files");
        for file in files {
            let foreign = modules_named(&file.code)
                .into_iter()
                .filter(|name| FLOORS.iter().any(|(floor, _)| floor == name))
                .find(|name| name != floor && !allowed.contains(&name.as_str()));
            wrong.extend(foreign.map(|name| format!("{}: {floor} names {name}", file.path.display())));
        }
    }
    complaints(wrong);
}

#[test]
fn every_module_belongs_to_a_floor() {
    let lib = fs::read_to_string(core().join("lib.rs")).unwrap();
    let modules: Vec<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod "))
        .map(|name| name.trim_end_matches(';'))
        .collect();
    let mut floors: Vec<&str> = FLOORS.iter().map(|(floor, _)| *floor).collect();
    floors.sort_unstable();
    assert_eq!(modules, floors);
    // How `file` and `objects` keep a record; deliberate mistakes for the unit tests, which are nothing in any other build.
    let private: Vec<&str> = lib.lines().filter(|line| line.starts_with("mod ")).collect();
    assert_eq!(private, ["mod envelope;", "mod mutant;"]);
}

#[test]
fn decisions_depend_on_nothing_but_their_arguments() {
    let mut wrong = Vec::new();
    for floor in ["words", "data", "logic"] {
        for file in sources(&core().join(floor)) {
            let found = IMPURE.iter().filter(|name| names(&file.code, name));
            wrong.extend(found.map(|name| format!("{}: {name}", file.path.display())));
        }
    }
    complaints(wrong);
}

/// What the features `yaml` and `audit` bring in stays in the files that read and write with it.
#[test]
fn only_their_readers_name_the_parsers() {
    let mut wrong = Vec::new();
    for file in sources(&core()) {
        for (name, reader) in [
            ("granit_parser", "text/yaml.rs"),
            ("::toml::", "text/toml.rs"),
            ("base64", "audit/line.rs"),
            ("miniz_oxide", "audit/line.rs"),
            ("sha2", "audit/line.rs"),
        ] {
            let named = file.code.split_whitespace().any(|word| word.contains(name));
            if named && !file.path.ends_with(reader) {
                wrong.push(format!("{}: {name}", file.path.display()));
            }
        }
    }
    complaints(wrong);
}

/// What is told goes through two folders of the driver; whoever decides neither logs nor counts.
#[test]
fn only_their_folders_name_tracing_and_metrics() {
    let mut wrong = Vec::new();
    for file in sources(&core()) {
        for (name, folder) in [("tracing::", "driver/traces"), ("use ::metrics", "driver/measures")] {
            let below = core().join(folder);
            if file.code.contains(name) && !file.path.starts_with(below) {
                wrong.push(format!("{}: {name}", file.path.display()));
            }
        }
    }
    complaints(wrong);
}

#[test]
fn only_the_clock_reads_a_clock() {
    let mut wrong = Vec::new();
    for floor in ["ports", "driver", "memory", "sim", "conformance", "file", "objects"] {
        for file in sources(&core().join(floor)) {
            let may = ["ports/clock.rs", "driver/run.rs"].iter().any(|name| file.path.ends_with(name));
            let found = ["SystemTime", "Instant", "RandomState", "std::env", "thread_rng"]
                .iter()
                .filter(|name| !may && names(&file.code, name));
            wrong.extend(found.map(|name| format!("{}: {name}", file.path.display())));
        }
    }
    complaints(wrong);
}

#[test]
fn providers_see_neither_the_logic_nor_the_driver() {
    let mut wrong = Vec::new();
    for provider in ["autoscale-aws", "autoscale-azure", "autoscale-kube"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(provider).join("src");
        for file in sources(&folder) {
            let joined: String = file.code.split_whitespace().collect();
            for hidden in ["logic", "driver"] {
                let direct = names(&joined, &format!("autoscale_core::{hidden}"));
                let grouped = modules_named(&joined.replace("autoscale_core::", "crate::"));
                if direct || grouped.iter().any(|name| name == hidden) {
                    wrong.push(format!("{}: {hidden}", file.path.display()));
                }
            }
        }
    }
    complaints(wrong);
}

#[test]
fn no_file_is_longer_than_the_cap() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![core(), here.join("tests")];
    for package in ["autoscale-aws", "autoscale-azure", "autoscale-kube", "examples", "benches"] {
        folders.push(here.join("..").join(package));
    }
    let files = folders.iter().flat_map(|folder| sources(folder));
    let long = files.filter(|file| file.lines > HARD_CAP);
    complaints(long.map(|file| format!("{}: {} lines", file.path.display(), file.lines)).collect());
}

#[test]
fn nothing_that_ships_unwraps() {
    let mut wrong = Vec::new();
    for file in sources(&core()) {
        let found = [".unwrap()", ".unwrap_err()", "todo!(", "unimplemented!(", "dbg!("]
            .iter()
            .filter(|call| file.code.contains(**call));
        wrong.extend(found.map(|call| format!("{}: {call}", file.path.display())));
    }
    complaints(wrong);
}

#[test]
fn unsafe_code_is_forbidden_everywhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let Ok(workspace) = fs::read_to_string(root.join("Cargo.toml")) else { return };
    assert!(workspace.contains("\nunsafe_code = \"forbid\"\n"));
    let mut manifests: Vec<PathBuf> =
        ["autoscale-core", "autoscale-aws", "autoscale-azure", "autoscale-kube", "benches"]
            .map(|package| root.join(package).join("Cargo.toml"))
            .to_vec();
    let examples = fs::read_dir(root.join("examples")).into_iter().flatten();
    manifests
        .extend(examples.map(|entry| entry.unwrap().path().join("Cargo.toml")).filter(|path| path.is_file()));
    for manifest in manifests {
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(text.contains("\n[lints]\nworkspace = true\n"), "{}", manifest.display());
    }
}

#[test]
fn the_reader_of_sources_reads_them() {
    let code = "use crate::{data::{a, ports}, logic::b}; fn f() { crate::sim::g() }";
    assert_eq!(modules_named(code), ["data", "logic", "sim"]);
    assert!(names("let x = Instant::now();", "Instant") && !names("InstantLike", "Instant"));
    let text = "a(); // SystemTime\n\n#[cfg(test)]\nmod tests {\n    b.unwrap()\n}\n";
    assert_eq!(shipping(text).trim(), "a();");
}
