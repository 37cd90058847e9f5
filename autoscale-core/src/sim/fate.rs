//! What becomes of a request, and of the process that sent it.

use crate::words::Span;

use super::call::{Call, Class};
use super::net::{Item, Net};

/// What is to become of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Plain,
    LostRequest,
    LostAnswer,
    LateRequest,
    Throttled,
    Resent,
}

impl Net {
    pub(super) fn die(&mut self, task: u32) {
        if let Some(process) = self.processes.get_mut(&task) {
            process.crashed = true;
        }
    }

    pub(super) fn freeze(&mut self, task: u32, after: Span) {
        let (low, high) = self.chaos.rates.frozen_for;
        let span = self.chaos.rng.span(low, high);
        if let Some(process) = self.processes.get_mut(&task).filter(|process| !process.frozen) {
            process.frozen = true;
            self.truth.on_freeze(task);
            self.chaos.count("frozen");
            self.plan(after.plus(span), Item::Thaw(task));
        }
    }

    /// Before the call, sent, landed or answered: 0 to 3.
    pub(super) fn crash_point(&mut self, class: Class, weight: u32) -> Option<usize> {
        #[cfg(test)]
        if let Some(script) = &mut self.script {
            return script.crash();
        }
        let rate = self.chaos.rates.crash;
        let names = match class {
            Class::Read => {
                ["crash-before-read", "crash-read-answered", "crash-read-answered", "crash-read-answered"]
            }
            Class::Swap => {
                ["crash-before-swap", "crash-swap-sent", "crash-swap-landed", "crash-swap-answered"]
            }
            Class::Effect => {
                ["crash-before-effect", "crash-effect-sent", "crash-effect-landed", "crash-effect-answered"]
            }
        };
        names.into_iter().position(|name| self.chaos.strikes(name, rate, weight))
    }

    pub(super) fn fate(&mut self, call: &Call, weight: u32) -> Fate {
        #[cfg(test)]
        if let Some(script) = &mut self.script {
            return script.fate(call);
        }
        let rates = self.chaos.rates.clone();
        let swap = call.class() == Class::Swap;
        let ordered = call.class() != Class::Read;
        let patient = !swap && !matches!(call, Call::Sample(_));
        let name = |read, swapped| if swap { swapped } else { read };
        if self.is_storm(call) {
            Fate::Throttled
        } else if self.is_unanswered(call)
            || self.chaos.strikes(name("lost-request", "lost-swap"), rates.lost_request, weight)
        {
            Fate::LostRequest
        } else if self.chaos.strikes(name("lost-answer", "lost-swap-answer"), rates.lost_answer, weight) {
            if matches!(call, Call::Launch(_)) {
                self.chaos.count("launch-answer-lost");
            }
            Fate::LostAnswer
        } else if ordered && self.chaos.strikes(name("late-request", "late-swap"), rates.late_request, weight)
        {
            self.older_copy(call);
            Fate::LateRequest
        } else if patient && self.chaos.strikes("throttled", rates.throttled, weight) {
            if matches!(call, Call::Load) {
                self.chaos.count("store-throttled");
            }
            Fate::Throttled
        } else if swap && self.chaos.strikes("swap-resent", rates.swap_resent, weight) {
            Fate::Resent
        } else {
            Fate::Plain
        }
    }
}
