//! The network between driver and world: requests take a while, get lost, come late; answers too.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::data::record::IncomingNotice;
use crate::data::view::Instance;
use crate::memory::{Rng, World};
use crate::ports::{ErrorKind, Swapped};
use crate::words::{Deadline, InstanceId, Span, Timestamp, Token};

use super::blow::Blow;
use super::call::{Call, Class, Reply};
use super::clocks::ProcessClock;
use super::damage::Hurt;
use super::fate::Fate;
use super::faults::Chaos;
use super::odds;
use super::process::Process;
use super::truth::Truth;

/// Something that happens at a time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Item {
    /// A request reaches its server.
    Arrive(u64),
    /// An answer reaches its sender.
    Answer(u64),
    /// A sleep is over.
    Wake(u64),
    /// A process dies.
    Kill(u32),
    /// The time of a process is up.
    Limit(u32),
    /// A process goes on.
    Thaw(u32),
    /// A scheduled tick starts.
    Tick,
    /// A tick for a notice starts; the number of the notice.
    Notice(u64),
    /// A second tick starts, if one is running.
    Overlap,
    /// The workloads' controllers look.
    Controllers,
    /// The fleet is written down.
    Point,
    /// Something befalls the world.
    Blow(Blow),
    /// A person uncordons a node.
    Uncordon(String),
    /// Pods of a workload that hold nodes back go away.
    PodsGo(u32),
    /// A pod of the list is made; its number there.
    PodComes(u32),
    /// A pod of the list is taken away.
    PodEnds(u32),
    /// A notice is withdrawn.
    Withdraw(InstanceId),
    /// The operator repairs the record that was damaged then.
    Repair(Timestamp),
    /// No more faults.
    Cease,
    /// Nodes are looked over for cordons that were forgotten.
    Patrol,
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) task: u32,
    pub(super) call: Call,
    /// When its sender had last looked at the cluster.
    pub(super) surveyed_at: Option<Timestamp>,
    fate: Fate,
    reply: Option<Reply>,
    ready: bool,
    waker: Option<Waker>,
    landed: bool,
    consumed: bool,
}

/// The world, everything under way, and the truth about both.
#[derive(Debug)]
pub(super) struct Net {
    pub(super) world: World,
    pub(super) truth: Truth,
    pub(super) chaos: Chaos,
    rng: Rng,
    queue: BinaryHeap<Reverse<(Timestamp, u64, Item)>>,
    planned: u64,
    requests: BTreeMap<u64, Request>,
    next_request: u64,
    timers: BTreeMap<u64, Option<Waker>>,
    pub(super) processes: BTreeMap<u32, Process>,
    /// The process that is being polled.
    pub(super) current: u32,
    pub(super) store_out_until: Timestamp,
    pub(super) notices: BTreeMap<u64, IncomingNotice>,
    pub(super) log: Option<Vec<String>>,
    /// How often an operator has written.
    pub(super) hand_written: u64,
    /// What happens to which call, where that is not left to chance.
    #[cfg(test)]
    pub(super) script: Option<super::exhaustive::Script>,
    /// Until when most calls are throttled, effects denied, launches lost.
    pub(super) storm_until: Timestamp,
    pub(super) denied_until: Timestamp,
    pub(super) unanswered_until: Timestamp,
    /// Tokens whose next launch finds no capacity although an older copy will, and those that found none.
    pub(super) refuse_once: BTreeSet<Token>,
    pub(super) refused_older: BTreeSet<Token>,
    /// A workload whose pods cannot be evicted, and until when.
    pub(super) stuck: Option<(u32, Timestamp)>,
    /// What another cluster runs in the same account.
    pub(super) second_cluster: Vec<Instance>,
    /// When the blow that waits for a node that is being drained looks again.
    pub(super) kill_again_at: Option<Timestamp>,
    /// Stored records of the last minutes.
    pub(super) snapshots: VecDeque<(Timestamp, Vec<u8>)>,
    pub(super) hurt: Option<Hurt>,
    pub(super) last_crash: Option<Timestamp>,
}

/// The net, shared by all ports of a run.
#[derive(Clone, Debug)]
pub(super) struct Wire(Arc<Mutex<Net>>);

