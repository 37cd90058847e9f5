//! Entries that are in a bucket.

use std::path::PathBuf;
use std::sync::Arc;

use autoscale_core::driver::Auditor;
use autoscale_core::file::AuditFile;
use autoscale_core::ports::AuditLog;
use autoscale_core::words::Span;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::common::{file, json, text};
use crate::place::{BUCKET, CLUSTER, Place, program, reports, writer};

/// Full entries of the simulated shop have more bytes, most differences have fewer.
const ABOVE: usize = 3_000;

/// Those of the second of three half days are in the bucket.
const BETWEEN: [usize; 3] = [usize::MAX, ABOVE, usize::MAX];

/// A log of a day and a half in a table, with entries above a size in the bucket, for each half day; and the same in a file.
struct Stage {
    place: Place,
    file: PathBuf,
}

impl Stage {
    fn new(name: &str, above: [usize; 3]) -> Option<Self> {
        let place = Place::new()?;
        let path = file("explain-large", name, b"");
        std::fs::remove_file(&path).unwrap();
        let reports = reports(Span::from_mins(36 * 60));
        let begun = reports.first().unwrap().at;
        place.runtime.block_on(async {
            for (process, above) in above.into_iter().enumerate() {
                let logs: [Arc<dyn AuditLog>; 2] =
                    [Arc::new(place.log_above(above)), Arc::new(AuditFile::open(&path).unwrap())];
                let mut auditors = logs.map(|log| Auditor::new(log, writer(process)));
                let half_day = |span: Span| usize::try_from(span.as_secs() / (12 * 60 * 60)).unwrap();
                for report in
                    reports.iter().filter(|report| half_day(report.at.since(begun)).min(2) == process)
                {
                    for auditor in &mut auditors {
                        auditor.record(report).await.unwrap();
                    }
                }
            }
        });
        Some(Self { place, file: path })
    }

    /// The objects that the table names.
    fn objects(&self) -> Vec<String> {
        let ask = self.place.client.scan().table_name(&self.place.table).consistent_read(true);
        let found = self.place.runtime.block_on(ask.send()).unwrap();
        assert!(found.last_evaluated_key.is_none(), "all on one page");
        let object = |item: &std::collections::HashMap<String, AttributeValue>| {
            item.get("object")?.as_s().ok().cloned()
        };
        let mut objects: Vec<String> = found.items().iter().filter_map(object).collect();
        objects.sort();
        objects
    }

    /// A command on the file.
    fn of_file(&self, command: &str, question: &[&str]) -> std::process::Output {
        self.place.simulate(&[&[command, self.file.to_str().unwrap()], question].concat())
    }

    /// A command on the table, with or without the bucket.
    fn of_table(&self, command: &str, large: Option<&str>, question: &[&str]) -> std::process::Output {
        let mut args = vec![command, "--dynamodb", &self.place.table, "--cluster", CLUSTER];
        args.extend(large.into_iter().flat_map(|large| ["--large", large]));
        self.place.simulate(&[&args[..], question].concat())
    }

    /// What `STATE_S3` says.
    fn state(&self) -> String {
        format!("s3://{BUCKET}/{}", self.place.path)
    }
}

#[test]
fn entries_in_a_bucket_are_explained_and_decided_again() {
    let Some(stage) = Stage::new("whole.log", BETWEEN) else { return };
    let objects = stage.objects();
    let below = format!("{}/autoscale/{CLUSTER}.large/", stage.place.path);
    assert!(!objects.is_empty() && objects.iter().all(|object| object.starts_with(&below)), "{objects:?}");
    for question in
        [&["--acted"][..], &["--at", "6h"], &["--at", "18h"], &["--at", "23h", "--json"], &["--at", "30h"]]
    {
        // However the operator ends it.
        for state in [stage.state(), format!("{}/", stage.state())] {
            let (of_table, of_file) =
                (stage.of_table("explain", Some(&state), question), stage.of_file("explain", question));
            assert_eq!(
                text(&of_table.stdout),
                text(&of_file.stdout),
                "{question:?}: {}",
                text(&of_table.stderr)
            );
            assert_eq!((of_table.status.code(), text(&of_table.stderr)), (Some(0), ""), "{question:?}");
            assert!(!of_table.stdout.is_empty(), "{question:?}");
        }
    }
    let (of_table, of_file) =
        (stage.of_table("replay", Some(&stage.state()), &["--json"]), stage.of_file("replay", &["--json"]));
    assert_eq!(of_table.status.code(), Some(0), "{}", text(&of_table.stderr));
    for member in ["entries", "decisions", "records", "effects", "elsewhere", "same"] {
        assert_eq!(json(&of_table)[member], json(&of_file)[member], "{member}");
    }
}

