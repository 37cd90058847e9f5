//! From documents to notices. Pure: the time is an argument.

use std::collections::BTreeMap;

use autoscale_core::data::record::{IncomingNotice, NoticeKind};
use autoscale_core::words::{InstanceId, Span, Timestamp};

use super::document::{Document, EventKind, ScheduledEvent};

/// What an event is taken for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Treat {
    /// The machine ends: it is drained at once and replaced.
    Interruption,
    /// The machine is at risk: it is replaced as the policy says for rebalance recommendations.
    Rebalance,
    /// Nothing is done.
    Ignore,
}

/// What the events are taken for that a machine survives. `Preempt` and `Terminate` are always interruptions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct EventRules {
    /// Default: a rebalance recommendation.
    pub redeploy: Treat,
    /// Default: a rebalance recommendation.
    pub reboot: Treat,
    /// Default: ignored.
    pub freeze: Treat,
}

impl Default for EventRules {
    fn default() -> Self {
        Self { redeploy: Treat::Rebalance, reboot: Treat::Rebalance, freeze: Treat::Ignore }
    }
}

impl EventRules {
    /// Other rules for `Redeploy`, `Reboot` and `Freeze`.
    pub const fn new(redeploy: Treat, reboot: Treat, freeze: Treat) -> Self {
        Self { redeploy, reboot, freeze }
    }

    /// What a document says of a machine, by name, and what it is taken for.
    pub(super) fn about<'d>(
        &self,
        machine: &str,
        document: &'d Document,
    ) -> impl Iterator<Item = (&'d ScheduledEvent, NoticeKind)> {
        let mine = move |event: &&ScheduledEvent| {
            event.machines.iter().any(|name| name.trim_start_matches('_').eq_ignore_ascii_case(machine))
        };
        document.events.iter().filter(mine).filter_map(|event| Some((event, self.notice(event.kind)?)))
    }

    const fn notice(&self, kind: EventKind) -> Option<NoticeKind> {
        let treat = match kind {
            EventKind::Preempt | EventKind::Terminate => Treat::Interruption,
            EventKind::Redeploy => self.redeploy,
            EventKind::Reboot => self.reboot,
            EventKind::Freeze => self.freeze,
            EventKind::Other => Treat::Ignore,
        };
        match treat {
            Treat::Interruption => Some(NoticeKind::Interruption),
            Treat::Rebalance => Some(NoticeKind::Rebalance),
            Treat::Ignore => None,
        }
    }
}

/// What has been told about one machine.
///
/// It is safe to begin anew at any time: what is announced is told again, and the driver knows a notice by its id.
#[derive(Clone, Debug)]
pub struct Watch {
    machine: String,
    instance: InstanceId,
    rules: EventRules,
    told: BTreeMap<String, NoticeKind>,
}

impl Watch {
    /// Watches the machine of a name, which is that instance.
    pub fn new(machine: impl Into<String>, instance: InstanceId, rules: EventRules) -> Self {
        Self { machine: machine.into(), instance, rules, told: BTreeMap::new() }
    }

    /// What a document says that the one before has not said.
    pub fn update(&mut self, document: &Document, now: Timestamp) -> Vec<IncomingNotice> {
        let announced: BTreeMap<&str, (&ScheduledEvent, NoticeKind)> = self
            .rules
            .about(&self.machine, document)
            .map(|(event, kind)| (event.id.as_str(), (event, kind)))
            .collect();
        let mut notices = Vec::new();
        for (id, (event, kind)) in &announced {
            if !self.told.contains_key(*id) {
                let left = event.not_before.filter(|_| !event.started).map_or(Span::ZERO, |at| at.since(now));
                notices.push(IncomingNotice::new(id, self.instance.clone(), *kind, left));
            }
        }
        // An interruption that is announced no more: either it was withdrawn, or it is over and the machine lives.
        let gone = |id: &String| !announced.contains_key(id.as_str());
        let ended = self.told.iter().find(|(id, kind)| gone(id) && **kind == NoticeKind::Interruption);
        let another = announced.values().any(|(_, kind)| *kind == NoticeKind::Interruption);
        if let Some((id, _)) = ended.filter(|_| !another) {
            let withdrawn = NoticeKind::Withdrawn;
            notices.push(IncomingNotice::new(id, self.instance.clone(), withdrawn, Span::ZERO));
        }
        self.told = announced.into_iter().map(|(id, (_, kind))| (id.to_owned(), kind)).collect();
        notices
    }

