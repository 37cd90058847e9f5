//! Notices from EventBridge events, as an invocation brings them or a queue. Pure functions.
//!
//! | `detail-type` | what it becomes |
//! |---|---|
//! | `EC2 Spot Instance Interruption Warning` | a notice with two minutes from the time of the event |
//! | `EC2 Instance Rebalance Recommendation` | a notice without a deadline |
//! | `EC2 Instance State-change Notification` | a reason to look: a tick, without a notice |
//! | `AWS Health Event` of a scheduled change of EC2 | a notice with the time until it begins, one for each instance |
//! | anything else | nothing, with its name |
//!
//! Events come more than once, late and in any order; a copy gives the same notice under the same name, which the record keeps
//! once. Only `detail` is read for the instance: the ARN in `resources` names a zone where a region should be.
//!
//! The handler of an event must fail, so that it is delivered again, unless the tick's report says that its notices are
//! stored ([`Events::must_be_stored`]).

mod parse;
#[cfg(test)]
mod tests;

use autoscale_core::data::record::IncomingNotice;
use autoscale_core::ports::{Error, ErrorKind};
use autoscale_core::words::{Timestamp, truncated};
use serde_json::Value;

/// The largest payload that is looked at, in bytes: a queue gives batches of at most 256 KiB, an invocation up to 1 MiB.
const MAX_BYTES: usize = 1 << 20;

/// What an invocation brought.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Events {
    /// For the tick.
    pub notices: Vec<IncomingNotice>,
    /// What was of no use, in words: unknown types, and parts that could not be read. For a log.
    pub ignored: Vec<String>,
}

impl Events {
    /// Whether the event may only be acknowledged when its notices are stored.
    pub fn must_be_stored(&self) -> bool {
        !self.notices.is_empty()
    }
}

/// Reads the payload of an invocation: one event, the records of a queue, or something else, which is a plain trigger.
///
/// `now` is the wall clock: an event that was under way for a while leaves less time.
///
/// # Errors
/// `Invalid` for more than 1 MiB, and for what is no JSON.
pub fn read(payload: &[u8], now: Timestamp) -> Result<Events, Error> {
    if payload.len() > MAX_BYTES {
        let attempted = format!("read an event of {} bytes: expected at most {MAX_BYTES}", payload.len());
        return Err(Error::new(ErrorKind::Invalid, attempted));
    }
    let invalid = |error| Error::new(ErrorKind::Invalid, "read an event").with_source(error);
    let whole: Value = serde_json::from_slice(payload).map_err(invalid)?;
    let mut events = Events::default();
    match whole.get("Records").and_then(Value::as_array) {
        None => parse::event(&whole, now, &mut events),
        Some(records) => records.iter().for_each(|record| message(record, now, &mut events)),
    }
    Ok(events)
}

/// One record of a queue: the event is a text in it.
fn message(record: &Value, now: Timestamp, events: &mut Events) {
    match record.get("body").and_then(Value::as_str).map(serde_json::from_str::<Value>) {
        Some(Ok(event)) => parse::event(&event, now, events),
        Some(Err(error)) => {
            events.ignored.push(truncated(&format!("a message that is no JSON: {error}"), 200))
        }
        None => events.ignored.push("a message without a body".to_owned()),
    }
}
