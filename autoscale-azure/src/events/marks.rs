//! What is announced about a machine, as its agent leaves it for others to read. Pure: the time is an argument.

use std::collections::BTreeMap;
use std::fmt;

use autoscale_core::data::record::{IncomingNotice, NoticeKind};
use autoscale_core::words::{InstanceId, Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::document::{Document, is_event_id};
use super::watch::EventRules;

/// More than any machine has at a time.
const MOST: usize = 16;
/// No text of so few marks is longer.
const LONGEST: usize = 4 << 10;

/// One event that is announced.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Mark {
    /// Azure's id for it: letters, digits and dashes, at most 80.
    pub id: String,
    /// What it is taken for: an interruption, or a rebalance recommendation.
    pub kind: NoticeKind,
    /// When it happens, in milliseconds since 1970. None for what has begun, or may at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// Everything that is announced about one machine, at most 16 events: interruptions first, then by time, then by id.
///
/// As text it is a JSON array, for an annotation. Whoever can write it can have that one machine drained and replaced, and
/// nothing else.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Marks(Vec<Mark>);

/// What are no marks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MarksError {
    /// No JSON, or not of this form.
    #[error("the marks of a machine cannot be read")]
    Unreadable(#[from] serde_json::Error),
    /// Longer than any, or more of them than a machine has.
    #[error("a machine has more marks than can be")]
    TooMany,
    /// One that no agent makes.
    #[error("a machine has a mark that cannot be: {0}")]
    Impossible(&'static str),
}

/// What is to be told because of marks, and what is known once it is.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Due {
    /// For a tick.
    pub notices: Vec<IncomingNotice>,
    /// What to note as stored when these notices are.
    pub stored: Marks,
}

impl Marks {
    /// What a document says of the machine of a name.
    pub fn of(document: &Document, machine: &str, rules: &EventRules) -> Self {
        let marks = rules.about(machine, document).map(|(event, kind)| {
            let at = event.not_before.filter(|_| !event.started);
            Mark { id: event.id.clone(), kind, at }
        });
        Self::sorted(marks.collect())
    }

    /// Without doubles, and no more than anybody reads.
    fn sorted(mut marks: Vec<Mark>) -> Self {
        marks.sort_by(|a, b| (a.kind, a.at, &a.id).cmp(&(b.kind, b.at, &b.id)));
        marks.dedup_by(|a, b| (&a.id, a.kind) == (&b.id, b.kind));
        marks.truncate(MOST);
        Self(marks)
    }

    /// Reads marks. An empty text is none.
    ///
    /// # Errors
    /// What is wrong with the text. Nothing follows from one that cannot be read: neither an event nor a withdrawal.
    pub fn parse(text: &str) -> Result<Self, MarksError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        if text.len() > LONGEST {
            return Err(MarksError::TooMany);
        }
        let marks: Vec<Mark> = serde_json::from_str(text)?;
        if marks.len() > MOST {
            return Err(MarksError::TooMany);
        }
        if !marks.iter().all(|mark| is_event_id(&mark.id)) {
            return Err(MarksError::Impossible("its id"));
        }
        if marks.iter().any(|mark| mark.kind == NoticeKind::Withdrawn) {
            return Err(MarksError::Impossible("its kind"));
        }
        Ok(Self::sorted(marks))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Mark> {
        self.0.iter()
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is announced.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is to be told of an instance, given what has been `stored` already; nothing, if there is nothing new.
    ///
    /// It rests on these two texts alone, so that any program may go on where another one died: what was told and not noted is
    /// told again, and the driver knows a notice by its id.
    pub fn due(&self, stored: &Self, instance: &InstanceId, now: Timestamp) -> Option<Due> {
        let known: BTreeMap<&str, NoticeKind> =
            stored.iter().map(|mark| (mark.id.as_str(), mark.kind)).collect();
        let is_new = |mark: &&Mark| known.get(mark.id.as_str()) != Some(&mark.kind);
        let told = |mark: &Mark| {
            let left = mark.at.map_or(Span::ZERO, |at| if at > now { at.since(now) } else { Span::ZERO });
            IncomingNotice::new(&mark.id, instance.clone(), mark.kind, left)
        };
        let mut notices: Vec<IncomingNotice> = self.iter().filter(is_new).map(told).collect();
        let ends = |marks: &Self| marks.iter().any(|mark| mark.kind == NoticeKind::Interruption);
        // Either it was withdrawn, or it is over and the machine lives.
        let gone = stored.iter().find(|mark| mark.kind == NoticeKind::Interruption).filter(|_| !ends(self));
        if let Some(gone) = gone {
            notices.push(IncomingNotice::new(&gone.id, instance.clone(), NoticeKind::Withdrawn, Span::ZERO));
        }
        let same = |mark: &Mark| self.iter().any(|other| (&other.id, other.kind) == (&mark.id, mark.kind));
        let changed = !notices.is_empty() || !stored.iter().all(same);
        changed.then(|| Due { notices, stored: self.clone() })
    }
}

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.0).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_millis(1_649_715_988_000);

    fn document(events: &[(&str, &str, &str)]) -> Document {
        let events: Vec<_> = events
            .iter()
            .map(|(id, kind, status)| {
                json!({ "EventId": id, "EventType": kind, "Resources": ["_N1"], "EventStatus": status,
                    "NotBefore": "Mon, 11 Apr 2022 22:26:58 GMT" })
            })
            .collect();
        Document::parse(json!({ "DocumentIncarnation": 1, "Events": events }).to_string().as_bytes()).unwrap()
    }

    fn marks(events: &[(&str, &str, &str)]) -> Marks {
        Marks::of(&document(events), "n1", &EventRules::default())
    }

    fn instance() -> InstanceId {
        InstanceId::new("/subscriptions/s/n1").unwrap()
    }

    fn told(now: &Marks, before: &Marks) -> Vec<(String, NoticeKind, u64)> {
        let due = now.due(before, &instance(), NOW);
        assert!(due.as_ref().is_none_or(|due| due.stored == *now));
        let all = due.map(|due| due.notices).unwrap_or_default();
        all.into_iter().map(|n| (n.id, n.kind, n.time_left.as_secs())).collect()
    }

    #[test]
    fn what_is_announced_is_one_text_whatever_its_order() {
        let one =
            [("b", "Preempt", "Started"), ("c", "Redeploy", "Scheduled"), ("a", "Terminate", "Scheduled")];
        let [b, c, a] = one;
        assert_eq!(marks(&[b, c, a]), marks(&[a, b, c]));
        assert_eq!(
            marks(&one).to_string(),
            r#"[{"id":"b","kind":"interruption"},{"id":"a","kind":"interruption","at":1649716018000},{"id":"c","kind":"rebalance","at":1649716018000}]"#
        );
        assert_eq!(Marks::parse(&marks(&one).to_string()).unwrap(), marks(&one));
        assert_eq!(Marks::of(&document(&one), "n2", &EventRules::default()), Marks::default());
        assert!(marks(&[("d", "Freeze", "Scheduled")]).is_empty());
        let many: Vec<String> = (0..40).map(|n| n.to_string()).collect();
        let many: Vec<_> = many.iter().map(|id| (id.as_str(), "Preempt", "Scheduled")).collect();
        assert_eq!(marks(&many).len(), 16);
    }

    #[test]
    fn each_is_told_once_and_a_withdrawal_too() {
        let none = Marks::default();
        let (preempt, redeploy) = (("1", "Preempt", "Scheduled"), ("2", "Redeploy", "Scheduled"));
        let both = marks(&[preempt, redeploy]);
        let (one, two) =
            (("1".to_owned(), NoticeKind::Interruption, 30), ("2".to_owned(), NoticeKind::Rebalance, 30));
        assert_eq!(told(&both, &none), [one.clone(), two]);
        assert_eq!(told(&both, &both), []);
        // It has begun: that is no other event.
        assert_eq!(told(&marks(&[("1", "Preempt", "Started"), redeploy]), &both), []);
        assert_eq!(told(&marks(&[redeploy]), &both), [("1".to_owned(), NoticeKind::Withdrawn, 0)]);
        let other = marks(&[("3", "Terminate", "Started")]);
        assert_eq!(told(&other, &both), [("3".to_owned(), NoticeKind::Interruption, 0)], "it still ends");
        // A recommendation that is gone is only forgotten.
        let due = none.due(&marks(&[redeploy]), &instance(), NOW);
        assert_eq!(due, Some(Due { notices: Vec::new(), stored: Marks::default() }));
        assert_eq!(none.due(&none, &instance(), NOW), None);
    }

    #[test]
    fn what_no_agent_writes_is_refused() {
        let long = format!("[{}]", vec![r#"{"id":"1","kind":"rebalance"}"#; 17].join(","));
        for text in [
            "{}",
            "[1]",
            r#"[{"id":"","kind":"rebalance"}]"#,
            r#"[{"id":"a b","kind":"rebalance"}]"#,
            r#"[{"id":"1","kind":"withdrawn"}]"#,
            r#"[{"id":"1","kind":"interruption","instance":"/another"}]"#,
            r#"[{"id":"1","kind":"interruption","at":"now"}]"#,
            &long,
            &" ".repeat(5_000),
        ] {
            assert!(Marks::parse(text).is_err(), "{text:.60}");
        }
        assert!(Marks::parse("").unwrap().is_empty());
    }

    proptest! {
        /// Whatever is read is written again as it is, and nothing panics.
        #[test]
        fn any_text(text in "[\\[\\]{}a-z0-9\":, -]{0,200}", at in any::<i64>()) {
            if let Ok(marks) = Marks::parse(&text) {
                prop_assert_eq!(Marks::parse(&marks.to_string()).unwrap(), marks);
            }
            let one = Marks(vec![Mark { id: "1".to_owned(), kind: NoticeKind::Interruption, at: Some(Timestamp::from_millis(at)) }]);
            prop_assert_eq!(&Marks::parse(&one.to_string()).unwrap(), &one);
            prop_assert!(one.due(&Marks::default(), &instance(), NOW).is_some());
        }
    }
}
