//! What a run looks like while it goes on, kept small: quiet ticks are folded.

use std::collections::BTreeMap;

use autoscale_core::data::explain::Explanation;
use autoscale_core::data::policy::Purchase;
use autoscale_core::driver::{Ended, Report};
use autoscale_core::sim::{Fleet, Happening, Observer};
use autoscale_core::words::{Span, Zone, truncated};
use serde::Serialize;

use super::told::{Kind, key, kind_of, title};

/// Explanations of a page are kept up to so many bytes; those of quiet ticks only to the half of it.
const MOST_TEXT: usize = 3 << 20;

/// Decisions of a page that are kept; the rest are counted.
const MOST_DECISIONS: usize = 12_000;

/// Faults and notices of a page that are kept; the rest are counted.
const MOST_MARKS: usize = 12_000;

/// Faults of one kind within so many parts of the run are one mark.
const PARTS: u64 = 400;

/// One decision, and how long what it says stood.
#[derive(Debug, Serialize)]
pub(crate) struct Decision {
    /// Seconds since the start of the run.
    at: u64,
    kind: Kind,
    title: String,
    /// Everything about it; empty where there was no more room.
    text: String,
    /// How many ticks said the same, with the first.
    ticks: u32,
    #[serde(skip)]
    key: String,
}

/// A fault or a notice, or several of one kind.
#[derive(Debug, Serialize)]
pub(crate) struct Mark {
    at: u64,
    kind: &'static str,
    about: Option<String>,
    count: u32,
}

/// Instances in one zone, bought in one way, at each point.
#[derive(Debug, Serialize)]
pub(crate) struct Group {
    zone: String,
    purchase: Purchase,
    nodes: Vec<u32>,
}

/// The fleet over time: a value of each for each point.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Series {
    /// Seconds since the start of the run.
    at: Vec<u64>,
    need: Vec<u32>,
    ready: Vec<u32>,
    pending: Vec<u32>,
    cost: Vec<f64>,
    groups: Vec<Group>,
}

/// Listens to a run.
#[derive(Debug, Serialize)]
pub(crate) struct Watch {
    series: Series,
    decisions: Vec<Decision>,
    marks: Vec<Mark>,
    /// Ticks that gave a report.
    pub(super) ticks: u64,
    /// Decisions and marks that there was no room for.
    decisions_left_out: u64,
    marks_left_out: u64,
    /// Bytes of text, decisions and marks that there is room for.
    #[serde(skip)]
    most: [usize; 3],
    #[serde(skip)]
    groups: BTreeMap<(Zone, Purchase), usize>,
    /// Where the newest mark of a kind is.
    #[serde(skip)]
    newest: BTreeMap<&'static str, usize>,
    #[serde(skip)]
    part: u64,
    #[serde(skip)]
    text: usize,
    #[serde(skip)]
    now: Span,
}

impl Watch {
    /// At the beginning of a run of about this length, which is one of so many on its page.
    pub(crate) fn new(until: Span, sections: usize) -> Self {
        let sections = sections.max(1);
        Self {
            most: [MOST_TEXT / sections, MOST_DECISIONS / sections, MOST_MARKS / sections],
            series: Series::default(),
            decisions: Vec::new(),
            marks: Vec::new(),
            ticks: 0,
            decisions_left_out: 0,
            marks_left_out: 0,
            groups: BTreeMap::new(),
            newest: BTreeMap::new(),
            part: (until.as_secs() / PARTS).max(1),
            text: 0,
            now: Span::ZERO,
        }
    }

    /// A decision, or one more tick that says what the last one said.
    fn decide(
        &mut self,
        kind: Kind,
        key: String,
        title: impl FnOnce() -> String,
        text: impl FnOnce() -> String,
    ) {
        let quiet = matches!(kind, Kind::Hold);
        if let Some(last) = self.decisions.last_mut().filter(|last| quiet && last.key == key) {
            last.ticks = last.ticks.saturating_add(1);
            return;
        }
        let [most_text, most, _] = self.most;
        if self.decisions.len() >= most {
            self.decisions_left_out += 1;
            return;
        }
        let room = if quiet { most_text / 2 } else { most_text };
        let text = if self.text < room { text() } else { String::new() };
        self.text += text.len();
        let title = truncated(&title(), 160);
        self.decisions.push(Decision { at: self.now.as_secs(), kind, title, text, ticks: 1, key });
    }

