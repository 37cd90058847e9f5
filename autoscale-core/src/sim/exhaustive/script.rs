//! What happens to which call of a run, by its number.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::data::view::{ClusterView, Listing, Reading, Sample};
use crate::sim::call::{Call, Class, Reply};
use crate::sim::fate::Fate;
use crate::words::{Span, Timestamp};

/// What befalls one call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::sim) enum Fault {
    /// The process dies: before sending, sent, landed, answered (0 to 3).
    Crash(usize),
    /// The request never arrives; its sender hears of a broken connection.
    LostRequest,
    /// The request is carried out; its sender hears of a broken connection.
    LostAnswer,
    /// The request is carried out so many seconds later; its sender hears nothing.
    Late(u64),
    /// The answer takes so many seconds; after 5 nobody waits for it.
    LateAnswer(u64),
    /// The client sends a swap twice and hears of the second.
    Resent,
    /// The server refuses to do it now.
    Failed,
    /// Half of what is there, and said so; no sample.
    Partial,
    /// The sample is two hours old.
    Stale,
    /// Its sender stands still from the answer on, for 5 minutes.
    Frozen,
    /// The answer that an earlier call of the same kind had.
    Older(u32),
}

const CRASHES: [&str; 4] = ["before", "sent", "landed", "answered"];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(point) => write!(f, "crash-{}", CRASHES.get(*point).unwrap_or(&"?")),
            Self::LostRequest => f.write_str("lost-request"),
            Self::LostAnswer => f.write_str("lost-answer"),
            Self::Late(secs) => write!(f, "late-{secs}"),
            Self::LateAnswer(secs) => write!(f, "late-answer-{secs}"),
            Self::Resent => f.write_str("resent"),
            Self::Failed => f.write_str("failed"),
            Self::Partial => f.write_str("partial"),
            Self::Stale => f.write_str("stale"),
            Self::Frozen => f.write_str("frozen"),
            Self::Older(call) => write!(f, "older-{call}"),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.parse::<u64>().ok());
        if let Some(point) = CRASHES.iter().position(|name| text == format!("crash-{name}")) {
            return Ok(Self::Crash(point));
        }
        match text {
            "lost-request" => return Ok(Self::LostRequest),
            "lost-answer" => return Ok(Self::LostAnswer),
            "resent" => return Ok(Self::Resent),
            "failed" => return Ok(Self::Failed),
            "partial" => return Ok(Self::Partial),
            "stale" => return Ok(Self::Stale),
            "frozen" => return Ok(Self::Frozen),
            _ => {}
        }
        number("late-answer-")
            .map(Self::LateAnswer)
            .or_else(|| number("late-").map(Self::Late))
            .or_else(|| number("older-").map(|call| Self::Older(call as u32)))
            .ok_or_else(|| format!("no fault: {text}"))
    }
}

/// The faults of one run, by the number of the call: `7:crash-landed+12:late-240`; nothing is a run without faults.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(in crate::sim) struct Case(pub(super) BTreeMap<u32, Fault>);

impl Case {
    pub(super) fn of<const N: usize>(faults: [(u32, Fault); N]) -> Self {
        Self(faults.into_iter().collect())
    }

    /// Whether this is the fault of one of its calls.
    pub(super) fn befalls(&self, fault: Fault) -> bool {
        self.0.values().any(|known| *known == fault)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.0.iter().map(|(call, fault)| format!("{call}:{fault}")).collect();
        f.write_str(&faults.join("+"))
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let one = |part: &str| {
            let (call, fault) = part.split_once(':').ok_or_else(|| format!("no call and fault: {part}"))?;
            Ok((call.parse().map_err(|_| format!("no number: {call}"))?, fault.parse()?))
        };
        text.split('+').filter(|part| !part.is_empty()).map(one).collect::<Result<_, String>>().map(Self)
    }
}

/// What one call asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::sim) enum Kind {
    Load,
    List,
    Survey,
    Sample,
    Swap,
    Launch,
    Effect,
}

impl Kind {
    pub(super) const fn reads(self) -> bool {
        matches!(self, Self::Load | Self::List | Self::Survey | Self::Sample)
    }

    fn of(call: &Call) -> Self {
        match call {
            Call::Load => Self::Load,
            Call::List => Self::List,
            Call::Survey(_) => Self::Survey,
            Call::Sample(_) => Self::Sample,
            Call::Launch(_) => Self::Launch,
            _ if call.class() == Class::Swap => Self::Swap,
            _ => Self::Effect,
        }
    }
}

/// What a view was.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Shown {
    List(Listing),
    Survey(ClusterView),
    Sample(Vec<Sample>),
}

impl Shown {
    fn of(reply: &Reply) -> Option<Self> {
        match reply {
            Reply::List(Ok(listing)) => Some(Self::List(listing.clone())),
            Reply::Survey(Ok(cluster)) => Some(Self::Survey(cluster.clone())),
            Reply::Sample(samples) => Some(Self::Sample(samples.clone())),
            _ => None,
        }
    }

    fn reply(self) -> Reply {
        match self {
            Self::List(listing) => Reply::List(Ok(listing)),
            Self::Survey(cluster) => Reply::Survey(Ok(cluster)),
            Self::Sample(samples) => Reply::Sample(samples),
        }
    }

    /// Without the time at which it was taken.
    fn content(&self) -> Self {
        let mut content = self.clone();
        match &mut content {
            Self::List(listing) => listing.at = Timestamp::default(),
            Self::Survey(cluster) => cluster.at = Timestamp::default(),
            Self::Sample(_) => {}
        }
        content
    }
}

