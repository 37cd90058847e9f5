//! `--compare`: several policies under the same load and the same seeds.

mod found;
mod spread;
mod table;
mod work;

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use autoscale_core::data::policy::Policy;
use autoscale_core::sim::scenario_policy;

use crate::args::{Args, Job, quoted};
use crate::bad::Bad;
use crate::limits::limits;
use crate::policy::PolicyFile;
use crate::report::{self, Section};
use crate::{BROKEN, OK, refuse, text};
use found::Found;
use work::Task;

/// Policies that the page shows, the first ones.
const SECTIONS: usize = 12;

/// The name of the scenario's own policy.
const OWN: &str = "default";

/// What is compared, everything read and checked.
#[derive(Debug)]
pub(crate) struct Comparison {
    job: Job,
    entries: Vec<Entry>,
    seeds: Vec<u64>,
    threads: usize,
}

/// One policy of a comparison.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// What it is called in tables: the name of its file, or the path where names repeat.
    name: String,
    /// Its file; `None` is the scenario's own.
    path: Option<PathBuf>,
    policy: Arc<Policy>,
    not_simulated: Vec<String>,
}

impl Comparison {
    /// Reads everything.
    ///
    /// # Errors
    /// Everything that is wrong with any of the files.
    pub(crate) fn read(mut args: Args) -> Result<Self, Bad> {
        let (paths, seeds, threads) = (std::mem::take(&mut args.compare), args.seeds, args.threads);
        let files = paths.iter().map(|path| match path.as_os_str() == OWN {
            true => Ok(None),
            false => PolicyFile::read(path).map(Some),
        });
        let (job, files) = match (args.into_job(), Bad::all(files)) {
            (Ok(job), Ok(files)) => (job, files),
            (job, files) => {
                return Err(Bad::Several([files.err(), job.err()].into_iter().flatten().collect()));
            }
        };
        let names = names(&paths);
        let entries = files.into_iter().zip(names).map(|(file, name)| {
            let (path, policy) = match file {
                Some(file) => (Some(file.path), file.policy),
                None => (None, scenario_policy(&job.config)),
            };
            let not_simulated = if path.is_some() { limits(&policy, &job.config) } else { Vec::new() };
            Entry { name, path, policy, not_simulated }
        });
        let seeds = (0..u64::from(seeds)).map(|number| job.config.seed.wrapping_add(number)).collect();
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.map_or_else(cores, |threads| threads as usize);
        Ok(Self { entries: entries.collect(), job, seeds, threads })
    }

    /// Runs every policy under every seed and prints what came of it. The exit code, as in `main`.
    ///
    /// # Errors
    /// Nothing more can be printed.
    pub(crate) fn run(self, out: &mut dyn Write) -> io::Result<u8> {
        let Self { job, entries, seeds, threads } = &self;
        let shown = entries.len().min(SECTIONS);
        let runs = entries.iter().enumerate().flat_map(|(number, entry)| {
            seeds.iter().map(move |seed| (entry, *seed, number < shown && seeds.first() == Some(seed)))
        });
        let tasks: Vec<_> = runs
            .map(|(entry, seed, shows)| Task {
                job: self.job_of(entry, seed),
                sections: (job.report.is_some() && shows).then_some(shown),
            })
            .collect();
        let mut done = work::all(&tasks, *threads);
        let sections: Vec<Section> = done.iter_mut().filter_map(|done| done.section.take()).collect();
        if let Some(path) = &job.report
            && let Err(bad) = report::write(path, &sections)
        {
            return Ok(refuse(&bad));
        }
        let found = Found::new(&self, done);
        let page = match job.json {
            true => serde_json::to_string_pretty(&found)? + "\n",
            false => table::render(&found, text::Look::of_stdout().width),
        };
        let code = if found.is_broken() { BROKEN } else { OK };
        match out.write_all(page.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(code),
        }
    }

    /// The run of one policy under one seed.
    fn job_of(&self, entry: &Entry, seed: u64) -> Job {
        let mut job = self.job.clone();
        (job.config.seed, job.fleet, job.policy) = (seed, false, entry.path.clone());
        // Without a policy of its own a run under hostile faults has people who change it.
        job.config.policy = entry.path.as_ref().map(|_| entry.policy.clone());
        job
    }
}

/// The command that repeats the comparison.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} --compare", self.job)?;
        for entry in &self.entries {
            let path = entry.path.as_deref().unwrap_or(Path::new(OWN));
            write!(f, " {}", quoted(path))?;
        }
        write!(f, " --seeds {}", self.seeds.len())
    }
}

/// The names of files without their folders and endings, where these differ; else the paths.
fn names(paths: &[PathBuf]) -> Vec<String> {
    let stem = |path: &PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let unique = |path: &PathBuf| paths.iter().filter(|other| stem(other) == stem(path)).count() == 1;
    let name = |path: &PathBuf| match stem(path).filter(|_| unique(path)) {
        Some(stem) => stem,
        None => path.display().to_string(),
    };
    paths.iter().map(name).collect()
}

#[cfg(test)]
mod tests;
