//! Rule R7: who may send a launch, when, and what comes after each answer.

use autoscale_core::data::order::{Answer, Effect, Launched, Order, Outcome, Refusal};
use autoscale_core::data::record::{LaunchState, OpKind};
use autoscale_core::data::view::{Phase, Ready};
use autoscale_core::words::{InstanceId, Span, Token};

use crate::lab::{DELAY, Lab, web};

fn growing() -> Lab {
    let mut lab = Lab::with_nodes(web(), &["a", "b"]);
    lab.cpu(0.9);
    lab.tick();
    lab
}

fn unclear() -> Answer {
    Answer::Unclear { why: "no answer".to_owned() }
}

fn no_capacity() -> Answer {
    Answer::Refused(Refusal::NoCapacity { why: "none".to_owned() })
}

/// Answers the one launch that is due. Returns its token.
fn answer(lab: &mut Lab, answer: Answer) -> Token {
    let effects = lab.due();
    let [effect] = effects.as_slice() else { panic!("expected one effect: {effects:?}") };
    let Order::Launch(order) = &effect.order else { panic!("expected a launch: {effect:?}") };
    let token = order.token.clone();
    lab.settle(&[Outcome::new(effect.clone(), answer)]);
    token
}

fn state(lab: &Lab) -> LaunchState {
    match &lab.record.ops[0].kind {
        OpKind::Launch(launch) => launch.state.clone(),
        other => panic!("expected a launch: {other:?}"),
    }
}

fn attempt(lab: &Lab) -> u32 {
    lab.record.ops[0].launch().unwrap().attempt.number
}

#[test]
fn nothing_is_sent_without_a_version_of_its_own() {
    let mut lab = growing();
    assert_eq!(lab.due().len(), 1);
    lab.settle(&[]);
    assert_eq!(lab.due(), [], "another version authorises nothing: it was armed for the one before");
    lab.tick();
    assert_eq!(lab.due().len(), 1, "a crash after the intent: the same token is sent again");
}

#[test]
fn a_definite_refusal_to_the_only_sender_leads_to_the_next_attempt_at_once() {
    let mut lab = growing();
    let first = answer(&mut lab, no_capacity());
    lab.as_holder("another");
    lab.tick();
    assert_eq!(attempt(&lab), 2);
    let launch = lab.record.ops[0].launch().unwrap();
    assert_eq!(launch.earlier[0].0.token, first, "the evidence is kept");
    assert!(matches!(launch.earlier[0].1, Refusal::NoCapacity { .. }));
    assert_ne!(answer(&mut lab, unclear()), first);
}

#[test]
fn after_an_unclear_answer_the_same_token_is_replayed_once_then_all_wait() {
    let mut lab = growing();
    let first = answer(&mut lab, unclear());
    lab.tick();
    assert_eq!(answer(&mut lab, unclear()), first);
    assert!(matches!(state(&lab), LaunchState::Cooling { .. }));
    for _ in 0..3 {
        lab.tick();
        assert_eq!(lab.due(), [], "nobody sends while it cools");
        lab.wait(120);
    }
    lab.wait(DELAY.as_secs() - 360);
    lab.tick();
    assert_eq!(answer(&mut lab, no_capacity()), first, "one clean ask with the same token");
    lab.tick();
    assert_eq!(attempt(&lab), 2, "and now a refusal is certain");
}

#[test]
fn nothing_is_sent_on_a_list_with_a_page_missing() {
    // The record may be an older copy: what followed its open attempts would be on the missing page.
    let mut lab = growing();
    let first = answer(&mut lab, unclear());
    lab.list_is_short = true;
    lab.tick();
    assert_eq!(lab.due(), []);
    lab.list_is_short = false;
    lab.tick();
    assert_eq!(answer(&mut lab, unclear()), first, "the replay was only put off");
}

#[test]
fn a_refusal_while_another_copy_may_be_under_way_is_not_certain() {
    let mut lab = growing();
    answer(&mut lab, unclear());
    lab.tick();
    answer(&mut lab, no_capacity());
    assert!(matches!(state(&lab), LaunchState::Cooling { .. }));
    lab.tick();
    assert_eq!(attempt(&lab), 1);
}

#[test]
fn a_missing_permission_proves_nothing_of_earlier_copies() {
    let denied = || Answer::Refused(Refusal::Denied { action: "RunInstances".to_owned() });
    let mut lab = growing();
    answer(&mut lab, denied());
    assert!(matches!(state(&lab), LaunchState::Refused { .. }), "the first and only copy");
    let mut lab = growing();
    answer(&mut lab, unclear());
    lab.tick();
    answer(&mut lab, unclear());
    lab.wait(DELAY.as_secs() + 60);
    lab.tick();
    answer(&mut lab, denied());
    assert!(matches!(state(&lab), LaunchState::Cooling { .. }), "either of the first two may have bought");
}

