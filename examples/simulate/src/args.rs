//! The command line.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use autoscale_core::data::policy::Policy;
use autoscale_core::memory::Settings;
use autoscale_core::sim::{Config, Faults, Scenario, scenario_policy};
use autoscale_core::words::Span;
use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::bad::Bad;
use crate::command::Command;
use crate::pods::PodList;
use crate::policy::PolicyFile;
use crate::shapes;
use crate::trace::Trace;

/// A run longer than this is a slip of the hand.
const LONGEST: Span = Span::from_mins(366 * 24 * 60);

/// The nodes that the highest value of a trace needs, unless told.
const PEAK_NODES: u32 = 10;

/// Every level of faults, with its name.
const LEVELS: [(&str, Faults); 3] =
    [("none", Faults::None), ("mild", Faults::Mild), ("hostile", Faults::Hostile)];

/// Simulates an autoscaled fleet in virtual time and says what it did, what it cost and whether it stayed safe.
///
/// The exit code is 0 when all is well, 1 when an invariant broke or a fault was missed, 2 when the input is no good.
#[derive(Parser, Debug)]
#[command(name = "simulate", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// The load, and what the cloud does to the nodes
    #[arg(long, value_name = "NAME", default_value = "shop", value_parser = scenario())]
    scenario: Scenario,

    /// Thrown for every choice: the same seed is the same run
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// What goes wrong between the library and the cloud, besides the scenario
    #[arg(long, value_name = "LEVEL", default_value = "none", value_parser = faults())]
    faults: Faults,

    /// Virtual time to run, like 12h or 7d [default: 7d, or the whole trace]
    #[arg(long, value_name = "SPAN", value_parser = length)]
    until: Option<Span>,

    /// How many times the load and the sizes of the scenario: 10 runs on 50 nodes and more
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    scale: u32,

    /// Run until so many ticks have begun, then for a calm hour and a half
    #[arg(long, value_name = "N", conflicts_with = "until", value_parser = clap::value_parser!(u64).range(1..=3_000_000))]
    ticks: Option<u64>,

    /// A real load in place of a scenario: a file of `timestamp,value`
    ///
    /// The first line is that header. Times are `2026-01-31 12:00:00` (UTC), RFC 3339 or seconds since 1970, each
    /// later than the one before. A value holds until the next row, across gaps too; the last one holds for a
    /// typical step. A file with a bad row is refused.
    #[arg(long, value_name = "FILE", conflicts_with = "scenario")]
    trace: Option<PathBuf>,

    /// Nodes whose CPU the highest value of the trace uses up
    #[arg(long, value_name = "N", default_value_t = PEAK_NODES, requires = "trace", value_parser = clap::value_parser!(u32).range(1..=1000))]
    peak_nodes: u32,

    /// A list of pods in place of a scenario: a file of what each asks for and when it lives
    ///
    /// The first line is `name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,
    /// scheduled_time`. Times are seconds; the run begins with the first pod. A pod without a deletion time lives to the
    /// end. A pod asks for num_gpu times gpu_milli thousandths of a GPU, as if devices could be divided at will, and
    /// of one of the models in gpu_spec, like `A10|T4`. The columns qos, pod_phase and scheduled_time are not looked at.
    /// A file with a bad row is refused.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenario", "trace", "scale"], requires = "shapes")]
    pods: Option<PathBuf>,

    /// The machine types for the list of pods, each bought by a pool of its own
    ///
    /// The first line is `name,cpu_milli,memory_mib,pods,gpu,model,price`, where pods, gpu, model and price may be
    /// empty; or it is `sn,cpu_milli,memory_mib,gpu,model`, a list of machines of which the distinct ones are taken.
    #[arg(long, value_name = "FILE", requires = "pods")]
    shapes: Option<PathBuf>,

    /// The policy to run under, in place of the scenario's own: a YAML, TOML or JSON file
    ///
    /// `simulate validate` says what is wrong with one, and what it says in words. What of it the simulated world does
    /// not offer is named in the output.
    #[arg(long, value_name = "FILE", conflicts_with = "pods")]
    policy: Option<PathBuf>,

    /// Do not search for the static fleet to compare with: it runs the whole load several times
    ///
    /// Nor is it searched for with `--ticks`, whose length is not known before, with a list of pods, and for the
    /// scenario 1000-nodes.
    #[arg(long)]
    no_static: bool,

    /// Fail when a fault of the level never happened
    #[arg(long)]
    every_fault: bool,

    /// Write an audit log of the run: what each tick saw and decided, for `simulate replay` and `simulate explain`
    ///
    /// The file must not be there yet. An entry is written when a verdict changes, when something is done, and once an
    /// hour. Ticks that are killed leave none.
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,

    /// Write an entry for every tick
    #[arg(long, requires = "audit")]
    audit_all: bool,

    /// Several policies under the same load and the same seeds, side by side in one table
    ///
    /// `default` is the scenario's own policy. Everything is read and checked before anything runs.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["policy", "pods", "every_fault", "audit"])]
    pub(crate) compare: Vec<PathBuf>,

    /// How many seeds each policy of a comparison runs under, from --seed on
    #[arg(long, value_name = "N", default_value_t = 1, requires = "compare", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) seeds: u32,

    /// Runs of a comparison at the same time, at most; what is printed does not depend on it [default: every core]
    #[arg(long, value_name = "N", requires = "compare", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) threads: Option<u32>,

    /// Write a page for a browser: the fleet over time, and every decision with its reasons
    ///
    /// One file that needs nothing else, not even a network. Of a comparison it shows the first
    /// seed of each policy, of at most 12.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,

    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  simulate                                       the shop, for 7 days
  simulate --scenario spot-storm --faults mild --seed 7
  simulate --trace requests.csv --peak-nodes 20 --json
  simulate --pods pods.csv --shapes machines.csv
  simulate --faults hostile --until 1d --no-static --audit run.log
  simulate replay run.log                        decides all of it again and compares
  simulate explain run.log --at 3h --pool web    why it acted, or did not
  simulate validate policy.yaml
  simulate --trace requests.csv --policy policy.yaml --report run.html
  simulate --trace requests.csv --compare default policy.yaml --seeds 5";

