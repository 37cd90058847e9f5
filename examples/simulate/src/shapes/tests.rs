use super::*;

fn shapes(content: &str) -> Result<Vec<Shape>, String> {
    parse(content.as_bytes()).map_err(|rows| Bad::of(Path::new("f"), rows).to_string())
}

#[test]
fn types_are_as_they_are_told() {
    let read = shapes(&format!("{TYPES}\nm5.large,1930,7168,29,,,0.096\ng5,4000,16384,,2,A10,\n")).unwrap();
    let [gpu, plain] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!((plain.name.as_str(), plain.allocatable), ("m5.large", Resources::new(1_930, 7 << 30, 29)));
    assert_eq!(plain.price, Some(Fixed::from_micros(96_000)));
    assert_eq!((gpu.extended.amount(GPU), gpu.labels.get(MODEL)), (2_000, Some(&"A10".to_owned())));
    assert_eq!((gpu.allocatable.pods, gpu.price), (110, None));
}

#[test]
fn of_machines_the_distinct_ones_are_taken() {
    let rows = "n1,32000,262144,0,\nn2,96000,393216,8,V100M16\nn3,32000,262144,0,\nn4,1500,1000,,\n";
    let read = shapes(&format!("{MACHINES}\n{rows}")).unwrap();
    let names: Vec<_> = read.iter().map(|shape| shape.name.as_str()).collect();
    assert_eq!(names, ["c1500milli-m1000mib", "c32-m256", "c96-m384-g8-V100M16"]);
    let policy = policy(&read).unwrap();
    let pools: Vec<_> = policy.pools().keys().map(PoolName::as_str).collect();
    assert_eq!(pools, ["c1500milli-m1000mib", "c32-m256", "c96-m384-g8-v100m16"]);
}

#[test]
fn every_bad_row_has_a_line_and_a_reason() {
    for (header, row, reason) in [
        (TYPES, "", "f: no machine types"),
        (
            TYPES,
            "a b,1,1,,,,",
            "f:2: shape name \"a b\": expected 1 to 63 characters of letters, digits, dots, dashes and underscores",
        ),
        (TYPES, "a,0,1,,,,", "f:2: a machine without CPU, memory or room for a pod"),
        (TYPES, "a,1,1,0,,,", "f:2: a machine without CPU, memory or room for a pod"),
        (TYPES, "a,1,1,,x,,", "f:2: gpu \"x\" is not a whole number"),
        (TYPES, "a,1,1,,,,cheap", "f:2: price \"cheap\" is not a number of at least 0"),
        (TYPES, "a,1,1,,,,-1", "f:2: price \"-1\" is not a number of at least 0"),
        (TYPES, "a,1,1,,,,NaN", "f:2: price \"NaN\" is not a number of at least 0"),
        (TYPES, "a.b,1,1,,,,\nA-b,2,2,,,,", "f:3: duplicate: the pool of line 2 again"),
        (MACHINES, "a,1,1,,,,", "f:2: 7 columns: expected 5"),
        (MACHINES, "a,x,1,0,", "f:2: cpu_milli \"x\" is not a whole number"),
        (
            "sn",
            "",
            "f:1: expected the header name,cpu_milli,memory_mib,pods,gpu,model,price or sn,cpu_milli,memory_mib,gpu,model, found \"sn\"",
        ),
    ] {
        assert_eq!(shapes(&format!("{header}\n{row}")).unwrap_err(), reason, "{row}");
    }
}
