//! Runs the library against a modelled cloud and cluster in virtual time, and prints what people can use.

mod args;
mod chart;
use autoscale_core::sim as engine;
mod json;
mod outcome;
mod pods;
mod progress;
mod shapes;
mod table;
mod text;
mod trace;

use std::io::{self, Write};
use std::process::ExitCode;

use args::{Args, Job};
use clap::Parser;
use outcome::Outcome;
use progress::Progress;

/// What went well.
const OK: u8 = 0;
/// An invariant broke, or a fault that had to happen did not.
const BROKEN: u8 = 1;
/// The input is no good.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let code = match Args::parse().into_job() {
        Ok(job) => answer(&job),
        Err(bad) => {
            // Nobody is left to be told when stderr is gone; the code still says it.
            let _ = writeln!(io::stderr().lock(), "{bad}");
            BAD_INPUT
        }
    };
    ExitCode::from(code)
}

/// Runs the job and prints what it found.
fn answer(job: &Job) -> u8 {
    let outcome = simulate(job);
    let page = match job.json {
        true => json::render(&outcome).map_err(io::Error::from),
        false => Ok(text::render(&outcome, text::Look::of_stdout())),
    };
    match page.and_then(|page| io::stdout().lock().write_all(page.as_bytes())) {
        // A reader that has seen enough, like `head`, is no error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr().lock(), "cannot print: {error}");
            BAD_INPUT
        }
        _ if outcome.is_broken() => BROKEN,
        _ if job.every_fault && outcome.never().next().is_some() => {
            let never: Vec<_> = outcome.never().collect();
            let _ = writeln!(io::stderr().lock(), "faults that never happened: {}", never.join(", "));
            BROKEN
        }
        _ => OK,
    }
}

fn simulate(job: &Job) -> Outcome {
    let mut progress = Progress::new(job.config.until);
    let report = engine::run(&job.config, &mut progress);
    let fleet = job.fleet.then(|| {
        progress.searches();
        engine::smallest_static_fleet(&job.config, report.pending_pod_minutes)
    });
    progress.ends();
    Outcome::new(job, report, fleet)
}
