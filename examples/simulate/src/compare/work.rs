//! Every run of a comparison, on every core.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::args::Job;
use crate::engine;
use crate::outcome::Outcome;
use crate::report::{Section, Watch};

/// One run.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) job: Job,
    /// Of how many sections of the page it is to be one; none where it is not.
    pub(super) sections: Option<usize>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) outcome: Outcome,
    pub(super) section: Option<Section>,
}

/// Carries out every task, at most so many at a time. The results are in the order of the tasks, whatever the order in
/// which they were done.
pub(super) fn all(tasks: &[Task], threads: usize) -> Vec<Done> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(tasks.len()));
    let bar = ProgressBar::with_draw_target(Some(tasks.len() as u64), ProgressDrawTarget::hidden());
    if io::stderr().is_terminal() && tasks.len() > 1 {
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    let work = || {
        while let Some((index, task)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            tasks.get(index).map(|task| (index, task))
        } {
            let one = one(task);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((index, one));
            bar.inc(1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.clamp(1, tasks.len().max(1)) {
            scope.spawn(work);
        }
        work();
    });
    bar.finish_and_clear();
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, done)| done).collect()
}

fn one(Task { job, sections }: &Task) -> Done {
    let (report, watch) = match sections {
        Some(sections) => {
            let mut watch = Watch::new(job.config.until, *sections);
            (engine::run(&job.config, &mut watch), Some(watch))
        }
        None => (engine::run(&job.config, &mut ()), None),
    };
    let mut outcome = Outcome::new(job, report, None);
    // Of each run only the numbers are kept.
    (outcome.series, outcome.told) = (Vec::new(), Vec::new());
    let section = watch.map(|watch| Section::new(&outcome, watch));
    Done { outcome, section }
}
