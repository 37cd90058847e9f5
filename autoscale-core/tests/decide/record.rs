//! A record that was lost, restored from an old copy, or is about to overflow.

use autoscale_core::data::explain::Hold;
use autoscale_core::data::record::{IncomingNotice, MAX_BYTES, MAX_NOTICES, NoticeKind};
use autoscale_core::data::view::CordonMark;
use autoscale_core::logic::plan;
use autoscale_core::words::{Inc, InstanceId, Span, Timestamp, Token, Ver};

use crate::lab::{DELAY, Lab, holds, launches, removals, web};

#[test]
fn a_rebuilt_record_begins_above_every_stamp_and_in_silence() {
    let mut lab = Lab::new(web().with_min(3));
    let id = lab.node("a");
    let node = lab.node_of(&id);
    (node.unschedulable, node.stamp) = (true, Some(Ver::new(41)));
    node.cordon = Some(CordonMark::new(Inc::new("older").unwrap(), 7));
    lab.cpu(0.95);
    let planned = lab.plan();
    assert_eq!(planned.next.ver, Ver::new(42));
    assert!(
        launches(&planned).is_empty() && holds(&planned).iter().any(|h| matches!(h, Hold::Rebuilt { .. }))
    );
    lab.perform();
    assert!(!lab.node_of(&id).unschedulable, "the cordon of the lost record is taken back");
    lab.wait(DELAY.as_secs() - 1);
    assert!(launches(&lab.plan()).is_empty());
    lab.wait(1);
    assert!(!launches(&lab.plan()).is_empty());
}

#[test]
fn a_record_is_not_begun_blindly() {
    for (list, survey) in [(true, false), (false, true)] {
        let mut lab = Lab::new(web());
        (lab.list_fails, lab.survey_fails) = (list, survey);
        let planned = lab.plan();
        assert!(!planned.changed && !planned.storable, "{}", planned.explanation);
        assert!(!planned.notices_taken, "whoever brings a notice has to bring it again");
    }
}

#[test]
fn an_older_copy_of_the_record_halts() {
    let mut lab = Lab::with_nodes(web(), &["a", "b"]);
    let id = lab.instances[0].id.clone();
    let inc = lab.record.inc.clone();
    lab.instance(&id).token = Some(Token::of(&inc, lab.record.next_seq, 0, 1));
    let (view, tick) = (lab.view(), lab.brings());
    let halt = plan(&lab.policy, &lab.record, &view, &tick, Timestamp::from_millis(lab.now)).unwrap_err();
    assert!(halt.to_string().contains("an older copy"), "{halt}");
    let other = Inc::new("elsewhere").unwrap();
    lab.instance(&id).token = Some(Token::of(&other, 99, 0, 1));
    let view = lab.view();
    assert!(plan(&lab.policy, &lab.record, &view, &tick, Timestamp::from_millis(lab.now)).is_ok());
}

#[test]
fn a_flood_of_notices_neither_overflows_nor_lowers_the_guard() {
    let mut lab = Lab::with_nodes(web(), &["a", "b", "c"]);
    for i in 0..2_000 {
        let id = InstanceId::new(format!("i-{i:0>400}")).unwrap();
        lab.notices.push(IncomingNotice::new(
            "x".repeat(500),
            id,
            NoticeKind::Interruption,
            Span::from_mins(2),
        ));
    }
    let planned = lab.plan();
    assert!(planned.next.notices.len() <= MAX_NOTICES);
    assert!(serde_json::to_vec(&planned.next).unwrap().len() <= MAX_BYTES);
    assert!(planned.explanation.alarms.iter().any(|alarm| alarm.contains("found no room")));
    assert!(!planned.notices_taken, "those without room have to come again");
}

#[test]
fn jumps_of_the_clock_neither_fire_nor_starve() {
    let mut lab = Lab::with_nodes(web(), &["a", "b", "c"]);
    lab.cpu(0.2);
    lab.tick();
    lab.wait(315_360_000);
    assert!(removals(&lab.plan()).is_empty(), "ten years later is one step of 15 minutes, and a gap");
    lab.now -= 315_360_000_000;
    for _ in 0..5 {
        assert!(removals(&lab.plan()).is_empty());
        lab.wait(120);
    }
    // Six steps of two minutes after the mark was set anew, the duration is over.
    let removed: usize = (0..3)
        .map(|_| {
            let planned = lab.plan();
            lab.wait(120);
            removals(&planned).len()
        })
        .sum();
    assert_eq!(removed, 1);
}

/// Fault F40: a pool is taken out of the policy while its operations are open.
#[test]
fn operations_of_a_removed_pool_are_undone_or_go_forward() {
    let mut lab = Lab::with_nodes(web(), &["a", "b", "c"]);
    let id = lab.instances[0].id.clone();
    lab.notices.push(IncomingNotice::new("e", id.clone(), NoticeKind::Interruption, Span::from_mins(2)));
    lab.tick();
    lab.perform();
    assert!(lab.node_of(&id).unschedulable);
    let other = autoscale_core::data::policy::PoolPolicy::builder("other").with_zones(["a"]).with_shape(
        "m",
        1_000,
        1 << 30,
        10,
    );
    lab.policy = autoscale_core::data::policy::Policy::builder("shop").with_pool(other).build().unwrap();
    let planned = lab.plan();
    assert!(planned.explanation.alarms.iter().any(|alarm| alarm.contains("no longer has")));
    lab.perform();
    lab.tick();
    assert!(!lab.node_of(&id).unschedulable, "the drain is undone");
    assert_eq!(
        lab.record.ops.iter().filter(|op| op.pool.as_str() == "web").count(),
        0,
        "{:?}",
        lab.record.ops
    );
}
