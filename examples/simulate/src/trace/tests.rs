use super::*;

fn reasons(content: &[u8]) -> String {
    match Trace::parse(content) {
        Ok(trace) => format!("read: {trace:?}"),
        Err(rows) => Bad::of(Path::new("f"), rows).to_string(),
    }
}

#[test]
fn every_bad_row_has_a_line_and_a_reason() {
    for (content, expected) in [
        (&b""[..], "f:1: empty file"),
        (b"\xef\xbb\xbf", "f:1: empty file"),
        (
            b"2026-01-01 00:00:00,1\n",
            "f:1: expected the header timestamp,value, found \"2026-01-01 00:00:00,1\"",
        ),
        (b"timestamp,value\n", "f: expected at least two rows: one alone has no length"),
        (b"timestamp,value\n0,1\n", "f: expected at least two rows: one alone has no length"),
        (b"timestamp,value\n0,0\n1,-0\n", "f: every value is 0: nothing to scale"),
        (b"timestamp,value\n0,1\n\n60,1\n", "f:3: empty row"),
        (b"timestamp,value\n0\n60,1\n", "f:2: missing column: expected timestamp,value"),
        (b"timestamp,value\n0,1,2\n60,1\n", "f:2: 3 columns: expected timestamp,value"),
        (b"timestamp,value\n0,\n60,1\n", "f:2: value missing"),
        (b"timestamp,value\n0,many\n60,1\n", "f:2: value \"many\" is not a number"),
        (b"timestamp,value\n0,-1\n60,1\n", "f:2: value -1 is negative"),
        (b"timestamp,value\n0,NaN\n60,1\n", "f:2: value is NaN"),
        (
            b"timestamp,value\n0,inf\n60,1e999\n",
            "f:2: value \"inf\" is infinite\nf:3: value \"1e999\" is infinite",
        ),
        (b"timestamp,value\nnoon,1\n60,1\n", "f:2: timestamp \"noon\" unreadable"),
        (b"timestamp,value\n,1\n60,1\n", "f:2: timestamp \"\" unreadable"),
        (b"timestamp,value\n2026-02-30 00:00:00,1\n", "f:2: timestamp \"2026-02-30 00:00:00\" unreadable"),
        (b"timestamp,value\n2026-02-03,1\n", "f:2: timestamp \"2026-02-03\" unreadable"),
        (b"timestamp,value\n1393000000000,1\n", "f:2: timestamp \"1393000000000\" unreadable"),
        (b"timestamp,value\n60,1\n60,2\n", "f:3: duplicate: the time of line 2 again"),
        (b"timestamp,value\n60,1\n0,2\n", "f:3: time not increasing: before that of line 2"),
        (b"timestamp,value\n0,1\n\xff\xfe,2\n", "f:3: not UTF-8 text"),
        (b"timestamp,value\n0,1\n\0\0,2\n", "f:3: a zero byte: not a text file"),
        (b"timestamp,value\n\x1b[2J,2\n", "f:2: timestamp \"\\u{1b}[2J\" unreadable"),
    ] {
        assert_eq!(reasons(content), expected, "{}", String::from_utf8_lossy(content));
    }
}

#[test]
fn all_bad_rows_are_told_at_once_up_to_twenty() {
    let content = format!("timestamp,value\n{}", "x,1\n".repeat(25));
    let told = reasons(content.as_bytes());
    assert_eq!(told.lines().count(), 21);
    assert_eq!(told.lines().nth(19), Some("f:21: timestamp \"x\" unreadable"));
    assert_eq!(told.lines().last(), Some("and 5 more"));
}

#[test]
fn times_are_read_in_three_forms() {
    for text in [
        "2014-02-14 14:27:00",
        "2014-02-14T14:27:00Z",
        "2014-02-14T16:27:00+02:00",
        "1392388020",
        "1392388020.0",
    ] {
        assert_eq!(time(text), Ok(1_392_388_020_000), "{text}");
    }
    assert_eq!(time("2014-02-14 14:27:00.250"), Ok(1_392_388_020_250));
    assert_eq!(time("-1"), Ok(-1_000));
    for text in [
        "--1",
        "1.2.3",
        ".",
        "-",
        "1e9",
        "2014-02-14 14:27",
        "2014-02-14 14:27:00 PM",
        "99999999999999999999",
    ] {
        assert!(time(text).is_err(), "{text}");
    }
}

#[test]
fn values_hold_until_the_next_row_and_the_last_for_a_typical_step() {
    let content = b"\xef\xbb\xbftimestamp,value\r\n0,50\r\n300,100\r\n600,25\r\n4200,0\r\n";
    let trace = Trace::parse(content).unwrap();
    assert_eq!(trace.length, Span::from_secs(4_500));
    let points = trace.scaled_to(10);
    let expected = [(0, 20_000), (300, 40_000), (600, 10_000), (4_200, 0)];
    assert_eq!(points, expected.map(|(at, cpu)| LoadPoint::new(Span::from_secs(at), cpu)));
}

#[test]
fn the_smallest_and_the_greatest_values_scale() {
    for value in ["1e308", "5e-324", "1"] {
        let trace = Trace::parse(format!("timestamp,value\n0,{value}\n60,0\n").as_bytes()).unwrap();
        assert_eq!(trace.scaled_to(1_000).first().map(|point| point.cpu_milli), Some(4_000_000), "{value}");
    }
}

/// The files are not part of the repository; where they are, all of them have to run.
#[test]
fn the_real_files_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/traces");
    let sample = b"timestamp,value\n2014-02-14 14:27:00,51.846000000000004\n2014-02-14 14:32:00,44.508\n";
    assert_eq!(Trace::parse(sample).unwrap().length, Span::from_mins(10));
    for (name, rows) in [
        ("ec2_cpu_5f5533.csv", 4_032),
        ("elb_requests_8c0756.csv", 4_032),
        ("twitter_volume_amzn.csv", 15_831),
    ] {
        let path = folder.join(name);
        if !folder.is_dir() {
            println!("{name}: not here, the sample alone was read");
            continue;
        }
        let trace = Trace::read(&path).unwrap_or_else(|bad| panic!("{bad}"));
        let points = trace.scaled_to(10);
        assert_eq!(points.len(), rows, "{name}");
        assert_eq!(points.iter().map(|point| point.cpu_milli).max(), Some(40_000), "{name}");
    }
}
