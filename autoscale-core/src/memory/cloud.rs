//! The cloud: instances, capacity, a list that lags.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::order::{LaunchOrder, Launched, Offering, TerminateOrder};
use crate::data::policy::Purchase;
use crate::data::view::{Instance, Ownership, Phase};
use crate::ports::{Error, ErrorKind, Result};
use crate::words::{InstanceId, PoolName, Resources, ShapeName, Span, Timestamp, Token, Zone};

use super::rng::Rng;
use super::settings::Settings;

/// One instance, as it is.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) id: InstanceId,
    pub(crate) ownership: Ownership,
    pub(crate) phase: Phase,
    pub(crate) pool: Option<PoolName>,
    pub(crate) offering: Offering,
    pub(crate) pinned: String,
    pub(crate) allocatable: Resources,
    pub(crate) token: Option<Token>,
    pub(crate) protected: bool,
    pub(crate) launched_at: Timestamp,
    pub(crate) address: String,
    /// Whether its kubelet will come up, or lives.
    pub(crate) kubelet: bool,
    /// When the cloud takes it, once that is announced.
    pub(crate) doomed: Option<Timestamp>,
    /// When it stopped being alive.
    pub(crate) ended_at: Option<Timestamp>,
    /// Its node leads to no instance, or two do, or it joins late.
    pub(crate) nameless: bool,
    pub(crate) twin: bool,
    pub(crate) joins_late: Span,
    /// When a person made it or changed its tags.
    pub(crate) by_hand: Option<Timestamp>,
    visible_from: Timestamp,
    shown: (Phase, Timestamp),
}

impl Machine {
    pub(crate) const fn is_alive(&self) -> bool {
        self.phase.is_alive()
    }

    fn view(&self, now: Timestamp) -> Instance {
        Instance {
            id: self.id.clone(),
            ownership: self.ownership,
            phase: if now < self.shown.1 { self.shown.0 } else { self.phase },
            pool: self.pool.clone(),
            zone: Some(self.offering.zone.clone()),
            purchase: Some(self.offering.purchase),
            shape: Some(self.offering.shape.clone()),
            token: self.token.clone(),
            protected: self.protected,
            launched_at: Some(self.launched_at),
            private_address: Some(self.address.clone()),
        }
    }

    fn turn(&mut self, phase: Phase, now: Timestamp, lag: Span) {
        self.shown = (self.phase, now.after(lag));
        self.phase = phase;
    }
}

/// Everything the cloud runs or has run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cloud {
    pub(crate) machines: BTreeMap<u32, Machine>,
    /// The number of the next instance.
    pub(crate) next: u32,
    ids: BTreeMap<InstanceId, u32>,
    tokens: BTreeMap<Token, u32>,
    listed: BTreeSet<u32>,
    /// Alive or on their way out.
    active: BTreeSet<u32>,
    capacity: BTreeMap<Offering, u32>,
    pub(crate) outages: BTreeMap<Zone, Timestamp>,
    /// Milliseconds of life of ended instances, by machine type and how they were bought.
    past_ms: BTreeMap<(ShapeName, Purchase), u64>,
    /// How often a launch was refused for lack of capacity.
    pub(crate) refused_for_capacity: u64,
}

impl Cloud {
    pub(crate) fn machine(&self, index: u32) -> Option<&Machine> {
        self.machines.get(&index)
    }

    pub(crate) fn machine_mut(&mut self, index: u32) -> Option<&mut Machine> {
        self.machines.get_mut(&index)
    }

    pub(crate) fn index_of(&self, id: &InstanceId) -> Option<u32> {
        self.ids.get(id).copied()
    }

    pub(crate) fn by_token(&self, token: &Token) -> Option<&Machine> {
        self.tokens.get(token).and_then(|index| self.machine(*index))
    }

    /// Every instance that is alive.
    pub(crate) fn alive(&self) -> impl Iterator<Item = (u32, &Machine)> {
        self.active
            .iter()
            .filter_map(|index| Some((*index, self.machine(*index)?)))
            .filter(|(_, machine)| machine.is_alive())
    }

    /// How many instances of a pool are alive.
    #[cfg(feature = "sim")]
    pub(crate) fn alive_in(&self, pool: &PoolName) -> u32 {
        let ours = |machine: &Machine| machine.ownership != Ownership::ControlPlane;
        self.alive().filter(|(_, m)| ours(m) && m.pool.as_ref() == Some(pool)).count() as u32
    }