impl Wire {
    pub(super) fn new(net: Net) -> Self {
        Self(Arc::new(Mutex::new(net)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Net> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Net {
    pub(super) fn new(world: World, truth: Truth, chaos: Chaos, rng: Rng) -> Self {
        Self {
            store_out_until: world.now(),
            world,
            truth,
            chaos,
            rng,
            queue: BinaryHeap::new(),
            planned: 0,
            requests: BTreeMap::new(),
            next_request: 0,
            timers: BTreeMap::new(),
            processes: BTreeMap::new(),
            current: 0,
            notices: BTreeMap::new(),
            log: None,
            hand_written: 0,
            #[cfg(test)]
            script: None,
            storm_until: Timestamp::default(),
            denied_until: Timestamp::default(),
            unanswered_until: Timestamp::default(),
            refuse_once: BTreeSet::new(),
            refused_older: BTreeSet::new(),
            stuck: None,
            second_cluster: Vec::new(),
            kill_again_at: None,
            snapshots: VecDeque::new(),
            hurt: None,
            last_crash: None,
        }
    }

    pub(super) fn plan(&mut self, span: Span, item: Item) {
        let at = self.world.now().after(span);
        self.planned += 1;
        self.queue.push(Reverse((at, self.planned, item)));
    }

    pub(super) fn next_item(&self) -> Option<Timestamp> {
        self.queue.peek().map(|Reverse((at, ..))| *at)
    }

    /// The next item that is due.
    pub(super) fn due(&mut self) -> Option<Item> {
        if self.next_item()? > self.world.now() {
            return None;
        }
        self.queue.pop().map(|Reverse((_, _, item))| item)
    }

    pub(super) fn draw(&mut self, low: Span, high: Span) -> Span {
        self.rng.span(low, high)
    }

    /// The clock of the process that is being polled.
    fn clock(&self) -> ProcessClock {
        let now = self.world.now();
        self.processes.get(&self.current).map_or_else(|| ProcessClock::right(now), |process| process.clock)
    }

    /// The wall clock of the process that is being polled.
    pub(super) fn wall(&self) -> Timestamp {
        self.clock().wall(self.world.now())
    }

    /// Its clock that never jumps.
    pub(super) fn boot(&self) -> Deadline {
        self.clock().boot(self.world.now())
    }

    /// Keeps a notice for its deliveries, and gives its number. Those of many notices ago are forgotten.
    pub(super) fn keep(&mut self, notice: IncomingNotice) -> u64 {
        let number = self.notices.last_key_value().map_or(0, |(last, _)| *last) + 1;
        self.notices.insert(number, notice);
        if self.notices.len() > 8_192 {
            self.notices.pop_first();
        }
        number
    }

    /// Delivers a notice once.
    pub(super) fn post(&mut self, notice: IncomingNotice, after: Span) {
        let number = self.keep(notice);
        self.plan(after, Item::Notice(number));
    }

    /// Begins a sleep.
    pub(super) fn sleep(&mut self, span: Span) -> u64 {
        self.next_request += 1;
        let id = self.next_request;
        self.timers.insert(id, None);
        let span = self.clock().true_span(span);
        self.plan(span, Item::Wake(id));
        id
    }

    /// Whether a sleep is over; it wakes `waker` otherwise.
    pub(super) fn slept(&mut self, id: u64, waker: &Waker) -> bool {
        match self.timers.get_mut(&id) {
            Some(slot) => {
                *slot = Some(waker.clone());
                false
            }
            None => true,
        }
    }

    pub(super) fn wake(&mut self, id: u64) {
        if let Some(Some(waker)) = self.timers.remove(&id) {
            waker.wake();
        }
    }

    /// Sends a request for the current process. `Err` is an answer at once: it was not sent.
    pub(super) fn send(&mut self, call: Call) -> Result<u64, Reply> {
        let now = self.world.now();
        let late = call.not_after().is_some_and(|not_after| self.boot() > not_after);
        if late {
            self.truth.check("I13", now, true, String::new);
            return Err(call.failed(ErrorKind::NotSent, "after not_after"));
        }
        if matches!(call, Call::Launch(_)) && self.clock().is_far_off(now) {
            self.chaos.count("clock-refused-launch");
            return Err(call.failed(ErrorKind::NotSent, "the local clock is more than 30s off"));
        }
        let (task, class) = (self.current, call.class());
        // Effects are few, so that faults have to be more frequent among them to happen at all.
        let weight = match class {
            Class::Read => 1,
            Class::Swap => 4,
            Class::Effect => 20,
        };
        self.next_request += 1;
        let id = self.next_request;
        let crash = self.crash_point(class, weight);
        if crash == Some(0) {
            self.classify(&call, 0, None);
            self.die(task);
            return Ok(id);
        }
        let fate = self.fate(&call, weight);
        self.truth.on_send(task, &call, fate != Fate::LostRequest);
        let go = self.rng.span(Span::from_millis(2), Span::from_millis(100));
        let back = self.rng.span(Span::from_millis(3), Span::from_millis(100));
        let mut answer = match fate {
            Fate::Plain | Fate::Throttled => Some(go.plus(back)),
            Fate::Resent => Some(go.plus(back).plus(back)),
            Fate::LostRequest | Fate::LostAnswer | Fate::LateRequest => {
                let hears = self.chaos.rng.chance(600_000);
                hears.then(|| self.chaos.rng.span(Span::from_secs(1), Span::from_secs(8)))
            }
        };
        #[allow(unused_mut)]
        let mut arrive = match fate {
            Fate::LostRequest => None,
            Fate::LateRequest => Some(self.chaos.rng.span(Span::from_secs(9), Span::from_secs(295))),
            _ => Some(go),
        };
        if fate == Fate::Plain && self.chaos.chance(self.chaos.rates.late_answer, weight) {
            self.chaos.count("late-answer");
            answer = Some(self.chaos.rng.span(Span::from_secs(3), Span::from_secs(12)));
        }
        #[cfg(test)]
        if let Some(script) = &mut self.script {
            script.time(id, &mut arrive, &mut answer);
        }
        if let Some(arrive) = arrive {
            self.plan(arrive, Item::Arrive(id));
        }
        if let (Some(point), Some(process)) = (crash, self.processes.get_mut(&task)) {
            process.dying = Some((id, point));
        }
        match crash {
            Some(1) => {
                self.classify(&call, 1, None);
                self.die(task);
            }
            Some(2) => self.plan(arrive.unwrap_or(go), Item::Kill(task)),
            _ => {}
        }
        if let Some(answer) = answer {
            if crash == Some(3) {
                self.plan(answer, Item::Kill(task));
            } else if self.chaos.chance(self.chaos.rates.frozen, weight) {
                self.freeze(task, answer);
            }
            self.plan(answer, Item::Answer(id));
        }
        let request = Request {
            task,
            surveyed_at: self.truth.surveyed_at(task),
            call,
            fate,
            reply: None,
            ready: false,
            waker: None,
            landed: false,
            consumed: false,
        };
        self.requests.insert(id, request);
        Ok(id)
    }

    /// A process dies of a crash.
    pub(super) fn dies(&mut self, task: u32) {
        let Some((id, point)) = self.processes.get(&task).and_then(|process| process.dying) else { return };
        let Some(request) = self.requests.remove(&id) else { return };
        self.classify(&request.call, point, request.reply.as_ref());
        self.requests.insert(id, request);
    }

    /// A request reaches its server: here it has its effect.
    pub(super) fn arrive(&mut self, id: u64) {
        let Some(mut request) = self.requests.remove(&id) else { return };
        let reply = match request.fate {
            Fate::Throttled => {
                let after = Some(Span::from_secs(1));
                request.call.failed(ErrorKind::Throttled { retry_after: after }, "slow down")
            }
            Fate::Resent => match self.serve(&request) {
                Reply::Swap(Ok(Swapped::Applied(_))) => self.serve(&request),
                other => other,
            },
            Fate::Plain | Fate::LostRequest | Fate::LostAnswer | Fate::LateRequest => self.serve(&request),
        };
        #[cfg(test)]
        let reply = match &mut self.script {
            Some(script) => script.revise(id, reply),
            None => reply,
        };
        self.truth.on_landed(&request, &reply);
        request.landed = true;
        if !matches!(request.fate, Fate::LostAnswer | Fate::LateRequest) {
            request.reply = Some(reply);
        }
        if !request.consumed {
            self.requests.insert(id, request);
        }
    }

    fn serve(&mut self, request: &Request) -> Reply {
        let now = self.world.now();
        let store_out = now < self.store_out_until;
        let before = self.truth.before(&self.world, request);
        let reply = match &request.call {
            call if self.world.now() < self.denied_until && call.class() == Class::Effect => {
                self.denied(call).unwrap_or_else(|| call.unanswered())
            }
            Call::List => self.list(),
            Call::Survey(_) if self.chaos.chance(self.chaos.rates.survey_failed, 1) => {
                self.chaos.count("survey-failed");
                request.call.failed(ErrorKind::Unavailable, "survey")
            }
            Call::Survey(scope) => {
                let survey = self.world.survey(scope);
                self.truth.same_in_any_order(&survey);
                Reply::Survey(Ok(survey))
            }
            Call::Sample(wanted) => Reply::Sample(self.sample(wanted)),
            Call::Load | Call::Swap(..) if store_out => {
                self.chaos.count("store-unavailable");
                request.call.failed(ErrorKind::Unavailable, "store")
            }
            Call::Load => Reply::Load(Ok(self.world.load())),
            Call::Swap(expected, sealed) => Reply::Swap(Ok(self.world.swap(expected, sealed))),
            Call::Launch(order) => self.launch(order, request.fate == Fate::LateRequest),
            Call::Terminate(order) => Reply::Unit(self.world.terminate(order)),
            Call::Cordon(order) => {
                let answer = self.world.cordon(order);
                if self.chaos.chance(self.chaos.rates.human_uncordon, 1) {
                    let after = self.chaos.rng.span(Span::from_secs(1), Span::from_secs(120));
                    self.plan(after, Item::Uncordon(order.node.to_string()));
                }
                Reply::Cordon(Ok(answer))
            }
            Call::Uncordon(order) => Reply::Cordon(Ok(self.world.uncordon(order))),
            Call::Evict(order) => Reply::Evict(self.evict(order)),
            Call::Forget(order) => {
                self.world.forget(order);
                Reply::Unit(Ok(()))
            }
        };
        self.truth.served(&self.world, request, before, &reply);
        match (&request.call, &reply) {
            (Call::Swap(..), Reply::Swap(Ok(Swapped::Applied(_)))) => self.witness(),
            (Call::Launch(_), Reply::Launch(Ok(launched)))
                if request.fate == Fate::LostAnswer
                    && self.chaos.rates.hostile
                    && self.chaos.rng.chance(odds::TOKEN_SPENT.1) =>
            {
                self.world.kill(&launched.instance);
            }
            _ => {}
        }
        if let Some(log) = &mut self.log {
            log.extend(super::log::line(now, request.task, &request.call, &reply));
        }
        reply
    }

    /// An answer, or the end of waiting for one, reaches its sender.
    pub(super) fn answer(&mut self, id: u64) {
        let Some(request) = self.requests.get_mut(&id) else { return };
        request.ready = true;
        if request.reply.is_none() {
            request.reply = Some(request.call.unanswered());
        }
        if let Some(waker) = request.waker.take() {
            waker.wake();
        }
    }

    /// Takes the answer to a request, if it is there.
    pub(super) fn take(&mut self, id: u64, waker: &Waker) -> Option<Reply> {
        let request = self.requests.get_mut(&id)?;
        if !request.ready {
            request.waker = Some(waker.clone());
            return None;
        }
        let reply = request.reply.take()?;
        match (&request.call, &reply) {
            (Call::Swap(_, sealed), Reply::Swap(swapped)) => {
                self.truth.on_swap_answer(request.task, sealed, swapped);
            }
            (_, Reply::Sample(samples)) => self.truth.on_samples(request.task, samples),
            _ => {}
        }
        self.consume(id);
        Some(reply)
    }

    /// A request under way, taken off the wire.
    #[cfg(test)]
    pub(super) fn request(&mut self, id: u64) -> Option<Request> {
        self.requests.remove(&id)
    }

    /// Nobody waits for the answer any more; the request goes its way.
    pub(super) fn abandon(&mut self, id: u64) {
        if let Some(request) = self.requests.get(&id)
            && matches!(request.call, Call::Swap(..))
        {
            self.truth.on_swap_given_up(request.task);
        }
        self.consume(id);
    }

    fn consume(&mut self, id: u64) {
        let Some(request) = self.requests.get_mut(&id) else { return };
        request.consumed = true;
        request.waker = None;
        if request.landed || request.fate == Fate::LostRequest {
            self.requests.remove(&id);
        }
    }
}
