//! What a person may ask and do, from wherever the tables can be reached. Each is one look at the record and at most one write.

mod check;
mod explain;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use autoscale_core::logic::Operation;
use autoscale_core::words::{PoolName, Span, Ver};
use clap::{Parser, Subcommand};

use crate::bad::Bad;
use crate::setup::Setup;

/// The serverless autoscaler for k3s on EC2. Settings are environment variables: see the README beside it
#[derive(Parser, Clone, Debug)]
#[command(name = "bootstrap", version, args_conflicts_with_subcommands = true)]
#[non_exhaustive]
pub struct Args {
    /// Take the event in this file, as an invocation would, print the answer, and end
    #[arg(long, value_name = "EVENT.json")]
    pub local: Option<PathBuf>,

    /// What to do instead of waiting for invocations
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// A command besides running.
#[derive(Subcommand, Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// What is under way, and what happens next
    Status {
        /// Print the record as JSON and nothing else; an object with `error` where there is none
        #[arg(long)]
        json: bool,
    },
    /// Why it acted or did not, from the audit log
    Explain(explain::Explain),
    /// Take the lease away from an invocation that is known to be dead; operations go on
    Unlock {
        /// The version of the record, as `status` shows it: another one is refused
        version: u64,
    },
    /// Begin no new scaling action; open ones finish or roll back
    Pause {
        /// Why, for whoever looks at the status
        #[arg(long, value_name = "TEXT")]
        why: String,
        /// Who asks
        #[arg(long, value_name = "NAME", env = "USER", default_value = "somebody")]
        who: String,
        /// For how long [default: until resumed]
        #[arg(long = "for", value_name = "SPAN")]
        lasting: Option<Span>,
    },
    /// End a pause
    Resume,
    /// Declare that everything in a pool is meant to be there: machines that were there before may then be removed like the rest
    Adopt {
        /// The pool
        pool: PoolName,
    },
    /// Ask whether tables, permissions, the master and the cluster are as they have to be; nothing is changed
    Check,
}

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Exit {
    /// All is well.
    Well,
    /// Something could not be done, or a person has to look.
    Failed,
    /// The settings are no good.
    BadSettings,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Well => 0_u8,
            Exit::Failed => 1,
            Exit::BadSettings => 2,
        })
    }
}

impl Command {
    /// Carries it out and prints what came of it.
    ///
    /// # Errors
    /// What it was given cannot be used, or nothing can be printed.
    pub async fn run(self, setup: &Setup, out: &mut (dyn Write + Send)) -> Result<Exit, Bad> {
        let wish = match self {
            Self::Status { json } => return status(setup, json, out).await,
            Self::Explain(explain) => return Box::pin(explain.run(setup, out)).await,
            Self::Check => return Box::pin(check::run(setup, out)).await,
            Self::Unlock { version } => Operation::Unlock { ver: Ver::new(version) },
            Self::Pause { why, who, lasting } => Operation::Pause { who, why, lasting },
            Self::Resume => Operation::Resume,
            Self::Adopt { pool } if setup.policy.pool(&pool).is_none() => {
                let pools: Vec<&str> = setup.policy.pools().keys().map(PoolName::as_str).collect();
                return Err(Bad::setting("adopt", pool.as_str(), pools.join(" or ")));
            }
            Self::Adopt { pool } => Operation::Adopt { pool },
        };
        match setup.driver().operate(&wish).await {
            Ok(status) => written(write!(out, "{}\n{status}", wish.done())).map(|()| Exit::Well),
            Err(error) => failed(&error, false, out),
        }
    }
}

async fn status(setup: &Setup, json: bool, out: &mut (dyn Write + Send)) -> Result<Exit, Bad> {
    match setup.driver().status().await {
        Ok(status) if json => {
            let record = serde_json::to_value(&status.record).unwrap_or_default();
            written(writeln!(out, "{record:#}")).map(|()| Exit::Well)
        }
        Ok(status) => written(write!(out, "{status}")).map(|()| Exit::Well),
        Err(error) => failed(&error, json, out),
    }
}

/// There is no answer, and why; whoever reads JSON is told so in JSON.
fn failed(why: &dyn std::error::Error, json: bool, out: &mut (dyn Write + Send)) -> Result<Exit, Bad> {
    let why = why.to_string();
    let told = if json { serde_json::json!({ "error": why }).to_string() } else { why };
    written(writeln!(out, "{told}")).map(|()| Exit::Failed)
}

/// A reader that has seen enough, like `head`, is no error.
fn written(done: std::io::Result<()>) -> Result<(), Bad> {
    match done {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Bad::of(format!("cannot print: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
        assert!(
            Args::try_parse_from(["bootstrap", "--local", "e.json", "status"]).is_err(),
            "two things at once"
        );
        assert!(matches!(Args::try_parse_from(["bootstrap"]), Ok(Args { local: None, command: None })));
    }
}