    /// At most so many of an offering are alive at a time; `None` is unlimited.
    pub(crate) fn set_capacity(&mut self, offering: Offering, most: Option<u32>) {
        match most {
            Some(most) => self.capacity.insert(offering, most),
            None => self.capacity.remove(&offering),
        };
    }

    /// Lifts every limit.
    #[cfg(feature = "sim")]
    pub(crate) fn lift_capacity(&mut self) {
        self.capacity.clear();
    }

    /// Spot instances that can be taken.
    #[cfg(feature = "sim")]
    pub(crate) fn spot_targets(&self) -> Vec<InstanceId> {
        let spot = |machine: &Machine| {
            machine.ownership == Ownership::Ours
                && machine.offering.purchase == Purchase::Spot
                && machine.doomed.is_none()
        };
        self.alive().filter(|(_, machine)| spot(machine)).map(|(_, machine)| machine.id.clone()).collect()
    }

    /// Adds an instance and gives its number.
    pub(crate) fn add(&mut self, order: New, now: Timestamp, lag: Span) -> u32 {
        let index = self.next;
        self.next += 1;
        let New { ownership, pool, offering, pinned, allocatable, token } = order;
        let id = InstanceId::new(format!("i-{index:08x}")).expect("hexadecimal digits");
        self.ids.insert(id.clone(), index);
        if let Some(token) = &token {
            self.tokens.insert(token.clone(), index);
        }
        let machine = Machine {
            id,
            ownership,
            phase: Phase::Pending,
            pool,
            offering,
            pinned,
            allocatable,
            token,
            protected: false,
            launched_at: now,
            address: format!("10.{}.{}.{}", index >> 16 & 255, index >> 8 & 255, index & 255),
            kubelet: true,
            doomed: None,
            ended_at: None,
            nameless: false,
            twin: false,
            joins_late: Span::ZERO,
            by_hand: None,
            visible_from: now.after(lag),
            shown: (Phase::Pending, now),
        };
        self.machines.insert(index, machine);
        self.listed.insert(index);
        self.active.insert(index);
        index
    }

