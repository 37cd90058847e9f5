use super::*;
use autoscale_core::words::ShapeName;

fn list(rows: &str) -> Result<PodList, String> {
    let content = format!("{HEADER}\n{rows}");
    PodList::parse(content.as_bytes()).map_err(|rows| Bad::of(Path::new("f"), rows).to_string())
}

#[test]
fn a_row_is_a_pod() {
    let rows = "a,1500,1024,0,,,LS,Running,100,160,100\n\
        b,250,1,2,500,A10|T4,,,130,,\n\
        c,0,0,,,,,,100,100,\r\n";
    let PodList { pods, length } = list(rows).unwrap();
    let [a, b, c] = pods.as_slice() else { panic!("{pods:?}") };
    assert_eq!(length, Span::from_secs(60));
    assert_eq!((a.name.as_str(), a.requests), ("a", Resources::new(1_500, 1 << 30, 1)));
    assert_eq!((a.created, a.deleted), (Span::ZERO, Some(Span::from_secs(60))));
    assert!(a.extended.is_empty() && a.constraints == Constraints::default());
    assert_eq!((b.created, b.deleted, b.extended.amount(GPU)), (Span::from_secs(30), None, 1_000));
    let model = |model: &'static str| b.constraints.selects(|label| (label == MODEL).then_some(model));
    assert!(model("A10") && model("T4") && !model("P100"));
    assert_eq!(c.deleted, Some(Span::ZERO));
}

#[test]
fn every_bad_row_has_a_line_and_a_reason() {
    for (row, reason) in [
        ("", "f: no pods"),
        ("\n", "f:2: empty row"),
        ("a,1,1", "f:2: 3 columns: expected 11"),
        (",1,1,0,,,,,0,,", "f:2: name missing"),
        ("a,x,1,0,,,,,0,,", "f:2: cpu_milli \"x\" is not a whole number"),
        ("a,-1,1,0,,,,,0,,", "f:2: cpu_milli \"-1\" is not a whole number"),
        ("a,1,1.5,0,,,,,0,,", "f:2: memory_mib \"1.5\" is not a whole number"),
        ("a,1,,0,,,,,0,,", "f:2: memory_mib missing"),
        ("a,1,18446744073709551615,0,,,,,0,,", "f:2: memory_mib is too large"),
        ("a,1,1,two,,,,,0,,", "f:2: num_gpu \"two\" is not a whole number"),
        ("a,1,1,2,,,,,0,,", "f:2: gpu_milli missing"),
        ("a,1,1,9999999999,9999999999,,,,0,,", "f:2: num_gpu times gpu_milli is too large"),
        ("a,1,1,1,1000,T4||A10,,,0,,", "f:2: gpu_spec \"T4||A10\" has an empty model"),
        ("a,1,1,0,,,,,,,", "f:2: creation_time missing"),
        ("a,1,1,0,,,,,5,4,", "f:2: deletion_time before creation_time"),
        ("a,1,1,0,,,,,0,99999999999999,", "f:2: deletion_time 99999999999999 is too large"),
        ("\"a\",1,1,0,,,,,0,,", "f:2: a quotation mark: values are not quoted"),
        ("a,1,1,0,,,,,0,,\nb,1,1,0,,,,,0,,\na,1,1,0,,,,,0,,", "f:4: duplicate: the name of line 2 again"),
        (
            "a,x,1,0,,,,,0,,\nb,1,1,0,,,,,0,,\nc,1,1",
            "f:2: cpu_milli \"x\" is not a whole number\nf:4: 3 columns: expected 11",
        ),
    ] {
        assert_eq!(list(row).unwrap_err(), reason, "{row}");
    }
    let other = PodList::parse(b"name,cpu\n").unwrap_err();
    assert!(
        Bad::of(Path::new("f"), other).to_string().starts_with("f:1: expected the header name,cpu_milli,")
    );
}

#[test]
fn who_fits_nowhere_is_named() {
    let rows = "fits,1900,1,0,,,,,0,,\nlarge,2000,1,0,,,,,0,,\ngpu,1,1,1,600,T4,,,0,,\n\
        model,1,1,1,600,A10,,,0,,\nmany,1,1,3,600,,,,0,,\n";
    let shape = |name: &str| Shape::new(ShapeName::new(name).unwrap(), Resources::new(2_000, 1 << 30, 10));
    let shapes = [shape("plain"), shape("gpu").with_extended(GPU, 1_000).with_label(MODEL, "T4")];
    let daemon = Resources::new(100, 1 << 20, 1);
    assert_eq!(list(rows).unwrap().unseatable(&shapes, &daemon), ["large", "model", "many"]);
}