#[test]
fn without_the_bucket_its_entries_are_named_and_the_rest_is_explained() {
    let Some(stage) = Stage::new("rest.log", BETWEEN) else { return };
    let objects = stage.objects();
    let check = |stderr: &str| {
        let lines: Vec<&str> = stderr.lines().collect();
        assert_eq!(lines.len(), objects.len() + 1, "{stderr}");
        assert!(lines[0].contains(&format!("{} entries are in a bucket", objects.len())), "{stderr}");
        assert!(
            lines[0].contains("--large s3://BUCKET/PATH") && lines[0].starts_with(&stage.place.table),
            "{stderr}"
        );
        let named = |object: &String| {
            lines[1..].iter().any(|line| line.ends_with(&format!("is the object {object}")))
        };
        assert!(objects.iter().all(named), "{stderr}");
    };
    // Before them and behind them as ever, times counted from the same first entry.
    for question in [&["--at", "6h"][..], &["--at", "35h"], &["--acted"]] {
        let (of_table, of_file) =
            (stage.of_table("explain", None, question), stage.of_file("explain", question));
        assert_eq!(text(&of_table.stdout), text(&of_file.stdout), "{question:?}");
        assert_eq!(of_table.status.code(), Some(0), "{question:?}");
        check(text(&of_table.stderr));
    }
    // In between the newest that there is.
    let (between, before) =
        (stage.of_table("explain", None, &["--at", "12h10m"]), stage.of_file("explain", &["--at", "11h59m"]));
    assert_eq!((between.status.code(), text(&between.stdout)), (Some(0), text(&before.stdout)));
    // Not all of it can be decided again, and that is said.
    let replayed = stage.of_table("replay", None, &["--json"]);
    check(text(&replayed.stderr));
    let page = json(&replayed);
    assert_eq!((replayed.status.code(), &page["same"]), (Some(1), &false.into()));
    assert_eq!(page["elsewhere"], objects.len());
    let whole = json(&stage.of_file("replay", &["--json"]));
    let counted = ["entries", "without_base", "elsewhere"].map(|member| page[member].as_u64().unwrap());
    assert_eq!(Some(counted.iter().sum()), whole["entries"].as_u64());
    assert!(counted[1] > 0, "differences to what was left out: {page}");
    assert!(
        text(&replayed.stderr).contains(&format!("with {} that say only", counted[1])),
        "{}",
        text(&replayed.stderr)
    );
}

#[test]
fn times_count_from_the_first_entry_wherever_it_is() {
    let Some(stage) = Stage::new("first.log", [0, usize::MAX, usize::MAX]) else { return };
    for question in [&["--at", "20h"][..], &["--at", "35h", "--json"]] {
        let (of_table, of_file) =
            (stage.of_table("explain", None, question), stage.of_file("explain", question));
        assert_eq!(text(&of_table.stdout), text(&of_file.stdout), "{question:?}");
        assert_eq!(of_table.status.code(), Some(0), "{question:?}");
    }
    // The log of the first half day: all of it is in the bucket.
    let none = stage.of_table("explain", None, &["--at", "6h"]);
    assert_eq!((none.status.code(), text(&none.stdout)), (Some(2), ""));
    let said: Vec<&str> = text(&none.stderr).lines().collect();
    assert!(said[0].contains(" entries are in a bucket and were left out"), "{said:?}");
    assert!(said.last().unwrap().contains("there is no entry at or before that time"), "{said:?}");
    let more = stage.objects().len() - 19;
    assert!(said.contains(&format!("and {more} more").as_str()), "{said:?}");
    // Nothing is a difference to what was left out; all the same not everything was decided again.
    let page = json(&stage.of_table("replay", None, &["--json"]));
    assert_eq!((&page["without_base"], &page["same"]), (&0.into(), &false.into()), "{page}");
}

