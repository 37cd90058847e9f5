//! When a pool grows, by how much, and where.

use autoscale_core::data::explain::{Direction, Hold, Verdict};
use autoscale_core::data::policy::Purchase;
use autoscale_core::data::record::Pause;
use autoscale_core::data::view::{Reading, Ready};
use autoscale_core::words::{Fixed, Span};

use crate::lab::{Lab, holds, launches, report, web};

#[test]
fn a_rule_is_strict_and_acts_at_once_without_a_duration() {
    let mut lab = Lab::with_nodes(web(), &["a", "b"]);
    lab.cpu(0.7);
    assert_eq!(launches(&lab.plan()), [] as [&str; 0], "at the threshold is not above it");
    lab.cpu(0.700001);
    assert_eq!(launches(&lab.plan()), ["c/spot"], "one step, spot, in the least populated zone");
}

#[test]
fn pending_pods_wait_for_their_duration_and_buy_by_count() {
    let mut lab = Lab::with_nodes(web(), &["a", "b"]);
    lab.pending(25, 100);
    let planned = lab.plan();
    assert!(
        holds(&planned).iter().any(|h| matches!(h, Hold::Waiting { direction: Direction::Up, left, .. } if *left == Span::from_secs(180))),
        "{}", planned.explanation
    );
    lab.wait(179);
    assert!(launches(&lab.plan()).is_empty());
    lab.wait(1);
    let planned = lab.plan();
    assert_eq!(launches(&planned).len(), 3, "25 pods at 10 a node");
    assert!(matches!(report(&planned).verdict, Verdict::Grow { by: 3, wished: 3, .. }));
}

#[test]
fn pods_that_fit_on_no_node_buy_nothing_and_are_named() {
    let mut lab = Lab::with_nodes(web().with_pending(Span::from_secs(1)), &["a", "b"]);
    lab.pending(3, 1_001);
    lab.tick();
    lab.wait(60);
    let planned = lab.plan();
    assert!(launches(&planned).is_empty());
    assert!(
        planned
            .explanation
            .alarms
            .iter()
            .any(|alarm| alarm.contains("3 pending pods fit on no pool's nodes"))
    );
}

#[test]
fn a_new_node_has_what_all_have_in_common_but_not_the_name_of_the_only_one() {
    for (label, value, bought) in [("disk", "fast", 1), ("disk", "slow", 0), ("local/node", "n-i-0", 0)] {
        let mut lab = Lab::with_nodes(web().with_min(1).with_pending(Span::from_secs(0)), &["a"]);
        let node = &mut lab.cluster.nodes[0];
        assert_eq!(node.name.as_str(), "n-i-0");
        node.labels.extend([("local/node", "n-i-0"), ("disk", "fast")].map(|(k, v)| (k.into(), v.into())));
        lab.pending(1, 1_000);
        lab.cluster.pods[0].constraints.selector = [(label.to_owned(), value.to_owned())].into();
        assert_eq!(launches(&lab.plan()).len(), bought, "{label}={value}");
    }
}

#[test]
fn growth_is_capped_by_max_and_batch() {
    for (max, batch, expected) in [(10, 10, 5), (4, 10, 2), (10, 3, 3), (2, 10, 0)] {
        let pool = web().with_max(max).with_max_batch(batch).with_pending(Span::from_secs(0));
        let mut lab = Lab::with_nodes(pool, &["a", "b"]);
        lab.pending(50, 100);
        let planned = lab.plan();
        assert_eq!(launches(&planned).len(), expected, "max {max}, batch {batch}");
        if expected == 0 {
            assert!(holds(&planned).contains(&Hold::AtMax { max: 2 }));
        }
    }
}

/// What is wanted, as decided and before any limit.
fn wanted(lab: &mut Lab) -> (u32, u32) {
    let wanted = report(&lab.plan()).wanted;
    (wanted.size, wanted.raw)
}

