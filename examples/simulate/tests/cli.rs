//! The program as people run it: exit codes and messages.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn simulate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simulate")).args(args).env_remove("COLUMNS").output().unwrap()
}

fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn help_has_examples() {
    let output = simulate(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("Examples:"));
    assert!(output.stderr.is_empty());
}

#[test]
fn bad_arguments_are_refused_with_2() {
    for (args, reason) in [
        (&["--scenario", "nowhere"][..], "flash-sale"),
        (&["--until", "soon"], "a length of time with a unit"),
        (&["--faults", "all"], "possible values: none, mild"),
        (&["--trace", "no-such-file.csv"], "no-such-file.csv: cannot read"),
        (&["--trace", "."], "cannot read"),
        (&["stray"], "unrecognized subcommand"),
    ] {
        let output = simulate(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(reason), "{args:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn bad_rows_are_told_with_file_and_line() {
    let path = file("bad.csv", b"timestamp,value\n0,1\n60,-1\n120,x\n60,1\n0,1\n180\n");
    let name = path.to_str().unwrap();
    let output = simulate(&["--trace", name, "--json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let expected = [
        "3: value -1 is negative",
        "4: value \"x\" is not a number",
        "6: time not increasing: before that of line 5",
        "7: missing column: expected timestamp,value",
    ];
    assert_eq!(text(&output.stderr), expected.map(|line| format!("{name}:{line}\n")).concat());
}

#[test]
fn a_page_for_people_has_no_colours_in_a_pipe() {
    let output = simulate(&["--scenario", "diurnal", "--until", "2h"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let page = text(&output.stdout);
    assert!(page.starts_with("diurnal for 2h, seed 1, faults none\n"), "{page}");
    for name in ["█ needed", "scale-ups ", "to running ", "cost ", "invariants ", "last decisions"] {
        assert!(page.contains(name), "{name}\n{page}");
    }
    assert!(!page.contains('\x1b'));
    assert!(output.stderr.is_empty(), "no progress without a terminal");
}

#[test]
fn json_is_one_object_and_the_same_every_time() {
    let path = file("good.csv", b"timestamp,value\r\n2026-01-01 00:00:00,1\r\n2026-01-01 01:00:00,2\r\n");
    let args = ["--trace", path.to_str().unwrap(), "--peak-nodes", "3", "--json"];
    let output = simulate(&args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value.pointer("/until"), Some(&"2h".into()));
    assert_eq!(value.pointer("/scenario"), Some(&"trace".into()));
    for pointer in ["/ticks", "/cost/autoscaled", "/cost/static", "/invariants/broken", "/faults", "/digest"]
    {
        assert!(value.pointer(pointer).is_some(), "{pointer}");
    }
    assert!(output.stderr.is_empty());
    assert_eq!(output.stdout, simulate(&args).stdout);
}

const PODS: &str = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time";

#[test]
fn a_list_of_pods_is_run_and_counted() {
    let rows = "a,1000,512,0,,,LS,Running,500,4100,500\nb,1000,512,0,,,,,1100,,\ngpu,1000,512,1,500,A10,,,500,4100,\n\
        huge,64000,512,0,,,,,500,900,\n";
    let pods = file("pods.csv", format!("{PODS}\n{rows}").as_bytes());
    let shapes =
        file("shapes.csv", b"name,cpu_milli,memory_mib,pods,gpu,model,price\nlarge,4000,8192,20,1,A10,0.5\n");
    let args = ["--pods", pods.to_str().unwrap(), "--shapes", shapes.to_str().unwrap()];
    let output = simulate(&[args.as_slice(), &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for (pointer, expected) in [
        ("/scenario", "pods".into()),
        ("/until", "1h".into()),
        ("/pods_listed", 4.into()),
        ("/pods_made", 4.into()),
        ("/pods_ran", 3.into()),
        ("/unseatable", 1.into()),
        ("/unseatable_names/0", "huge".into()),
        ("/static_nodes", serde_json::Value::Null),
    ] {
        assert_eq!(value.pointer(pointer), Some(&expected), "{pointer}");
    }
    let page = simulate(&args);
    let line = "pods          4 listed, 4 made, 3 ran; 1 fit on no machine: huge\n";
    assert!(text(&page.stdout).contains(line), "{}", text(&page.stdout));
}

#[test]
fn bad_pods_and_shapes_are_told_with_file_and_line() {
    let good = file("good-shapes.csv", b"sn,cpu_milli,memory_mib,gpu,model\nn,4000,8192,0,\n");
    let bad = file("bad-shapes.csv", b"sn,cpu_milli,memory_mib,gpu,model\nn,4000,8192,0\nm,x,1,0,\n");
    let pods = file("bad-pods.csv", format!("{PODS}\na,1,1,0,,,,,5,4,\na,1\n").as_bytes());
    for (shapes, wrong, expected) in [
        (&bad, &bad, ["2: 4 columns: expected 5", "3: cpu_milli \"x\" is not a whole number"]),
        (&good, &pods, ["2: deletion_time before creation_time", "3: 2 columns: expected 11"]),
    ] {
        let output = simulate(&["--pods", pods.to_str().unwrap(), "--shapes", shapes.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let name = wrong.to_str().unwrap();
        assert_eq!(text(&output.stderr), expected.map(|line| format!("{name}:{line}\n")).concat());
    }
}
