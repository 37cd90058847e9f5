//! Buying one machine, or naming the one that stands under its name.
//!
//! A machine is made by a PUT that Azure refuses where the name is taken, and the name is the same in every attempt of a slot: however many
//! copies of however many attempts arrive, one machine at most stands there. What stands there decides the answer.

use autoscale_core::data::order::{LaunchOrder, Launched};
use autoscale_core::data::view::Ownership;
use autoscale_core::ports::{Error, ErrorKind, Result};
use autoscale_core::words::{Deadline, InstanceId, Span};
use serde_json::Value;

use super::arm::Answer;
use super::error::{self, Meant, Said};
use super::poll::{self, Progress};
use super::request::{self, Made};
use super::response::{Machine, Provisioning};
use super::{Vms, parsed};

/// After how long to come back while a machine is on its way out.
const SOON: Span = Span::from_secs(5);

/// An order, ready to be sent.
struct Plan<'a> {
    order: &'a LaunchOrder,
    attempted: String,
    name: String,
    instance: InstanceId,
    body: Value,
    made: Made,
    /// Until when this call may wait for anything at all.
    end: Deadline,
}

/// What stands under the name of an order.
enum Standing {
    /// A machine that the order names.
    Bought(InstanceId),
    /// Nothing any more.
    Free,
}

impl<'a> Plan<'a> {
    fn new(vms: &Vms, order: &'a LaunchOrder) -> Result<Self> {
        let attempted = format!("launch {} as {}", order.offering, order.token);
        let invalid = |what: &str| Error::new(ErrorKind::Invalid, format!("{attempted}: {what}"));
        let config = &vms.config;
        if order.cluster != config.cluster {
            let kind = ErrorKind::Denied { action: "machines of another cluster".to_owned() };
            return Err(Error::new(kind, attempted));
        }
        let name =
            request::name(&order.token).ok_or_else(|| invalid("its token is not one of this library"))?;
        let expected = || invalid(&format!("expected a zone such as {}-1", config.location));
        request::zone_number(config, &order.offering.zone).ok_or_else(expected)?;
        let version = || invalid("expected the pinned image to be a version such as 1.2.3, or nothing");
        let (body, made) = (request::body(config, order, &name), Made::ordered(config, order));
        let (body, made) = body.zip(made).ok_or_else(version)?;
        let instance = request::instance(config, &name).ok_or_else(|| invalid("its name gives no id"))?;
        let end = vms.clock.boot().after(config.watch).min(order.not_after);
        Ok(Self { order, attempted, name, instance, body, made, end })
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, &self.attempted)
    }

    const fn meant(&self) -> Meant<'_> {
        Meant::Buy(&self.order.offering)
    }
}

pub(super) async fn launch(vms: &Vms, order: &LaunchOrder) -> Result<Launched> {
    let plan = Plan::new(vms, order)?;
    let until = order.not_after;
    // The second round is for what was found free after the first was refused: nothing has been bought by then.
    let mut refused = plan.error(soon());
    for _ in 0..2 {
        let answer = vms.arm.create(&plan.name, &plan.body, until).await;
        let answer = answer.map_err(|unheard| error::unheard(unheard, plan.meant(), &plan.attempted))?;
        if answer.is_success() {
            return match vms.watch(&answer, until, plan.end).await {
                Progress::Failed(said) => Err(failed_at_once(vms, &plan, said).await),
                Progress::Going(_) | Progress::Done => Ok(Launched::new(plan.instance)),
            };
        }
        let said = Said::of(answer.status, &answer.body);
        let standing = if said.is_leftover() {
            let cleared = vms.clear_parts(&plan.name, until, plan.end).await?;
            if cleared {
                Standing::Free
            } else {
                return Err(plan.error(soon()).with_source(said));
            }
        } else if said.is_taken() {
            standing(vms, &plan, until).await?
        } else {
            return Err(error::refused(&answer, plan.meant(), &plan.attempted));
        };
        if let Standing::Bought(instance) = standing {
            return Ok(Launched::new(instance));
        }
        refused = match said.is_passing() {
            true => plan.error(soon()).with_source(said),
            // Nothing stands there, and it is refused all the same: not because the name is taken.
            false => error::refused(&answer, plan.meant(), &plan.attempted),
        };
    }
    Err(refused)
}

const fn soon() -> ErrorKind {
    ErrorKind::Throttled { retry_after: Some(SOON) }
}

/// The machine was accepted and has failed: it goes, with its parts, and nothing was bought.
async fn failed_at_once(vms: &Vms, plan: &Plan<'_>, said: Said) -> Error {
    // Whether it goes at once or later: its name is taken until then, and whoever comes next looks.
    let _ = vms.arm.delete(&plan.name, plan.order.not_after).await;
    plan.error(of_failed(plan, said.is_capacity())).with_source(said)
}

/// A machine that failed for lack of capacity is a refusal of the offering; one that failed for another reason is a machine that is
/// gone.
fn of_failed(plan: &Plan<'_>, capacity: bool) -> ErrorKind {
    match capacity {
        true => ErrorKind::NoCapacity { offering: plan.order.offering.clone() },
        false => ErrorKind::TokenSpent,
    }
}

