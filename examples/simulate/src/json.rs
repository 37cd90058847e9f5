//! The outcome for programs.

use crate::outcome::Outcome;

/// One object, indented, its keys always in the same order.
///
/// # Errors
/// None that an outcome can cause.
pub(crate) fn render(outcome: &Outcome) -> serde_json::Result<String> {
    serde_json::to_string_pretty(outcome).map(|object| object + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn has_every_key_in_order() {
        let page = render(&Outcome::sample()).unwrap();
        let keys: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix("  \"").and_then(|rest| rest.split_once('"')))
            .map(|(key, _)| key)
            .collect();
        let expected = "scenario trace peak_nodes pods shapes policy policy_hash not_simulated \
            seed fault_level until ticks scale_ups scale_downs replacements \
            evictions pods_listed pods_made pods_ran unseatable unseatable_names pending_pod_minutes wait_p50_s wait_p95_s wait_p95_of_waiting_s node_hours \
            node_hours_by_purchase cost static_nodes static_pending_pod_minutes static_node_hours faults \
            invariants violations digest repeat";
        assert_eq!(keys, expected.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn values_are_where_programs_look_for_them() {
        let value: Value = serde_json::from_str(&render(&Outcome::broken_sample()).unwrap()).unwrap();
        for (pointer, expected) in [
            ("/cost/autoscaled", json!(61.2)),
            ("/cost/static", json!(112.9)),
            ("/invariants/checked", json!(1_234_567)),
            ("/invariants/broken", json!(2)),
            ("/invariants/by_name/I2/broken", json!(2)),
            ("/node_hours_by_purchase/on_demand", json!(56.0)),
            ("/wait_p95_of_waiting_s", json!(190.5)),
            ("/until", json!("1d")),
            ("/trace", Value::Null),
            ("/faults", json!({"boot-hang": 3, "crash": 2})),
            (
                "/violations/0",
                json!({"invariant": "I2", "at": "1970-01-01T00:01:00Z", "text": "2 nodes, min 3"}),
            ),
        ] {
            assert_eq!(value.pointer(pointer), Some(&expected), "{pointer}");
        }
    }

    #[test]
    fn the_same_outcome_gives_the_same_bytes() {
        assert_eq!(render(&Outcome::sample()).unwrap(), render(&Outcome::sample()).unwrap());
    }
}