    /// The ids of the interruptions that are announced now: what may be [approved](super::Metadata::approve) when the node is empty.
    pub fn interruptions(&self) -> Vec<String> {
        let interruptions = self.told.iter().filter(|(_, kind)| **kind == NoticeKind::Interruption);
        interruptions.map(|(id, _)| id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn watch() -> Watch {
        let id = "/subscriptions/s/resourceGroups/w/providers/Microsoft.Compute/virtualMachines/n1";
        Watch::new("n1", InstanceId::new(id).unwrap(), EventRules::default())
    }

    fn event(id: &str, kind: &str, machine: &str, status: &str, not_before: &str) -> Value {
        json!({ "EventId": id, "EventType": kind, "Resources": [machine], "EventStatus": status,
            "NotBefore": not_before })
    }

    fn document(events: &[Value]) -> Document {
        let text = json!({ "DocumentIncarnation": 1, "Events": events }).to_string();
        Document::parse(text.as_bytes()).unwrap()
    }

    /// 22:26:28, half a minute before the usual `NotBefore`.
    const NOW: Timestamp = Timestamp::from_millis(1_649_715_988_000);
    const SOON: &str = "Mon, 11 Apr 2022 22:26:58 GMT";

    fn said(notices: &[IncomingNotice]) -> Vec<(&str, NoticeKind, u64)> {
        notices.iter().map(|n| (n.id.as_str(), n.kind, n.time_left.as_secs())).collect()
    }

    #[test]
    fn each_event_is_told_once_and_for_this_machine_alone() {
        let mut watch = watch();
        let events = [
            event("1", "Preempt", "N1", "Scheduled", SOON),
            event("2", "Terminate", "n2", "Scheduled", SOON),
            event("3", "Redeploy", "n1", "Scheduled", SOON),
            event("4", "Freeze", "n1", "Scheduled", SOON),
            event("5", "Novelty", "n1", "Scheduled", SOON),
        ];
        let first = watch.update(&document(&events), NOW);
        assert_eq!(said(&first), [("1", NoticeKind::Interruption, 30), ("3", NoticeKind::Rebalance, 30)]);
        assert_eq!(watch.update(&document(&events), NOW), []);
        assert_eq!(watch.interruptions(), ["1"]);
    }

    #[test]
    fn one_that_has_begun_or_whose_time_is_over_leaves_no_time() {
        for (status, not_before) in [("Started", ""), ("Started", SOON), ("Scheduled", "")] {
            let notices = watch().update(&document(&[event("1", "Preempt", "n1", status, not_before)]), NOW);
            assert_eq!(said(&notices), [("1", NoticeKind::Interruption, 0)], "{status} {not_before:?}");
        }
        let late = NOW.after(Span::from_mins(1));
        let notices = watch().update(&document(&[event("1", "Terminate", "n1", "Scheduled", SOON)]), late);
        assert_eq!(notices[0].time_left, Span::ZERO);
    }

    #[test]
    fn an_interruption_is_withdrawn_when_no_other_is_announced() {
        let mut watch = watch();
        let one = event("1", "Preempt", "n1", "Scheduled", SOON);
        let two = event("2", "Terminate", "n1", "Scheduled", SOON);
        let risk = event("3", "Reboot", "n1", "Scheduled", SOON);
        let _ = watch.update(&document(&[one, two.clone(), risk.clone()]), NOW);
        assert_eq!(watch.update(&document(&[two, risk.clone()]), NOW), [], "another one is still announced");
        let notices = watch.update(&document(std::slice::from_ref(&risk)), NOW);
        assert_eq!(said(&notices), [("2", NoticeKind::Withdrawn, 0)]);
        assert_eq!(watch.update(&document(&[]), NOW), [], "a recommendation is not withdrawn");
        let again = watch.update(&document(&[event("4", "Preempt", "n1", "Scheduled", SOON)]), NOW);
        assert_eq!(said(&again), [("4", NoticeKind::Interruption, 30)]);
    }
}
