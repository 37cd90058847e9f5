//! `check`: everything that can be asked beforehand, one line each.

use std::io::Write;

use autoscale_core::data::view::Scope;

use super::{Exit, written};
use crate::bad::Bad;
use crate::setup::Setup;

pub(super) async fn run(setup: &Setup, out: &mut (dyn Write + Send)) -> Result<Exit, Bad> {
    let checks = &setup.checks;
    let mut all: Vec<(&str, Vec<String>)> = Vec::new();
    let one = |done: Result<(), autoscale_core::ports::Error>| {
        done.err().map(|error| error.chain()).into_iter().collect()
    };
    match &checks.table {
        Some(table) => all.push(("the record's table", one(table.check().await))),
        None => all.push(("the record's object", one(setup.ports.store.load().await.map(drop)))),
    }
    all.push(("the audit log's table", one(checks.log.check().await)));
    let ec2 = checks.nodes.check(&[]).await;
    all.push(("EC2", ec2.err().into_iter().flatten().map(|error| error.chain()).collect()));
    // Finds the master, fetches the secrets, and logs in.
    all.push((
        "the master and the Kubernetes API",
        one(setup.ports.drainer.survey(&Scope::Everything).await.map(drop)),
    ));
    let mut exit = Exit::Well;
    for (what, wrong) in all {
        if wrong.is_empty() {
            written(writeln!(out, "{what}: well"))?;
            continue;
        }
        exit = Exit::Failed;
        for why in wrong {
            written(writeln!(out, "{what}: {why}"))?;
        }
    }
    Ok(exit)
}
