//! What there is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use autoscale_core::words::{Span, Timestamp};
use serde_json::Value;

use super::access::Access;
use super::capacity::Shortage;
use super::faults::Fault;
use super::journal::Entry;
use super::operations::Operation;
use super::route::Call;

/// How the resource manager behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ArmSettings {
    /// The only subscription.
    pub subscription: String,
    /// Its only resource group.
    pub group: String,
    /// The only location.
    pub location: String,
    /// The zones of the location.
    pub zones: Vec<String>,
    /// The machine types that there are.
    pub sizes: Vec<String>,
    /// How long a machine is `Creating`; default 30 s.
    pub create: Span,
    /// How long a machine is `Deleting`; default 20 s.
    pub delete: Span,
    /// By how much lists lag behind; a machine asked for by name is always as it is. Default 0.
    pub list_lag: Span,
    /// Machines on a page of a list; default 50.
    pub page: usize,
    /// What `Retry-After` asks for while an operation goes on, in seconds; default 1.
    pub retry_after: u64,
    /// Whether a deleted machine takes its interface and disk along, as its delete options say; default true.
    pub cascade: bool,
}

impl Default for ArmSettings {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            subscription: "11111111-2222-3333-4444-555555555555".to_owned(),
            group: "workers".to_owned(),
            location: "westeurope".to_owned(),
            zones: words(&["1", "2", "3"]),
            sizes: words(&["Standard_D2s_v5", "Standard_D4s_v5"]),
            create: Span::from_secs(30),
            delete: Span::from_secs(20),
            list_lag: Span::ZERO,
            page: 50,
            retry_after: 1,
            cascade: true,
        }
    }
}

impl ArmSettings {
    /// Lists lag behind by so much.
    #[must_use]
    pub const fn with_list_lag(mut self, lag: Span) -> Self {
        self.list_lag = lag;
        self
    }

    /// So many machines on a page, at least one.
    #[must_use]
    pub fn with_page(mut self, page: usize) -> Self {
        self.page = page.max(1);
        self
    }

    /// How long creating and deleting take.
    #[must_use]
    pub const fn with_times(mut self, create: Span, delete: Span) -> Self {
        (self.create, self.delete) = (create, delete);
        self
    }

    /// Interfaces and disks stay when their machine goes, whatever the delete options say.
    #[must_use]
    pub const fn without_cascade(mut self) -> Self {
        self.cascade = false;
        self
    }

    /// After so long nothing changes by itself.
    pub(super) const fn longest(&self) -> Span {
        self.create.plus(self.delete).plus(self.list_lag).plus(Span::from_mins(1))
    }
}

/// A disk or an interface, by name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Part {
    /// A managed disk.
    Disk(String),
    /// A network interface.
    Interface(String),
}

/// Where a machine is in its life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum State {
    Creating { until: Timestamp, fails: Option<(String, String)> },
    Succeeded,
    Failed { code: String },
    Deleting { until: Timestamp },
    Gone,
}

impl State {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Creating { .. } => "Creating",
            Self::Succeeded => "Succeeded",
            Self::Failed { .. } => "Failed",
            Self::Deleting { .. } | Self::Gone => "Deleting",
        }
    }
}

/// One machine, of all that ever were.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) number: u64,
    pub(super) body: Value,
    pub(super) state: State,
    /// `running` or `deallocated`; none for what never ran.
    pub(super) power: Option<&'static str>,
    pub(super) created: Timestamp,
    /// What lists showed until when.
    pub(super) shown: (Option<State>, Timestamp),
}

/// The truth about a machine.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Truth {
    /// Its name. Several machines of one name may have been, one after the other.
    pub name: String,
    /// Its resource id.
    pub id: String,
    /// A tag, if it has it.
    pub tags: BTreeMap<String, String>,
    /// Whether it is there and not on its way out.
    pub alive: bool,
    /// `Creating`, `Succeeded`, `Failed` or `Deleting`; the last also for what is gone.
    pub state: String,
}

/// Everything.
#[derive(Debug)]
pub(super) struct World {
    pub(super) settings: ArmSettings,
    pub(super) now: Timestamp,
    pub(super) machines: Vec<Machine>,
    /// Each with the number of the machine that has it.
    pub(super) parts: BTreeMap<Part, Option<u64>>,
    pub(super) operations: BTreeMap<u64, Operation>,
    pub(super) locked: BTreeSet<String>,
    pub(super) access: Access,
    pub(super) shortages: Vec<Shortage>,
    pub(super) faults: Vec<Fault>,
    pub(super) journal: Vec<Entry>,
    /// Requests that are under way and arrive later.
    pub(super) late: Vec<(Timestamp, Call)>,
    /// When a request over HTTP came last, by the clock of this process.
    served: Option<Instant>,
}

impl World {
    pub(super) fn new(settings: ArmSettings) -> Self {
        Self {
            settings,
            // 2026-11-22T09:00:00Z.
            now: Timestamp::from_millis(1_795_338_000_000),
            machines: Vec::new(),
            parts: BTreeMap::new(),
            operations: BTreeMap::new(),
            locked: BTreeSet::new(),
            access: Access::default(),
            shortages: Vec::new(),
            faults: Vec::new(),
            journal: Vec::new(),
            late: Vec::new(),
            served: None,
        }
    }

