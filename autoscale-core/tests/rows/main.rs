//! The conformance rows of the pure decision: inputs and expected outputs stand in `data/*.json`, one file per family.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod check;
mod cloud;
mod random;
mod read;
mod seen;
mod world;

use std::collections::BTreeMap;

/// Every row that belongs to the pure decision.
const CONFORMANCE: &str = "D1 D2 D3 D4 D5 D6 D7 D8 D9 D10 D11 D12 D13 D14 D15 S1 S2 S3 A3 T1 T2 T4 E1 E3 E4 B1 C1 C3 \
     U1 U2 U4 O1 O8 L1 L3 F1 F4 N1 N2 N3 H1 H5 H8 H9 H-down H-up W1 W2 M1 M2 M3";

/// Rows of our own, about what those do not ask.
const OWN: &str = "spread-size spread-move volume-size volume-move volume-full backup headroom-up headroom-down price \
     priority order least-waste awkward";

#[test]
fn every_row_does_what_it_says() {
    let rows = read::all();
    let wrong: Vec<String> = rows.iter().flat_map(check::row).collect();
    assert!(wrong.is_empty(), "{} rows differ\n\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn every_row_is_there_once() {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for row in read::all() {
        *found.entry(row.id).or_default() += 1;
    }
    let expected: BTreeMap<String, usize> =
        CONFORMANCE.split(' ').chain(OWN.split(' ')).map(|id| (id.to_owned(), 1)).collect();
    assert_eq!(found, expected, "an id is missing, appears twice, or is unknown");
}

#[test]
fn a_misspelt_field_is_refused() {
    for (good, bad) in [
        (
            r#"{"pods": [{"name": "p"}], "expect": {}}"#,
            r#"{"pods": [{"name": "p", "ownr": "x"}], "expect": {}}"#,
        ),
        (r#"{"steps": [{"expect": {}}]}"#, r#"{"steps": [{"expect": {"verdicts": {}}}]}"#),
    ] {
        assert!(serde_json::from_str::<read::Scene>(good).is_ok());
        assert!(serde_json::from_str::<read::Scene>(bad).is_err(), "{bad}");
    }
}
