//! What does not come to its end by itself: missing permissions, lost pools, mass interruptions, a record that is nearly full.

use autoscale_core::data::explain::Hold;
use autoscale_core::data::order::{Answer, Order, Refusal};
use autoscale_core::data::policy::{OnRebalance, Policy, PoolPolicy};
use autoscale_core::data::record::{
    Cause, IncomingNotice, LaunchState, MAX_BYTES, NoticeKind, OpKind, RemoveState, RemoveWhy, Rollback,
};
use autoscale_core::data::view::{Phase, Ready};
use autoscale_core::words::{InstanceId, Span, Ver};

use crate::lab::{Lab, holds, launches, pool, removals, web};

fn denied() -> Answer {
    Answer::Refused(Refusal::Denied { action: "ec2:TerminateInstances".to_owned() })
}

fn notice(id: &str, instance: &InstanceId, kind: NoticeKind) -> IncomingNotice {
    IncomingNotice::new(id, instance.clone(), kind, Span::from_mins(2))
}

/// Idle nodes, of which one has been drained and may not be ended.
fn parked() -> (Lab, InstanceId) {
    let mut lab = Lab::with_nodes(web(), &["a", "b", "c", "a", "b", "c"]);
    lab.cpu(0.1);
    for _ in 0..6 {
        lab.wait(120);
        lab.tick();
    }
    let id = lab.record.ops[0].instance().unwrap().clone();
    lab.perform();
    lab.tick();
    lab.answer(&denied());
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::Parked { .. })));
    (lab, id)
}

/// Time passes, and nothing is sent.
fn hours(lab: &mut Lab, count: u64) {
    for _ in 0..12 * count {
        lab.wait(300);
        lab.tick();
    }
}

#[test]
fn where_nodes_may_not_be_ended_no_further_ones_are_drained_and_the_first_is_asked_again() {
    let (mut lab, id) = parked();
    for _ in 0..20 {
        lab.wait(60);
        let planned = lab.plan();
        assert!(removals(&planned).is_empty(), "{}", planned.explanation);
        lab.answer(&denied());
    }
    assert!(holds(&lab.plan()).contains(&Hold::StillEnding { nodes: 1 }));
    // The permission is given.
    let mut orders = Vec::new();
    for _ in 0..40 {
        lab.wait(60);
        lab.tick();
        orders.extend(lab.perform());
    }
    let ended = |order: &Order| matches!(order, Order::Terminate(order) if order.instance == id);
    assert_eq!(orders.iter().filter(|order| ended(order)).count(), 1);
    assert!(lab.record.op_on(&id).is_none(), "it is gone and forgotten");
}

#[test]
fn asking_again_stands_in_nobodys_way() {
    let (mut lab, id) = parked();
    lab.cpu(0.5);
    hours(&mut lab, 1);
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::Terminating { waits: true, .. })));
    lab.cpu(0.9);
    let planned = lab.plan();
    assert_eq!(launches(&planned).len(), 1, "{}", planned.explanation);
}

#[test]
fn what_does_not_end_is_told_and_lets_others_pass() {
    let (mut lab, id) = parked();
    // Its Node object cannot be deleted: a finalizer, an admission policy.
    lab.cpu(0.5);
    hours(&mut lab, 1);
    for _ in 0..4 {
        lab.tick();
        lab.perform_but(|order| matches!(order, Order::Forget(_)));
    }
    assert_eq!(lab.remove_state(&id), Some(RemoveState::Gone));
    // As if it had only just begun.
    (lab.record.ops[0].cause, lab.record.ops[0].started) = (Cause::Scale, lab.record.time.elapsed);
    if let OpKind::Remove(remove) = &mut lab.record.ops[0].kind {
        remove.deadline = lab.record.time.elapsed;
    }
    let alarms = lab.plan().explanation.alarms;
    assert!(alarms.is_empty(), "{alarms:?}");
    assert!(lab.record.open_action().is_some());
    hours(&mut lab, 1);
    lab.cpu(0.9);
    let planned = lab.plan();
    assert!(planned.explanation.alarms.iter().any(|alarm| alarm.contains("has not come to its end")));
    assert_eq!(launches(&planned).len(), 1, "{}", planned.explanation);
    assert_eq!(lab.remove_state(&id), Some(RemoveState::Gone), "and it goes on being tried");
}

#[test]
fn a_launch_that_can_never_be_sent_is_given_up_and_one_that_was_sent_is_not() {
    for (answer, given_up) in [
        (Answer::NotSent { why: "the clock is off".to_owned() }, true),
        (Answer::Unclear { why: "lost".to_owned() }, false),
    ] {
        let mut lab = Lab::with_nodes(web(), &["a", "b", "c"]);
        lab.cpu(0.9);
        lab.tick();
        let first = lab.record.ops[0].id();
        let mut alarms = Vec::new();
        for _ in 0..14 {
            lab.answer(&answer);
            lab.wait(300);
            alarms.extend(lab.plan().explanation.alarms);
        }
        assert!(alarms.iter().any(|alarm| alarm.contains("has not come to its end")), "{alarms:?}");
        assert_eq!(lab.record.ops.iter().all(|op| op.id() != first), given_up, "{answer:?}");
    }
}

