//! A provider of your own, a rack of machines, and the conformance suite over it.
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use autoscale_core::conformance::{NodeStage, Wares, nodes};
use autoscale_core::data::order::{LaunchOrder, Launched, Offering, TerminateOrder};
use autoscale_core::data::policy::Purchase;
use autoscale_core::data::view::{Instance, Listing, Ownership, Phase};
use autoscale_core::ports::{Error, ErrorKind, NodeProvider, Result};
use autoscale_core::words::{Deadline, InstanceId, Timestamp, Token};

/// Every machine that was ever switched on, and for whom.
#[derive(Clone, Debug, Default)]
struct Rack(Arc<Mutex<Vec<(LaunchOrder, Instance)>>>);

/// Milliseconds since 1970; a real provider reads deadlines on the boot clock.
fn now() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as u64)
}
fn check(holds: bool, kind: ErrorKind) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::new(kind, "switch a machine")) }
}

#[async_trait]
impl NodeProvider for Rack {
    async fn list(&self) -> Result<Listing> {
        let all = self.0.lock().expect("sound").iter().map(|(_, machine)| machine.clone()).collect();
        Ok(Listing::new(Timestamp::from_millis(now() as i64), all))
    }
    async fn launch(&self, order: &LaunchOrder) -> Result<Launched> {
        check(Deadline::from_millis(now()) <= order.not_after, ErrorKind::NotSent)?;
        let mut machines = self.0.lock().expect("sound");
        if let Some((first, one)) = machines.iter().find(|(first, _)| first.token == order.token) {
            check(first.offering == order.offering, ErrorKind::TokenMismatch)?;
            check(one.phase.is_alive(), ErrorKind::TokenSpent)?;
            return Ok(Launched::new(one.id.clone()));
        }
        let id = InstanceId::new(format!("machine-{}", machines.len())).expect("letters, a dash, digits");
        let (at, mut new) = (order.offering.clone(), Instance::new(id.clone(), Ownership::Ours));
        (new.pool, new.token) = (Some(order.pool.clone()), Some(order.token.clone()));
        (new.zone, new.purchase, new.shape) = (Some(at.zone), Some(at.purchase), Some(at.shape));
        machines.push((order.clone(), new));
        Ok(Launched::new(id))
    }
    async fn terminate(&self, order: &TerminateOrder) -> Result<()> {
        check(Deadline::from_millis(now()) <= order.not_after, ErrorKind::NotSent)?;
        let mut machines = self.0.lock().expect("sound");
        for (first, one) in machines.iter_mut().filter(|(_, one)| one.id == order.instance) {
            check(first.cluster == order.cluster, ErrorKind::Denied { action: "its label".to_owned() })?;
            one.phase = Phase::Terminated;
        }
        Ok(())
    }
}

#[async_trait]
impl NodeStage for Rack {
    fn provider(&self) -> Arc<dyn NodeProvider> {
        Arc::new(self.clone())
    }
    fn wares(&self) -> Wares {
        let (zone, shape) = ("left".parse().expect("a zone"), "box".parse().expect("a shape"));
        let left = Offering::new(zone, Purchase::OnDemand, shape);
        Wares::new("home".parse().expect("a cluster"), "rack".parse().expect("a pool"), left)
    }
    async fn bought(&self, token: &Token) -> Vec<InstanceId> {
        let of = |(first, one): &(LaunchOrder, Instance)| (first.token == *token).then(|| one.id.clone());
        self.0.lock().expect("sound").iter().filter_map(of).collect()
    }
    async fn is_alive(&self, id: &InstanceId) -> bool {
        self.0.lock().expect("sound").iter().any(|(_, one)| one.id == *id && one.phase.is_alive())
    }
}

fn main() {
    let suite = futures_util::future::FutureExt::now_or_never(nodes(async || Rack::default()));
    println!("{}", suite.as_ref().expect("a rack never waits"));
    suite.into_iter().for_each(|verdicts| verdicts.assert_all());
}
