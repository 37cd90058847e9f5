//! The README says what is true: its facts are compared with the manifests, its policy is read, its examples are run.
//!
//! The Rust examples are also documentation tests, since the README is the crate's first page.

use std::fs;
use std::path::Path;

use autoscale_core::data::policy::Policy;

const README: &str = include_str!("../README.md");
const MANIFEST: &str = include_str!("../Cargo.toml");

/// The fenced blocks of one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("\n```{language}\n");
    README
        .split(fence.as_str())
        .skip(1)
        .filter_map(|rest| rest.split_once("\n```"))
        .map(|(code, _)| code)
        .collect()
}

/// A file of the workspace; none when the crate is tested outside of it.
fn workspace_file(name: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).ok()
}

/// "Only the decision", compiled with whatever features this test has: none of them is needed.
mod decide {
    include!("readme/decide.rs");

    #[test]
    fn runs() {
        main().unwrap();
    }
}

#[test]
fn only_the_decision_is_the_example_that_ran() {
    assert!(blocks("rust").contains(&include_str!("readme/decide.rs").trim_end()));
}

#[test]
fn the_crates_copy_is_the_workspaces_readme() {
    if let Some(readme) = workspace_file("README.md") {
        assert_eq!(readme, README, "autoscale-core/README.md differs from README.md");
    }
}

#[test]
fn the_msrv_is_the_manifests() {
    let Some(workspace) = workspace_file("Cargo.toml") else { return };
    let line = workspace.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    let expected = format!("\nRust {}, one for the whole workspace.", line.trim_matches('"'));
    assert!(README.contains(&expected), "the README does not say {expected:?}");
}

#[test]
fn every_feature_is_described() {
    let (_, features) = MANIFEST.split_once("\n[features]\n").unwrap();
    let features = features.split("\n[").next().unwrap_or_default();
    let names: Vec<&str> =
        features.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.trim()).collect();
    let (_, described) = README.split_once("\n## Crate features\n").unwrap();
    let described = described.split("\n## ").next().unwrap_or_default();
    let told: Vec<&str> = described
        .lines()
        .filter_map(|line| line.strip_prefix("- **`"))
        .filter_map(|rest| rest.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    let expected: Vec<&str> =
        names.into_iter().filter(|name| *name != "default" && !name.starts_with('#')).collect();
    assert_eq!(told, expected);
    assert_eq!(described.matches("Without it:").count(), expected.len(), "each says what its absence means");
}

#[test]
fn the_policies_are_valid() {
    let policies: Vec<Policy> = blocks("json").iter().map(|text| Policy::from_json(text).unwrap()).collect();
    let sizes: Vec<_> =
        policies.iter().map(|policy| (policy.pools().len(), policy.signals().len())).collect();
    assert_eq!(sizes, [(1, 3), (3, 2)]);
}

#[test]
fn the_first_example_is_short_and_none_is_ignored() {
    let examples = blocks("rust");
    assert_eq!(examples.len(), 2);
    let lines = examples[0].lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 25, "{lines} lines");
    for hidden in ["```rust,", "```ignore", "```no_run", "```compile_fail"] {
        assert!(!README.contains(hidden), "{hidden}");
    }
}

#[test]
fn the_crash_table_is_whole() {
    for row in 0..=15 {
        assert_eq!(README.matches(&format!("\n| C{row} |")).count(), 1, "C{row}");
    }
}

#[test]
fn the_commands_are_the_ones_that_are_checked() {
    for command in ["cargo run --release -p simulate", "cargo test --workspace"] {
        assert!(README.contains(&format!("\n{command} ")), "{command}");
    }
    if let Some(checks) = workspace_file(".ci/run") {
        assert!(
            checks.lines().any(|line| {
                line.starts_with("step \"tests\" ") && line.ends_with(" cargo test --workspace")
            }),
            "a step is the README's command, whatever servers stand beside it"
        );
    }
}
