//! [`NodeProvider`] on virtual machines.
//!
//! **A machine's name is the name of its operation**: `as-<inc>-<seq>-<slot>`, the same in every attempt of a slot, and it is made by a PUT with
//! `If-None-Match: *`. So Azure itself holds that a slot buys one machine at most, however many copies of a request arrive, and nothing has
//! to be waited for after an unclear answer (`launch_delay` 0 in the driver's settings). A machine that failed before it ran is deleted, with
//! its interface and its disk, before the next attempt takes the name. The same name may be used again after its machine is gone: a
//! token whose machine was ended buys a machine with the same id.
//!
//! **A launch is done when Azure has accepted it.** It looks for a moment whether the machine fails at once ([`VmConfigBuilder::with_watch`]), because that
//! is a refusal for lack of capacity; one that fails later is listed as not yet running, and given up when it does not join.
//!
//! **Tags from birth**: `autoscale-cluster`, `-pool`, `-role`, `-token`, and the user's own. Nothing is tagged later. What carries `autoscale-role:
//! control-plane` is never touched; `autoscale-keep: true` on a machine forbids to end it.
//!
//! **Zones** are named as Kubernetes names them on Azure's nodes: `westeurope-1`; the location alone, `westeurope`, is no zone.
//!
//! **A machine that was ended vanishes** from Azure's list. One whose end had begun is asked for by its name then, and listed as terminated
//! for 20 minutes where there is none; what vanishes otherwise is only absent. So a removal is over as soon as the machine is gone, unless the
//! process that began it has died since: then the core waits for absence from lists, a quarter of an hour.
//!
//! **Power states** come with the list of a scale set. Without one Azure tells them only machine by machine: then only machines that failed are
//! asked for, and a machine that somebody has stopped is listed as running.
//!
//! The custom role of the identity is in `roles/`, for a resource group that holds workers only.

mod arm;
mod check;
mod config;
mod error;
mod gone;
mod launch;
mod poll;
mod request;
mod response;
mod sdk;
#[cfg(test)]
mod tests;
mod time;
mod transport;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::data::order::{LaunchOrder, Launched, TerminateOrder};
use autoscale_core::data::view::{Listing, Ownership};
use autoscale_core::ports::{Clock, Error, ErrorKind, NodeProvider, Result};
use autoscale_core::words::{Deadline, Span};
use azure_core::credentials::TokenCredential;
use futures_util::future::join_all;
use url::Url;

use arm::{Answer, ArmCompute};
use error::{Meant, Said};
use gone::Ending;
use request::machine_of;
use response::{Machine, Page, Provisioning};

pub use config::{DiskKind, Image, VmConfig, VmConfigBuilder};

/// For how long a launch that was sent may still be carried out (rule R7), for the driver's `with_launch_delay`: its name is
/// the operation's, so that a late copy makes no second machine, and nothing has to be waited for.
pub const LAUNCH_DELAY: Span = Span::ZERO;

/// Most machines that are looked at one by one within a list.
const LOOKS: usize = 20;

/// Virtual machines as nodes.
#[derive(Clone, Debug)]
pub struct Vms {
    arm: Arc<dyn ArmCompute>,
    config: Arc<VmConfig>,
    clock: Arc<dyn Clock>,
    ending: Arc<Ending>,
}

impl Vms {
    /// Over HTTPS, with the tokens of a credential of the SDK. `clock` is the driver's, by which orders say until when they may be sent.
    ///
    /// # Errors
    /// `Invalid`: the HTTPS client cannot be set up, such as where the system has no root certificates.
    pub fn new(
        config: VmConfig,
        credential: Arc<dyn TokenCredential>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let transport = Arc::new(transport::Https::new(config.timeout)?);
        Ok(Self::with_transport(config, credential, clock, transport))
    }

    /// Over a transport of yours, such as one that goes through a proxy. It must send a request once, and follow no redirect.
    pub fn with_transport(
        config: VmConfig,
        credential: Arc<dyn TokenCredential>,
        clock: Arc<dyn Clock>,
        transport: Arc<dyn azure_core_021::HttpClient>,
    ) -> Self {
        let config = Arc::new(config);
        let arm = sdk::Sdk { config: Arc::clone(&config), transport, credential, clock: Arc::clone(&clock) };
        Self { arm: Arc::new(arm), config, clock, ending: Arc::default() }
    }

    /// An address that an answer gave, if it leads to the configured host: a token goes nowhere else.
    fn own(&self, text: &str) -> Option<Url> {
        let endpoint = &self.config.endpoint;
        let url = endpoint.join(text).ok()?;
        let same = url.scheme() == endpoint.scheme()
            && url.host_str() == endpoint.host_str()
            && url.port_or_known_default() == endpoint.port_or_known_default()
            && url.username().is_empty()
            && url.password().is_none();
        same.then_some(url)
    }

    /// Reads every page of a list.
    async fn pages(&self, scale_set: Option<&str>) -> Result<Pages> {
        let attempted = "list virtual machines";
        let mut answer = self.arm.machines(scale_set, Deadline::NEVER).await;
        let mut pages = Pages { at: None, complete: true, machines: Vec::new() };
        for _ in 0..self.config.max_pages {
            let page = answer.map_err(|unheard| error::unheard(unheard, Meant::Look, attempted))?;
            if !page.is_success() {
                let refused = error::refused(&page, Meant::Look, attempted);
                // A group that is not there is no empty list.
                let missing = *refused.kind() == ErrorKind::NotFound;
                return Err(if missing { denied(attempted, "the resource group") } else { refused });
            }
            pages.at = pages.at.or_else(|| page.date());
            let invalid =
                |why: serde_json::Error| Error::new(ErrorKind::Unavailable, attempted).with_source(why);
            let Page { value, next } = serde_json::from_slice(&page.body).map_err(invalid)?;
            for row in &value {
                match Machine::parse(&self.config, row) {
                    Some(machine) => pages.machines.push(machine),
                    // Something is there that nobody can name.
                    None => pages.complete = false,
                }
            }
            let Some(next) = next.filter(|next| !next.is_empty()) else { return Ok(pages) };
            let Some(url) = self.own(&next) else {
                pages.complete = false;
                return Ok(pages);
            };
            answer = self.arm.follow(&url, Deadline::NEVER).await;
        }
        pages.complete = false;
        Ok(pages)
    }