/// Carries out a case, and writes down which calls there were.
#[derive(Debug, Default)]
pub(in crate::sim) struct Script {
    case: Case,
    /// Every call sent, the first is number 1.
    pub(super) calls: Vec<Kind>,
    /// Faults that have happened, by call.
    pub(super) met: BTreeSet<u32>,
    numbers: BTreeMap<u64, u32>,
    shown: BTreeMap<u32, Shown>,
    keeps: bool,
    /// The request whose answer freezes its sender.
    freezes: Option<u64>,
}

impl Script {
    /// `keeps` keeps every view, so that older ones can be named.
    pub(super) fn new(case: Case, keeps: bool) -> Self {
        let keeps = keeps || case.0.values().any(|fault| matches!(fault, Fault::Older(_)));
        Self { case, keeps, ..Self::default() }
    }

    fn fault(&self, number: u32) -> Option<Fault> {
        self.case.0.get(&number).copied()
    }

    /// The next call is about to be sent: numbers it, and says at which point its sender dies.
    pub(in crate::sim) fn crash(&mut self) -> Option<usize> {
        // What it is becomes known when it is sent; a call that is never sent is a read for all that follows.
        self.calls.push(Kind::Load);
        let number = self.calls.len() as u32;
        match self.fault(number) {
            Some(Fault::Crash(point)) => {
                self.met.insert(number);
                Some(point)
            }
            _ => None,
        }
    }

    pub(in crate::sim) fn fate(&mut self, call: &Call) -> Fate {
        let number = self.calls.len() as u32;
        if let Some(kind) = self.calls.last_mut() {
            *kind = Kind::of(call);
        }
        match self.fault(number) {
            Some(Fault::LostRequest) => Fate::LostRequest,
            Some(Fault::LostAnswer) => Fate::LostAnswer,
            Some(Fault::Late(_)) => Fate::LateRequest,
            Some(Fault::Resent) => Fate::Resent,
            Some(Fault::Failed) => Fate::Throttled,
            Some(
                Fault::Crash(_)
                | Fault::LateAnswer(_)
                | Fault::Partial
                | Fault::Stale
                | Fault::Frozen
                | Fault::Older(_),
            )
            | None => Fate::Plain,
        }
    }

    /// When a request arrives, and when its answer does.
    pub(in crate::sim) fn time(&mut self, id: u64, arrive: &mut Option<Span>, answer: &mut Option<Span>) {
        let number = self.calls.len() as u32;
        self.numbers.insert(id, number);
        let Some(fault) = self.fault(number) else { return };
        match fault {
            Fault::LostRequest | Fault::LostAnswer => *answer = Some(Span::from_secs(1)),
            Fault::Late(secs) => (*arrive, *answer) = (Some(Span::from_secs(secs)), None),
            Fault::LateAnswer(secs) => *answer = Some(Span::from_secs(secs)),
            Fault::Crash(_) | Fault::Resent | Fault::Failed => {}
            Fault::Frozen => self.freezes = Some(id),
            Fault::Partial | Fault::Stale | Fault::Older(_) => return,
        }
        self.met.insert(number);
    }

    /// What its sender is told in place of what the server says.
    pub(in crate::sim) fn revise(&mut self, id: u64, mut reply: Reply) -> Reply {
        let Some(number) = self.numbers.remove(&id) else { return reply };
        if self.keeps
            && let Some(shown) = Shown::of(&reply)
        {
            self.shown.insert(number, shown);
        }
        match self.fault(number) {
            Some(Fault::Older(call)) => {
                if let Some(older) = self.shown.get(&call) {
                    self.met.insert(number);
                    return older.clone().reply();
                }
            }
            Some(Fault::Partial) => {
                match &mut reply {
                    Reply::List(Ok(listing)) => {
                        listing.complete = false;
                        listing.instances.truncate(listing.instances.len() / 2);
                    }
                    Reply::Survey(Ok(cluster)) => {
                        cluster.complete = false;
                        cluster.pods.truncate(cluster.pods.len() / 2);
                    }
                    Reply::Sample(samples) => {
                        for sample in samples {
                            sample.reading = Reading::Missing { why: "empty result".to_owned() };
                        }
                    }
                    _ => return reply,
                }
                self.met.insert(number);
            }
            Some(Fault::Stale) => {
                let Reply::Sample(samples) = &mut reply else { return reply };
                for sample in samples {
                    if let Reading::Value { age, .. } = &mut sample.reading {
                        *age = age.plus(Span::from_mins(120));
                    }
                }
                self.met.insert(number);
            }
            _ => {}
        }
        reply
    }

    /// Whether the answer to this request freezes its sender.
    pub(super) fn freezes(&mut self, id: u64) -> bool {
        self.freezes.take_if(|request| *request == id).is_some()
    }

    /// For each view, the older ones of its kind that showed something else: of those alike, the oldest.
    pub(super) fn older(&self) -> Vec<(u32, u32)> {
        let mut pairs = Vec::new();
        for (number, shown) in &self.shown {
            let mut known = vec![shown.content()];
            for (older, view) in self.shown.range(..number) {
                let content = view.content();
                let alike = std::mem::discriminant(&content) == std::mem::discriminant(shown);
                if alike && !known.contains(&content) {
                    known.push(content);
                    pairs.push((*number, *older));
                }
            }
        }
        pairs
    }
}

impl Script {
    /// Whether every fault of the case has happened.
    pub(super) fn all_met(&self) -> bool {
        self.case.0.keys().all(|call| self.met.contains(call))
    }
}
