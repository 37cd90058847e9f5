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
        let span = self.chaos.rng.span(Span::from_mins(1), Span::from_mins(20));
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
        let point = (0..4).find(|_| self.chaos.chance(rate, weight))?;
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
        if let Some(name) = names.get(point) {
            self.chaos.count(name);
        }
        Some(point)
    }

    pub(super) fn fate(&mut self, call: &Call, weight: u32) -> Fate {
        #[cfg(test)]
        if let Some(script) = &mut self.script {
            return script.fate(call);
        }
        let rates = self.chaos.rates.clone();
        let swap = call.class() == Class::Swap;
        if self.chaos.chance(rates.lost_request, weight) {
            self.chaos.count(if swap { "lost-swap" } else { "lost-request" });
            Fate::LostRequest
        } else if self.chaos.chance(rates.lost_answer, weight) {
            self.chaos.count(if swap { "lost-swap-answer" } else { "lost-answer" });
            Fate::LostAnswer
        } else if call.class() != Class::Read && self.chaos.chance(rates.late_request, weight) {
            self.chaos.count(if swap { "late-swap" } else { "late-request" });
            Fate::LateRequest
        } else if !swap && !matches!(call, Call::Sample(_)) && self.chaos.chance(rates.throttled, weight) {
            self.chaos.count("throttled");
            Fate::Throttled
        } else if swap && self.chaos.chance(rates.swap_resent, weight) {
            self.chaos.count("swap-resent");
            Fate::Resent
        } else {
            Fate::Plain
        }
    }
}
