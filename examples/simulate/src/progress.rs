//! A progress bar for people who wait.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use autoscale_core::driver::Report;
use autoscale_core::sim::Observer;
use autoscale_core::words::Span;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A run shorter than this needs no bar.
const PATIENCE: Duration = Duration::from_millis(700);

/// How far a run has come; shown only at a terminal, and only when it takes long.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    began: Instant,
    until: Span,
    terminal: bool,
}

impl Progress {
    /// At the beginning of a run.
    pub(crate) fn new(until: Span) -> Self {
        let bar = ProgressBar::with_draw_target(Some(until.as_secs()), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {msg}  {elapsed}") {
            bar.set_style(style);
        }
        Self { bar, began: Instant::now(), until, terminal: io::stderr().is_terminal() }
    }

    /// The run is over, and the static fleet is searched for.
    pub(crate) fn searches(&mut self) {
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
            self.bar.set_style(style);
        }
        self.bar.set_message("searching the smallest static fleet");
        self.bar.enable_steady_tick(Duration::from_millis(120));
        if self.terminal {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Leaves no trace on the terminal.
    pub(crate) fn ends(self) {
        self.bar.finish_and_clear();
    }

    fn show_if_long(&self) {
        if self.terminal && self.bar.is_hidden() && self.began.elapsed() > PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Observer for Progress {
    fn reached(&mut self, passed: Span) {
        self.bar.set_position(passed.as_secs());
        let minutes = Span::from_mins(passed.as_secs() / 60);
        self.bar.set_message(format!("{minutes} of {}", self.until));
        self.show_if_long();
    }

    fn ticked(&mut self, _report: &Report) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_drawn_without_a_terminal() {
        let mut progress = Progress::new(Span::from_mins(60));
        progress.terminal = false;
        progress.reached(Span::from_mins(30));
        progress.searches();
        assert!(progress.bar.is_hidden());
        progress.ends();
    }
}
