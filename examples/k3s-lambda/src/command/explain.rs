//! `explain`: why it acted, why it did not, what it waits for and until when.

use std::io::Write;

use autoscale_core::data::audit::{Read, Reader};
use autoscale_core::logic::{Explainer, Question};
use autoscale_core::ports::AuditRange;
use autoscale_core::words::PoolName;

use super::{Exit, written};
use crate::bad::Bad;
use crate::setup::Setup;

/// What is asked.
#[derive(clap::Args, Clone, Debug)]
#[non_exhaustive]
pub struct Explain {
    /// Also of this node, by its name or the id of its instance: whether it may go, and why not
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,

    /// Of this pool only
    #[arg(long, value_name = "POOL")]
    pub pool: Option<PoolName>,

    /// The newest decision to do something
    #[arg(long)]
    pub acted: bool,

    /// Print one JSON object and nothing else
    #[arg(long)]
    pub json: bool,
}

impl Explain {
    pub(super) async fn run(self, setup: &Setup, out: &mut (dyn Write + Send)) -> Result<Exit, Bad> {
        let mut question = Question::default();
        (question.pool, question.node, question.acted) = (self.pool, self.node, self.acted);
        let failed = |why: &dyn std::fmt::Display| Bad::of(format!("LOGS_TABLE: {why}"));
        let mut explainer = Explainer::new(question);
        let mut reader = Reader::new();
        let mut range = AuditRange::all();
        loop {
            let page = setup.log.read(&range).await.map_err(|error| failed(&error.chain()))?;
            for line in &page.lines {
                // What a writer left that died, and what differs from lines older than the log, is no entry.
                if let Read::Entry(entry) = reader.line(line).map_err(|broken| failed(&broken))? {
                    let (head, entry) = *entry;
                    explainer.see(head, entry);
                }
            }
            match page.next {
                Some(next) => range.after = Some(next),
                None => break,
            }
        }
        match explainer.answer() {
            Ok(answer) if self.json => {
                let answer = serde_json::to_value(&answer).unwrap_or_default();
                written(writeln!(out, "{answer:#}")).map(|()| Exit::Well)
            }
            Ok(answer) => written(write!(out, "{answer}")).map(|()| Exit::Well),
            Err(none) => written(writeln!(out, "{none}")).map(|()| Exit::Failed),
        }
    }
}
