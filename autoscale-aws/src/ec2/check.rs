//! Asking beforehand whether everything is permitted.

use autoscale_core::data::order::LaunchOrder;
use autoscale_core::data::view::{Ownership, Phase};
use autoscale_core::ports::{Error, ErrorKind, Result};

use super::error;
use super::provider::{Ec2Nodes, Zones};
use super::request;
use crate::failure::Failure;
use crate::watch::Watch;

/// What EC2 answers to a dry run that would have been carried out.
const WOULD_BE: &str = "DryRunOperation";

impl Ec2Nodes {
    /// Asks EC2 whether it would do what this library will ask of it: list, look up subnets, carry out these launches, terminate
    /// one of the cluster's machines, if there is one. Nothing is run and nothing is ended (`DryRun`). For the start of a
    /// program, with a launch for each pool and way to buy.
    ///
    /// # Errors
    /// Everything that would be refused, each with the missing action. A dry run does not tell whether there is capacity.
    pub async fn check(&self, launches: &[LaunchOrder]) -> std::result::Result<(), Vec<Error>> {
        let mut wrong = Vec::new();
        match self.subnets().await {
            Err(error) => wrong.push(error),
            Ok(zones) => {
                for order in launches {
                    wrong.extend(self.dry_launch(&zones, order).await.err());
                }
            }
        }
        wrong.extend(self.dry_terminate().await.err());
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    async fn dry_launch(&self, zones: &Zones, order: &LaunchOrder) -> Result<()> {
        let subnets = zones.get(&order.offering.zone).map(Vec::as_slice).unwrap_or_default();
        let attempted = format!("launch {} for pool {}", order.offering, order.pool);
        let run = request::run(&self.config, subnets, order)
            .map_err(|why| Error::new(ErrorKind::Invalid, format!("{attempted}: {why}")))?;
        let run = request::Run { dry: true, ..run };
        let answer = self.api.run(&run, &Watch::new()).await.map(drop);
        would_be(answer, |failure| error::launch(failure, order))
    }

    async fn dry_terminate(&self) -> Result<()> {
        let listing = self.listing().await?;
        let ours = listing.instances.iter().find(|instance| {
            instance.ownership == Ownership::Ours && matches!(instance.phase, Phase::Running | Phase::Pending)
        });
        let Some(ours) = ours else { return Ok(()) };
        let answer = self.api.terminate(ours.id.as_str(), true, &Watch::new()).await;
        let attempted = format!("terminate {}", ours.id);
        would_be(answer, |failure| failure.looking(&attempted, "ec2:TerminateInstances"))
    }
}

/// A dry run always ends in an error: the one that says that it would be done, or another.
fn would_be(answer: Result<(), Failure>, wrong: impl FnOnce(Failure) -> Error) -> Result<()> {
    match answer {
        Ok(()) => Ok(()),
        Err(failure) if failure.code.as_deref() == Some(WOULD_BE) => Ok(()),
        Err(failure) => Err(wrong(failure)),
    }
}
