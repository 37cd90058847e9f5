//! `explain` and `replay` with `--dynamodb` on a real DynamoDB and a real S3: the servers that `AUTOSCALE_TEST_DYNAMODB` and
//! `AUTOSCALE_TEST_S3` name, such as Amazon's DynamoDB Local and moto on this machine.
//! `.ci/dynamodb .ci/moto cargo test -p simulate --features dynamodb --test dynamodb` starts both and runs this.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../common/mod.rs"]
mod common;
mod large;
mod place;

use std::sync::Arc;

use autoscale_core::driver::Auditor;
use autoscale_core::file::AuditFile;
use autoscale_core::words::Span;
use common::{file, json, text};
use place::{CLUSTER, Place, reports, writer};

#[test]
fn a_log_in_a_table_is_explained_like_one_in_a_file() {
    let Some(place) = Place::new() else { return };
    let path = file("explain-dynamodb", "run.log", b"");
    std::fs::remove_file(&path).unwrap();
    place.runtime.block_on(async {
        let mut auditors = [
            Auditor::new(Arc::new(place.log()), writer(0)),
            Auditor::new(Arc::new(AuditFile::open(&path).unwrap()), writer(0)),
        ];
        // A day and a half: entries of two days, in differences and in full, and more than one page of them.
        for report in reports(Span::from_mins(36 * 60)) {
            for auditor in &mut auditors {
                auditor.record(&report).await.unwrap();
            }
        }
    });
    let path = path.to_str().unwrap();
    let table = ["--dynamodb", &place.table, "--cluster", CLUSTER];
    for question in
        [&["--acted"][..], &["--at", "20h"], &["--at", "35h", "--json"], &["--acted", "--pool", "workers"]]
    {
        let of_table = place.simulate(&[&["explain"], &table[..], question].concat());
        let of_file = place.simulate(&[&["explain", path], question].concat());
        let said = (text(&of_table.stdout), text(&of_file.stdout));
        assert_eq!(said.0, said.1, "{question:?}: {}", text(&of_table.stderr));
        assert_eq!((of_table.status.code(), of_file.status.code()), (Some(0), Some(0)), "{question:?}");
        assert!(!said.0.is_empty(), "{question:?}");
        assert!(of_table.stderr.is_empty(), "{question:?}: {}", text(&of_table.stderr));
    }
    let at = place.simulate(&[&["explain"], &table[..], &["--at", "35h", "--json"]].concat());
    assert!(json(&at).is_object());
    // Decided again, from either.
    let [mut of_table, mut of_file] = [&table[..], &[path]].map(|log| {
        let output = place.simulate(&[&["replay"], log, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        json(&output)
    });
    assert_eq!(of_table["file"].take(), place.table.as_str());
    of_file["file"].take();
    assert_eq!(of_table, of_file);
    assert!(of_table["decisions"].as_u64() > Some(100), "{of_table}");
    // What is not there is said, with the table's name.
    for command in ["explain", "replay"] {
        for (args, reason) in [
            (&["--dynamodb", &place.table, "--cluster", "other"][..], "no entry"),
            (&["--dynamodb", "elsewhere", "--cluster", CLUSTER], "elsewhere"),
            (&["--dynamodb", &place.table], "--cluster"),
            (&["--dynamodb", &place.table, "--cluster", CLUSTER, path], "cannot be used with"),
            (&[path, "--large", "s3://bucket/path"], "--dynamodb"),
        ] {
            let output = place.simulate(&[&[command], args].concat());
            assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output.stdout));
            assert!(text(&output.stderr).contains(reason), "{args:?}: {}", text(&output.stderr));
        }
    }
}