/// A command line that has been understood.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// What is simulated.
    pub(crate) config: Config,
    /// Where the load came from.
    pub(crate) source: Source,
    /// Where the policy came from; `None` is the scenario's own, or that of the machine types.
    pub(crate) policy: Option<PathBuf>,
    /// Whether the static fleet is searched for.
    pub(crate) fleet: bool,
    /// Whether a fault that never happened is a failure.
    pub(crate) every_fault: bool,
    /// Where an audit log is written, and whether every tick is.
    pub(crate) audit: Option<(PathBuf, bool)>,
    /// Where the page for a browser goes.
    pub(crate) report: Option<PathBuf>,
    /// Whether JSON is wanted.
    pub(crate) json: bool,
}

/// Where the load came from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The scenario.
    Scenario,
    /// A file, and the nodes that its highest value needs.
    Trace { path: PathBuf, peak_nodes: u32 },
    /// A list of pods, machine types, and the names of the pods that fit on none of them.
    Pods { pods: PathBuf, shapes: PathBuf, unseatable: Vec<String> },
}

impl Args {
    /// Reads the files, if there are any.
    ///
    /// # Errors
    /// Every bad row of them.
    pub(crate) fn into_job(self) -> Result<Job, Bad> {
        let Self {
            command: _,
            scenario,
            seed,
            faults,
            until,
            scale,
            ticks,
            trace,
            peak_nodes,
            pods,
            shapes,
            policy,
            no_static,
            every_fault,
            audit,
            audit_all,
            compare: _,
            seeds: _,
            threads: _,
            report,
            json,
        } = self;
        let policy = policy.map(|path| PolicyFile::read(&path)).transpose();
        let mut config =
            Config::new(if trace.is_some() || pods.is_some() { Scenario::Steady } else { scenario });
        (config.seed, config.faults, config.scale, config.ticks) = (seed, faults, scale, ticks);
        config.until = until.unwrap_or(config.until);
        let mut source = Source::Scenario;
        let read = trace.map(|path| Trace::read(&path).map(|trace| (path, trace))).transpose();
        let (policy, trace) = match (policy, read) {
            (Ok(policy), Ok(trace)) => (policy, trace),
            (policy, trace) => {
                return Err(Bad::Several([policy.err(), trace.err()].into_iter().flatten().collect()));
            }
        };
        config.policy = policy.as_ref().map(|file| file.policy.clone());
        if let Some((path, trace)) = trace {
            config.until = until.map_or(trace.length, |until| until.min(trace.length));
            not_too_long(&config, &path, trace.length)?;
            config.load = Some(trace.scaled_to(peak_nodes));
            source = Source::Trace { path, peak_nodes };
        }
        if let (Some(pods), Some(shapes)) = (pods, shapes) {
            let types = shapes::read(&shapes)?;
            let list = PodList::read(&pods)?;
            config.until = until.unwrap_or(list.length);
            not_too_long(&config, &pods, list.length)?;
            let policy = shapes::policy(&types).map_err(|reason| Bad::whole(&shapes, reason))?;
            let daemon = Settings::for_policy(&policy).map(|settings| settings.daemon).unwrap_or_default();
            let unseatable = list.unseatable(&types, &daemon);
            (config.pods, config.policy) = (Some(Arc::new(list.pods)), Some(policy));
            source = Source::Pods { pods, shapes, unseatable };
        }
        let small = config.pods.is_none() && config.scenario != Scenario::ThousandNodes;
        let fleet = !no_static && ticks.is_none() && small;
        let (audit, policy) = (audit.map(|path| (path, audit_all)), policy.map(|file| file.path));
        if let Some(path) = &report {
            crate::report::touch(path)?;
        }
        Ok(Job { config, source, policy, fleet, every_fault, audit, report, json })
    }
}

