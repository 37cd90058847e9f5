//! When a pool shrinks, which node goes, and why others stay.

use autoscale_core::data::explain::{Held, Hold};
use autoscale_core::data::policy::When;
use autoscale_core::data::view::{Budget, Eviction, Owner, Ownership, Reading, Ready, Scope, Storage};
use autoscale_core::logic::Planned;
use autoscale_core::words::{InstanceId, Span, Timestamp};

use crate::lab::{Lab, holds, launches, removals, report, web};

/// A pool whose down-rule has held for its whole duration, with two pods of 100m on the first node.
fn idle(zones: &[&str]) -> Lab {
    let mut lab = Lab::with_nodes(web(), zones);
    let first = lab.instances[0].id.clone();
    lab.runs_on(&first, "p0", 100);
    lab.runs_on(&first, "p1", 100);
    lab.cpu(0.2);
    for _ in 0..6 {
        lab.tick();
        lab.wait(120);
    }
    lab.record.ops.clear();
    lab
}

fn held(planned: &Planned, id: &InstanceId) -> Vec<Held> {
    report(planned).nodes.iter().find(|node| node.instance == *id).unwrap().held.clone()
}

#[test]
fn a_pool_shrinks_only_after_the_whole_duration() {
    let mut lab = Lab::with_nodes(web(), &["a", "b", "c"]);
    lab.cpu(0.2);
    for waited in [0, 120, 240, 360, 480] {
        let planned = lab.plan();
        assert!(removals(&planned).is_empty(), "after {waited} s");
        assert!(
            holds(&planned)
                .iter()
                .any(|h| matches!(h, Hold::Waiting { left, .. } if left.as_secs() == 600 - waited))
        );
        lab.wait(120);
    }
    assert_eq!(removals(&lab.plan()).len(), 1);
}

#[test]
fn a_gap_or_a_missing_signal_starts_the_duration_anew() {
    for gap in [true, false] {
        let mut lab = Lab::with_nodes(web(), &["a", "b", "c"]);
        lab.cpu(0.2);
        for _ in 0..4 {
            lab.tick();
            lab.wait(120);
        }
        if gap {
            lab.wait(360);
        } else {
            lab.signal("cpu", Reading::Missing { why: "no series".to_owned() });
            let planned = lab.plan();
            assert!(
                holds(&planned).iter().any(|h| matches!(h, Hold::SignalMissing { .. })),
                "{}",
                planned.explanation
            );
            lab.cpu(0.2);
            lab.wait(120);
        }
        assert!(removals(&lab.plan()).is_empty(), "gap {gap}");
    }
}

/// Rule I14: whatever is missing, the pool does not shrink.
#[test]
fn missing_stale_and_failed_signals_never_shrink() {
    let pool = web().with_up(When::above("memory", "80%")).with_up(When::above("cpu", "70%"));
    for reading in [
        None,
        Some(Reading::Missing { why: "x".to_owned() }),
        Some(Reading::Failed { why: "x".to_owned() }),
        Some(Reading::Value { value: autoscale_core::words::Fixed::ZERO, age: Span::from_mins(4) }),
    ] {
        let mut lab = Lab::with_nodes(pool.clone(), &["a", "b", "c"]);
        lab.cpu(0.2);
        if let Some(reading) = reading.clone() {
            lab.signal("memory", reading);
        }
        for _ in 0..10 {
            let planned = lab.plan();
            assert!(removals(&planned).is_empty(), "memory {reading:?}: {}", planned.explanation);
            lab.wait(120);
        }
        lab.signal("memory", Reading::Value { value: autoscale_core::words::Fixed::ZERO, age: Span::ZERO });
        assert_eq!(removals(&lab.plan()).len(), 1, "and with the signal back it does");
    }
}

#[test]
fn everything_that_holds_a_pool_back_is_said() {
    let mut lab = idle(&["a", "b"]);
    assert!(holds(&lab.plan()).contains(&Hold::AtMin { min: 2 }));

    let mut lab = idle(&["a", "b", "c"]);
    lab.pending(2, 100);
    assert!(holds(&lab.plan()).contains(&Hold::PodsPending { pods: 2 }));

    let mut lab = idle(&["a", "b", "c"]);
    lab.cluster.scope = Scope::Pending;
    let planned = lab.plan();
    assert!(holds(&planned).contains(&Hold::NeedsSurvey));
    assert_eq!(planned.needs, Some(Scope::Everything));
}

#[test]
fn a_removal_that_would_make_the_pool_grow_again_is_not_made() {
    let pool = web()
        .with_min(1)
        .with_up(When::above("cpu", "50%"))
        .with_down(When::below("cpu", "40%").lasting(Span::from_mins(6)));
    let mut lab = Lab::with_nodes(pool, &["a", "b"]);
    lab.cpu(0.39);
    for _ in 0..8 {
        let planned = lab.plan();
        assert!(removals(&planned).is_empty());
        lab.wait(120);
    }
    assert!(
        holds(&lab.plan()).iter().any(|h| matches!(h, Hold::WouldGrowAgain { .. })),
        "0.39 x 2 is above 0.5"
    );
}

#[test]
fn the_emptiest_node_of_the_fullest_zone_goes() {
    let mut lab = idle(&["a", "a", "b"]);
    let second = lab.instances[1].id.clone();
    assert_eq!(removals(&lab.plan()), [second.as_str()]);
    // Unhealthy goes first, whatever else.
    let mut lab = idle(&["a", "a", "b", "c"]);
    let third = lab.instances[2].id.clone();
    lab.node_of(&third).ready = Ready::No;
    assert_eq!(removals(&lab.plan()), [third.as_str()]);
}

