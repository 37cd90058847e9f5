//! `explain`: why it acted, why it did not, what it waits for and until when.

use std::io::Write;
use std::sync::Arc;

use autoscale_core::driver::{Auditor, ExplainFailed, Report, Trigger, explain};
use autoscale_core::file::AuditFile;
use autoscale_core::logic::{Answer, NoAnswer, Question};
use autoscale_core::memory::AuditMemory;
use autoscale_core::words::{HolderId, PoolName};

use super::{Context, failed, written};
use crate::bad::Bad;
use crate::dry::Dry;
use crate::start::Exit;

/// What is asked.
#[derive(clap::Args, Clone, Debug)]
pub struct Explain {
    /// Also of this node, by its name or the id of its instance: whether it may go, and why not
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,

    /// Of this pool only
    #[arg(long, value_name = "POOL")]
    pub pool: Option<PoolName>,

    /// The newest decision to do something, of the audit log
    #[arg(long, conflicts_with = "fresh")]
    pub acted: bool,

    /// Look afresh, also where there is an audit log
    #[arg(long)]
    pub fresh: bool,

    /// Print one JSON object and nothing else; with `error` where there is no answer
    #[arg(long)]
    pub json: bool,
}

impl Explain {
    pub(super) async fn run(self, context: Context, out: &mut (dyn Write + Send)) -> Result<Exit, Bad> {
        let mut question = Question::default();
        (question.pool, question.node, question.acted) = (self.pool, self.node, self.acted);
        let log = context.settings.options.audit.clone().filter(|_| !self.fresh);
        let (name, answer) = match log {
            Some(path) => {
                let name = path.display().to_string();
                // The older files beside it are read too.
                let log =
                    AuditFile::open(&path).map_err(|error| Bad::of(format!("{name}: {}", error.chain())))?;
                (name, explain(&log, question).await)
            }
            None if self.acted => {
                return Err(Bad::of("--acted: expected the audit log that it is about, as --audit"));
            }
            None => ("a fresh look".to_owned(), Box::pin(afresh(context, question)).await),
        };
        match answer {
            Ok(answer) if self.json => {
                let answer = serde_json::to_value(&answer).unwrap_or_default();
                written(writeln!(out, "{answer:#}")).map(|()| Exit::Well)
            }
            Ok(answer) => written(write!(out, "{answer}")).map(|()| Exit::Well),
            Err(ExplainFailed::NoAnswer(none)) => failed(&none, self.json, out),
            Err(why) => Err(Bad::of(format!("{name}: {why}"))),
        }
    }
}

/// A tick that looks at every pod and changes nothing.
async fn afresh(mut context: Context, question: Question) -> Result<Answer, ExplainFailed> {
    let _dry = Dry::wrap(&mut context.setup.ports, true);
    let driver = context.driver();
    driver.park();
    let report = driver.tick(&Trigger::Schedule).await;
    explained(&report, question).await
}

/// What a report answers.
pub(crate) async fn explained(report: &Report, question: Question) -> Result<Answer, ExplainFailed> {
    let log = Arc::new(AuditMemory::new());
    let name = HolderId::new("fresh").map_err(|_| NoAnswer::Empty)?;
    let mut auditor = Auditor::new(log.clone(), name).with_everything();
    // Memory takes it, unless the report is longer than any log takes: then there is no entry.
    if let Err(error) = auditor.record(report).await {
        tracing::warn!(error = error.to_string(), "cannot be explained");
    }
    explain(&*log, question).await
}
