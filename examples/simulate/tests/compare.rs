//! Several policies under the same load and the same seeds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{json, simulate, text};

const ARGS: [&str; 8] = [
    "--until",
    "4h",
    "--scenario",
    "flash-sale",
    "--compare",
    "default",
    "examples/policies/two-pools.yaml",
    "examples/policies/cpu-and-memory.yaml",
];

fn compare(more: &[&str]) -> std::process::Output {
    simulate(&[&ARGS, more].concat())
}

#[test]
fn threads_change_nothing_of_what_is_printed() {
    for form in [&["--seeds", "3", "--faults", "mild"][..], &["--seeds", "3", "--json"]] {
        let one = compare(&[form, &["--threads", "1"]].concat());
        assert_eq!(one.status.code(), Some(0), "{}", text(&one.stderr));
        for threads in ["2", "7"] {
            let many = compare(&[form, &["--threads", threads]].concat());
            assert_eq!(text(&one.stdout), text(&many.stdout), "{threads} threads");
        }
    }
}

#[test]
fn each_run_is_the_one_that_stands_alone() {
    let found = json(&compare(&["--seeds", "2", "--seed", "5", "--json"]));
    assert_eq!(found.pointer("/seeds"), Some(&serde_json::json!([5, 6])));
    for (policy, args) in [(0, &[][..]), (1, &["--policy", "examples/policies/two-pools.yaml"][..])] {
        let alone = ["--scenario", "flash-sale", "--until", "4h", "--seed", "6", "--no-static", "--json"];
        let alone = json(&simulate(&[&alone, args].concat()));
        let run = found.pointer(&format!("/policies/{policy}/runs/1")).unwrap();
        for (ours, theirs) in [
            ("digest", "/digest"),
            ("cost", "/cost/autoscaled"),
            ("wait_p95_s", "/wait_p95_s"),
            ("repeat", "/repeat"),
        ] {
            assert_eq!(run.get(ours), alone.pointer(theirs), "{ours}");
        }
    }
    assert!(found.pointer("/policies/0/against_first").unwrap().is_null());
    let less =
        |key: &str| found.pointer(&format!("/policies/1/against_first/cost/{key}")).and_then(|n| n.as_u64());
    assert_eq!(["less", "more", "same"].map(|key| less(key).unwrap()).iter().sum::<u64>(), 2);
}

#[test]
fn the_table_has_every_line_and_says_what_is_over_what() {
    let page = compare(&["--seeds", "2"]);
    let page = text(&page.stdout);
    assert!(page.starts_with("flash-sale for 4h, faults none, seeds 1 to 2\n\n"), "{page}");
    for words in [
        "default   two-pools   cpu-and-memory",
        "\ncost ",
        "\nnode-hours ",
        "\n  p95 over seeds ",
        "\npod wait p95 ",
        "\nevictions ",
        "\nchurn ",
        "\ninvariants ",
        "none broken of ",
        "median–max over 2 seeds",
        "\ntwo-pools ",
        "under each of 2 seeds",
        "signal free_memory is not measured here",
        "\nrepeat with  cargo run --release -p simulate -- --scenario flash-sale --seed 1 --faults none --until 4h \
            --compare default examples/policies/two-pools.yaml examples/policies/cpu-and-memory.yaml --seeds 2\n",
    ] {
        let spaces =
            |text: &str| text.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        assert!(spaces(page).contains(&spaces(words)), "{words}\n{page}");
    }
    // What is printed as the repetition is one.
    assert_eq!(page, text(&compare(&["--seeds", "2", "--seed", "1"]).stdout));
    // One seed proves nothing, and says so.
    let one = compare(&[]);
    assert!(text(&one.stdout).contains("add --seeds 5"));
    assert!(text(&one.stdout).contains("under this seed"));
}

#[test]
fn a_policy_differs_in_nothing_from_itself() {
    let args = ["--until", "2h", "--compare", "default", "default", "--seeds", "2"];
    let page = simulate(&args);
    let page = text(&page.stdout);
    assert!(page.contains("costs the same as default under each of 2 seeds"), "{page}");
    assert!(page.contains("waits as long as default under each of 2 seeds"), "{page}");
    let single = simulate(&["--until", "1h", "--compare", "examples/policies/gpu.yaml"]);
    assert_eq!(single.status.code(), Some(0), "{}", text(&single.stderr));
}
