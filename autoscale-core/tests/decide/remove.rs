//! A removal, step by step: cordon, evict, wait for empty, look again, terminate, wait for gone, forget.

use autoscale_core::data::order::{Answer, Cordoned, Order, Outcome, Refusal};
use autoscale_core::data::record::{RemoveState, Rollback};
use autoscale_core::data::view::{Eviction, Phase};
use autoscale_core::words::InstanceId;

use crate::lab::{Lab, launches, removals, web};

/// Three nodes of which the one with two pods is being removed, and is about to be cordoned.
fn removing() -> (Lab, InstanceId) {
    let mut lab = Lab::with_nodes(web(), &["a", "b", "c"]);
    let id = lab.instances[0].id.clone();
    lab.runs_on(&id, "p0", 100);
    lab.runs_on(&id, "p1", 100);
    for other in [1, 2] {
        let id = lab.instances[other].id.clone();
        lab.node_of(&id).keep = true;
    }
    lab.cpu(0.2);
    for _ in 0..5 {
        lab.tick();
        lab.wait(120);
    }
    let planned = lab.plan();
    assert_eq!(removals(&planned), [id.as_str()]);
    (lab, id)
}

fn names(orders: &[Order]) -> Vec<&'static str> {
    orders
        .iter()
        .map(|order| match order {
            Order::Launch(_) => "launch",
            Order::Terminate(_) => "terminate",
            Order::Cordon(_) => "cordon",
            Order::Uncordon(_) => "uncordon",
            Order::Evict(_) => "evict",
            Order::Forget(_) => "forget",
            _ => "?",
        })
        .collect()
}

fn due(lab: &Lab) -> Vec<&'static str> {
    names(&lab.due().into_iter().map(|effect| effect.order).collect::<Vec<_>>())
}

#[test]
fn the_steps_are_in_order_and_the_cooldown_begins_at_the_end() {
    let (mut lab, id) = removing();
    let mut steps = Vec::new();
    for _ in 0..6 {
        steps.extend(names(&lab.perform()));
        lab.wait(5);
        lab.tick();
    }
    assert_eq!(steps, ["cordon", "evict", "terminate", "forget"]);
    assert_eq!(lab.record.op_on(&id), None);
    let marks = &lab.record.pools[&crate::lab::pool()];
    assert!(marks.last_down.is_some() && marks.last_up.is_none());
}

#[test]
fn a_full_node_is_never_terminated() {
    let (mut lab, id) = removing();
    lab.perform();
    for _ in 0..3 {
        lab.wait(60);
        lab.tick();
        let effects = lab.due();
        assert_eq!(names(&effects.iter().map(|e| e.order.clone()).collect::<Vec<_>>()), ["evict"]);
        // The pods stay: a budget holds them.
        lab.settle(&[]);
    }
    lab.wait(300);
    lab.tick();
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::RollingBack { why: Rollback::Timeout, .. })));
    assert_eq!(names(&lab.perform()), ["uncordon"]);
    lab.tick();
    assert_eq!(lab.record.op_on(&id), None);
    assert_eq!(lab.record.pools[&crate::lab::pool()].nodes.len(), 1, "the node backs off");
    assert!(lab.record.pools[&crate::lab::pool()].last_down.is_none(), "nothing was removed");
}

#[test]
fn an_end_that_waits_for_pods_is_told_and_in_nobodys_way() {
    let (mut lab, id) = removing();
    for _ in 0..2 {
        lab.perform();
        lab.tick();
    }
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::Terminating { waits: false, .. })));
    // A person opens the node, and what comes to it does not leave.
    lab.runs_on(&id, "late", 10);
    lab.tick();
    assert_eq!(due(&lab), ["evict"]);
    lab.cpu(0.9);
    lab.wait(60);
    assert!(launches(&lab.plan()).is_empty(), "an action is open");
    lab.wait(300);
    let planned = lab.plan();
    let told = |alarm: &String| alarm.contains("1 pods came to it and have not left in time");
    assert!(planned.explanation.alarms.iter().any(told), "{:?}", planned.explanation.alarms);
    assert_eq!(launches(&planned).len(), 1, "{}\nthe pod may need a node to leave for", planned.explanation);
    lab.tick();
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::Terminating { waits: true, .. })));
    assert!(due(&lab).contains(&"evict"), "it is still asked to leave");
}

