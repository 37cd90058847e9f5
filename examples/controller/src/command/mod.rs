//! What a person may ask and do, besides running. Each is one look at the record and at most one write.

mod explain;

use std::io::Write;
use std::sync::Arc;

use autoscale_core::driver::Driver;
use autoscale_core::logic::Operation;
use autoscale_core::ports::{Clock, Ids};
use autoscale_core::words::{PoolName, Span, Ver};
use clap::Subcommand;

use crate::bad::Bad;
use crate::settings::Settings;
use crate::setup::Setup;
use crate::start::Exit;

pub(crate) use explain::explained;

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
    /// Why it acted or did not: from the audit log of `--audit`, else from a fresh look that changes nothing
    Explain(explain::Explain),
    /// Take the lease away from a replica that is known to be dead; operations go on
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
    /// Declare that everything in a pool is meant to be there
    Adopt {
        /// The pool
        pool: PoolName,
    },
}

/// What a command works with.
#[derive(Debug)]
#[non_exhaustive]
pub struct Context {
    /// What was set.
    pub settings: Settings,
    /// The ports.
    pub setup: Setup,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Names that nobody else has.
    pub ids: Arc<dyn Ids>,
}

impl Context {
    fn driver(&self) -> Driver {
        self.setup.maker().driver(self.settings.policy.clone())
    }
}

impl Command {
    /// Carries it out and prints what came of it.
    ///
    /// # Errors
    /// What it was given cannot be used, or nothing can be printed.
    pub async fn run(self, context: Context, out: &mut (dyn Write + Send)) -> Result<Exit, Bad> {
        let wish = match self {
            Self::Status { json } => return status(&context, json, out).await,
            Self::Explain(explain) => return Box::pin(explain.run(context, out)).await,
            Self::Unlock { version } => Operation::Unlock { ver: Ver::new(version) },
            Self::Pause { why, who, lasting } => Operation::Pause { who, why, lasting },
            Self::Resume => Operation::Resume,
            Self::Adopt { pool } if context.settings.policy.pool(&pool).is_none() => {
                let pools: Vec<&str> = context.settings.policy.pools().keys().map(PoolName::as_str).collect();
                return Err(Bad::setting("adopt", pool, pools.join(" or ")));
            }
            Self::Adopt { pool } => Operation::Adopt { pool },
        };
        if context.settings.options.dry_run {
            return Err(Bad::setting("--dry-run", "true", "a command that changes nothing: leave it out"));
        }
        match context.driver().operate(&wish).await {
            Ok(status) => written(write!(out, "{}\n{status}", wish.done())).map(|()| Exit::Well),
            Err(error) => failed(&error, false, out),
        }
    }
}

async fn status(context: &Context, json: bool, out: &mut (dyn Write + Send)) -> Result<Exit, Bad> {
    match context.driver().status().await {
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