#[test]
fn a_request_that_never_left_is_no_copy_under_way() {
    for answered in [Answer::NotSent { why: "late".to_owned() }, Answer::Refused(Refusal::Throttled)] {
        let mut lab = growing();
        answer(&mut lab, answered);
        assert_eq!(state(&lab), LaunchState::Planned);
        lab.tick();
        answer(&mut lab, no_capacity());
        lab.tick();
        assert_eq!(attempt(&lab), 2);
    }
}

#[test]
fn the_wall_clock_may_not_shorten_the_wait() {
    let mut lab = growing();
    answer(&mut lab, unclear());
    lab.tick();
    answer(&mut lab, unclear());
    // A jump of a year counts as 15 minutes on the record's timeline, which is more than D: the wall clock, right
    // again, says that only two minutes have passed.
    lab.wait(31_536_000);
    lab.tick();
    let armed = lab.due().len();
    assert_eq!(armed, 1, "by both clocks it is over");
    let mut lab = growing();
    answer(&mut lab, unclear());
    lab.tick();
    answer(&mut lab, unclear());
    lab.record.time.elapsed = lab.record.time.elapsed.after(Span::from_mins(15));
    lab.wait(120);
    lab.tick();
    assert_eq!(lab.due(), []);
}

#[test]
fn a_listed_instance_with_the_token_ends_the_doubt() {
    let mut lab = growing();
    let token = answer(&mut lab, unclear());
    let now = lab.now;
    let id = lab.joined("i-late", "c", autoscale_core::data::policy::Purchase::Spot, now);
    lab.instance(&id).token = Some(token);
    lab.node_of(&id).ready = Ready::No;
    lab.tick();
    assert!(matches!(state(&lab), LaunchState::Launched { instance, .. } if instance == id));
    assert_eq!(lab.due(), []);
}

#[test]
fn an_instance_that_does_not_join_is_given_up_only_after_a_watched_interval() {
    for blind in [false, true] {
        let mut lab = growing();
        let launched = Answer::Launched(Launched::new(InstanceId::new("i-new").unwrap()));
        answer(&mut lab, launched);
        for minute in 0..10 {
            lab.survey_fails = blind && minute > 1;
            lab.tick();
            assert_eq!(lab.due(), [], "minute {minute}");
            lab.wait(60);
        }
        lab.survey_fails = false;
        lab.tick();
        let terminates: Vec<Effect> = lab.due();
        assert_eq!(terminates.len(), usize::from(!blind), "blind {blind}: {:?}", lab.record.ops);
        if !blind {
            assert_eq!(lab.record.pools[&crate::lab::pool()].failed_joins, 1);
            assert_eq!(
                lab.record.pools[&crate::lab::pool()].offerings.len(),
                1,
                "row C3: the offering is backed off"
            );
        }
    }
}

#[test]
fn a_younger_unmatched_node_may_be_the_missing_one() {
    let mut lab = growing();
    answer(&mut lab, Answer::Launched(Launched::new(InstanceId::new("i-new").unwrap())));
    let now = lab.now;
    lab.joined("stray", "c", autoscale_core::data::policy::Purchase::Spot, now + 60_000);
    lab.instances.pop();
    for _ in 0..12 {
        lab.tick();
        assert_eq!(lab.due(), []);
        lab.wait(60);
    }
    assert!(matches!(state(&lab), LaunchState::Aside { .. }));
    let planned = lab.plan();
    assert!(planned.explanation.alarms.iter().any(|alarm| alarm.contains("kept aside")));
    // The stray node turns out to be of an instance that the list did not show yet: watched anew, then given up.
    let now = lab.now;
    lab.joined("stray", "c", autoscale_core::data::policy::Purchase::Spot, now);
    lab.cluster.nodes.pop();
    lab.tick();
    assert!(matches!(state(&lab), LaunchState::Launched { .. }));
    for _ in 0..11 {
        lab.wait(60);
        lab.tick();
    }
    assert!(matches!(state(&lab), LaunchState::Terminating { .. }));
}

#[test]
fn an_instance_that_ends_before_it_joins_is_asked_anew() {
    let mut lab = growing();
    let now = lab.now;
    let id = lab.joined("i-dead", "c", autoscale_core::data::policy::Purchase::Spot, now);
    lab.cluster.nodes.pop();
    answer(&mut lab, Answer::Launched(Launched::new(id.clone())));
    lab.instance(&id).phase = Phase::Terminated;
    lab.tick();
    assert!(lab.record.ops.iter().all(|op| op.instance() != Some(&id)));
    assert_eq!(lab.record.ops.len(), 1, "the demand is asked anew at once, in another action");
    assert_eq!(lab.record.ops[0].seq, 2);
}
