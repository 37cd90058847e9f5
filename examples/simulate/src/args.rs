//! The command line.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use autoscale_core::memory::Settings;
use autoscale_core::sim::{Config, Faults, Scenario};
use autoscale_core::words::Span;
use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::command::Command;
use crate::pods::PodList;
use crate::shapes;
use crate::table::Bad;
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
  simulate explain run.log --at 3h --pool web    why it acted, or did not";

/// A command line that has been understood.
#[derive(Debug)]
pub(crate) struct Job {
    /// What is simulated.
    pub(crate) config: Config,
    /// Where the load came from.
    pub(crate) source: Source,
    /// Whether the static fleet is searched for.
    pub(crate) fleet: bool,
    /// Whether a fault that never happened is a failure.
    pub(crate) every_fault: bool,
    /// Where an audit log is written, and whether every tick is.
    pub(crate) audit: Option<(PathBuf, bool)>,
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
            no_static,
            every_fault,
            audit,
            audit_all,
            json,
        } = self;
        let mut config =
            Config::new(if trace.is_some() || pods.is_some() { Scenario::Steady } else { scenario });
        (config.seed, config.faults, config.scale, config.ticks) = (seed, faults, scale, ticks);
        config.until = until.unwrap_or(config.until);
        let mut source = Source::Scenario;
        if let Some(path) = trace {
            let trace = Trace::read(&path)?;
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
        let audit = audit.map(|path| (path, audit_all));
        Ok(Job { config, source, fleet, every_fault, audit, json })
    }
}

impl Job {
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
        Ok(())
    }
}

fn not_too_long(config: &Config, path: &Path, length: Span) -> Result<(), Bad> {
    match config.until > LONGEST {
        true => Err(Bad::whole(path, format!("{length} is too long: add --until"))),
        false => Ok(()),
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
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
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn job(line: &str) -> Job {
        Args::try_parse_from(line.split_whitespace()).unwrap().into_job().unwrap()
    }

    #[test]
    fn the_command_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn nothing_said_is_the_shop_for_a_week() {
        let job = job("simulate");
        assert_eq!(job.config.scenario, Scenario::Shop);
        assert_eq!((job.config.seed, job.config.faults), (1, Faults::None));
        assert_eq!(job.config.until.to_string(), "7d");
        assert!(job.config.load.is_none() && !job.json);
    }

    #[test]
    fn the_command_that_repeats_says_the_same() {
        for line in [
            "simulate --scenario flash-sale --seed 18446744073709551615 --faults mild --until 1h30m",
            "simulate --scenario steady --seed 0 --faults none --until 366d",
            "simulate --scenario spot-storm --seed 2 --faults hostile --ticks 5000 --scale 10",
        ] {
            let repeat = job(line).to_string();
            assert_eq!(repeat, line.replace("simulate", "cargo run --release -p simulate --"));
        }
        for (_, level) in LEVELS {
            let mut job = job("simulate");
            job.config.faults = level;
            assert_ne!(job.level(), "?");
        }
    }

    #[test]
    fn paths_are_quoted_for_a_shell() {
        for (path, shown) in
            [("a/b_1.csv", "a/b_1.csv"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("", "''")]
        {
            assert_eq!(quoted(Path::new(path)), shown);
        }
    }

    #[test]
    fn refuses() {
        for (line, reason) in [
            ("simulate --scenario shopp", "shop"),
            ("simulate --faults wild", "none, mild, hostile"),
            ("simulate --until 10", "length of time with a unit"),
            ("simulate --until 0s", "more than nothing"),
            ("simulate --until 367d", "at most 366d"),
            ("simulate --seed=-1", "--seed"),
            ("simulate --peak-nodes 5", "--trace"),
            ("simulate --trace a.csv --peak-nodes 0", "1..=1000"),
            ("simulate --trace a.csv --scenario shop", "cannot be used with"),
            ("simulate --pods a.csv", "--shapes"),
            ("simulate --shapes a.csv", "--pods"),
            ("simulate --pods a.csv --shapes b.csv --trace c.csv", "cannot be used with"),
            ("simulate --pods a.csv --shapes b.csv --scale 2", "cannot be used with"),
        ] {
            let error = Args::try_parse_from(line.split_whitespace()).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(reason), "{line}: {error}");
        }
    }
}