/// Fault F40, with what a launch and an end leave open.
#[test]
fn operations_of_a_removed_pool_hold_nobody_and_end() {
    let other = || PoolPolicy::builder("other").with_zones(["a"]).with_shape("m", 1_000, 1 << 30, 10);
    let without = Policy::builder("shop").with_pool(other()).build().unwrap();
    // A launch that was never answered.
    let mut lab = Lab::with_nodes(web(), &["a", "b", "c"]);
    lab.cpu(0.9);
    lab.tick();
    lab.answer(&Answer::Unclear { why: "lost".to_owned() });
    assert_eq!(lab.record.ops[0].launch().unwrap().state, LaunchState::Sent);
    assert!(lab.record.open_action().is_some());
    lab.policy = without.clone();
    let planned = lab.plan();
    let of_web = |lab: &Lab| lab.record.ops.iter().filter(|op| op.pool == pool()).count();
    assert_eq!((of_web(&lab), launches(&planned).is_empty()), (1, false), "the other pool goes its way");
    hours(&mut lab, 1);
    assert_eq!(of_web(&lab), 0, "{:?}", lab.record.ops);
    // A node whose end was accepted, and that is simply not listed any more.
    let mut lab = Lab::with_nodes(web(), &["a", "b", "c"]);
    let id = lab.instances[0].id.clone();
    lab.notices.push(notice("e", &id, NoticeKind::Interruption));
    lab.tick();
    lab.perform();
    lab.tick();
    lab.answer(&Answer::Terminating);
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::Terminating { accepted: true, .. })));
    lab.policy = without;
    lab.instances.retain(|instance| instance.id != id);
    for _ in 0..12 {
        lab.wait(120);
        lab.tick();
        lab.perform();
    }
    assert_eq!(of_web(&lab), 0, "{:?}", lab.record.ops);
}

#[test]
fn an_interruption_of_everything_is_drained_as_far_as_the_record_goes() {
    let zones = ["a", "b", "c"].repeat(84);
    let mut lab = Lab::with_nodes(web().with_max(300).with_max_batch(10), &zones);
    let ids: Vec<_> = lab.instances.iter().map(|instance| instance.id.clone()).collect();
    for (at, id) in ids.iter().enumerate() {
        // Pods of many controllers make an operation long.
        for owner in 0..40 {
            let name = format!("p-{at}-{owner}");
            let pod = lab.runs_on(id, &name, 1);
            pod.owner = Some(autoscale_core::data::view::Owner::new("ReplicaSet", format!("r-{owner}")));
        }
        lab.notices.push(notice(&format!("e-{at}"), id, NoticeKind::Interruption));
    }
    let planned = lab.plan();
    let (gone, bought) = (removals(&planned).len(), launches(&planned).len());
    assert!(gone >= 100 && gone < ids.len(), "{gone} drains at once");
    assert_eq!(bought, 10, "replacements come in batches");
    assert!(planned.explanation.alarms.iter().any(|alarm| alarm.contains("no room to act on more notices")));
    assert!(serde_json::to_vec(&lab.record).unwrap().len() < MAX_BYTES);
    // There is no room for the last one, and none is needed: it is gone, and what is over is closed.
    let last = ids.last().unwrap().clone();
    assert!(lab.record.op_on(&last).is_none());
    let mut gone = lab.clone();
    gone.instance(&last).phase = Phase::Terminated;
    gone.tick();
    let closed = |lab: &Lab| lab.record.notices.iter().filter(|n| n.instance == last).all(|n| n.closed);
    assert!(closed(&gone) && !closed(&lab));
    // What is drained and gone makes room for the rest.
    lab.cluster.pods.clear();
    for _ in 0..8 {
        lab.tick();
        lab.perform();
    }
    assert!(ids.iter().all(|id| !lab.node_is_open(id)), "every doomed node is closed in the end");
}

#[test]
fn refusals_do_not_fill_the_record() {
    let pool = (0..12).fold(web().with_max(200).with_max_batch(100).with_pods_per_node(10), |pool, at| {
        pool.with_shape(format!("m{at}"), 1_000, 4 << 30, 10)
    });
    let mut lab = Lab::with_nodes(pool, &["a", "b", "c"]);
    lab.pending(1_000, 1_000);
    lab.wait(300);
    lab.tick();
    lab.wait(300);
    lab.tick();
    assert!(lab.record.ops.len() >= 90, "{} launches", lab.record.ops.len());
    let first = lab.record.ops[0].seq;
    let refusal = Answer::Refused(Refusal::NoCapacity { why: "x".repeat(500) });
    for _ in 0..14 {
        lab.answer(&refusal);
        let planned = lab.plan();
        assert!(planned.storable);
        assert!(serde_json::to_vec(&lab.record).unwrap().len() < MAX_BYTES);
    }
    assert!(lab.record.ops.iter().all(|op| op.seq > first), "they gave up, and others follow");
}

