//! Properties: the same bytes for the same facts, and no flapping.

use autoscale_core::data::policy::When;
use autoscale_core::data::view::Reading;
use autoscale_core::logic::{due, plan};
use autoscale_core::words::{Fixed, Span, Timestamp};
use proptest::prelude::*;

use crate::lab::{Lab, removals, web};

/// A lab with some nodes, pods, a load and a history, drawn at random.
fn any_lab() -> impl Strategy<Value = Lab> {
    let zones = proptest::collection::vec(prop_oneof![Just("a"), Just("b"), Just("c")], 1..9);
    (zones, 0_u32..100, 0_usize..12, proptest::collection::vec((0_usize..9, 1_u64..400), 0..20), 0_u64..8)
        .prop_map(|(zones, cpu, pending, pods, ticks)| {
            let mut lab = Lab::with_nodes(web().with_max(12).with_pending(Span::from_secs(60)), &zones);
            for (i, (node, milli)) in pods.into_iter().enumerate() {
                let id = lab.instances[node % lab.instances.len()].id.clone();
                lab.runs_on(&id, &format!("p{i}"), milli);
            }
            lab.pending(pending, 100);
            lab.cpu(f64::from(cpu) / 100.0);
            for _ in 0..ticks {
                lab.wait(120);
                lab.tick();
            }
            lab.wait(120);
            lab
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// I12, and the order of a list never changes a decision.
    #[test]
    fn permuted_lists_give_the_same_bytes(mut lab in any_lab(), turn in 0_usize..20) {
        let (tick, now, view) = (lab.brings(), Timestamp::from_millis(lab.now), lab.view());
        lab.instances.reverse();
        let (nodes, pods) = (lab.cluster.nodes.len().max(1), lab.cluster.pods.len().max(1));
        lab.cluster.nodes.rotate_left(turn % nodes);
        lab.cluster.pods.reverse();
        lab.cluster.pods.rotate_left(turn % pods);
        lab.samples.reverse();
        let turned = lab.view();
        let (one, other) = (plan(&lab.policy, &lab.record, &view, &tick, now), plan(&lab.policy, &lab.record, &turned, &tick, now));
        let (one, other) = (one.unwrap(), other.unwrap());
        prop_assert_eq!(serde_json::to_vec(&one.next).unwrap(), serde_json::to_vec(&other.next).unwrap());
        prop_assert_eq!(serde_json::to_vec(&one.explanation).unwrap(), serde_json::to_vec(&other.explanation).unwrap());
        prop_assert_eq!(due(&lab.policy, &one.next, &view), due(&lab.policy, &one.next, &turned));
    }

    /// I14: a view with less in it never lowers the wanted size.
    #[test]
    fn what_is_missing_never_shrinks(mut lab in any_lab(), what in 0_u8..4) {
        match what {
            0 => lab.samples.clear(),
            1 => lab.signal("cpu", Reading::Failed { why: "x".to_owned() }),
            2 => lab.list_fails = true,
            _ => lab.survey_fails = true,
        }
        prop_assert_eq!(removals(&lab.plan()), [] as [String; 0]);
    }

    /// An invalid number is a missing one; nothing panics on any number.
    #[test]
    fn any_number_is_judged(mut lab in any_lab(), micros in any::<i64>(), age in any::<u64>()) {
        lab.signal("cpu", Reading::Value { value: Fixed::from_micros(micros), age: Span::from_millis(age) });
        let planned = lab.plan();
        let _ = planned.explanation.to_string();
    }
}

/// Steady demand reaches a fixed point, at any size: after it has settled, nothing is decided for a day.
#[test]
fn steady_demand_does_not_flap() {
    for load in 1..=40_u32 {
        // So many tenths of a node's CPU are used, whatever the number of nodes.
        let pool = web().with_min(1).with_max(30).with_step_down(3).with_up(When::above("cpu", "70%"));
        let mut lab = Lab::with_nodes(pool, &["a", "b", "c"]);
        let mut last_change = 0;
        for tick in 0..1_400 {
            let nodes = lab.cluster.nodes.iter().filter(|n| !n.unschedulable).count();
            let used = f64::from(load) / 10.0 / nodes as f64;
            lab.cpu(used.min(1.0));
            let before = lab.cluster.nodes.len();
            lab.run();
            if lab.cluster.nodes.len() != before {
                last_change = tick;
            }
            lab.wait(120);
        }
        let nodes = lab.cluster.nodes.len();
        assert!(last_change < 680, "load {load}: still changing in tick {last_change}, {nodes} nodes");
        let used = f64::from(load) / 10.0 / nodes as f64;
        assert!(used < 0.700_001, "load {load}: {nodes} nodes are used to {used}");
    }
}
