use autoscale_core::data::record::NoticeKind;
use autoscale_core::words::{Span, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Events, MAX_BYTES, read};

/// 2026-11-22T21:51:28Z
const SENT: i64 = 1_795_384_288_000;

fn at(after: i64) -> Timestamp {
    Timestamp::from_millis(SENT + after)
}

fn event(source: &str, name: &str, detail: Value) -> Value {
    json!({
        "version": "0", "id": "12345678-1234-1234-1234-123456789012", "detail-type": name, "source": source,
        "account": "123456789012", "time": "2026-11-22T21:51:28Z", "region": "us-east-2",
        "resources": ["arn:aws:ec2:us-east-2a:instance/i-0ffffffffffffffff"], "detail": detail,
    })
}

fn warning() -> Value {
    let detail = json!({ "instance-id": "i-1234567890abcdef0", "instance-action": "terminate" });
    event("aws.ec2", "EC2 Spot Instance Interruption Warning", detail)
}

fn of(payload: &Value, now: Timestamp) -> Events {
    read(payload.to_string().as_bytes(), now).unwrap()
}

#[test]
fn a_warning_leaves_two_minutes_from_when_it_was_sent() {
    for (after, left) in [(0, 120), (15_000, 105), (120_000, 0), (3_600_000, 0), (-60_000, 120)] {
        let events = of(&warning(), at(after));
        let [notice] = events.notices.as_slice() else { panic!("{events:?}") };
        assert_eq!(notice.time_left, Span::from_secs(left), "after {after} ms");
        assert_eq!(
            (notice.kind, notice.instance.as_str()),
            (NoticeKind::Interruption, "i-1234567890abcdef0")
        );
        assert!(events.must_be_stored());
    }
    let (one, copy) = (of(&warning(), at(0)), of(&warning(), at(90_000)));
    assert_eq!(one.notices[0].id, copy.notices[0].id);
}

#[test]
fn each_kind_of_event_has_its_meaning() {
    let instance = json!({ "instance-id": "i-1234567890abcdef0" });
    let rebalance = of(&event("aws.ec2", "EC2 Instance Rebalance Recommendation", instance.clone()), at(0));
    assert_eq!(rebalance.notices[0].kind, NoticeKind::Rebalance);
    for (payload, ignored) in [
        (event("aws.ec2", "EC2 Instance State-change Notification", instance.clone()), 0),
        (event("aws.events", "Scheduled Event", json!({})), 0),
        (json!({}), 0),
        (json!({ "source": "aws.scheduler" }), 0),
        (event("aws.ec2", "EBS Volume Notification", json!({})), 1),
        (event("mine", "EC2 Spot Instance Interruption Warning", instance), 1),
        (event("aws.ec2", "EC2 Spot Instance Interruption Warning", json!({})), 1),
        (event("aws.ec2", "EC2 Spot Instance Interruption Warning", json!({ "instance-id": "i-$(x)\n" })), 1),
        (event("aws.health", "AWS Health Event", json!({ "service": "RDS" })), 1),
        (json!([1, "a"]), 0),
    ] {
        let events = of(&payload, at(0));
        assert_eq!((events.notices.len(), events.ignored.len()), (0, ignored), "{payload}: {events:?}");
        assert!(!events.must_be_stored());
    }
}

#[test]
fn a_scheduled_change_is_a_notice_for_each_instance() {
    let health = |status: &str, start: &str| {
        let detail = json!({
            "service": "EC2", "eventTypeCode": "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED",
            "eventTypeCategory": "scheduledChange", "statusCode": status, "startTime": start,
            "affectedEntities": [{ "entityValue": "i-00000001" }, { "entityValue": "i-00000002" }, {}],
        });
        event("aws.health", "AWS Health Event", detail)
    };
    let events = of(&health("upcoming", "Sun, 22 Nov 2026 22:51:28 GMT"), at(0));
    let seen: Vec<_> =
        events.notices.iter().map(|notice| (notice.instance.as_str(), notice.time_left.as_secs())).collect();
    assert_eq!(seen, [("i-00000001", 3_600), ("i-00000002", 3_600)]);
    assert_ne!(events.notices[0].id, events.notices[1].id);
    assert_eq!(events.ignored.len(), 1);
    assert!(of(&health("closed", "Sun, 22 Nov 2026 22:51:28 GMT"), at(0)).notices.is_empty());
    assert!(of(&health("upcoming", "soon"), at(0)).notices.is_empty());
}

#[test]
fn a_queue_brings_several() {
    let rebalance =
        event("aws.ec2", "EC2 Instance Rebalance Recommendation", json!({ "instance-id": "i-00000001" }));
    let records = [
        json!({ "messageId": "1", "body": warning().to_string() }),
        json!({ "messageId": "2", "body": "no JSON" }),
        json!({ "messageId": "3" }),
        json!({ "messageId": "4", "body": rebalance.to_string() }),
        json!({ "messageId": "5", "body": warning().to_string() }),
    ];
    let events = of(&json!({ "Records": records }), at(0));
    let kinds: Vec<_> = events.notices.iter().map(|notice| notice.kind).collect();
    assert_eq!(kinds, [NoticeKind::Interruption, NoticeKind::Rebalance, NoticeKind::Interruption]);
    assert_eq!(events.ignored.len(), 2);
}

#[test]
fn what_is_no_event_is_refused() {
    assert!(read(b"nothing", at(0)).is_err());
    let long = vec![b' '; MAX_BYTES + 1];
    assert!(read(&long, at(0)).unwrap_err().to_string().contains("expected at most"));
}

proptest! {
    #[test]
    fn no_payload_panics(bytes: Vec<u8>, text in ".{0,60}", now: i64) {
        let now = Timestamp::from_millis(now);
        let _ = read(&bytes, now);
        for pointer in ["/time", "/id", "/detail/instance-id", "/source", "/detail-type"] {
            let mut event = warning();
            *event.pointer_mut(pointer).unwrap() = Value::from(text.clone());
            let _ = read(event.to_string().as_bytes(), now);
        }
    }
}