/// Looks at what has the name, after Azure has refused to make another.
async fn standing(vms: &Vms, plan: &Plan<'_>, until: Deadline) -> Result<Standing> {
    let answer = look(vms, plan, until).await?;
    let Some(answer) = answer else {
        // It was there when the PUT was refused and is gone now.
        return Ok(Standing::Free);
    };
    let machine = parsed(&vms.config, &answer).ok_or_else(|| plan.error(ErrorKind::Unclear))?;
    let same_slot = machine.token.as_ref().and_then(request::name).is_some_and(|name| name == plan.name);
    if machine.ownership != Ownership::Ours || !same_slot {
        return Err(plan.error(ErrorKind::TokenMismatch));
    }
    let leaving = machine.provisioning == Provisioning::Deleting;
    if machine.token.as_ref() == Some(&plan.order.token) {
        return this_attempt(vms, plan, machine, leaving).await;
    }
    let attempt = |token: Option<&autoscale_core::words::Token>| token?.parts().map(|parts| parts.attempt);
    if attempt(machine.token.as_ref()) > attempt(Some(&plan.order.token)) {
        // A later attempt stands there: this order is an old one.
        return Err(plan.error(ErrorKind::TokenSpent));
    }
    if leaving || machine.is_stillborn() {
        let gone = vms.remove(&plan.name, leaving, until, plan.end).await?;
        return if gone { Ok(Standing::Free) } else { Err(plan.error(soon())) };
    }
    // An earlier attempt has bought after all: it is the slot's machine.
    Ok(Standing::Bought(machine.id))
}

async fn this_attempt(vms: &Vms, plan: &Plan<'_>, machine: Machine, leaving: bool) -> Result<Standing> {
    if leaving {
        return Err(plan.error(ErrorKind::TokenSpent));
    }
    if machine.pool.as_ref() != Some(&plan.order.pool) || !plan.made.fits(&machine.made) {
        return Err(plan.error(ErrorKind::TokenMismatch));
    }
    if machine.is_stillborn() {
        let code = machine.failure.clone().unwrap_or_default();
        let said = Said { status: 200, code, message: "the machine failed before it ran".to_owned() };
        return Err(failed_at_once(vms, plan, said).await);
    }
    Ok(Standing::Bought(machine.id))
}

/// The machine of the name; `None` if there is none. A look that fails leaves open what stands there.
async fn look(vms: &Vms, plan: &Plan<'_>, until: Deadline) -> Result<Option<Answer>> {
    let unclear = || plan.error(ErrorKind::Unclear);
    let answer =
        vms.arm.machine(&plan.name, until).await.map_err(|unheard| unclear().with_source(unheard))?;
    match answer.status {
        404 => Ok(None),
        _ if answer.is_success() => Ok(Some(answer)),
        _ => {
            let refused = error::refused(&answer, Meant::Look, &plan.attempted);
            Err(match refused.kind() {
                ErrorKind::Denied { .. } => refused,
                _ => unclear().with_source(refused),
            })
        }
    }
}

impl Vms {
    /// Looks at an accepted operation until it ends or the watch is over. Once at least, but never sooner than the server allows
    /// unless the watch ends before.
    async fn watch(&self, accepted: &Answer, until: Deadline, end: Deadline) -> Progress {
        let Some(url) = accepted.operation().and_then(|text| self.own(text)) else {
            return if accepted.status == 202 {
                Progress::Going(None)
            } else {
                poll::progress_of_body(accepted)
            };
        };
        let mut state = Progress::Going(accepted.retry_after());
        while let Progress::Going(after) = &state {
            let left = end.since(self.clock.boot());
            if left == Span::ZERO {
                break;
            }
            self.clock.sleep(after.unwrap_or(Span::from_secs(1)).min(left).max(Span::from_millis(1))).await;
            let Ok(answer) = self.arm.follow(&url, until).await else { break };
            state = poll::progress(&answer);
        }
        state
    }

    /// Removes a machine that never ran, or waits for one that is on its way out; whether nothing of it is left.
    async fn remove(&self, name: &str, leaving: bool, until: Deadline, end: Deadline) -> Result<bool> {
        let attempted = format!("remove the failed machine {name}");
        if leaving {
            loop {
                let answer = self.arm.machine(name, until).await;
                if answer.is_ok_and(|answer| answer.status == 404) {
                    break;
                }
                let left = end.since(self.clock.boot());
                if left == Span::ZERO {
                    return Ok(false);
                }
                self.clock.sleep(Span::from_secs(1).min(left)).await;
            }
        } else {
            let answer = self.arm.delete(name, until).await;
            let answer = answer.map_err(|unheard| error::unheard(unheard, Meant::End, &attempted))?;
            match answer.status {
                404 => {}
                _ if answer.is_success() => {
                    if answer.status == 202 && self.watch(&answer, until, end).await != Progress::Done {
                        return Ok(false);
                    }
                }
                _ => return Err(error::refused(&answer, Meant::End, &attempted)),
            }
        }
        self.clear_parts(name, until, end).await
    }

    /// Deletes the interface and the disk that a machine has left; whether they are gone. Azure refuses both while a machine has them.
    async fn clear_parts(&self, name: &str, until: Deadline, end: Deadline) -> Result<bool> {
        let attempted = format!("delete what the machine {name} has left");
        let (interface, disk) = (request::interface(name), request::disk(name));
        for answer in
            [self.arm.delete_interface(&interface, until).await, self.arm.delete_disk(&disk, until).await]
        {
            let answer = answer.map_err(|unheard| error::unheard(unheard, Meant::End, &attempted))?;
            match answer.status {
                404 => {}
                202 => {
                    if self.watch(&answer, until, end).await != Progress::Done {
                        return Ok(false);
                    }
                }
                403 => return Err(error::refused(&answer, Meant::End, &attempted)),
                _ if answer.is_success() => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}
