//! `explain`: why it acted, why it did not, what it waits for and until when.

use std::io::Write;

use autoscale_core::driver::{ExplainFailed, explain};
use autoscale_core::logic::Question;
use autoscale_core::words::PoolName;

use super::{Exit, failed, written};
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

    /// Print one JSON object and nothing else; with `error` where there is no answer
    #[arg(long)]
    pub json: bool,
}

impl Explain {
    pub(super) async fn run(self, setup: &Setup, out: &mut (dyn Write + Send)) -> Result<Exit, Bad> {
        let mut question = Question::default();
        (question.pool, question.node, question.acted) = (self.pool, self.node, self.acted);
        match explain(&*setup.log, question).await {
            Ok(answer) if self.json => {
                let answer = serde_json::to_value(&answer).unwrap_or_default();
                written(writeln!(out, "{answer:#}")).map(|()| Exit::Well)
            }
            Ok(answer) => written(write!(out, "{answer}")).map(|()| Exit::Well),
            Err(ExplainFailed::NoAnswer(none)) => failed(&none, self.json, out),
            Err(why) => Err(Bad::of(format!("LOGS_TABLE: {why}"))),
        }
    }
}