#[test]
fn pods_that_turn_up_are_evicted_before_every_resend() {
    let (mut lab, id) = removing();
    lab.perform();
    lab.tick();
    lab.perform();
    lab.tick();
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::Terminating { accepted: false, .. })));
    // The answer to the first terminate gets lost, and a pod lands on the node.
    let unclear = Answer::Unclear { why: "no answer".to_owned() };
    let outcomes: Vec<Outcome> =
        lab.due().into_iter().map(|effect| Outcome::new(effect, unclear.clone())).collect();
    lab.settle(&outcomes);
    lab.runs_on(&id, "late", 10);
    lab.tick();
    assert_eq!(names(&lab.perform()), ["evict"]);
    lab.tick();
    assert_eq!(names(&lab.perform()), ["terminate"]);
}

#[test]
fn a_node_that_somebody_opens_while_it_is_being_ended_is_closed_again() {
    let (mut lab, id) = removing();
    for _ in 0..2 {
        lab.perform();
        lab.tick();
    }
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::Terminating { .. })));
    let node = lab.node_of(&id);
    (node.unschedulable, node.cordon) = (false, None);
    lab.runs_on(&id, "late", 10);
    let planned = lab.plan();
    assert!(
        planned.explanation.alarms.iter().any(|alarm| alarm.contains("was opened while it is being ended"))
    );
    let mut steps = Vec::new();
    for _ in 0..3 {
        lab.settle(&[]);
        lab.tick();
        steps.extend(names(&lab.perform()));
    }
    assert_eq!(steps, ["cordon", "evict", "terminate"]);
}

#[test]
fn without_a_survey_of_its_pods_nothing_is_terminated() {
    let (mut lab, _) = removing();
    lab.perform();
    lab.tick();
    lab.perform();
    lab.tick();
    lab.cluster.scope = autoscale_core::data::view::Scope::Pending;
    lab.settle(&[]);
    lab.tick();
    assert_eq!(lab.due(), []);
    lab.survey_fails = true;
    lab.tick();
    assert_eq!(lab.due(), []);
}

#[test]
fn terminating_has_no_way_back() {
    let (mut lab, id) = removing();
    lab.perform();
    lab.tick();
    lab.perform();
    lab.tick();
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::Terminating { .. })));
    lab.cpu(0.99);
    lab.pending(50, 100);
    lab.wait(600);
    lab.tick();
    assert!(
        matches!(lab.remove_state(&id), Some(RemoveState::Terminating { .. })),
        "not recalled, not timed out"
    );
}

#[test]
fn a_node_is_ended_once_its_volumes_are_detached_or_its_time_is_up() {
    let (mut lab, id) = removing();
    lab.perform();
    lab.tick();
    lab.perform();
    for (attached, secs, ending) in [
        (Some(2), 0, false),
        (Some(1), 60, false),
        (Some(0), 60, true),
        (None, 60, true),
        (Some(1), 361, true),
    ] {
        let mut lab = lab.clone();
        lab.node_of(&id).attached = attached;
        lab.wait(secs);
        lab.tick();
        let state = lab.remove_state(&id);
        assert_eq!(matches!(state, Some(RemoveState::Terminating { .. })), ending, "{attached:?}: {state:?}");
    }
}

#[test]
fn a_refusal_for_good_parks_and_others_go_on() {
    let (mut lab, id) = removing();
    lab.perform();
    lab.tick();
    lab.perform();
    lab.tick();
    let denied = Answer::Refused(Refusal::Denied { action: "ec2:TerminateInstances".to_owned() });
    let outcomes: Vec<Outcome> =
        lab.due().into_iter().map(|effect| Outcome::new(effect, denied.clone())).collect();
    assert_eq!(outcomes.len(), 1);
    lab.settle(&outcomes);
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::Parked { .. })));
    lab.cpu(0.9);
    let planned = lab.plan();
    assert_eq!(launches(&planned).len(), 1, "a parked removal is not in the way");
    assert!(planned.explanation.alarms.iter().any(|a| a.contains("ec2:TerminateInstances")));
}