    /// Adds the runtime states: of a scale set by one more list, of failed machines one by one.
    async fn look_at_power(&self, pages: &mut Pages) -> Result<()> {
        if let Some(id) = &self.config.scale_set {
            let running = self.pages(Some(id)).await?;
            pages.complete &= running.complete;
            let states: BTreeMap<_, _> = running
                .machines
                .into_iter()
                .map(|machine| (machine.id, (machine.power, machine.failure)))
                .collect();
            for machine in &mut pages.machines {
                if let Some((power, failure)) = states.get(&machine.id) {
                    (machine.power, machine.failure) = (*power, failure.clone());
                }
            }
        }
        let ours = |machine: &&mut Machine| machine.is_worker() && machine.is_doubtful();
        let doubtful: Vec<&mut Machine> = pages.machines.iter_mut().filter(ours).take(LOOKS).collect();
        let looks = doubtful.iter().map(|machine| self.arm.machine(&machine.name, Deadline::NEVER));
        for (answer, machine) in join_all(looks).await.into_iter().zip(doubtful) {
            let seen =
                answer.ok().filter(Answer::is_success).and_then(|answer| parsed(&self.config, &answer));
            if let Some(seen) = seen.filter(|seen| seen.id == machine.id) {
                *machine = seen;
            }
        }
        Ok(())
    }

    /// Adds machines that were being ended and that the list lacks: as terminated where nothing has their name any more, as they
    /// are where the list is late.
    async fn look_for_ended(&self, pages: &mut Pages) {
        if !pages.complete {
            return;
        }
        let missing = self.ending.missing(&pages.machines, self.clock.boot(), LOOKS);
        let looks = missing.iter().map(|machine| self.arm.machine(&machine.name, Deadline::NEVER));
        let answers = join_all(looks).await;
        for (answer, machine) in answers.into_iter().zip(missing) {
            let Ok(answer) = answer else { continue };
            let gone =
                answer.status == 404 && Said::of(answer.status, &answer.body).code == "ResourceNotFound";
            let seen = if answer.is_success() { parsed(&self.config, &answer) } else { None };
            pages.machines.extend(seen.filter(|seen| seen.id == machine.id));
            pages.machines.extend(gone.then_some(machine));
        }
    }
}

/// What all pages say.
struct Pages {
    at: Option<autoscale_core::words::Timestamp>,
    complete: bool,
    machines: Vec<Machine>,
}

fn denied(attempted: &str, action: &str) -> Error {
    Error::new(ErrorKind::Denied { action: action.to_owned() }, attempted)
}

/// The machine in an answer.
fn parsed(config: &VmConfig, answer: &Answer) -> Option<Machine> {
    Machine::parse(config, &serde_json::from_slice(&answer.body).ok()?)
}

#[async_trait]
impl NodeProvider for Vms {
    async fn list(&self) -> Result<Listing> {
        let mut pages = self.pages(None).await?;
        self.look_at_power(&mut pages).await?;
        self.look_for_ended(&mut pages).await;
        let Pages { at, complete, machines } = pages;
        let known = machines.into_iter().filter(|machine| machine.ownership != Ownership::Foreign);
        let at = at.unwrap_or_else(|| self.clock.now());
        let mut listing = Listing::new(at, known.map(Machine::listed).collect());
        listing.complete = complete;
        Ok(listing)
    }

    async fn launch(&self, order: &LaunchOrder) -> Result<Launched> {
        // On the heap: two rounds of requests are a large future.
        Box::pin(launch::launch(self, order)).await
    }

    async fn terminate(&self, order: &TerminateOrder) -> Result<()> {
        let attempted = format!("terminate {}", order.instance);
        if order.cluster != self.config.cluster {
            return Err(denied(&attempted, "machines of another cluster"));
        }
        let name = machine_of(&self.config, &order.instance);
        let name = name.ok_or_else(|| denied(&attempted, "machines outside the workers' resource group"))?;
        let until = order.not_after;
        let heard =
            |answer: arm::Heard, meant| answer.map_err(|unheard| error::unheard(unheard, meant, &attempted));
        if self.clock.boot() > until {
            return Err(Error::new(ErrorKind::NotSent, attempted));
        }
        let answer = heard(self.arm.machine(name, until).await, Meant::End)?;
        if answer.status == 404 {
            return Ok(());
        }
        if !answer.is_success() {
            return Err(error::refused(&answer, Meant::End, &attempted));
        }
        let machine = parsed(&self.config, &answer);
        let machine =
            machine.ok_or_else(|| Error::new(ErrorKind::Unclear, format!("{attempted}: unreadable")))?;
        if !machine.is_worker() {
            return Err(denied(&attempted, "machines without the tags of this cluster's workers"));
        }
        if machine.kept {
            return Err(denied(&attempted, &format!("the tag {} on the machine", self.config.tag("keep"))));
        }
        if machine.provisioning != Provisioning::Deleting {
            let answer = heard(self.arm.delete(name, until).await, Meant::End)?;
            if !answer.is_success() && answer.status != 404 {
                return Err(error::refused(&answer, Meant::End, &attempted));
            }
        }
        self.ending.add(machine, self.clock.boot());
        Ok(())
    }
}
