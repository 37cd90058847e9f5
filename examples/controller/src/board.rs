//! What the replica knows of itself: for probes, for `/decisions`, for metrics.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use autoscale_core::driver::{Ended, Report};
use autoscale_core::ports::Clock;
use autoscale_core::words::{Deadline, Span};
use serde_json::{Value, json};

/// A decision that is longer than this is kept without its details.
const LONGEST: usize = 256 << 10;
/// All of them together.
const ALL: usize = 16 << 20;
/// So much of them is shown at once, but always the newest.
const SHOWN: usize = 1 << 20;

/// What the replica knows of itself.
#[derive(Debug)]
pub struct Board {
    clock: Arc<dyn Clock>,
    keep: usize,
    dry: bool,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// When the loop last did something, and for how long it may do nothing.
    alive: (Deadline, Span),
    /// How the last tick ended; `None` before the first.
    last: Option<Result<(), String>>,
    stopping: bool,
    policy_refused: Option<String>,
    /// As JSON, oldest first, and how long they are together.
    decisions: VecDeque<Arc<str>>,
    bytes: usize,
}

impl Board {
    /// Nothing has happened yet. `patience` is for how long the first tick may take; `keep` how many decisions are kept.
    pub fn new(clock: Arc<dyn Clock>, keep: usize, patience: Span, dry: bool) -> Self {
        let known = Known {
            alive: (clock.boot(), patience),
            last: None,
            stopping: false,
            policy_refused: None,
            decisions: VecDeque::new(),
            bytes: 0,
        };
        Self { clock, keep, dry, known: Mutex::new(known) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A tick has ended.
    pub fn ticked(&self, report: &Report, withheld: &[Value]) {
        let decision = told(report, withheld, self.dry);
        let mut known = self.known();
        let tick = report.policy.tick();
        known.alive = (self.clock.boot(), tick.interval.plus(tick.limit).times(3));
        known.last = Some(match &report.ended {
            Ended::Done | Ended::Busy { .. } => Ok(()),
            Ended::Halted { why } => Err(format!("halted: {why}")),
            Ended::NoAuthority { why } => Err(format!("the record could not be reached: {why}")),
            other => Err(format!("{other:?}")),
        });
        known.bytes = known.bytes.saturating_add(decision.len());
        known.decisions.push_back(decision.into());
        while known.decisions.len() > self.keep || known.bytes > ALL {
            let Some(gone) = known.decisions.pop_front() else { break };
            known.bytes = known.bytes.saturating_sub(gone.len());
        }
    }

    /// Something else than a tick was done, well or not; for so long it may be silent from now on.
    pub fn did(&self, done: Result<(), String>, patience: Span) {
        let mut known = self.known();
        (known.alive, known.last) = ((self.clock.boot(), patience), Some(done));
    }

    /// It has been told to stop.
    pub fn is_stopping(&self) {
        self.known().stopping = true;
    }

    /// The file has a policy that cannot be used.
    pub fn policy_is_bad(&self, why: String) {
        self.known().policy_refused = Some(why);
        metrics::gauge!("controller_policy_refused").set(1.0);
    }

    /// The file has the policy that counts.
    pub fn policy_is_good(&self) {
        self.known().policy_refused = None;
        metrics::gauge!("controller_policy_refused").set(0.0);
    }

    /// Why the newest version of the policy does not count, if it does not.
    pub fn policy_refused(&self) -> Option<String> {
        self.known().policy_refused.clone()
    }

    /// Whether the loop still turns; if not, a restart helps.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn alive(&self) -> Result<(), String> {
        let (since, patience) = self.known().alive;
        let silent = self.clock.boot().since(since);
        if silent <= patience { Ok(()) } else { Err(format!("nothing was done for {}", silent.rounded())) }
    }

    /// Whether it does its work. A policy file that cannot be used does not count: the last good one is at work.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn ready(&self) -> Result<(), String> {
        let known = self.known();
        if known.stopping {
            return Err("stopping".to_owned());
        }
        known.last.clone().unwrap_or_else(|| Err("nothing has been done yet".to_owned()))
    }

    /// The last decisions, newest first, as a JSON array of 1 MiB at most.
    pub fn decisions(&self, most: usize) -> String {
        let mut room = SHOWN;
        let fits = |one: &Arc<str>| {
            let fits = one.len() <= room;
            room = room.saturating_sub(one.len());
            fits
        };
        // Put together when others may go on.
        let newest: Vec<Arc<str>> =
            self.known().decisions.iter().rev().take(most).cloned().take_while(fits).collect();
        format!("[{}]", newest.join(","))
    }
}

/// A tick as people and programs read it.
fn told(report: &Report, withheld: &[Value], dry: bool) -> String {
    let (code, why) = match &report.ended {
        Ended::Done => ("done", None),
        Ended::Busy { holder, .. } => ("busy", Some(format!("{holder} is at work"))),
        Ended::Halted { why } => ("halted", Some(why.clone())),
        Ended::NoAuthority { why } => ("no_authority", Some(why.clone())),
        other => ("other", Some(format!("{other:?}"))),
    };
    let mut value = json!({
        "at": report.at.to_string(), "ended": code, "why": why, "took_ms": report.took.as_millis(),
        "policy": report.policy.hash().to_string(), "alarms": report.alarms, "dry_run": dry,
        "next_tick_in_ms": report.wake_in.map(Span::as_millis),
    });
    let rounds: Vec<Value> = report
        .rounds
        .iter()
        .map(|round| {
            json!({
                "version": round.stored.as_ref().map(|record| record.ver.get()),
                "explanation": round.explanation,
                "sent": round.outcomes,
            })
        })
        .collect();
    let details = json!({ "rounds": rounds, "would_send": withheld });
    let text = details.to_string();
    if let Some(members) = value.as_object_mut() {
        if text.len() > LONGEST {
            members.insert("left_out".to_owned(), format!("{} bytes of details", text.len()).into());
        } else if let Value::Object(details) = details {
            members.extend(details);
        }
    }
    value.to_string()
}