#[test]
fn pods_and_marks_hold_a_node() {
    type Change = fn(&mut Lab, &InstanceId);
    let cases: [(&str, Change, bool); 18] = [
        ("D2 pod of a ReplicaSet", |_, _| {}, false),
        ("D1 no controller", |lab, id| lab.runs_on(id, "x", 10).owner = None, true),
        (
            "D3 static pod",
            |lab, id| {
                let pod = lab.runs_on(id, "x", 10);
                (pod.mirror, pod.owner) = (true, None);
            },
            false,
        ),
        (
            "D4 DaemonSet pod",
            |lab, id| lab.runs_on(id, "x", 10).owner = Some(Owner::new("DaemonSet", "d")),
            false,
        ),
        ("D5 kube-system", |lab, id| lab.runs_on(id, "x", 10).namespace = "kube-system".to_owned(), true),
        ("D8 local storage", |lab, id| lab.runs_on(id, "x", 10).storage = Storage::Local, true),
        (
            "D10 budget used up",
            |lab, id| {
                lab.cluster.budgets.push(Budget::new("default", "b", 0));
                lab.runs_on(id, "x", 10).budgets = vec![0];
            },
            true,
        ),
        (
            "D10 budget with one left",
            |lab, id| {
                lab.cluster.budgets.push(Budget::new("default", "b", 1));
                lab.runs_on(id, "x", 10).budgets = vec![0];
            },
            false,
        ),
        (
            "two budgets",
            |lab, id| {
                lab.cluster.budgets.extend([Budget::new("default", "b", 1), Budget::new("default", "c", 1)]);
                lab.runs_on(id, "x", 10).budgets = vec![0, 1];
            },
            true,
        ),
        (
            "D11 deleted 90 s ago",
            |lab, id| {
                let at = Timestamp::from_millis(lab.now - 90_000);
                let pod = lab.runs_on(id, "x", 10);
                (pod.deleted_at, pod.owner) = (Some(at), None);
            },
            false,
        ),
        (
            "D11 deleted in 30 s",
            |lab, id| {
                let at = Timestamp::from_millis(lab.now + 30_000);
                let pod = lab.runs_on(id, "x", 10);
                (pod.deleted_at, pod.owner) = (Some(at), None);
            },
            true,
        ),
        (
            "D12 finished",
            |lab, id| {
                let pod = lab.runs_on(id, "x", 10);
                pod.phase = autoscale_core::data::view::PodPhase::Finished;
            },
            false,
        ),
        (
            "D13 controller gone",
            |lab, id| lab.runs_on(id, "x", 10).owner.as_mut().unwrap().exists = Some(false),
            true,
        ),
        ("D14 do not evict", |lab, id| lab.runs_on(id, "x", 10).eviction = Eviction::Never, true),
        ("system critical", |lab, id| lab.runs_on(id, "x", 10).system_critical = true, true),
        ("D15 node kept", |lab, id| lab.node_of(id).keep = true, true),
        ("protected", |lab, id| lab.instance(id).protected = true, true),
        (
            "S2 nowhere to go",
            |lab, id| {
                lab.runs_on(id, "x", 1_001);
            },
            true,
        ),
    ];
    for (name, change, stays) in cases {
        let mut lab = idle(&["a", "b", "c"]);
        let first = lab.instances[0].id.clone();
        // Only the first may go at all.
        for other in [1, 2] {
            let id = lab.instances[other].id.clone();
            lab.node_of(&id).keep = true;
        }
        change(&mut lab, &first);
        let planned = lab.plan();
        assert_eq!(removals(&planned).is_empty(), stays, "{name}: {}", planned.explanation);
        assert_eq!(held(&planned, &first).is_empty(), !stays, "{name}: {:?}", held(&planned, &first));
    }
}

#[test]
fn what_is_not_ours_never_goes() {
    for (ownership, control_plane, adopt, goes) in [
        (Ownership::Ours, false, false, true),
        (Ownership::Ours, true, true, false),
        (Ownership::ControlPlane, false, true, false),
        (Ownership::WorkerTag, false, false, false),
        (Ownership::WorkerTag, false, true, true),
        (Ownership::Foreign, false, true, false),
    ] {
        let mut lab = Lab::with_nodes(web().with_adopt(adopt), &["a", "b", "c", "a"]);
        lab.cpu(0.2);
        for other in [1, 2, 3] {
            let id = lab.instances[other].id.clone();
            lab.node_of(&id).keep = true;
        }
        let first = lab.instances[0].id.clone();
        lab.instance(&first).ownership = ownership;
        lab.node_of(&first).control_plane = control_plane;
        let mut gone = false;
        for _ in 0..8 {
            gone |= removals(&lab.plan()).contains(&first.to_string());
            lab.wait(120);
        }
        assert_eq!(gone, goes, "{ownership:?}, control plane {control_plane}, adopt {adopt}");
    }
}

#[test]
fn the_last_node_of_a_zone_stays_while_another_zone_has_two_more() {
    let mut lab = idle(&["a", "b", "b", "b"]);
    for other in [1, 2, 3] {
        let id = lab.instances[other].id.clone();
        lab.node_of(&id).keep = true;
    }
    let first = lab.instances[0].id.clone();
    assert!(matches!(held(&lab.plan(), &first).as_slice(), [Held::LastInZone { .. }]));
}

#[test]
fn above_max_one_node_a_tick_goes_whatever_the_load() {
    let mut lab = Lab::with_nodes(web().with_max(3), &["a", "b", "c", "a", "b"]);
    lab.cpu(0.69);
    let planned = lab.plan();
    assert_eq!(removals(&planned).len(), 1);
    assert!(launches(&planned).is_empty());
}
