//! Runs the library against a modelled cloud and cluster in virtual time, and prints what people can use.

mod args;
mod audit;
mod bad;
mod chart;
mod command;
mod compare;
#[cfg(feature = "dynamodb")]
mod dynamodb;
mod json;
mod limits;
mod outcome;
mod pods;
mod policy;
mod progress;
mod report;
mod shapes;
mod summary;
mod table;
mod text;
mod trace;

use std::io::{self, Write};
use std::process::ExitCode;

use args::{Args, Job};
use autoscale_core::sim as engine;
use bad::Bad;
use clap::Parser;
use compare::Comparison;
use outcome::Outcome;
use progress::Progress;
use report::{Both, Section, Watch};

/// What went well.
const OK: u8 = 0;
/// An invariant broke, or a fault that had to happen did not.
const BROKEN: u8 = 1;
/// The input is no good.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let mut args = Args::parse();
    let mut out = io::stdout().lock();
    let done = match args.command.take() {
        Some(command) => command.run(&mut out),
        None if args.compare.is_empty() => {
            args.into_job().map_or_else(|bad| Ok(refuse(&bad)), |job| answer(&job, &mut out))
        }
        None => Comparison::read(args).map_or_else(|bad| Ok(refuse(&bad)), |all| all.run(&mut out)),
    };
    ExitCode::from(match done.and_then(|code| out.flush().map(|()| code)) {
        Ok(code) => code,
        // A reader that has seen enough, like `head`, is no error.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => OK,
        Err(error) => refuse(&format_args!("cannot print: {error}")),
    })
}

/// Says on stderr what is wrong with the input. Nobody is left to be told when stderr is gone; the code still says it.
fn refuse(why: &dyn std::fmt::Display) -> u8 {
    let _ = writeln!(io::stderr().lock(), "{why}");
    BAD_INPUT
}

/// Runs the job and prints what it found.
fn answer(job: &Job, out: &mut dyn Write) -> io::Result<u8> {
    let outcome = match simulate(job) {
        Ok(outcome) => outcome,
        Err(bad) => return Ok(refuse(&bad)),
    };
    let page = match job.json {
        true => json::render(&outcome)?,
        false => text::render(&outcome, text::Look::of_stdout()),
    };
    let never: Vec<_> = outcome.never().filter(|_| job.every_fault).collect();
    let code = if outcome.is_broken() || !never.is_empty() { BROKEN } else { OK };
    match out.write_all(page.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
        _ => {}
    }
    if !never.is_empty() {
        let _ = writeln!(io::stderr().lock(), "faults that never happened: {}", never.join(", "));
    }
    Ok(code)
}

/// Runs the job, and writes the audit log and the page for a browser where they are wanted.
fn simulate(job: &Job) -> Result<Outcome, Bad> {
    let mut progress = Progress::new(job.config.until);
    let mut watch = job.report.is_some().then(|| Watch::new(job.config.until, 1));
    let report = match &mut watch {
        Some(watch) => run(job, &mut Both(&mut progress, watch))?,
        None => run(job, &mut progress)?,
    };
    let fleet = job.fleet.then(|| {
        progress.searches();
        engine::smallest_static_fleet(&job.config, report.pending_pod_minutes)
    });
    progress.ends();
    let outcome = Outcome::new(job, report, fleet);
    if let (Some(path), Some(watch)) = (&job.report, watch) {
        report::write(path, &[Section::new(&outcome, watch)])?;
    }
    Ok(outcome)
}

fn run(job: &Job, observer: &mut dyn engine::Observer) -> Result<engine::Report, Bad> {
    match &job.audit {
        Some((path, everything)) => audit::run(job, path, *everything, observer),
        None => Ok(engine::run(&job.config, observer)),
    }
}
