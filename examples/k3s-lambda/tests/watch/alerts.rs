//! Each alert fires once in its story, and none does while all is well.

use serde_json::{Value, json};

use crate::boards::infrastructure;
use crate::history::EVERY;
use crate::prometheus::follow;
use crate::real::Programs;
use crate::told::ALL;

/// How often alerts began to fire, by name and cluster.
fn begun() -> String {
    let firing = "ALERTS{alertstate=\"firing\"}";
    let step = EVERY.as_secs();
    format!(
        "sum by (alertname, cluster) (count_over_time(({firing} unless {firing} offset {step}s)[1d:{step}s]))"
    )
}

fn once(alert: Option<&str>) -> Value {
    let sample =
        |alert| json!({"labels": format!("{{alertname=\"{alert}\", cluster=\"shop\"}}"), "value": 1});
    alert.into_iter().map(sample).collect()
}

#[test]
fn each_alert_fires_once_in_its_story_and_none_while_all_is_well() {
    let Some(programs) = Programs::find() else { return };
    let rules = infrastructure("alerts.yaml");
    let mut wrong = Vec::new();
    for told in &*ALL {
        let expected = [(begun(), once(told.alert))];
        if let Err(said) = follow(&programs, &rules, &told.history, &expected) {
            wrong.push(format!("{}: {said}", told.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_is_a_story_for_each_alert() {
    let rules = std::fs::read_to_string(infrastructure("alerts.yaml")).unwrap();
    let rules: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(rules.len() > 8, "{rules:?}");
    for rule in rules {
        assert!(ALL.iter().any(|told| told.alert == Some(rule)), "{rule}: no story has it");
    }
}