#[test]
fn a_doomed_node_that_is_being_opened_again_is_drained_after_that() {
    let mut lab = Lab::with_nodes(web(), &["a", "b", "c", "a"]);
    lab.cpu(0.2);
    for _ in 0..6 {
        lab.wait(120);
        lab.tick();
    }
    lab.perform();
    let leaving = lab.record.ops[0].instance().unwrap().clone();
    let other = lab.instances.iter().find(|i| i.id != leaving).unwrap().id.clone();
    // Both are announced at once: the drain of the one must not be recalled for the other's sake.
    lab.notices.push(notice("e-1", &other, NoticeKind::Interruption));
    lab.notices.push(notice("e-2", &leaving, NoticeKind::Interruption));
    lab.tick();
    assert!(
        !matches!(lab.remove_state(&leaving), Some(RemoveState::RollingBack { .. })),
        "{:?}",
        lab.record.ops
    );
    // A roll back that is under way comes to its end first.
    let mut lab = Lab::with_nodes(web(), &["a", "b", "c", "a"]);
    let id = lab.instances[0].id.clone();
    lab.notices.push(notice("e-1", &id, NoticeKind::Interruption));
    lab.tick();
    lab.perform();
    lab.notices.push(notice("e-1", &id, NoticeKind::Withdrawn));
    lab.tick();
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::RollingBack { why: Rollback::Void, .. })));
    lab.notices.push(notice("e-2", &id, NoticeKind::Interruption));
    lab.tick();
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::RollingBack { .. })));
    lab.perform();
    lab.tick();
    lab.perform();
    assert!(!lab.node_is_open(&id));
    assert_eq!(lab.record.op_on(&id).unwrap().remove().unwrap().why, RemoveWhy::Interruption);
}

#[test]
fn a_doomed_instance_that_joins_all_the_same_is_drained_then() {
    let mut lab = Lab::with_nodes(web(), &["a", "b", "c"]);
    lab.cpu(0.9);
    lab.tick();
    lab.perform();
    let id = lab.record.ops[0].instance().unwrap().clone();
    lab.node_of(&id).ready = Ready::No;
    lab.notices.push(notice("e-1", &id, NoticeKind::Interruption));
    lab.tick();
    assert!(lab.record.op_on(&id).unwrap().launch().is_some());
    lab.node_of(&id).ready = Ready::Yes;
    lab.tick();
    lab.tick();
    assert_eq!(lab.record.op_on(&id).unwrap().remove().unwrap().why, RemoveWhy::Interruption);
}

#[test]
fn a_node_at_risk_stays_until_its_replacement_has_joined() {
    let mut lab = Lab::with_nodes(web().with_on_rebalance(OnRebalance::Replace), &["a", "b", "c"]);
    let id = lab.instances[0].id.clone();
    lab.notices.push(notice("e-1", &id, NoticeKind::Rebalance));
    let planned = lab.plan();
    assert_eq!(launches(&planned).len(), 1, "{}", planned.explanation);
    // Bought, and gone again before it has joined.
    lab.perform();
    lab.instances.last_mut().unwrap().phase = Phase::Terminated;
    lab.cluster.nodes.pop();
    for _ in 0..14 {
        let planned = lab.plan();
        assert!(lab.record.op_on(&id).is_none(), "it is not removed: {:?}", lab.record.ops);
        assert!(launches(&planned).is_empty(), "and not replaced again");
        lab.wait(300);
    }
    assert!(lab.record.notices.iter().all(|notice| notice.closed));
}

#[test]
fn a_surge_takes_no_healthy_node_with_it() {
    let mut lab = Lab::with_nodes(web().with_max(3).with_replacement_surge(1), &["a", "b", "c"]);
    let id = lab.instances[0].id.clone();
    lab.notices.push(notice("e-1", &id, NoticeKind::Interruption));
    for _ in 0..6 {
        let planned = lab.plan();
        let removed = removals(&planned);
        assert!(removed.is_empty() || removed == [id.as_str()], "{removed:?}");
        lab.perform();
        lab.wait(10);
    }
}

#[test]
fn a_stamp_that_nobody_can_have_given_stops_nothing() {
    let mut lab = Lab::with_nodes(web(), &["a", "b", "c"]);
    let (inc, id) = (lab.record.inc.clone(), lab.instances[0].id.clone());
    let node = lab.node_of(&id);
    node.cordon = Some(autoscale_core::data::view::CordonMark::new(inc, 0));
    node.stamp = Some(Ver::new(u64::MAX));
    lab.cpu(0.9);
    let planned = lab.plan();
    assert!(!launches(&planned).is_empty(), "{}", planned.explanation);
}