#[test]
fn an_object_that_is_not_what_was_put_is_an_error() {
    let Some(stage) = Stage::new("damaged.log", BETWEEN) else { return };
    let objects = stage.objects();
    let [first, second, ..] = &objects[..] else { panic!("{objects:?}") };
    let place = &stage.place;
    let answer = place.object("GET", first, "");
    let (head, whole) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && whole.starts_with("{\"v\":1,"), "{head}");
    let other = place.object("GET", second, "");
    let other = other.split_once("\r\n\r\n").unwrap().1;
    let turned = whole.replacen("\"time\":\"2026", "\"time\":\"2027", 1);
    assert!(turned != whole);
    let cases = [
        ("PUT", turned.as_str(), "is not what was put: the line was changed: its sum is"),
        ("PUT", other, "is not what was put: the line was changed: its sum is"),
        ("PUT", "something else", "is not what was put: not a line of an audit log"),
        ("DELETE", "", "is gone: nothing is at s3://"),
    ];
    for (method, body, reason) in cases {
        let done = place.object(method, first, body);
        assert!(done.starts_with("HTTP/1.1 20"), "{done}");
        for command in ["explain", "replay"] {
            let output = stage.of_table(command, Some(&stage.state()), &[]);
            let said = text(&output.stderr);
            assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{reason}: {said}");
            assert!(
                said.contains(reason) && said.contains(first.as_str()) && said.lines().count() == 1,
                "{said}"
            );
        }
    }
    let done = place.object("PUT", first, whole);
    assert!(done.starts_with("HTTP/1.1 200"), "{done}");
    assert_eq!(stage.of_table("replay", Some(&stage.state()), &[]).status.code(), Some(0));
    // Another path, another bucket: where it was looked for is said.
    for state in [format!("s3://{BUCKET}/elsewhere"), format!("s3://no-{BUCKET}/{}", place.path)] {
        let output = stage.of_table("explain", Some(&state), &[]);
        let (said, place) =
            (text(&output.stderr), format!("nothing is at {state}/autoscale/{CLUSTER}.large/"));
        assert!(output.status.code() == Some(1) && said.contains(&place), "{said}");
    }
    // Nobody is there: nothing is known of the log.
    let mut command =
        program(&["explain", "--dynamodb", &place.table, "--cluster", CLUSTER, "--large", &stage.state()]);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    command.env("AWS_ENDPOINT_URL_DYNAMODB", std::env::var("AUTOSCALE_TEST_DYNAMODB").unwrap());
    let output = command.env("AWS_ENDPOINT_URL_S3", format!("http://{nobody}")).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""));
    let said = text(&output.stderr);
    let named = objects.iter().any(|object| said.contains(object));
    assert!(named && said.contains("unavailable") && said.starts_with(&place.table), "{said}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_nobody_is_asked() {
    let said = |large: &str, cluster: &str, endpoint: &str, region: Option<&str>| {
        let mut command = program(&["explain", "--dynamodb", "logs", "--cluster", cluster, "--large", large]);
        let nowhere = "http://127.0.0.1:1";
        command.env("AWS_ENDPOINT_URL_DYNAMODB", nowhere).env("AWS_ENDPOINT_URL_S3", endpoint);
        command.env("AWS_CONFIG_FILE", "none").env("AWS_SHARED_CREDENTIALS_FILE", "none");
        if let Some(region) = region {
            command.env("AWS_REGION", region);
        }
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""));
        text(&output.stderr).to_owned()
    };
    let all = said("s3://Shop", "no good", "http://s3.example.org", Some("Nowhere"));
    let expected = [
        "--cluster: \"no good\": expected ",
        "--large: \"s3://Shop\": expected s3://bucket/path",
        "AWS_REGION: \"Nowhere\": expected the name of a region",
        "AWS_ENDPOINT_URL_S3: \"http://s3.example.org\": expected https and a host",
    ];
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{all}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{all}");
    }
    let parts = said("s3://a..b/what?", "shop", "", None);
    for field in ["--large: bucket: \"a..b\": expected ", "--large: prefix: \"what?/autoscale\": expected "] {
        assert!(parts.lines().count() == 2 && parts.lines().any(|line| line.starts_with(field)), "{parts}");
    }
}