#[test]
fn a_scale_down_is_recalled_by_demand_but_not_by_its_own_evictions() {
    let (mut lab, id) = removing();
    lab.perform();
    lab.tick();
    // A pod of the same controller waits: our own doing.
    lab.pending(1, 100);
    lab.wait(200);
    lab.tick();
    lab.wait(200);
    let planned = lab.plan();
    assert!(
        !matches!(lab.remove_state(&id), Some(RemoveState::RollingBack { why: Rollback::Recalled, .. })),
        "{}",
        planned.explanation
    );

    let (mut lab, id) = removing();
    lab.perform();
    lab.cpu(0.9);
    lab.tick();
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::RollingBack { why: Rollback::Recalled, .. })));
    assert_eq!(names(&lab.perform()), ["uncordon"]);
    lab.cpu(0.2);
    lab.tick();
    assert_eq!(lab.record.op_on(&id), None);
    assert!(!lab.node_of(&id).unschedulable);
}

#[test]
fn what_people_do_to_the_node_is_respected() {
    // Uncordoned by hand: rolled back, not cordoned again.
    let (mut lab, id) = removing();
    lab.perform();
    let node = lab.node_of(&id);
    (node.unschedulable, node.cordon) = (false, None);
    lab.tick();
    assert_eq!(lab.record.op_on(&id), None, "nothing is left to undo");

    // A higher stamp than ours: the cordon is not ours any more.
    let (mut lab, id) = removing();
    let outcomes: Vec<Outcome> = lab
        .due()
        .into_iter()
        .map(|effect| Outcome::new(effect, Answer::Cordoned(Cordoned::Superseded)))
        .collect();
    lab.settle(&outcomes);
    lab.tick();
    assert_eq!(lab.record.op_on(&id), None);

    // A pod that may not be moved turns up.
    let (mut lab, id) = removing();
    lab.perform();
    lab.runs_on(&id, "vip", 10).eviction = Eviction::Never;
    lab.tick();
    assert!(matches!(
        lab.remove_state(&id),
        Some(RemoveState::RollingBack { why: Rollback::Blocked { .. }, .. })
    ));

    // Terminated by hand in the middle of the drain.
    let (mut lab, id) = removing();
    lab.perform();
    lab.instance(&id).phase = Phase::Terminated;
    lab.tick();
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::Gone)));
}

#[test]
fn absence_from_a_list_is_not_gone() {
    let (mut lab, id) = removing();
    for _ in 0..2 {
        lab.perform();
        lab.tick();
    }
    let outcomes: Vec<Outcome> =
        lab.due().into_iter().map(|effect| Outcome::new(effect, Answer::Terminating)).collect();
    lab.settle(&outcomes);
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::Terminating { accepted: true, .. })));
    lab.cluster.nodes.retain(|node| node.name.as_str() != format!("n-{id}"));
    lab.instances.retain(|instance| instance.id != id);
    // It is accepted, and missing from the list: 15 minutes of complete lists are needed.
    for minute in 0..15 {
        lab.tick();
        assert!(lab.record.op_on(&id).is_some(), "minute {minute}");
        lab.wait(60);
    }
    lab.tick();
    lab.tick();
    assert_eq!(lab.record.op_on(&id), None);
}

#[test]
fn serving_nodes_never_fall_below_min_by_our_doing() {
    let (mut lab, id) = removing();
    lab.perform();
    lab.tick();
    lab.perform();
    let other = lab.instances[1].id.clone();
    lab.node_of(&other).unschedulable = true;
    lab.tick();
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::RollingBack { why: Rollback::BelowMin, .. })));
}
