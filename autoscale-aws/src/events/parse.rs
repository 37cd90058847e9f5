//! One event.

use autoscale_core::data::record::{IncomingNotice, NoticeKind};
use autoscale_core::words::{InstanceId, Span, Timestamp, truncated};
use serde_json::Value;

use super::Events;

/// Between a spot interruption warning and the end.
const WARNING: Span = Span::from_secs(120);

fn text<'e>(event: &'e Value, pointer: &str) -> &'e str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Takes in what an event says.
pub(super) fn event(event: &Value, now: Timestamp, events: &mut Events) {
    let sent = crate::time::rfc_3339(text(event, "/time"));
    // How long it was under way. A time of the future is as good as none.
    let delay = sent.map_or(Span::ZERO, |sent| if sent <= now { now.since(sent) } else { Span::ZERO });
    match (text(event, "/source"), text(event, "/detail-type")) {
        ("aws.ec2", "EC2 Spot Instance Interruption Warning") => {
            let kind = NoticeKind::Interruption;
            one(event, kind, WARNING.minus(delay), events);
        }
        ("aws.ec2", "EC2 Instance Rebalance Recommendation") => {
            one(event, NoticeKind::Rebalance, Span::ZERO, events);
        }
        ("aws.ec2", "EC2 Instance State-change Notification") => {}
        ("aws.health", "AWS Health Event") => health(event, now, events),
        // A schedule's event, or what a person has typed: a trigger.
        ("aws.events" | "aws.scheduler" | "", _) => {}
        (source, name) => events.ignored.push(truncated(&format!("an event of {source}: {name}"), 200)),
    }
}

/// The name of a notice: the same for every copy of an event.
fn name(event: &Value, instance: &str) -> String {
    let id = text(event, "/id");
    if id.is_empty() { format!("{}.{instance}", text(event, "/time")) } else { id.to_owned() }
}

fn one(event: &Value, kind: NoticeKind, left: Span, events: &mut Events) {
    let instance = text(event, "/detail/instance-id");
    match InstanceId::new(instance) {
        Ok(id) => events.notices.push(IncomingNotice::new(name(event, instance), id, kind, left)),
        Err(error) => events.ignored.push(format!("an event about nobody: {error}")),
    }
}

/// A scheduled change: instances will be stopped or retired at a known time.
fn health(event: &Value, now: Timestamp, events: &mut Events) {
    let (service, category) = (text(event, "/detail/service"), text(event, "/detail/eventTypeCategory"));
    let code = truncated(text(event, "/detail/eventTypeCode"), 100);
    if (service, category) != ("EC2", "scheduledChange") {
        events.ignored.push(truncated(&format!("a health event of {service}: {code}"), 200));
        return;
    }
    // Over, or never to come.
    if matches!(text(event, "/detail/statusCode"), "closed") {
        events.ignored.push(format!("a health event that is closed: {code}"));
        return;
    }
    let begins = text(event, "/detail/startTime");
    let begins = jiff::fmt::rfc2822::parse(begins).ok().map(|at| at.timestamp().as_millisecond());
    let left = begins.map(Timestamp::from_millis).map(|at| if at > now { at.since(now) } else { Span::ZERO });
    let Some(left) = left else {
        events.ignored.push(format!("a health event without a time: {code}"));
        return;
    };
    let affected = event.pointer("/detail/affectedEntities").and_then(Value::as_array);
    for entity in affected.into_iter().flatten() {
        let instance = text(entity, "/entityValue");
        match InstanceId::new(instance) {
            Ok(id) => {
                // One event may be about many.
                let name = format!("{}.{instance}", name(event, ""));
                events.notices.push(IncomingNotice::new(name, id, NoticeKind::Interruption, left));
            }
            Err(error) => events.ignored.push(format!("a health event about nobody: {error}")),
        }
    }
}