    /// Lets as much time pass as has since this was called last, so many times as fast.
    pub(super) fn pass(&mut self, speed: u64) {
        let now = Instant::now();
        let passed = self.served.replace(now).map_or(0, |last| now.duration_since(last).as_millis());
        self.advance(Span::from_millis(u64::try_from(passed).unwrap_or(u64::MAX).saturating_mul(speed)));
    }

    /// Moves time to every moment at which something happens, and to the end.
    pub(super) fn advance(&mut self, span: Span) {
        let end = self.now.after(span);
        loop {
            let ends = self.machines.iter().filter_map(|machine| match machine.state {
                State::Creating { until, .. } | State::Deleting { until } => Some(until),
                State::Succeeded | State::Failed { .. } | State::Gone => None,
            });
            let next = ends.chain(self.late.iter().map(|(due, _)| *due)).min().filter(|at| *at <= end);
            let Some(at) = next else { break };
            self.now = self.now.max(at);
            self.happen();
        }
        self.now = end;
    }

    /// Everything that is due.
    fn happen(&mut self) {
        let (now, lag) = (self.now, self.settings.list_lag);
        let mut ended = Vec::new();
        for machine in &mut self.machines {
            let next = match &machine.state {
                State::Creating { until, fails } if *until <= now => match fails {
                    Some((code, _)) => State::Failed { code: code.clone() },
                    None => State::Succeeded,
                },
                State::Deleting { until } if *until <= now => State::Gone,
                _ => continue,
            };
            match next {
                State::Succeeded => machine.power = Some("running"),
                State::Gone => ended.push(machine.number),
                _ => {}
            }
            machine.turn(next, now, lag);
        }
        for number in ended {
            let cascade = self.settings.cascade;
            self.parts.retain(|_, owner| !(cascade && *owner == Some(number)));
            self.parts.values_mut().filter(|owner| **owner == Some(number)).for_each(|owner| *owner = None);
        }
        let (due, late) = std::mem::take(&mut self.late).into_iter().partition(|(due, _)| *due <= now);
        self.late = late;
        let due: Vec<(Timestamp, Call)> = due;
        for (_, call) in due {
            self.carry_out(&call);
        }
    }

    /// The machine that has a name now.
    pub(super) fn find(&mut self, name: &str) -> Option<&mut Machine> {
        self.machines
            .iter_mut()
            .rev()
            .find(|machine| machine.name.eq_ignore_ascii_case(name) && machine.state != State::Gone)
    }

    pub(super) fn place(&mut self, name: &str, body: Value) {
        let number = self.add(name, body, State::Succeeded);
        if let Some(machine) = self.machines.iter_mut().find(|machine| machine.number == number) {
            machine.power = Some("running");
            machine.shown = (None, machine.created);
        }
    }

    /// Adds a machine and gives its number.
    pub(super) fn add(&mut self, name: &str, body: Value, state: State) -> u64 {
        let number = self.machines.len() as u64 + 1;
        let shown = (None, self.now.after(self.settings.list_lag));
        let (name, created) = (name.to_owned(), self.now);
        self.machines.push(Machine { name, number, body, state, power: None, created, shown });
        number
    }

    pub(super) fn deallocate(&mut self, name: &str) {
        if let Some(machine) = self.find(name) {
            machine.power = Some("deallocated");
        }
    }

    pub(super) fn fail_update(&mut self, name: &str, code: &str) {
        let (now, lag) = (self.now, self.settings.list_lag);
        if let Some(machine) = self.find(name) {
            machine.turn(State::Failed { code: code.to_owned() }, now, lag);
        }
    }

    pub(super) fn evict(&mut self, name: &str) {
        let (now, lag, until) = (self.now, self.settings.list_lag, self.now.after(self.settings.delete));
        if let Some(machine) = self.find(name) {
            machine.turn(State::Deleting { until }, now, lag);
        }
    }

    pub(super) fn truth(&self) -> Vec<Truth> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let tags = |body: &Value| match body.get("tags").and_then(Value::as_object) {
            Some(tags) => tags.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            None => BTreeMap::new(),
        };
        let one = |machine: &Machine| Truth {
            name: machine.name.clone(),
            id: self.id(&machine.name),
            tags: tags(&machine.body),
            alive: match machine.state {
                State::Creating { .. } | State::Succeeded => true,
                State::Failed { .. } => machine.power.is_some(),
                State::Deleting { .. } | State::Gone => false,
            },
            state: machine.state.name().to_owned(),
        };
        self.machines.iter().map(one).collect()
    }

    /// The resource id of a machine.
    pub(super) fn id(&self, name: &str) -> String {
        let ArmSettings { subscription, group, .. } = &self.settings;
        format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"
        )
    }
}

impl Machine {
    /// Moves on; lists show the state before for as long as they lag.
    pub(super) fn turn(&mut self, state: State, now: Timestamp, lag: Span) {
        let never_seen = self.shown.0.is_none() && now < self.shown.1;
        if !never_seen {
            self.shown = (Some(self.state.clone()), now.after(lag));
        }
        self.state = state;
    }

    /// What a list shows of it: nothing, or a state.
    pub(super) fn listed(&self, now: Timestamp) -> Option<&State> {
        match &self.shown {
            (shown, until) if now < *until => shown.as_ref(),
            _ => Some(&self.state),
        }
        .filter(|state| **state != State::Gone)
    }
}