    fn explained(&mut self, explanation: &Explanation) {
        let kind = match explanation.actions.first() {
            None => Kind::Hold,
            Some(action) => kind_of(action),
        };
        self.decide(kind, key(explanation), || title(explanation), || explanation.to_string());
    }
}

impl Observer for Watch {
    fn reached(&mut self, passed: Span) {
        self.now = passed;
    }

    fn ticked(&mut self, report: &Report) {
        self.ticks += 1;
        let trouble = match &report.ended {
            Ended::Halted { why } => Some(("halted", why.clone())),
            Ended::NoAuthority { why } => Some(("no authority", why.clone())),
            Ended::Busy { holder, .. } => Some(("busy", format!("{holder} holds the lease"))),
            _ => None,
        };
        // Of the rounds of a tick those that did something, and the last.
        let last = report.rounds.len().saturating_sub(1);
        for (index, round) in report.rounds.iter().enumerate() {
            if index == last || !round.explanation.actions.is_empty() {
                self.explained(&round.explanation);
            }
        }
        if let Some((word, why)) = trouble {
            let told = format!("{word}: {why}");
            let title = told.clone();
            let kind = if word == "busy" { Kind::Hold } else { Kind::Trouble };
            self.decide(kind, word.to_owned(), || title, || told);
        }
    }

    fn happened(&mut self, at: Span, what: &Happening) {
        let secs = at.as_secs();
        let newest = self.newest.get(what.kind).and_then(|index| self.marks.get_mut(*index));
        if let Some(mark) = newest.filter(|mark| secs.saturating_sub(mark.at) < self.part) {
            mark.count = mark.count.saturating_add(1);
            mark.about = None;
            return;
        }
        let [.., most] = self.most;
        if self.marks.len() >= most {
            self.marks_left_out += 1;
            return;
        }
        self.newest.insert(what.kind, self.marks.len());
        let about = what.instance.as_ref().map(ToString::to_string);
        self.marks.push(Mark { at: secs, kind: what.kind, about, count: 1 });
    }

    fn counted(&mut self, fleet: &Fleet<'_>) {
        let Series { at, need, ready, pending, cost, groups } = &mut self.series;
        at.push(fleet.point.at.as_secs());
        need.push(fleet.point.need);
        ready.push(fleet.point.ready);
        pending.push(fleet.point.pending);
        cost.push((fleet.cost * 10_000.0).round() / 10_000.0);
        for ((zone, purchase), nodes) in &fleet.alive {
            let index = *self.groups.entry(((*zone).clone(), *purchase)).or_insert_with(|| {
                groups.push(Group { zone: zone.to_string(), purchase: *purchase, nodes: Vec::new() });
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(index) {
                group.nodes.resize(at.len() - 1, 0);
                group.nodes.push(*nodes);
            }
        }
        groups.iter_mut().for_each(|group| group.nodes.resize(at.len(), 0));
    }
}

/// Two that listen to the same run.
#[derive(Debug)]
pub(crate) struct Both<'a>(pub(crate) &'a mut dyn Observer, pub(crate) &'a mut dyn Observer);

impl Observer for Both<'_> {
    fn reached(&mut self, passed: Span) {
        self.0.reached(passed);
        self.1.reached(passed);
    }

    fn ticked(&mut self, report: &Report) {
        self.0.ticked(report);
        self.1.ticked(report);
    }

    fn happened(&mut self, at: Span, what: &Happening) {
        self.0.happened(at, what);
        self.1.happened(at, what);
    }

    fn counted(&mut self, fleet: &Fleet<'_>) {
        self.0.counted(fleet);
        self.1.counted(fleet);
    }
}
