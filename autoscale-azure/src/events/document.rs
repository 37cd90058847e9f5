//! The document of the metadata service, version 2020-07-01. Pure.

use autoscale_core::words::{Span, Timestamp};
use serde::Deserialize;

/// No document is longer; the service's are a few kilobytes.
pub(super) const MAX_DOCUMENT: usize = 256 << 10;
/// More events than any machine has.
const MAX_EVENTS: usize = 1_000;

/// What is going to happen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// The machine stands still for a few seconds; memory, files and connections stay.
    Freeze,
    /// It is restarted; what is in memory is lost.
    Reboot,
    /// It moves to another host; its temporary disk is lost, too.
    Redeploy,
    /// A spot machine is taken.
    Preempt,
    /// It is deleted, because somebody or something said so.
    Terminate,
    /// Something this library does not know.
    Other,
}

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ScheduledEvent {
    /// Azure's id for it: letters, digits and dashes, at most 80.
    pub id: String,
    /// What.
    pub kind: EventKind,
    /// Whether it has begun.
    pub started: bool,
    /// The names of the machines it is about. Events of other machines of a group are told, too.
    pub machines: Vec<String>,
    /// Not before this time; none for one that has begun.
    pub not_before: Option<Timestamp>,
    /// How long it takes, where that is known.
    pub lasts: Option<Span>,
}

/// All events.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Document {
    /// Changes whenever an event does.
    pub incarnation: i64,
    /// In the document's order.
    pub events: Vec<ScheduledEvent>,
}

/// What is no such document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It is no JSON, or not of this form.
    #[error("the document of scheduled events cannot be read")]
    Unreadable(#[from] serde_json::Error),
    /// It is longer than any document is, or has more events.
    #[error("the document of scheduled events is too large: {0}")]
    TooLarge(&'static str),
    /// An event has an id that cannot be one.
    #[error("a scheduled event has an id that is none")]
    Id,
    /// An event has a time that is none.
    #[error("a scheduled event has a time that is none: {0:?}")]
    Time(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    document_incarnation: i64,
    #[serde(default)]
    events: Vec<RawEvent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawEvent {
    event_id: String,
    event_type: String,
    #[serde(default)]
    event_status: String,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    not_before: String,
    #[serde(default)]
    duration_in_seconds: i64,
}

impl Document {
    /// Reads a document. A document with anything in it that cannot be read is refused as a whole: an event that is left out would look
    /// like one that was withdrawn.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        if bytes.len() > MAX_DOCUMENT {
            return Err(DocumentError::TooLarge("bytes"));
        }
        let raw: Raw = serde_json::from_slice(bytes)?;
        if raw.events.len() > MAX_EVENTS {
            return Err(DocumentError::TooLarge("events"));
        }
        let events = raw.events.into_iter().map(ScheduledEvent::read).collect::<Result<_, _>>()?;
        Ok(Self { incarnation: raw.document_incarnation, events })
    }
}

impl ScheduledEvent {
    fn read(raw: RawEvent) -> Result<Self, DocumentError> {
        let id = raw.event_id;
        if !is_event_id(&id) {
            return Err(DocumentError::Id);
        }
        let kind = match raw.event_type.as_str() {
            "Freeze" => EventKind::Freeze,
            "Reboot" => EventKind::Reboot,
            "Redeploy" => EventKind::Redeploy,
            "Preempt" => EventKind::Preempt,
            "Terminate" => EventKind::Terminate,
            _ => EventKind::Other,
        };
        let not_before = match raw.not_before.trim() {
            "" => None,
            text => Some(time(text).ok_or_else(|| DocumentError::Time(text.chars().take(60).collect()))?),
        };
        let started = raw.event_status.eq_ignore_ascii_case("Started");
        let lasts = u64::try_from(raw.duration_in_seconds).ok().map(Span::from_secs);
        Ok(Self { id, kind, started, machines: raw.resources, not_before, lasts })
    }
}

/// Whether a text can be Azure's id for an event.
pub(super) fn is_event_id(text: &str) -> bool {
    (1..=80).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// `Mon, 19 Sep 2016 18:29:47 GMT`.
fn time(text: &str) -> Option<Timestamp> {
    let time = azure_core::time::parse_rfc7231(text).ok()?;
    time.unix_timestamp().checked_mul(1_000).map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DOCUMENT: &str = r#"{ "DocumentIncarnation": 7, "Events": [
        { "EventId": "C7061BAC-AFDC-4513-B24B-AA5F13A16123", "EventStatus": "Scheduled", "EventType": "Preempt",
          "ResourceType": "VirtualMachine", "Resources": ["as-abcd-1-0", "other"], "EventSource": "Platform",
          "NotBefore": "Mon, 11 Apr 2022 22:26:58 GMT", "Description": "d", "DurationInSeconds": -1 },
        { "EventId": "1", "EventStatus": "Started", "EventType": "Freeze", "Resources": ["as-abcd-1-0"],
          "NotBefore": "", "DurationInSeconds": 5 },
        { "EventId": "2", "EventType": "SomethingNew" } ] }"#;

    #[test]
    fn a_document_is_read() {
        let document = Document::parse(DOCUMENT.as_bytes()).unwrap();
        let seen: Vec<_> =
            document.events.iter().map(|event| (event.kind, event.started, event.lasts)).collect();
        assert_eq!(
            seen,
            [
                (EventKind::Preempt, false, None),
                (EventKind::Freeze, true, Some(Span::from_secs(5))),
                (EventKind::Other, false, Some(Span::ZERO)),
            ]
        );
        assert_eq!(document.incarnation, 7);
        assert_eq!(document.events[0].not_before, Some(Timestamp::from_millis(1_649_716_018_000)));
        assert_eq!(document.events[0].machines, ["as-abcd-1-0", "other"]);
        assert_eq!(Document::parse(br#"{"DocumentIncarnation":1,"Events":[]}"#).unwrap().events, []);
    }

    #[test]
    fn what_cannot_be_read_is_refused_as_a_whole() {
        for (from, to, part) in [
            ("\"1\"", "\"../1\"", "an id that is none"),
            ("\"1\"", "\"\"", "an id that is none"),
            ("Mon, 11 Apr 2022 22:26:58 GMT", "soon\\n", "\"soon\""),
            ("\"DocumentIncarnation\": 7,", "", "cannot be read"),
            ("\"Freeze\"", "5", "cannot be read"),
        ] {
            let text = DOCUMENT.replace(from, to);
            let error = Document::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        let long = vec![b' '; MAX_DOCUMENT + 1];
        assert!(matches!(Document::parse(&long), Err(DocumentError::TooLarge("bytes"))));
    }

    proptest! {
        #[test]
        fn no_document_panics(bytes: Vec<u8>, id in ".*", when in ".*", lasts: i64) {
            let _ = Document::parse(&bytes);
            let made = serde_json::json!({ "DocumentIncarnation": lasts, "Events": [
                { "EventId": id, "EventType": "Preempt", "NotBefore": when, "DurationInSeconds": lasts }] });
            let _ = Document::parse(made.to_string().as_bytes());
        }
    }
}
