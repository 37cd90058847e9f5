//! Rule R12: interruptions and recommendations.

use autoscale_core::data::explain::Action;
use autoscale_core::data::policy::OnRebalance;
use autoscale_core::data::record::{
    IncomingNotice, NoticeKind, RemoveState, RemoveWhy, Replacement, Rollback,
};
use autoscale_core::data::view::Phase;
use autoscale_core::words::{InstanceId, Span};

use crate::lab::{Lab, launches, removals, web};

fn notice(lab: &mut Lab, id: &InstanceId, kind: NoticeKind) {
    lab.notices.push(IncomingNotice::new("e-1", id.clone(), kind, Span::from_mins(2)));
}

fn doomed() -> (Lab, InstanceId) {
    let mut lab = Lab::with_nodes(web(), &["a", "b", "c"]);
    let id = lab.instances[0].id.clone();
    lab.runs_on(&id, "p0", 100);
    notice(&mut lab, &id, NoticeKind::Interruption);
    (lab, id)
}

#[test]
fn the_drain_and_the_replacement_start_at_once() {
    let (mut lab, id) = doomed();
    let planned = lab.plan();
    assert_eq!(removals(&planned), [id.as_str()]);
    assert_eq!(launches(&planned), ["a/spot"]);
    assert!(
        planned
            .explanation
            .actions
            .iter()
            .any(|a| matches!(a, Action::Launch { replaces: Some(r), .. } if *r == id))
    );
    assert_eq!(lab.record.open_action(), None, "neither is a scaling action");
}

#[test]
fn the_same_notice_twice_is_handled_once() {
    let (mut lab, id) = doomed();
    lab.tick();
    let before = (lab.record.ops.len(), lab.record.next_seq);
    notice(&mut lab, &id, NoticeKind::Interruption);
    lab.tick();
    assert_eq!((lab.record.ops.len(), lab.record.next_seq), before);
    assert_eq!(lab.record.notices.len(), 1);
}

#[test]
fn unknown_and_foreign_instances_are_let_be() {
    let mut lab = Lab::with_nodes(web(), &["a", "b"]);
    let id = InstanceId::new("i-of-somebody-else").unwrap();
    notice(&mut lab, &id, NoticeKind::Interruption);
    let planned = lab.plan();
    assert!(planned.explanation.actions.is_empty());
    assert_eq!(lab.record.notices.len(), 1, "it may only not be listed yet");
    lab.wait(901);
    lab.tick();
    assert!(lab.record.notices[0].closed);
}

#[test]
fn at_max_the_replacement_waits_for_the_room_or_uses_the_surge() {
    for (surge, at_once) in [(0, false), (1, true)] {
        let mut lab = Lab::with_nodes(web().with_max(3).with_replacement_surge(surge), &["a", "b", "c"]);
        let id = lab.instances[0].id.clone();
        notice(&mut lab, &id, NoticeKind::Interruption);
        assert_eq!(launches(&lab.plan()).len(), usize::from(at_once), "surge {surge}");
        lab.instance(&id).phase = Phase::Terminated;
        let planned = lab.plan();
        assert_eq!(launches(&planned).len(), usize::from(!at_once), "surge {surge}: bought exactly once");
        assert!(lab.record.notices[0].closed);
        notice(&mut lab, &id, NoticeKind::Interruption);
        assert_eq!(launches(&lab.plan()).len(), 0, "a late copy of the notice is known");
    }
}

#[test]
fn at_the_deadline_nothing_is_forced_and_a_survivor_is_let_live() {
    let (mut lab, id) = doomed();
    lab.tick();
    lab.perform();
    // The pod does not leave.
    lab.wait(125);
    lab.tick();
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::Cordoned)), "the cloud ends it, not we");
    lab.wait(130);
    let planned = lab.plan();
    assert!(
        matches!(lab.remove_state(&id), Some(RemoveState::RollingBack { why: Rollback::Void, .. })),
        "{}",
        planned.explanation
    );
    lab.perform();
    lab.tick();
    assert!(!lab.node_of(&id).unschedulable && lab.record.op_on(&id).is_none());
}

#[test]
fn a_withdrawn_notice_uncordons() {
    let (mut lab, id) = doomed();
    lab.tick();
    lab.perform();
    notice(&mut lab, &id, NoticeKind::Withdrawn);
    lab.tick();
    assert!(matches!(lab.remove_state(&id), Some(RemoveState::RollingBack { why: Rollback::Void, .. })));
}

#[test]
fn a_scale_down_is_recalled_in_place_of_a_purchase() {
    let mut lab = Lab::with_nodes(web(), &["a", "b", "c", "a"]);
    lab.cpu(0.2);
    for _ in 0..6 {
        lab.tick();
        lab.wait(120);
    }
    let op = lab.record.ops[0].clone();
    let leaving = op.instance().unwrap().clone();
    assert_eq!(op.remove().unwrap().why, RemoveWhy::Idle);
    let id = lab.instances.iter().find(|i| i.id != leaving).unwrap().id.clone();
    notice(&mut lab, &id, NoticeKind::Interruption);
    let planned = lab.plan();
    assert!(launches(&planned).is_empty());
    assert!(matches!(
        lab.remove_state(&leaving),
        Some(RemoveState::RollingBack { why: Rollback::Recalled, .. })
    ));
    assert_eq!(lab.record.notices[0].replacement, Replacement::Unwanted);
}

#[test]
fn a_recommendation_is_followed_as_the_policy_says() {
    for (setting, launched, removed) in
        [(OnRebalance::Replace, 1, 0), (OnRebalance::Cordon, 0, 1), (OnRebalance::Ignore, 0, 0)]
    {
        let mut lab = Lab::with_nodes(web().with_on_rebalance(setting), &["a", "b", "c"]);
        let id = lab.instances[0].id.clone();
        notice(&mut lab, &id, NoticeKind::Rebalance);
        let planned = lab.plan();
        assert_eq!(launches(&planned).len(), launched, "{setting:?}");
        assert_eq!(removals(&planned).len(), removed, "{setting:?}");
        if setting == OnRebalance::Replace {
            lab.perform();
            lab.tick();
            lab.tick();
            assert!(
                matches!(lab.remove_state(&id), Some(RemoveState::Planned)),
                "after its replacement has joined"
            );
        }
    }
}