impl Job {
    /// The policy that the run begins under.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.config.policy.clone().unwrap_or_else(|| scenario_policy(&self.config))
    }

    /// The name of the level of faults.
    pub(crate) fn level(&self) -> &'static str {
        LEVELS.iter().find(|(_, level)| *level == self.config.faults).map_or("?", |(name, _)| name)
    }
}

/// The command that repeats the run.
impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cargo run --release -p simulate --")?;
        match &self.source {
            Source::Trace { path, peak_nodes } => {
                write!(f, " --trace {} --peak-nodes {peak_nodes}", quoted(path))?;
            }
            Source::Pods { pods, shapes, .. } => {
                write!(f, " --pods {} --shapes {}", quoted(pods), quoted(shapes))?;
            }
            Source::Scenario => write!(f, " --scenario {}", self.config.scenario)?,
        }
        write!(f, " --seed {} --faults {}", self.config.seed, self.level())?;
        match self.config.ticks {
            Some(ticks) => write!(f, " --ticks {ticks}")?,
            None => write!(f, " --until {}", self.config.until)?,
        }
        if self.config.scale > 1 {
            write!(f, " --scale {}", self.config.scale)?;
        }
        match &self.policy {
            Some(path) => write!(f, " --policy {}", quoted(path)),
            None => Ok(()),
        }
    }
}

fn not_too_long(config: &Config, path: &Path, length: Span) -> Result<(), Bad> {
    match config.until > LONGEST {
        true => Err(Bad::whole(path, format!("{length} is too long: add --until"))),
        false => Ok(()),
    }
}

/// A path as a shell takes it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn scenario() -> impl TypedValueParser<Value = Scenario> {
    PossibleValuesParser::new(Scenario::ALL.map(|(name, _)| name)).try_map(|name| name.parse::<Scenario>())
}

fn faults() -> impl TypedValueParser<Value = Faults> {
    PossibleValuesParser::new(LEVELS.map(|(name, _)| name)).try_map(|name| name.parse::<Faults>())
}

fn length(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error| format!("{error}"))?;
    if span == Span::ZERO || span > LONGEST {
        return Err(format!("expected more than nothing and at most {LONGEST}"));
    }
    Ok(span)
}

#[cfg(test)]
mod tests;