#[test]
fn what_is_wanted_is_told_with_and_without_limits() {
    // Two nodes; 50 pods ask for five more.
    for (max, batch, size) in [(10, 10, 7), (4, 10, 4), (10, 3, 5), (2, 10, 2)] {
        let pool = web().with_max(max).with_max_batch(batch).with_pending(Span::from_secs(0));
        let mut lab = Lab::with_nodes(pool, &["a", "b"]);
        lab.cpu(0.5);
        assert_eq!(wanted(&mut lab), (2, 2), "nobody asks");
        lab.pending(50, 100);
        assert_eq!(wanted(&mut lab), (size, 7), "max {max}, batch {batch}");
    }
    let mut lab = Lab::with_nodes(web().with_min(4), &["a"]);
    lab.cpu(0.5);
    assert_eq!(wanted(&mut lab), (4, 1), "`min` is a limit");
    let mut lab = Lab::with_nodes(web().with_max(2), &["a", "b"]);
    lab.cpu(0.9);
    assert_eq!(wanted(&mut lab), (2, 3), "so is `max`");
    let mut lab = Lab::with_nodes(web().with_max(2), &["a", "b", "c"]);
    lab.cpu(0.5);
    assert_eq!(wanted(&mut lab), (2, 3), "and nobody asked to go below it");
}

#[test]
fn what_is_wanted_goes_down_with_the_rules_and_stops_at_min() {
    for (min, size) in [(2, 2), (3, 3)] {
        let mut lab = Lab::with_nodes(web().with_min(min), &["a", "b", "c"]);
        lab.cpu(0.2);
        for _ in 0..5 {
            assert_eq!(wanted(&mut lab), (3, 3), "the rule does not hold yet");
            lab.tick();
            lab.wait(120);
        }
        assert_eq!(wanted(&mut lab), (size, 2), "min {min}");
    }
}

#[test]
fn a_pool_below_min_is_filled_at_once_unless_the_missing_cannot_be_seen() {
    let mut lab = Lab::with_nodes(web().with_min(4), &["a"]);
    assert_eq!(launches(&lab.plan()).len(), 3);
    for blind in [true, false] {
        let mut lab = Lab::with_nodes(web().with_min(4), &["a"]);
        (lab.list_fails, lab.survey_fails) = (blind, !blind);
        let planned = lab.plan();
        assert!(launches(&planned).is_empty(), "an API that cannot be reached must not buy nodes");
        assert!(holds(&planned).iter().any(|h| matches!(h, Hold::Unseen { .. })));
    }
}

#[test]
fn nodes_on_their_way_are_counted() {
    let mut lab = Lab::with_nodes(web().with_pending(Span::ZERO).with_cooldown_up(Span::ZERO), &["a", "b"]);
    lab.pending(20, 100);
    assert_eq!(launches(&lab.plan()).len(), 2);
    assert!(launches(&lab.plan()).is_empty(), "the action is open");
    lab.perform();
    lab.instances.iter_mut().for_each(|i| i.token = i.token.take());
    for node in &mut lab.cluster.nodes {
        let young = node.created_at.as_millis() == lab.now;
        node.ready = if young { Ready::No } else { Ready::Yes };
    }
    assert!(launches(&lab.plan()).is_empty(), "launched and not joined");
}

#[test]
fn the_cooldown_counts_from_the_finished_action() {
    let mut lab = Lab::with_nodes(web(), &["a", "b"]);
    lab.cpu(0.9);
    lab.run();
    assert_eq!(lab.record.ops, [], "{:?}", lab.record.ops);
    let finished = lab.now;
    lab.wait(299);
    assert!(holds(&lab.plan()).iter().any(|h| matches!(h, Hold::Cooldown { direction: Direction::Up, .. })));
    lab.wait(1);
    assert_eq!(lab.now - finished, 300_000);
    assert_eq!(launches(&lab.plan()).len(), 1);
}

