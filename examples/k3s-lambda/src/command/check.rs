//! `check`: everything that can be asked beforehand, one line each.

use std::io::Write;

use autoscale_core::data::order::{LaunchOrder, Offering};
use autoscale_core::data::policy::{Policy, PoolPolicy};
use autoscale_core::data::view::Scope;
use autoscale_core::ports::Ids;
use autoscale_core::words::Token;

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
    let ec2 = checks.nodes.check(&launches(&setup.policy, &*setup.ports.ids)).await;
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

/// Every shape and way to buy of every pool in its first zone, and its first of each in the others: together they meet every subnet,
/// type and image that will ever be asked for.
fn launches(policy: &Policy, ids: &dyn Ids) -> Vec<LaunchOrder> {
    let (inc, mut orders) = (ids.inc(), Vec::new());
    for pool in policy.pools().values() {
        for offering in offerings(pool) {
            let token = Token::of(&inc, 1, u32::try_from(orders.len()).unwrap_or(u32::MAX), 1);
            let (cluster, name) = (policy.cluster().clone(), pool.name.clone());
            orders.push(LaunchOrder::new(cluster, name, offering, token, pool.template.as_str()));
        }
    }
    orders
}

fn offerings(pool: &PoolPolicy) -> Vec<Offering> {
    let all = pool.zones.iter().zip(0..).flat_map(|(zone, at)| {
        let ways = pool.purchases.iter().zip(0..);
        ways.flat_map(move |(purchase, way)| {
            let shapes =
                pool.shapes.iter().zip(0..).filter(move |(_, shape)| at == 0 || (way, *shape) == (0, 0));
            shapes.map(move |(shape, _)| Offering::new(zone.clone(), *purchase, shape.name.clone()))
        })
    });
    all.collect()
}
