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

/// A short run and its audit log, written anew.
fn recorded(name: &str) -> (PathBuf, Vec<u8>) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&path);
    let log = path.to_str().unwrap();
    let run = ["--scenario", "spot-storm", "--faults", "hostile", "--until", "3h", "--no-static", "--json"];
    let output = simulate(&[run.as_slice(), &["--audit", log]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(output.stdout, simulate(&run).stdout, "a run with a log is the same run");
    (path.clone(), fs::read(path).unwrap())
}

#[test]
fn an_audit_log_is_replayed_in_another_process() {
    let (path, bytes) = recorded("replayed.log");
    let log = path.to_str().unwrap();
    let output = simulate(&["replay", log]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("decided again, all the same"), "{}", text(&output.stdout));
    let output = simulate(&["replay", log, "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value.pointer("/same"), Some(&true.into()));
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(value.pointer("/entries"), Some(&lines.into()));
    assert!(value.pointer("/effects").and_then(serde_json::Value::as_u64) > Some(5));
    let output = simulate(&["--audit", log]);
    assert_eq!(output.status.code(), Some(2), "a log that is there is not written over");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn one_flipped_byte_of_a_log_fails() {
    let (path, bytes) = recorded("flipped.log");
    let log = path.to_str().unwrap();
    let mut places: Vec<usize> = (0..40).map(|part| part * (bytes.len() - 1) / 39).collect();
    let first = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    places.extend([1, 6, first - 70, first - 1, first, first + 1, bytes.len() - 2]);
    for at in places {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        fs::write(&path, flipped).unwrap();
        let output = simulate(&["replay", log]);
        assert!(matches!(output.status.code(), Some(1 | 2)), "byte {at}: {:?}", output.status);
        assert_eq!(text(&output.stderr).lines().count(), 1, "{}", text(&output.stderr));
    }
    fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    let output = simulate(&["replay", log]);
    assert_eq!(output.status.code(), Some(0), "a torn end is no damage: {}", text(&output.stderr));
    assert!(text(&output.stdout).contains("1 lines were left unfinished"), "{}", text(&output.stdout));
    fs::write(&path, &bytes[first + 1..]).unwrap();
    assert_eq!(simulate(&["replay", log]).status.code(), Some(1), "without what the rest differs from");
}

#[test]
fn what_is_no_audit_log_is_refused_in_one_line() {
    let deep = format!("{{\"v\":1,\"x\":{}\n", "[".repeat(1_000_000));
    let long = vec![b'x'; 65 << 20];
    for (name, content, reason) in [
        ("empty.log", b"".as_slice(), "no entry of an audit log"),
        ("blank.log", b"\n\n", "not a line of an audit log"),
        ("binary.log", b"\x7fELF\x00\xff\xfe\n", "not UTF-8"),
        ("other.log", b"{\"level\":\"info\"}\n", "missing field `v`"),
        ("future.log", b"{\"v\":7}\n", "run a newer version"),
        ("deep.log", deep.as_bytes(), "not a line of an audit log"),
        ("long.log", &long, "longer than 64 MiB"),
        ("cut.log", b"{\"v\":1,\"writer\":\"simu", "no entry of an audit log"),
    ] {
        let path = file(name, content);
        for command in ["replay", "explain"] {
            let output = simulate(&[command, path.to_str().unwrap()]);
            assert_eq!(output.status.code(), Some(2), "{command} {name}: {}", text(&output.stderr));
            let error = text(&output.stderr);
            assert!(error.contains(reason) && error.lines().count() == 1, "{command} {name}: {error}");
            assert!(output.stdout.is_empty());
        }
        fs::remove_file(path).unwrap();
    }
    for args in [&["replay", "no-such.log"][..], &["explain", "no-such.log"], &["replay", "."]] {
        let output = simulate(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains("cannot read"), "{}", text(&output.stderr));
    }
}

#[test]
fn decisions_are_explained_from_a_log_and_from_nothing() {
    let (path, _) = recorded("explained.log");
    let log = path.to_str().unwrap();
    let page = simulate(&["explain", log, "--at", "1h"]);
    assert_eq!(page.status.code(), Some(0), "{}", text(&page.stderr));
    for part in ["  cluster sim, policy ", "decided by tick-", "pool workers: ", "up-rule cpu above 70.0 %"] {
        assert!(text(&page.stdout).contains(part), "{part}\n{}", text(&page.stdout));
    }
    let output = simulate(&["explain", log, "--acted", "--pool", "workers", "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        value.pointer("/actions/0").is_some() && value.pointer("/pools/0/verdict").is_some(),
        "{value:#}"
    );
    for (args, reason) in [
        (&["--pool", "gpu"][..], "no pool gpu: it has workers"),
        (&["--node", "nobody"], "no node or instance \"nobody\" was seen"),
        (&["--at", "2001-01-01T00:00:00Z"], "no entry at or before that time"),
        (&["--at", "noon"], "expected a time like 2026-03-02T14:00:00Z"),
    ] {
        let output = simulate(&[&["explain", log], args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(reason), "{}", text(&output.stderr));
    }
    let page = simulate(&["explain"]);
    assert_eq!(page.status.code(), Some(0), "{}", text(&page.stderr));
    assert!(text(&page.stdout).contains("  it decided to "), "{}", text(&page.stdout));
    assert!(text(&page.stdout).contains("  sent for operation "), "{}", text(&page.stdout));
}