    /// What `order` buys: the instance of its token, or a new one (`Ok(Err(new))`).
    pub(crate) fn launch(
        &mut self,
        order: &LaunchOrder,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<std::result::Result<Launched, New>> {
        let error = |kind| Err(Error::new(kind, format!("launch {} as {}", order.offering, order.token)));
        if let Some(machine) = self.by_token(&order.token) {
            if machine.offering != order.offering
                || machine.pool.as_ref() != Some(&order.pool)
                || machine.pinned != order.pinned
            {
                return error(ErrorKind::TokenMismatch);
            }
            if !machine.is_alive() {
                return error(ErrorKind::TokenSpent);
            }
            return Ok(Ok(Launched::new(machine.id.clone())));
        }
        let shape = settings.shape(&order.offering.shape);
        let (true, Some(shape)) = (settings.zones.contains(&order.offering.zone), shape) else {
            return error(ErrorKind::Invalid);
        };
        if order.cluster != settings.cluster {
            return error(ErrorKind::Denied { action: "RunInstances".to_owned() });
        }
        let workers = || self.alive().filter(|(_, machine)| machine.ownership != Ownership::ControlPlane);
        let same = || workers().filter(|(_, machine)| machine.offering == order.offering).count();
        let full = self.capacity.get(&order.offering).is_some_and(|most| same() >= *most as usize)
            || settings.quota.is_some_and(|most| workers().count() >= most as usize)
            || self.outages.get(&order.offering.zone).is_some_and(|until| now < *until);
        if full {
            self.refused_for_capacity += 1;
            return error(ErrorKind::NoCapacity { offering: order.offering.clone() });
        }
        Ok(Err(New {
            ownership: Ownership::Ours,
            pool: Some(order.pool.clone()),
            offering: order.offering.clone(),
            pinned: order.pinned.clone(),
            allocatable: shape.allocatable,
            token: Some(order.token.clone()),
        }))
    }

    /// Forgets an instance that ended a day ago: no request about it is under way any more.
    pub(crate) fn forget(&mut self, index: u32) {
        if let Some(machine) = self.machines.remove(&index) {
            self.ids.remove(&machine.id);
            if let Some(token) = &machine.token {
                self.tokens.remove(token);
            }
        }
        self.listed.remove(&index);
    }

    /// Whom `order` may end: `None` if it is gone or on its way out already.
    pub(crate) fn terminable(&self, order: &TerminateOrder, settings: &Settings) -> Result<Option<u32>> {
        let denied = |action: &str| {
            let kind = ErrorKind::Denied { action: action.to_owned() };
            Err(Error::new(kind, format!("terminate {}", order.instance)))
        };
        let Some((index, machine)) =
            self.index_of(&order.instance).and_then(|index| Some((index, self.machine(index)?)))
        else {
            return Ok(None);
        };
        let adopted = machine.ownership == Ownership::WorkerTag;
        if order.cluster != settings.cluster || !(machine.ownership == Ownership::Ours || adopted) {
            return denied("TerminateInstances");
        }
        if machine.protected {
            return denied("DisableApiTermination");
        }
        Ok(machine.is_alive().then_some(index))
    }

    /// Moves an instance on.
    pub(crate) fn turn(&mut self, index: u32, phase: Phase, now: Timestamp, lag: Span) {
        let Some(machine) = self.machines.get_mut(&index) else { return };
        if machine.is_alive() && !phase.is_alive() {
            machine.ended_at = Some(now);
            let ms = now.since(machine.launched_at).as_millis();
            if machine.ownership != Ownership::ControlPlane {
                let kind = (machine.offering.shape.clone(), machine.offering.purchase);
                *self.past_ms.entry(kind).or_default() += ms;
            }
        }
        machine.turn(phase, now, lag);
        if phase == Phase::Terminated {
            self.active.remove(&index);
        }
    }

    /// Milliseconds of life of worker instances up to `now`, by machine type and how they were bought.
    pub(crate) fn lived(&self, now: Timestamp) -> BTreeMap<(&ShapeName, Purchase), u64> {
        let past = self.past_ms.iter().map(|((shape, purchase), ms)| ((shape, *purchase), *ms));
        let mut lived: BTreeMap<_, u64> = past.collect();
        for (_, machine) in self.alive().filter(|(_, m)| m.ownership != Ownership::ControlPlane) {
            let ms = now.since(machine.launched_at).as_millis();
            *lived.entry((&machine.offering.shape, machine.offering.purchase)).or_default() += ms;
        }
        lived
    }

    /// Hours of worker instances alive up to `now`, spot and on-demand.
    pub(crate) fn hours(&self, now: Timestamp) -> (f64, f64) {
        let lived = self.lived(now);
        let of = |wanted: Purchase| -> u64 {
            lived.iter().filter(|((_, purchase), _)| *purchase == wanted).map(|(_, ms)| *ms).sum()
        };
        (of(Purchase::Spot) as f64 / 3.6e6, of(Purchase::OnDemand) as f64 / 3.6e6)
    }

    /// Whether the list hides something new or shows something dead.
    #[cfg(feature = "sim")]
    pub(crate) fn is_lagging(&self, now: Timestamp) -> bool {
        self.listed.iter().rev().filter_map(|index| self.machine(*index)).any(|machine| {
            now < machine.visible_from || (now < machine.shown.1 && machine.shown.0 != machine.phase)
        })
    }

    /// What the list shows now.
    pub(crate) fn list(&mut self, now: Timestamp, kept: Span) -> Vec<Instance> {
        let Self { listed, machines, .. } = self;
        listed.retain(|index| {
            machines
                .get(index)
                .is_some_and(|machine| machine.ended_at.is_none_or(|ended| now < ended.after(kept)))
        });
        listed
            .iter()
            .filter_map(|index| machines.get(index))
            .filter(|machine| machine.ownership != Ownership::Foreign && now >= machine.visible_from)
            .map(|machine| machine.view(now))
            .collect()
    }
}

/// An instance to be added.
#[derive(Clone, Debug)]
pub(crate) struct New {
    pub(crate) ownership: Ownership,
    pub(crate) pool: Option<PoolName>,
    pub(crate) offering: Offering,
    pub(crate) pinned: String,
    pub(crate) allocatable: Resources,
    pub(crate) token: Option<Token>,
}

/// A delay within what the settings allow.
pub(crate) fn lag(settings: &Settings, rng: &mut Rng) -> Span {
    if settings.list_lag == Span::ZERO { Span::ZERO } else { rng.span(Span::ZERO, settings.list_lag) }
}