#[test]
fn a_pause_and_an_unhealthy_cluster_hold_and_say_so() {
    let mut lab = Lab::with_nodes(web(), &["a", "b"]);
    lab.cpu(0.9);
    lab.record.paused =
        Some(serde_json::from_str::<Pause>(r#"{"who":"ann","why":"upgrade","until":null}"#).unwrap());
    assert!(holds(&lab.plan()).iter().any(|h| matches!(h, Hold::Paused { .. })));

    let zones = ["a"; 9];
    for (unready, held) in [(4, false), (5, true)] {
        let mut lab = Lab::with_nodes(web().with_max(20), &zones);
        lab.cpu(0.9);
        lab.cluster.nodes.iter_mut().take(unready).for_each(|node| node.ready = Ready::No);
        let planned = lab.plan();
        assert_eq!(launches(&planned).is_empty(), held, "{unready} of 9 are unready, 45 % are tolerated");
    }
}

#[test]
fn a_signal_that_cannot_be_judged_does_not_stop_another_up_rule() {
    let pool = web().with_pending(Span::ZERO);
    let mut lab = Lab::with_nodes(pool, &["a", "b"]);
    lab.signal("cpu", Reading::Failed { why: "connection refused".to_owned() });
    lab.pending(1, 100);
    assert_eq!(launches(&lab.plan()).len(), 1);
}

#[test]
fn stale_and_contradictory_samples_are_no_numbers() {
    let value = Fixed::from_f64(0.9).unwrap();
    for reading in [
        Reading::Value { value, age: Span::from_secs(181) },
        Reading::Missing { why: "NaN".to_owned() },
        Reading::Value { value: Fixed::from_int(-1), age: Span::ZERO },
    ] {
        let mut lab = Lab::with_nodes(web(), &["a", "b"]);
        lab.signal("cpu", reading.clone());
        assert!(launches(&lab.plan()).is_empty(), "{reading:?}");
    }
    let mut lab = Lab::with_nodes(web(), &["a", "b"]);
    lab.cpu(0.9);
    let mut other = lab.samples[0].clone();
    other.reading = Reading::Value { value: Fixed::from_f64(0.1).unwrap(), age: Span::ZERO };
    lab.samples.push(other);
    assert!(launches(&lab.plan()).is_empty());
}

/// Conformance rows L1 and L3: zones with 1, 3, 5 and 5 nodes.
#[test]
fn zones_are_evened_out() {
    for (more, expected) in [(1, [2, 3, 5, 5]), (4, [4, 4, 5, 5]), (10, [6, 6, 6, 6])] {
        let names = ["a", "b", "c", "d"];
        let pool = web().with_zones(names).with_max(40).with_pending(Span::ZERO);
        let zones: Vec<&str> = names.iter().zip([1, 3, 5, 5]).flat_map(|(zone, n)| vec![*zone; n]).collect();
        let mut lab = Lab::with_nodes(pool, &zones);
        lab.pending(more * 10, 100);
        lab.tick();
        lab.perform();
        let count =
            |zone: &&str| lab.instances.iter().filter(|i| i.zone.as_ref().unwrap().as_str() == *zone).count();
        assert_eq!(names.iter().map(count).collect::<Vec<_>>(), expected, "+ {more}");
    }
}

#[test]
fn spot_goes_first_inside_the_skew_and_the_zone_beyond_it() {
    let only_a = web()
        .with_zones(["a", "b"])
        .with_purchases([Purchase::Spot, Purchase::OnDemand])
        .with_pending(Span::ZERO);
    let mut lab = Lab::with_nodes(only_a, &["a", "b"]);
    lab.pending(50, 100);
    // Spot in b is refused for good: 4 more spot instances in a would leave b behind by more than 2.
    lab.tick();
    lab.record.pools.entry(crate::lab::pool()).or_default().offerings = serde_json::from_str(
        r#"[{"offering":{"zone":"b","purchase":"spot","shape":"m"},"backoff":{"until":99999999999,"failures":1}}]"#,
    )
    .unwrap();
    lab.record.ops.clear();
    let planned = lab.plan();
    assert_eq!(launches(&planned), ["a/spot", "a/spot", "b/on-demand", "a/spot", "b/on-demand"]);
}

/// Conformance row F1.
#[test]
fn an_offering_without_capacity_is_left_alone_for_five_minutes() {
    use autoscale_core::data::order::{Answer, Outcome, Refusal};
    let pool = web().with_zones(["a"]).with_purchases([Purchase::Spot]).with_min(1);
    let mut lab = Lab::with_nodes(pool, &["a"]);
    lab.cpu(0.9);
    lab.tick();
    let refused = Answer::Refused(Refusal::NoCapacity { why: "none".to_owned() });
    let outcomes: Vec<Outcome> =
        lab.due().into_iter().map(|effect| Outcome::new(effect, refused.clone())).collect();
    assert_eq!(outcomes.len(), 1);
    lab.settle(&outcomes);
    lab.tick();
    lab.wait(299);
    assert!(holds(&lab.plan()).iter().any(|h| matches!(h, Hold::NoOffering { .. })));
    lab.wait(2);
    assert_eq!(launches(&lab.plan()), ["a/spot"]);
}
