//! The page for a browser.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{file, json, simulate, text};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The runs that a page draws.
fn data(page: &str) -> serde_json::Value {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn a_page_changes_nothing_of_the_run_and_stays_small() {
    let path = file("report", "week.html", b"");
    let name = path.to_str().unwrap();
    for args in [
        &["--faults", "none"][..],
        &["--faults", "hostile"],
        &["--scenario", "spot-storm", "--faults", "mild"],
    ] {
        let plain = json(&simulate(&[args, &["--no-static", "--json"]].concat()));
        let seen = simulate(&[args, &["--no-static", "--json", "--report", name]].concat());
        assert_eq!(seen.status.code(), Some(0), "{}", text(&seen.stderr));
        let seen = json(&seen);
        assert_eq!(plain, seen, "{args:?}");
        let page = fs::read_to_string(&path).unwrap();
        assert!(page.len() < 5_000_000, "{args:?}: {} bytes", page.len());
        let runs = data(&page);
        let run = runs.get(0).unwrap();
        let list = |key: &str| run.get(key).and_then(|list| list.as_array()).unwrap();
        // Every launch of the run is in a decision, unless faults kill the tick that decided it.
        let launches: usize = list("decisions")
            .iter()
            .filter_map(|one| one.get("text")?.as_str())
            .map(|text| text.lines().filter(|line| line.starts_with("  launch ")).count())
            .sum();
        let bought = |key: &str| seen.get(key).and_then(|number| number.as_u64()).unwrap() as usize;
        let all = bought("scale_ups") + bought("replacements");
        let calm = args == ["--faults", "none"];
        assert!(launches == all || (!calm && launches > all / 4), "{args:?}: {launches} told, {all} made");
        let times: Vec<_> = list("decisions").iter().filter_map(|one| one.get("at")?.as_u64()).collect();
        assert!(times.is_sorted() && times.len() > 100, "{args:?}: {} decisions", times.len());
        assert!(list("marks").iter().any(|mark| mark.get("kind") == Some(&"spot-interruption".into())));
        let last = |key: &str| {
            run.pointer(&format!("/series/{key}")).and_then(|all| all.as_array()?.last().cloned())
        };
        let cost = last("cost").and_then(|cost| cost.as_f64()).unwrap();
        let whole = seen.pointer("/cost/autoscaled").and_then(|cost| cost.as_f64()).unwrap();
        assert!(cost <= whole + 0.001 && cost > whole * 0.98, "{args:?}: {cost} of {whole}");
    }
}

#[test]
fn a_page_of_a_comparison_has_a_section_for_each_policy() {
    let path = file("report", "compare.html", b"");
    let policy = "examples/policies/two-pools.yaml";
    let args =
        ["--until", "6h", "--compare", "default", policy, "--seeds", "2", "--report", path.to_str().unwrap()];
    let output = simulate(&args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let runs = data(&fs::read_to_string(&path).unwrap());
    let titles: Vec<_> =
        runs.as_array().unwrap().iter().filter_map(|run| run.get("title")?.as_str()).collect();
    assert_eq!(
        titles,
        [
            "shop for 6h, seed 1, faults none".to_owned(),
            format!("shop for 6h, seed 1, faults none, under {policy}")
        ]
    );
}

#[test]
fn a_page_that_cannot_be_written_is_said_before_the_run() {
    let output = simulate(&["--report", "no/such/folder/page.html"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(text(&output.stderr).starts_with("no/such/folder/page.html: cannot write: "));
    // Bad input leaves no empty page behind.
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("never.html");
    assert_eq!(simulate(&["--report", path.to_str().unwrap(), "--trace", "none.csv"]).status.code(), Some(2));
    assert!(!path.exists());
}

/// The checks of `.ci/report-page`, where there is a browser.
#[test]
fn a_browser_shows_the_page() {
    let works =
        |program: &str| Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success());
    if !works("chromium") || !works("python3") {
        eprintln!(
            "skipped: no chromium or no python3; .ci/report-page installs the browser and looks at the page"
        );
        return;
    }
    let path = file("report", "browser.html", b"");
    let run = simulate(&["--until", "2d", "--no-static", "--report", path.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let check = Path::new(ROOT).join(".ci/report-page");
    let output = Command::new(check).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("nothing in the console"));
}
